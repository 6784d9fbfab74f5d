//! What a row's function gets, and what it gives.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
    odata::Filter,
};
use serde_json::{Map, Value, json};

use super::{codes, routes::Path};
use crate::{
    access::Caller,
    directory::{links, roles, secret::SecretHash},
    service::{Cx, Parts},
    store::Txn,
};

const MOST: usize = 999;
const USUAL: usize = 100;

/// The options of a query, read.
#[derive(Default)]
pub(super) struct Query {
    pub(super) filter: Option<Filter>,
    pub(super) search: Option<Filter>,
    pub(super) select: Option<Vec<String>>,
    pub(super) top: Option<usize>,
    pub(super) after: Option<ObjectId>,
    pub(super) counts: bool,
    /// All but the place in the list, for the next page.
    kept: Vec<(String, String)>,
}

impl Query {
    pub(super) fn read(parts: &Parts) -> Result<Query> {
        let mut query = Query::default();
        for (name, value) in &parts.query {
            let bad = || codes::BAD_QUERY.with([name]);
            match name.to_ascii_lowercase().trim_start_matches('$') {
                "filter" => {
                    let filter = Filter::parse(value);
                    query.filter = Some(filter.map_err(|why| codes::BAD_FILTER.with([why.to_string()]))?);
                }
                "search" => query.search = Some(search(parts, value)?),
                "select" => query.select = Some(value.split(',').map(|it| it.trim().to_owned()).collect()),
                "top" => {
                    let top = value.parse().ok().filter(|top| (1..=MOST).contains(top));
                    query.top = Some(top.ok_or_else(bad)?);
                }
                "count" => query.counts = value.eq_ignore_ascii_case("true"),
                "skiptoken" => query.after = Some(ObjectId(value.parse::<Guid>().map_err(|_| bad())?)),
                "format" | "api-version" => {}
                other if name.starts_with('$') => return Err(codes::UNSUPPORTED_QUERY.with([other])),
                _ => {}
            }
            if !name.eq_ignore_ascii_case("$skiptoken") {
                query.kept.push((name.clone(), value.clone()));
            }
        }
        Ok(query)
    }

    pub(super) fn page_size(&self) -> usize {
        self.top.unwrap_or(USUAL)
    }

    /// Whether an object is one of those asked for.
    pub(super) fn takes(&self, object: &Map<String, Value>) -> bool {
        let values = |path: &str| values(object, path);
        [&self.filter, &self.search].into_iter().flatten().all(|filter| filter.matches(&values))
    }
}

/// `"displayName:text"`, as a filter: the words of Graph's index are not kept, so a part of the text
/// is enough.
fn search(parts: &Parts, value: &str) -> Result<Filter> {
    let is_eventual = parts.header("consistencylevel").is_some_and(|it| it.eq_ignore_ascii_case("eventual"));
    if !is_eventual {
        return Err((&codes::EVENTUAL).into());
    }
    let (property, text) =
        value.trim_matches('"').split_once(':').ok_or_else(|| codes::BAD_QUERY.with(["$search"]))?;
    let filter = format!("contains({property},'{}')", text.replace('\'', "''"));
    Filter::parse(&filter).map_err(|why| codes::BAD_FILTER.with([why.to_string()]))
}

/// What a path such as `passwordcredentials/keyid` stands for in an object.
fn values(object: &Map<String, Value>, path: &str) -> Vec<azure::odata::Value> {
    let names: Vec<&str> = path.split('/').collect();
    let mut out = Vec::new();
    collect(&Value::Object(object.clone()), &names, &mut out);
    out
}

fn collect(value: &Value, path: &[&str], out: &mut Vec<azure::odata::Value>) {
    use azure::odata::Value as Literal;
    match (value, path) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, path, out)),
        (Value::Object(members), [name, rest @ ..]) => {
            let member = members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            if let Some((_, value)) = member {
                collect(value, rest, out);
            }
        }
        (Value::String(text), []) => out.push(Literal::Text(text.clone())),
        (Value::Number(number), []) => out.extend(number.as_f64().map(Literal::Number)),
        (Value::Bool(value), []) => out.push(Literal::Bool(*value)),
        (Value::Null, []) => out.push(Literal::Null),
        _ => {}
    }
}

pub(super) enum Answer {
    Json(u16, Value),
    Text(String),
    Empty,
}

/// A request, read.
pub(super) struct Ask<'a> {
    pub(super) cx: &'a Cx,
    pub(super) caller: &'a Caller,
    pub(super) query: Query,
    pub(super) body: Map<String, Value>,
    /// Of the password that the body has, hashed before the transaction.
    pub(super) password: Option<SecretHash>,
    path: Path,
    keys: Vec<String>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(
        cx: &'a Cx,
        caller: &'a Caller,
        keys: Vec<String>,
        path: Path,
        query: Query,
        bytes: &[u8],
    ) -> Result<Self> {
        let body = match bytes {
            [] => Map::new(),
            bytes => serde_json::from_slice(bytes).map_err(|why| codes::NOT_JSON.bare().because(why))?,
        };
        Ok(Ask { cx, caller, query, body, password: None, path, keys })
    }

    /// The collection, as the client wrote it.
    pub(super) fn set(&self) -> &str {
        self.path.set()
    }

    /// What stands for a star of the path; `me` is the caller's id.
    pub(super) fn key(&self, at: usize) -> Result<String> {
        let key = self.keys.get(at).map_or("", String::as_str);
        if at > 0 || !self.path.is_me {
            return Ok(key.to_owned());
        }
        let user = self.caller.principal().filter(|it| it.kind == azure::principal::PrincipalKind::User);
        Ok(user.ok_or(&codes::NOT_A_USER)?.object_id.to_string())
    }

    /// The caller may change the directory, or this object of it.
    pub(super) fn may_change(&self, txn: &Txn, object: Option<ObjectId>) -> Result<()> {
        let Some(principal) = self.caller.principal() else { return Err((&codes::DENIED).into()) };
        let id = principal.object_id;
        let owns = object.map(|object| links::is_owner(txn, object, id)).transpose()?.unwrap_or_default();
        if owns || roles::is_administrator(txn, id)? {
            return Ok(());
        }
        Err((&codes::DENIED).into())
    }

    pub(super) fn chosen_password(&self) -> Option<String> {
        Some(self.body.get("passwordProfile")?.get("password")?.as_str()?.to_owned())
    }

    /// `https://graph.microsoft.com/v1.0/$metadata#users/$entity`.
    pub(super) fn context(&self, of: &str) -> String {
        format!("{}/$metadata#{of}", self.path.root)
    }

    /// One object, with what says of which type it is.
    pub(super) fn entity(&self, status: u16, of: &str, object: Map<String, Value>) -> Answer {
        let mut whole = Map::new();
        whole.insert("@odata.context".to_owned(), json!(self.context(&format!("{of}/$entity"))));
        whole.extend(object);
        Answer::Json(status, Value::Object(whole))
    }

    /// A list without further pages.
    pub(super) fn all(&self, of: &str, values: Vec<Value>) -> Answer {
        Answer::Json(200, json!({ "@odata.context": self.context(of), "value": values }))
    }

    /// Where the list goes on.
    pub(super) fn next_link(&self, last: ObjectId) -> String {
        let kept = self.query.kept.iter();
        let mut pairs: Vec<String> = kept
            .map(|(name, value)| {
                format!(
                    "{}={}",
                    azure::text::percent_encode_but(name, "$"),
                    azure::text::percent_encode(value)
                )
            })
            .collect();
        pairs.push(format!("$skiptoken={last}"));
        format!("{}?{}", self.path.address, pairs.join("&"))
    }

    /// A text of the body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }
}
