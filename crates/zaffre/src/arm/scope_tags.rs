//! `{scope}/providers/Microsoft.Resources/tags/default`: the tags of a subscription, a group or a resource,
//! without the rest of it, so that somebody may be given the right to tag alone (arm.md §6).

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{
    codes, content,
    kind::{Edit, Look, Own, Written},
    tags, write,
};
use crate::resources::{self, Tags};

/// Names of tags compare without case, values with it (tag-resources.md).
#[derive(Clone, Copy)]
enum Operation {
    Merge,
    Replace,
    Delete,
}

pub(super) static OWN: Own = Own {
    get,
    list: |look| Ok(get(look)?.into_iter().collect()),
    put: |edit| change(edit, Operation::Replace),
    patch: Some(|edit| change(edit, operation(edit.body)?)),
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| write::absent(&id.extended())),
};

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    // A list is asked for at the scope itself, one by its name.
    let is_listed =
        look.id.resource_type().is_none_or(|it| !it.eq_ignore_ascii_case("Microsoft.Resources/tags"));
    let scope = if is_listed { look.id.clone() } else { look.id.extended() };
    if !is_listed && !look.id.name().eq_ignore_ascii_case("default") {
        return Ok(None);
    }
    Ok(resources::tags::get(look.txn, &scope)?.map(|tags| shown(&scope, &tags)))
}

fn change(edit: &mut Edit<'_>, operation: Operation) -> Result<Written> {
    let scope = scope_of(edit)?;
    let present = resources::tags::get(edit.txn, &scope)?.ok_or_else(|| write::absent(&scope))?;
    let given = content::map(&edit.body["properties"], "tags")?.unwrap_or_default();
    let next = match operation {
        Operation::Replace => given,
        Operation::Merge => merged(present, given),
        Operation::Delete => without(present, &given),
    };
    let next = tags::checked(next)?;
    let body = shown(&scope, &next);
    resources::tags::put(edit.txn, &scope, next, (edit.draw.guid(), edit.cx.now))?;
    Ok(Written { is_new: false, body })
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let scope = scope_of(edit)?;
    let present = resources::tags::get(edit.txn, &scope)?.ok_or_else(|| write::absent(&scope))?;
    resources::tags::put(edit.txn, &scope, Tags::new(), (edit.draw.guid(), edit.cx.now))?;
    Ok(Some(shown(&scope, &present)))
}

fn scope_of(edit: &Edit<'_>) -> Result<ResourceId> {
    if edit.id.name().eq_ignore_ascii_case("default") {
        return Ok(edit.id.extended());
    }
    Err(codes::INVALID_TAGS_NAME.with([edit.id.name()]))
}

fn operation(body: &Value) -> Result<Operation> {
    let named = body["operation"].as_str().unwrap_or_default();
    let known = [("Merge", Operation::Merge), ("Replace", Operation::Replace), ("Delete", Operation::Delete)];
    let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(named));
    found.map(|(_, operation)| operation).ok_or_else(|| codes::INVALID_TAGS_OPERATION.with([named]))
}

fn merged(mut present: Tags, given: Tags) -> Tags {
    for (name, value) in given {
        let known = present.keys().find(|it| it.eq_ignore_ascii_case(&name)).cloned();
        present.insert(known.unwrap_or(name), value);
    }
    present
}

/// Without those that are named: by name alone where the value is empty, else by both.
fn without(present: Tags, given: &Tags) -> Tags {
    let is_given = |name: &str, value: &Value| {
        let is_it = |(other, wanted): (&String, &Value)| {
            other.eq_ignore_ascii_case(name) && (wanted == "" || wanted.is_null() || wanted == value)
        };
        given.iter().any(is_it)
    };
    present.into_iter().filter(|(name, value)| !is_given(name, value)).collect()
}

fn shown(scope: &ResourceId, tags: &Tags) -> Value {
    json!({
        "id": scope.provider("Microsoft.Resources", "tags", "default"),
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": { "tags": tags },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    }

    #[test]
    fn names_are_the_same_in_any_case_and_values_are_not() {
        let present = || tags(&[("Env", "test"), ("team", "a")]);
        assert_eq!(
            merged(present(), tags(&[("env", "prod"), ("new", "n")])),
            tags(&[("Env", "prod"), ("team", "a"), ("new", "n")])
        );
        for (given, left) in [
            (tags(&[("ENV", "")]), tags(&[("team", "a")])),
            (tags(&[("ENV", "test")]), tags(&[("team", "a")])),
            (tags(&[("env", "Test")]), present()),
            (tags(&[("other", "")]), present()),
        ] {
            assert_eq!(without(present(), &given), left, "{given:?}");
        }
    }
}
