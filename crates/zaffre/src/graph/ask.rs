//! What a row's function gets, and what it gives.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
    odata::{Filter, Operator, Test},
};
use serde_json::{Map, Value, json};

use super::{
    codes,
    objects::{Object, Set},
    permissions::{self, Area, Change},
    routes::Path,
};
use crate::{
    access::Caller,
    directory::secret::SecretHash,
    service::{Cx, Parts},
    store::Txn,
};

const MOST: usize = 999;
const USUAL: usize = 100;

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind the object with this id; at the beginning without one.
    Behind(Option<ObjectId>),
    At(usize),
}

/// What a list is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Objects,
    /// `$ref`.
    References,
    /// `$count`.
    Count,
}

/// A part of `$expand`.
pub(super) struct Expand {
    pub(super) name: String,
    pub(super) select: Option<Vec<String>>,
}

/// The options of a query, read.
pub(super) struct Query {
    pub(super) filter: Option<Filter>,
    pub(super) search: Option<Filter>,
    pub(super) select: Option<Vec<String>>,
    pub(super) expand: Vec<Expand>,
    /// Properties, and whether they descend.
    pub(super) order: Vec<(String, bool)>,
    pub(super) top: Option<usize>,
    pub(super) place: Place,
    pub(super) counts: bool,
    /// All but the place in the list, for the next page.
    kept: Vec<(String, String)>,
}

impl Query {
    pub(super) fn read(pairs: &[(String, String)], is_eventual: bool) -> Result<Query> {
        let mut query = Query {
            filter: None,
            search: None,
            select: None,
            expand: Vec::new(),
            order: Vec::new(),
            top: None,
            place: Place::Behind(None),
            counts: false,
            kept: Vec::new(),
        };
        for (name, value) in pairs {
            let bad = || codes::BAD_QUERY.with([name]);
            match name.to_ascii_lowercase().trim_start_matches('$') {
                "filter" => {
                    let filter = Filter::parse(value);
                    query.filter = Some(filter.map_err(|why| codes::BAD_FILTER.with([why.to_string()]))?);
                }
                "search" => query.search = Some(search(value, is_eventual)?),
                "select" => query.select = Some(listed(value)),
                "expand" => query.expand = expand(value).ok_or_else(bad)?,
                "orderby" => query.order = order(value).ok_or_else(bad)?,
                "top" => {
                    let top = value.parse().ok().filter(|top| (1..=MOST).contains(top));
                    query.top = Some(top.ok_or_else(bad)?);
                }
                "count" => query.counts = value.eq_ignore_ascii_case("true"),
                "skiptoken" => query.place = place(value).ok_or_else(bad)?,
                "format" | "api-version" => {}
                other if name.starts_with('$') => return Err(codes::UNSUPPORTED_QUERY.with([other])),
                _ => {}
            }
            if !name.eq_ignore_ascii_case("$skiptoken") {
                query.kept.push((name.clone(), value.clone()));
            }
        }
        match query.filter.as_ref().is_some_and(is_advanced) && !(query.counts && is_eventual) {
            true => {
                Err(codes::UNSUPPORTED_QUERY.with(["it needs 'ConsistencyLevel: eventual' and $count=true"]))
            }
            false => Ok(query),
        }
    }

    pub(super) fn page_size(&self) -> usize {
        self.top.unwrap_or(USUAL)
    }

    /// Refuses a filter about what the objects have not ("Invalid filter clause"), in OData's own words for it.
    pub(super) fn check_filter(&self, of: &str, has: impl Fn(&str) -> bool) -> Result<()> {
        let paths = self.filter.as_ref().map(Filter::paths).unwrap_or_default();
        let first = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
        match paths.into_iter().map(first).find(|name| !name.starts_with('@') && !has(name)) {
            Some(name) => {
                let why = format!("Could not find a property named '{name}' on type '{of}'.");
                Err(codes::BAD_FILTER.with([why]))
            }
            None => Ok(()),
        }
    }

    /// Whether an object is one of those asked for.
    pub(super) fn takes(&self, object: &Map<String, Value>) -> bool {
        let values = |path: &str| values(object, path);
        [&self.filter, &self.search].into_iter().flatten().all(|filter| filter.matches(&values))
    }
}

/// Whether the client bears with an answer from Graph's index.
pub(super) fn is_eventual(parts: &Parts) -> bool {
    parts.header("consistencylevel").is_some_and(|it| it.eq_ignore_ascii_case("eventual"))
}

/// What only Graph's index answers ("Advanced query capabilities on Microsoft Entra ID objects").
fn is_advanced(filter: &Filter) -> bool {
    match filter {
        Filter::And(one, other) | Filter::Or(one, other) => is_advanced(one) || is_advanced(other),
        Filter::Not(_) => true,
        Filter::Compare { operator, .. } => *operator == Operator::Ne,
        Filter::Test { test, .. } => *test == Test::EndsWith,
        Filter::Call { .. } => false,
    }
}

/// `"displayName:text" AND ("mail:x" OR "mail:y")`, as a filter: the words of Graph's index are not kept, so a part
/// of the text is enough.
fn search(value: &str, is_eventual: bool) -> Result<Filter> {
    if !is_eventual {
        return Err((&codes::EVENTUAL).into());
    }
    let bad = || codes::BAD_QUERY.with(["$search"]);
    let mut filter = String::new();
    for (at, part) in value.split('"').enumerate() {
        if at % 2 == 0 {
            let word = part.trim();
            if !word.split_whitespace().all(|it| ["AND", "OR", "(", ")", "AND(", "OR("].contains(&it)) {
                return Err(bad());
            }
            filter.push_str(&format!(" {} ", word.to_ascii_lowercase()));
        } else {
            let (property, text) = part.split_once(':').ok_or_else(bad)?;
            filter.push_str(&format!("contains({property},'{}')", text.replace('\'', "''")));
        }
    }
    Filter::parse(&filter).map_err(|why| codes::BAD_FILTER.with([why.to_string()]))
}

fn listed(value: &str) -> Vec<String> {
    value.split(',').map(|it| it.trim().to_owned()).collect()
}

/// `members($select=id,displayName),owners`.
fn expand(value: &str) -> Option<Vec<Expand>> {
    let mut depth = 0_usize;
    let parts = value.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(one_expand).collect()
}

fn one_expand(part: &str) -> Option<Expand> {
    let Some((name, options)) = part.trim().split_once('(') else {
        return Some(Expand { name: part.trim().to_owned(), select: None });
    };
    let options = options.strip_suffix(')')?;
    let select = options.split(';').find_map(|it| it.trim().strip_prefix("$select="));
    Some(Expand { name: name.to_owned(), select: select.map(listed) })
}

/// `displayName desc,id`.
fn order(value: &str) -> Option<Vec<(String, bool)>> {
    let one = |part: &str| {
        let mut words = part.split_whitespace();
        let name = words.next()?.to_owned();
        match (words.next(), words.next()) {
            (None | Some("asc"), None) => Some((name, false)),
            (Some("desc"), None) => Some((name, true)),
            _ => None,
        }
    };
    value.split(',').map(one).collect()
}

/// As `next_link` wrote it.
fn place(value: &str) -> Option<Place> {
    match value.parse::<Guid>() {
        Ok(id) => Some(Place::Behind(Some(ObjectId(id)))),
        Err(_) => value.parse().ok().map(Place::At),
    }
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

    /// The path's last word.
    pub(super) fn last(&self) -> &str {
        self.path.segments.last().map_or("", String::as_str)
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

    /// What the list is asked to be, by the path's last segment.
    pub(super) fn form(&self) -> Form {
        self.path.form
    }

    /// The type that alone is asked for: `members/microsoft.graph.user`.
    pub(super) fn cast(&self) -> Option<Set> {
        self.path.cast.as_deref().and_then(Set::of_type)
    }

    /// The caller may read the part of the directory that the path is in.
    pub(super) fn may_read(&self, txn: &Txn) -> Result<()> {
        permissions::may_read(txn, self.caller, Area::of(self.set()))
    }

    /// The caller may change that part, or this object of it.
    pub(super) fn may_change(&self, txn: &Txn, what: Change) -> Result<()> {
        permissions::may_change(txn, self.caller, Area::of(self.set()), what)
    }

    /// The caller may change that kind of thing, whatever the path names.
    pub(super) fn may_change_any(&self, txn: &Txn, area: Area) -> Result<()> {
        permissions::may_change(txn, self.caller, area, Change::New)
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

    /// Where an object is.
    pub(super) fn reference(&self, object: &Object) -> String {
        let charter = &self.cx.cloud.charter;
        let name = object.set().type_name().trim_start_matches('#');
        let host = self.path.root.rsplit_once('/').map_or("", |(origin, _)| origin);
        format!("{host}/v2/{}/directoryObjects/{}/{name}", charter.tenant, object.id())
    }

    /// The members that were selected of what is no object; all of them where none was.
    pub(super) fn chosen(&self, mut members: Map<String, Value>) -> Map<String, Value> {
        if let Some(names) = &self.query.select {
            members.retain(|name, _| names.iter().any(|it| it.eq_ignore_ascii_case(name)));
        }
        members
    }

    /// A list without further pages.
    pub(super) fn all(&self, of: &str, values: Vec<Value>) -> Answer {
        Answer::Json(200, json!({ "@odata.context": self.context(of), "value": values }))
    }

    /// Where the list goes on.
    pub(super) fn next_link(&self, place: Place) -> String {
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
        pairs.push(match place {
            Place::Behind(Some(last)) => format!("$skiptoken={last}"),
            Place::Behind(None) => "$skiptoken=0".to_owned(),
            Place::At(at) => format!("$skiptoken={at}"),
        });
        format!("{}?{}", self.path.address, pairs.join("&"))
    }

    /// A text of the body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }
}
