//! Resources: their loops unrolled, their children beside them, each with its id.
//!
//! A draft knows what a resource is called and where it lies, and nothing of its body: a body may refer
//! to any other resource, so all must be known by name first.

use serde_json::{Map, Value};

use super::{RESOURCES, Template, names::Document};
use crate::{
    error::{Error, Result},
    template::{
        codes, context,
        evaluate::{COPIES, Loop, Stand},
        functions::type_of,
    },
};

pub(super) const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";

/// A resource by name.
pub(super) struct Draft<'a> {
    pub members: &'a Map<String, Value>,
    /// Its path in the template.
    pub path: String,
    pub symbol: Option<String>,
    pub id: String,
    pub resource_type: String,
    pub name: String,
    pub api_version: String,
    /// The loops around it.
    pub loops: Vec<Loop>,
    /// Its own loop.
    pub turn: Option<Turn>,
    /// Its condition holds, and it is not there already.
    pub is_deployed: bool,
}

/// One turn of a resource's loop.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub name: String,
    pub index: usize,
    /// How many at once, where they are not all at once.
    pub batch: Option<usize>,
}

/// What a child hangs on.
#[derive(Clone)]
struct Parent {
    resource_type: String,
    name: String,
    loops: Vec<Loop>,
    scope: Option<String>,
    is_deployed: bool,
}

/// All of them, in the template's order.
pub(super) fn drafts<'a>(document: &Document<'a>) -> Result<Vec<Draft<'a>>> {
    let mut drafts = Vec::new();
    match document.template.members.get("resources") {
        Some(Value::Array(resources)) => {
            for (at, resource) in resources.iter().enumerate() {
                draft(document, (resource, format!("/resources/{at}"), None), None, &mut drafts)?;
            }
        }
        Some(Value::Object(resources)) => {
            for (symbol, resource) in resources {
                draft(document, (resource, format!("/resources/{symbol}"), Some(symbol)), None, &mut drafts)?;
            }
        }
        Some(Value::Null) | None => {}
        Some(other) => return Err(document.template.wrong("/resources", "Array", other)),
    }
    unique(document.template, &drafts)?;
    Ok(drafts)
}

/// Whether the template has a resource of that symbolic name.
pub(super) fn has_symbol(template: Template<'_>, name: &str) -> bool {
    let resources = template.members.get("resources").and_then(Value::as_object);
    resources.is_some_and(|it| it.keys().any(|key| key.eq_ignore_ascii_case(name)))
}

fn unique(template: Template<'_>, drafts: &[Draft<'_>]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for draft in drafts.iter().filter(|it| it.is_deployed) {
        if !seen.insert(draft.id.to_lowercase()) {
            let [line, column] = template.place(&draft.path);
            return Err(codes::RESOURCE_TWICE.with([&draft.id, &line, &column]));
        }
    }
    Ok(())
}

type Written<'a, 'b> = (&'a Value, String, Option<&'b String>);

fn draft<'a>(
    document: &Document<'a>,
    (resource, path, symbol): Written<'a, '_>,
    parent: Option<&Parent>,
    drafts: &mut Vec<Draft<'a>>,
) -> Result<()> {
    let Value::Object(members) = resource else {
        return Err(document.template.wrong(&path, "Object", resource));
    };
    let around = parent.map(|it| it.loops.clone()).unwrap_or_default();
    let Some(copy) = members.get("copy").filter(|it| !it.is_null()) else {
        return one(document, (members, &path, symbol), parent, around, None, drafts);
    };
    if parent.is_some() {
        let [line, column] = document.template.place(&path);
        let name = members.get("name").and_then(Value::as_str).unwrap_or_default();
        return Err(codes::COPY_NESTED.with([name, &line, &column]));
    }
    let (name, count, batch) = copied(document, copy, &format!("{path}/copy"), drafts)?;
    for index in 0..count {
        let index_value = i64::try_from(index).unwrap_or(i64::MAX);
        let loops = vec![Loop { name: name.clone(), index: index_value, of_resource: true }];
        let turn = Turn { name: name.clone(), index, batch };
        one(document, (members, &path, symbol), parent, loops, Some(turn), drafts)?;
    }
    Ok(())
}

/// A resource's loop: its name, how often, how many at once.
fn copied(
    document: &Document<'_>,
    copy: &Value,
    path: &str,
    drafts: &[Draft<'_>],
) -> Result<(String, usize, Option<usize>)> {
    let [line, column] = document.template.place(path);
    let refused = |why: &str| codes::COPY_FORM.with([&line, &column, why]);
    let scope = document.scope(Stand::Early);
    let settled = |name: &str| copy.get(name).map(|it| scope.settled_value(it)).transpose();
    let name = settled("name")?.and_then(|it| it.as_str().map(str::to_owned)).filter(|it| !it.is_empty());
    let name = name.ok_or_else(|| refused("it has no name"))?;
    if drafts.iter().any(|it| it.turn.as_ref().is_some_and(|turn| turn.name.eq_ignore_ascii_case(&name))) {
        return Err(codes::NAME_TAKEN.with([&name, &line, &column]));
    }
    let count = settled("count")?.ok_or_else(|| refused("it has no count"))?;
    let number =
        count.as_i64().filter(|it| (0..=COPIES).contains(it)).and_then(|it| usize::try_from(it).ok());
    let number = number.ok_or_else(|| codes::COPY_COUNT.with([&name, &line, &column, &count.to_string()]))?;
    let mode = settled("mode")?.and_then(|it| it.as_str().map(str::to_ascii_lowercase));
    let batch = settled("batchSize")?.map(|it| {
        it.as_u64().filter(|it| *it > 0).ok_or_else(|| refused("the batchSize must be a positive integer"))
    });
    let batch = batch.transpose()?.and_then(|it| usize::try_from(it).ok());
    match mode.as_deref() {
        Some("serial") => Ok((name, number, Some(batch.unwrap_or(1)))),
        Some("parallel") | None => Ok((name, number, None)),
        Some(_) => Err(refused("the mode must be 'serial' or 'parallel'")),
    }
}

fn one<'a>(
    document: &Document<'a>,
    (members, path, symbol): (&'a Map<String, Value>, &str, Option<&String>),
    parent: Option<&Parent>,
    loops: Vec<Loop>,
    turn: Option<Turn>,
    drafts: &mut Vec<Draft<'a>>,
) -> Result<()> {
    let reader = Reader { document, members, path, loops: &loops };
    let own_type = reader.text("type")?;
    let own_name = reader.text("name")?;
    let (resource_type, name) = match parent {
        Some(parent) => {
            (format!("{}/{own_type}", parent.resource_type), format!("{}/{own_name}", parent.name))
        }
        None => (own_type, own_name),
    };
    let api_version = reader.text("apiVersion").or_else(|refused| reader.profile().ok_or(refused))?;
    let is_existing = members.get("existing").and_then(Value::as_bool).unwrap_or(false);
    let is_on = reader.condition(&name)? && parent.is_none_or(|it| it.is_deployed);
    let scope = match parent {
        Some(parent) => parent.scope.clone(),
        None => reader.maybe("scope")?,
    };
    let id = reader.id(&resource_type, &name, scope.as_deref())?;
    if drafts.len() >= RESOURCES {
        return Err(codes::LIMIT.with([
            "resources",
            &RESOURCES.to_string(),
            &(drafts.len() + 1).to_string(),
        ]));
    }
    drafts.push(Draft {
        members,
        path: path.to_owned(),
        symbol: symbol.cloned(),
        id,
        resource_type: resource_type.clone(),
        name: name.clone(),
        api_version,
        loops: loops.clone(),
        turn,
        is_deployed: is_on && !is_existing,
    });
    let here = Parent { resource_type, name, loops, scope, is_deployed: is_on };
    children(document, members, path, &here, drafts)
}

fn children<'a>(
    document: &Document<'a>,
    members: &'a Map<String, Value>,
    path: &str,
    here: &Parent,
    drafts: &mut Vec<Draft<'a>>,
) -> Result<()> {
    match members.get("resources") {
        Some(Value::Array(children)) => children.iter().enumerate().try_for_each(|(at, child)| {
            draft(document, (child, format!("{path}/resources/{at}"), None), Some(here), drafts)
        }),
        Some(Value::Object(children)) => children.iter().try_for_each(|(symbol, child)| {
            draft(document, (child, format!("{path}/resources/{symbol}"), Some(symbol)), Some(here), drafts)
        }),
        _ => Ok(()),
    }
}

/// Reads the members that must be known before anything is deployed.
struct Reader<'a, 'b> {
    document: &'b Document<'a>,
    members: &'a Map<String, Value>,
    path: &'b str,
    loops: &'b [Loop],
}

impl Reader<'_, '_> {
    fn maybe_value(&self, member: &str) -> Result<Option<Value>> {
        let scope = self.document.scope_in(Stand::Early, self.loops);
        let value = self.members.get(member).filter(|it| !it.is_null());
        value.map(|it| scope.settled_value(it).map_err(|error| self.failed(member, error))).transpose()
    }

    /// The refusal of an expression, at the line where it stands.
    fn failed(&self, member: &str, error: Error) -> Error {
        let place = self.document.template.place(&format!("{}/{member}", self.path));
        let name = self.members.get("name").and_then(Value::as_str).unwrap_or_default();
        let [line, column] = place;
        codes::EXPRESSION_FAILED.with([name, &line, &column, &error.message()])
    }

    fn maybe(&self, member: &str) -> Result<Option<String>> {
        match self.maybe_value(member)? {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(self.missing(member)),
        }
    }

    fn text(&self, member: &str) -> Result<String> {
        self.maybe(member)?.ok_or_else(|| self.missing(member))
    }

    fn missing(&self, member: &str) -> Error {
        let [line, column] = self.document.template.place(self.path);
        let name = self.members.get("name").and_then(Value::as_str).unwrap_or_default();
        codes::RESOURCE_MEMBER.with([name, &line, &column, member])
    }

    /// A template with an `apiProfile` may leave versions out: then the resource's own newest one serves.
    fn profile(&self) -> Option<String> {
        let has_profile = self.document.template.members.contains_key("apiProfile");
        (has_profile && !self.members.contains_key("apiVersion")).then(|| "2100-01-01".to_owned())
    }

    fn condition(&self, name: &str) -> Result<bool> {
        let [line, column] = self.document.template.place(&format!("{}/condition", self.path));
        match self.maybe_value("condition")? {
            None => Ok(true),
            Some(Value::Bool(holds)) => Ok(holds),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(other) => Err(codes::CONDITION.with([name, &line, &column, type_of(&other)])),
        }
    }

    fn id(&self, resource_type: &str, name: &str, scope: Option<&str>) -> Result<String> {
        let [line, column] = self.document.template.place(self.path);
        let mut segments = resource_type.split('/');
        let namespace = segments.next().unwrap_or_default();
        let types: Vec<&str> = segments.collect();
        let names: Vec<&str> = name.split('/').collect();
        if types.is_empty() || !namespace.contains('.') || types.iter().any(|it| it.is_empty()) {
            return Err(codes::RESOURCE_TYPE.with([name, &line, &column, resource_type]));
        }
        if types.len() != names.len() || names.iter().any(|it| it.is_empty()) {
            let [line, column] = self.document.template.place(&format!("{}/type", self.path));
            return Err(codes::SEGMENTS.with([name, resource_type, &line, &column]));
        }
        let base = self.base(resource_type, name, scope)?;
        if resource_type.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
            return Ok(format!("{base}/resourceGroups/{name}"));
        }
        let pairs = types
            .iter()
            .zip(&names)
            .fold(String::new(), |text, (kind, name)| format!("{text}/{kind}/{name}"));
        Ok(format!("{base}/providers/{namespace}{pairs}"))
    }

    /// Where it lies: its own scope, or the deployment's.
    fn base(&self, resource_type: &str, name: &str, scope: Option<&str>) -> Result<String> {
        let place = &self.document.context.place;
        if resource_type.eq_ignore_ascii_case("Microsoft.Management/managementGroups") {
            return Ok(String::new());
        }
        if let Some(scope) = scope {
            return Ok(absolute(scope, place));
        }
        let is_deployment = resource_type.eq_ignore_ascii_case(DEPLOYMENTS);
        let subscription = if is_deployment { self.maybe("subscriptionId")? } else { None };
        let group = if is_deployment { self.maybe("resourceGroup")? } else { None };
        let refused = |needed: &str| {
            let [line, column] = self.document.template.place(self.path);
            codes::RESOURCE_SCOPE.with([name, &line, &column, place.kind(), needed])
        };
        match (subscription, group) {
            (None, None) => Ok(place.id()),
            (Some(subscription), None) => Ok(format!("/subscriptions/{subscription}")),
            (Some(subscription), Some(group)) => {
                Ok(format!("/subscriptions/{subscription}/resourceGroups/{group}"))
            }
            (None, Some(group)) => {
                let subscription = place
                    .subscription()
                    .ok_or_else(|| refused("a 'subscriptionId' beside its 'resourceGroup'"))?;
                Ok(format!("/subscriptions/{subscription}/resourceGroups/{group}"))
            }
        }
    }
}

/// A scope as a template writes it: an id, the tenant's `/`, or a type and name below the deployment's own.
fn absolute(scope: &str, place: &context::Place) -> String {
    let scope = scope.trim_end_matches('/');
    let is_of_tenant = scope.to_ascii_lowercase().starts_with("microsoft.management/managementgroups/");
    match scope {
        scope if scope.is_empty() || scope.starts_with('/') => scope.to_owned(),
        scope if is_of_tenant => format!("/providers/{scope}"),
        scope if scope.to_ascii_lowercase().starts_with("subscriptions/") => format!("/{scope}"),
        scope => format!("{}/providers/{scope}", place.id()),
    }
}
