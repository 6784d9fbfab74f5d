//! The names of one template: parameters, variables, functions, resources.

use std::{cell::RefCell, collections::HashMap};

use serde_json::{Map, Value, json};

use super::{
    Template,
    parameters::{self, Declared},
    plan::Shown,
    resources::Draft,
};
use crate::{
    error::{Error, Result},
    template::{
        codes,
        context::Context,
        evaluate::{Loop, Names, Outcome, Referent, Scope, Stand, Tally, member, size},
        parse::{self, Text},
        runtime::Nothing,
    },
};

/// A template with everything that its expressions may name.
pub(super) struct Document<'a> {
    pub template: Template<'a>,
    pub context: &'a Context,
    pub tally: Tally,
    given: Map<String, Value>,
    declared: Vec<Declared<'a>>,
    parameters: RefCell<HashMap<String, State>>,
    variables: RefCell<HashMap<String, State>>,
    referents: RefCell<Vec<Known>>,
    /// Ids that were asked for by name since somebody last looked.
    asked: RefCell<Vec<String>>,
}

/// A name's value, on its way.
enum State {
    /// It is being worked out: who asks now asks in a circle.
    Open,
    Done(Value),
}

/// A resource as names find it.
struct Known {
    symbol: Option<String>,
    in_loop: Option<String>,
    resource_type: String,
    name: String,
    is_deployed: bool,
    referent: Referent,
}

impl<'a> Document<'a> {
    /// Reads what is declared and what is given; refuses what was given and not declared.
    pub(super) fn new(template: Template<'a>, context: &'a Context, given: &Value) -> Result<Document<'a>> {
        let declared = parameters::declared(template)?;
        let given = parameters::given(&declared, given)?;
        Ok(Document {
            template,
            context,
            tally: Tally::default(),
            given,
            declared,
            parameters: RefCell::default(),
            variables: RefCell::default(),
            referents: RefCell::default(),
            asked: RefCell::default(),
        })
    }

    /// Works out every parameter and variable, so that what is wrong with them is said first.
    pub(super) fn resolve(&self) -> Result<()> {
        for declared in &self.declared {
            self.parameter(declared.name)?;
        }
        for name in self.variable_names()? {
            Names::variable(self, &name)?;
        }
        Ok(())
    }

    fn variable_names(&self) -> Result<Vec<String>> {
        let section = self.template.section("variables")?;
        let mut names: Vec<String> = Vec::new();
        for (name, value) in section.into_iter().flatten() {
            match value.as_array().filter(|_| name == "copy") {
                Some(copies) => {
                    names.extend(copies.iter().filter_map(|it| it.get("name")?.as_str()).map(str::to_owned));
                }
                None => names.push(name.clone()),
            }
        }
        Ok(names)
    }

    /// The scope of an expression that stands here.
    pub(super) fn scope(&self, stand: Stand) -> Scope<'_> {
        Scope {
            context: self.context,
            names: self,
            runtime: &Nothing,
            stand,
            loops: Vec::new(),
            lambdas: Vec::new(),
            tally: &self.tally,
            has_inner_loops: false,
        }
    }

    /// The same within loops.
    pub(super) fn scope_in(&self, stand: Stand, loops: &[Loop]) -> Scope<'_> {
        Scope { loops: loops.to_vec(), ..self.scope(stand) }
    }

    /// Makes the resources known to `reference`.
    pub(super) fn know(&self, drafts: &[Draft<'_>]) {
        let known = |draft: &Draft<'_>| Known {
            symbol: draft.symbol.clone(),
            in_loop: draft.turn.as_ref().map(|it| it.name.clone()),
            resource_type: draft.resource_type.clone(),
            name: draft.name.clone(),
            is_deployed: draft.is_deployed,
            referent: Referent { id: draft.id.clone(), api_version: draft.api_version.clone() },
        };
        *self.referents.borrow_mut() = drafts.iter().map(known).collect();
    }

    /// The ids that were asked for by name, and forgets them.
    pub(super) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.borrow_mut())
    }

    /// The parameters as a deployment shows them: secrets without their value.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let values = self.parameters.borrow();
        let shown = |declared: &Declared<'_>| {
            let value = match values.get(&declared.name.to_lowercase()) {
                Some(State::Done(value)) => value.clone(),
                Some(State::Open) | None => Value::Null,
            };
            let (kind, is_secure) = declared.kind(self.template);
            Shown {
                name: declared.name.to_owned(),
                kind: kind.to_owned(),
                value: (!is_secure).then_some(value),
            }
        };
        self.declared.iter().map(shown).collect()
    }

    /// A value that is worked out once, by whoever asks first.
    fn once(
        &self,
        states: &RefCell<HashMap<String, State>>,
        (kind, name): (&str, &str),
        work: impl FnOnce() -> Result<Value>,
    ) -> Result<Value> {
        let key = name.to_lowercase();
        match states.borrow().get(&key) {
            Some(State::Done(value)) => {
                self.tally.spend(size(value))?;
                return Ok(value.clone());
            }
            Some(State::Open) => return Err(codes::CIRCULAR_NAME.with([kind, name, name])),
            None => {}
        }
        states.borrow_mut().insert(key.clone(), State::Open);
        let value = work()?;
        states.borrow_mut().insert(key, State::Done(value.clone()));
        Ok(value)
    }

    fn parameter(&self, name: &str) -> Result<Value> {
        let declared = self.declared.iter().find(|it| it.name.eq_ignore_ascii_case(name));
        let declared = declared.ok_or_else(|| codes::NO_PARAMETER.with([name]))?;
        self.once(&self.parameters, ("parameter", declared.name), || {
            let given = member(&self.given, declared.name);
            declared.value(self.template, given, |default| self.scope(Stand::Default).settled_value(default))
        })
    }

    fn variable_value(&self, name: &str) -> Result<Value> {
        let section = self.template.section("variables")?;
        let missing = || codes::NO_VARIABLE.with([name]);
        let section = section.ok_or_else(missing)?;
        let scope = self.scope(Stand::Early);
        let invalid = |error: Error| match std::ptr::eq(error.row, &raw const codes::VARIABLE_INVALID) {
            true => error,
            false => codes::VARIABLE_INVALID.with([name, &error.message()]),
        };
        if let Some(value) = member(section, name).filter(|_| name != "copy") {
            return scope.settled_value(value).map_err(invalid);
        }
        let copies = section.get("copy").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let named = |it: &&Value| {
            it.get("name").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(name))
        };
        let copy = copies.iter().find(named).ok_or_else(missing)?;
        let wrapped = scope.settled_value(&json!({ "copy": [copy] })).map_err(invalid)?;
        wrapped.as_object().and_then(|it| it.values().next()).cloned().ok_or_else(missing)
    }

    /// Those that a name means: by symbol, by id, by type and name, or by name alone.
    fn find(&self, name: &str, pick: impl Fn(&Known) -> Referent) -> Result<Option<Referent>> {
        let all = self.referents.borrow();
        let by_symbol =
            all.iter().find(|it| it.symbol.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(name)));
        let by_id =
            || all.iter().find(|it| same_resource(&it.referent.id, &it.resource_type, &it.name, name));
        if let Some(found) = by_symbol.or_else(by_id) {
            return Ok(Some(pick(found)));
        }
        let by_name: Vec<&Known> = all.iter().filter(|it| it.name.eq_ignore_ascii_case(name)).collect();
        match by_name.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(pick(one))),
            _ => Err(codes::AMBIGUOUS_RESOURCE.with([name])),
        }
    }
}

/// Whether this is what the resource is called, with its type: by its id, or by what follows `providers`.
pub(super) fn same_resource(id: &str, resource_type: &str, name: &str, called: &str) -> bool {
    let called = called.trim_end_matches('/');
    if called.starts_with('/') {
        return id.eq_ignore_ascii_case(called);
    }
    let behind = id.rfind("/providers/").map_or("", |at| &id[at + "/providers/".len()..]);
    behind.eq_ignore_ascii_case(called) || format!("{resource_type}/{name}").eq_ignore_ascii_case(called)
}

impl Names for Document<'_> {
    fn parameter(&self, name: &str) -> Result<Outcome> {
        self.parameter(name).map(Outcome::Known)
    }

    fn variable(&self, name: &str) -> Result<Value> {
        self.once(&self.variables, ("variable", name), || self.variable_value(name))
    }

    fn call(
        &self,
        scope: &Scope<'_>,
        namespace: &str,
        name: &str,
        arguments: Vec<Outcome>,
    ) -> Option<Result<Outcome>> {
        let (function, path) = function(self.template, namespace, name)?;
        Some(called(self, scope, (function, &path), &format!("{namespace}.{name}"), arguments))
    }

    fn referent(&self, name: &str, has_version: bool) -> Result<Option<Referent>> {
        let found = self.find(name, |known| {
            // By its id and a version nobody waits: it may well be there already.
            if known.is_deployed && !(has_version && name.starts_with('/')) {
                self.asked.borrow_mut().push(known.referent.id.clone());
            }
            known.referent.clone()
        })?;
        Ok(found)
    }

    fn referents(&self, name: &str) -> Option<Vec<Referent>> {
        let all = self.referents.borrow();
        let is_member = |it: &&Known| {
            it.symbol.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(name))
                || it.in_loop.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(name))
        };
        let is_loop = all.iter().any(|it| is_member(&it) && it.in_loop.is_some());
        let deployed = all.iter().filter(is_member).filter(|it| it.is_deployed);
        let found: Vec<Referent> = deployed.map(|it| it.referent.clone()).collect();
        self.asked.borrow_mut().extend(found.iter().map(|it| it.id.clone()));
        let is_empty_loop = || super::resources::has_symbol(self.template, name);
        (is_loop || is_empty_loop()).then_some(found)
    }
}

/// A function of the template's own, and its path.
fn function<'a>(
    template: Template<'a>,
    namespace: &str,
    name: &str,
) -> Option<(&'a Map<String, Value>, String)> {
    let namespaces = template.members.get("functions")?.as_array()?;
    let at = namespaces.iter().position(|it| {
        it.get("namespace").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(namespace))
    })?;
    let members = namespaces[at].get("members")?.as_object()?;
    let function = member(members, name)?.as_object()?;
    Some((function, format!("/functions/{at}/members/{name}")))
}

/// Evaluates a function's output, in which only its own parameters have names.
fn called(
    document: &Document<'_>,
    scope: &Scope<'_>,
    (function, path): (&Map<String, Value>, &str),
    name: &str,
    arguments: Vec<Outcome>,
) -> Result<Outcome> {
    let template = document.template;
    let refused = |why: &str| {
        let [line, column] = template.place(path);
        codes::FUNCTION_NAMESPACE.with([name, &line, &column, why])
    };
    let declared = function.get("parameters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if declared.len() != arguments.len() {
        return Err(codes::ARGUMENTS.with([
            name.to_owned(),
            declared.len().to_string(),
            arguments.len().to_string(),
        ]));
    }
    let mut parameters = Vec::new();
    for (at, (declared, argument)) in declared.iter().zip(arguments).enumerate() {
        let key =
            declared.get("name").and_then(Value::as_str).ok_or_else(|| refused("a parameter has no name"))?;
        if declared.get("defaultValue").is_some() {
            return Err(refused("parameters of functions cannot have a default value"));
        }
        if let Outcome::Known(value) = &argument {
            super::types::check(template, declared, value)
                .map_err(|why| refused(&format!("the argument at position {}: {why}", at + 1)))?;
        }
        parameters.push((key.to_owned(), argument));
    }
    let output =
        function.get("output").and_then(Value::as_object).ok_or_else(|| refused("it has no output"))?;
    let value = output.get("value").ok_or_else(|| refused("its output has no value"))?;
    let names = FunctionNames { document, parameters };
    let inner =
        Scope { names: &names, loops: Vec::new(), lambdas: Vec::new(), stand: Stand::Early, ..scope.clone() };
    match value {
        Value::String(source) => match parse::text(source)? {
            Text::Plain(text) => Ok(Outcome::Known(Value::String(text))),
            Text::Expression(expression) => inner.evaluate(&expression),
        },
        other => inner.settled_value(other).map(Outcome::Known),
    }
}

/// The names inside a function: its parameters, and the template's other functions.
struct FunctionNames<'a> {
    document: &'a Document<'a>,
    parameters: Vec<(String, Outcome)>,
}

impl Names for FunctionNames<'_> {
    fn parameter(&self, name: &str) -> Result<Outcome> {
        let found = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, outcome)| outcome.clone()).ok_or_else(|| codes::NO_PARAMETER.with([name]))
    }

    fn variable(&self, _: &str) -> Result<Value> {
        Err(codes::NOT_EXPECTED.with(["variables"]))
    }

    fn call(
        &self,
        scope: &Scope<'_>,
        namespace: &str,
        name: &str,
        arguments: Vec<Outcome>,
    ) -> Option<Result<Outcome>> {
        self.document.call(scope, namespace, name, arguments)
    }

    fn referent(&self, _: &str, _: bool) -> Result<Option<Referent>> {
        Ok(None)
    }

    fn referents(&self, _: &str) -> Option<Vec<Referent>> {
        None
    }
}

/// No names at all: what a plan's expressions see.
pub(super) struct NoNames;

impl Names for NoNames {
    fn parameter(&self, name: &str) -> Result<Outcome> {
        Err(codes::NO_PARAMETER.with([name]))
    }

    fn variable(&self, name: &str) -> Result<Value> {
        Err(codes::NO_VARIABLE.with([name]))
    }

    fn call(&self, _: &Scope<'_>, _: &str, _: &str, _: Vec<Outcome>) -> Option<Result<Outcome>> {
        None
    }

    fn referent(&self, _: &str, _: bool) -> Result<Option<Referent>> {
        Ok(None)
    }

    fn referents(&self, _: &str) -> Option<Vec<Referent>> {
        None
    }
}
