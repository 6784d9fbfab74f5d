//! Legal holds of a container: tags that people set and clear; while there is one, no blob in it is changed or deleted, and
//! neither is the container (published examples and models of the provider).

use azure::error::{Error, Result};
use serde_json::{Value, json};

use super::{
    blob::records::{self, Container, LegalHold},
    codes,
    services::account_of,
};
use crate::arm::{
    codes::INVALID_CONTENT,
    kind::{Answer, Call},
};

const MAX_TAGS: usize = 10;

pub(super) fn set(call: &mut Call<'_>) -> Result<Answer> {
    let tags = tags(call.body)?;
    let (since, by) = (call.cx.now, call.permit.caller().principal().map(|it| it.object_id));
    change(call, |holds| {
        let fresh = tags.iter().filter(|tag| !holds.iter().any(|hold| hold.tag == **tag));
        let fresh: Vec<_> = fresh.map(|tag| LegalHold { tag: tag.clone(), since, by }).collect();
        holds.extend(fresh);
    })
}

pub(super) fn clear(call: &mut Call<'_>) -> Result<Answer> {
    let tags = tags(call.body)?;
    change(call, |holds| holds.retain(|hold| !tags.contains(&hold.tag)))
}

fn change(call: &mut Call<'_>, change: impl FnOnce(&mut Vec<LegalHold>)) -> Result<Answer> {
    let (account, name) = (account_of(call.id), call.id.name().to_owned());
    let found = records::container(call.txn, &account, &name)?;
    let mut container = found.ok_or_else(|| codes::CONTAINER_NOT_FOUND.bare())?;
    change(&mut container.legal_holds);
    if container.legal_holds.len() > MAX_TAGS {
        return Err(INVALID_CONTENT.with([format!("a container has at most {MAX_TAGS} legal holds")]));
    }
    container.touch(call.cx.now);
    records::put_container(call.txn, &account, &name, &container)?;
    let tags: Vec<&str> = container.legal_holds.iter().map(|hold| hold.tag.as_str()).collect();
    Ok(Answer::ok(json!({ "hasLegalHold": container.is_held(), "tags": tags })))
}

/// Each of three to twenty-three letters and digits, in lower case, whatever the case it came in.
fn tags(body: &Value) -> Result<Vec<String>> {
    let listed = body.get("tags").and_then(Value::as_array);
    let listed =
        listed.ok_or_else(|| INVALID_CONTENT.with(["Required property 'tags' not found in JSON."]))?;
    let one = |tag: &Value| -> Result<String, Error> {
        let text = tag.as_str().unwrap_or_default();
        let is_tag = (3..=23).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let refused = || codes::INVALID_VALUE.with([tag.as_str().unwrap_or("?"), "tags"]);
        if is_tag { Ok(text.to_ascii_lowercase()) } else { Err(refused()) }
    };
    listed.iter().map(one).collect()
}

pub(super) fn shown(container: &Container) -> Value {
    let one = |hold: &LegalHold| {
        let by = hold.by.map(|it| it.to_string());
        json!({ "tag": hold.tag, "timestamp": hold.since.iso(), "objectIdentifier": by })
    };
    let tags: Vec<Value> = container.legal_holds.iter().map(one).collect();
    json!({ "hasLegalHold": container.is_held(), "tags": tags })
}
