//! Expressions to values, as far as anything is known.
//!
//! What an expression needs comes from its `Scope`: the template's names, the loops around it, the
//! deployment's context, and a `Runtime` that knows what resources look like. Where the runtime does
//! not know yet, the outcome is an expression again, in which all the rest has been filled in: so a
//! plan is made before anything is deployed, and needs neither parameters nor variables afterwards.

use std::cell::{Cell, RefCell};

use serde_json::{Map, Value};

use super::{
    ast::{Call, Expression},
    codes,
    context::Context,
    functions::{self, Function, Run},
    parse::{self, Text},
    runtime::{Need, Runtime},
};
use crate::error::{Error, Result};

/// What became of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Known(Value),
    /// It waits for what only the runtime knows.
    Later(Expression),
}

impl Outcome {
    pub(super) fn into_expression(self) -> Expression {
        match self {
            Outcome::Known(value) => Expression::of(&value),
            Outcome::Later(expression) => expression,
        }
    }
}

/// The names that an expression may use.
pub(super) trait Names {
    fn parameter(&self, name: &str) -> Result<Outcome>;
    fn variable(&self, name: &str) -> Result<Value>;
    /// Evaluates a function of the template's own, if there is one of that name.
    fn call(
        &self,
        scope: &Scope<'_>,
        namespace: &str,
        name: &str,
        arguments: Vec<Outcome>,
    ) -> Option<Result<Outcome>>;
    /// What a name that is given to `reference` or `list*` stands for.
    /// Where no version is given with it, the resource is waited for.
    fn referent(&self, name: &str, has_version: bool) -> Result<Option<Referent>>;
    /// The members of a loop of resources, by its symbolic name.
    fn referents(&self, name: &str) -> Option<Vec<Referent>>;
}

/// A resource of the template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Referent {
    pub id: String,
    pub api_version: String,
}

/// What all scopes of one expansion share: what is counted, and what was asked for in vain.
#[derive(Default)]
pub(super) struct Tally {
    /// What the runtime did not know.
    pub needs: RefCell<Vec<Need>>,
    /// Guids drawn so far.
    pub draws: Cell<u32>,
    depth: Cell<usize>,
    steps: Cell<usize>,
}

/// Evaluations within evaluations: through variables and functions of the template's own too.
const DEPTH: usize = 80;

/// Values looked at: a template of 800 resources needs some thousands; one that means harm, any number.
const STEPS: usize = 4_000_000;

impl Tally {
    /// Counts so much work, and refuses when it is too much.
    pub(super) fn spend(&self, steps: usize) -> Result<()> {
        self.steps.set(self.steps.get().saturating_add(steps));
        if self.steps.get() > STEPS { Err(codes::TOO_MUCH.with([STEPS.to_string()])) } else { Ok(()) }
    }

    fn deeper<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.depth.get() >= DEPTH {
            return Err(codes::TOO_DEEP.with([DEPTH.to_string()]));
        }
        self.depth.set(self.depth.get() + 1);
        let result = run();
        self.depth.set(self.depth.get() - 1);
        result
    }
}

/// How many values a value is made of.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(elements) => 1 + elements.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
    }
}

/// A loop around the expression.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub name: String,
    pub index: i64,
    /// Whether it repeats a resource: what `copyIndex()` without a name means first.
    pub of_resource: bool,
}

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// A parameter's default: the one place for `utcNow` and `newGuid`.
    Default,
    /// Where everything must be known before anything is deployed.
    Early,
    /// A resource's body or an output.
    Late,
}

/// Everything an expression can see.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub context: &'a Context,
    pub names: &'a dyn Names,
    pub runtime: &'a dyn Runtime,
    pub stand: Stand,
    pub loops: Vec<Loop>,
    /// Innermost last; none where the lambda has not been called yet.
    pub lambdas: Vec<(String, Option<Value>)>,
    pub tally: &'a Tally,
    /// Whether `copyIndex` of an unknown loop belongs to a template within.
    pub has_inner_loops: bool,
}

impl Scope<'_> {
    pub(super) fn evaluate(&self, expression: &Expression) -> Result<Outcome> {
        self.tally.spend(1)?;
        self.tally.deeper(|| self.outcome(expression))
    }

    fn outcome(&self, expression: &Expression) -> Result<Outcome> {
        match expression {
            Expression::Int(int) => Ok(Outcome::Known(Value::from(*int))),
            Expression::Text(text) => Ok(Outcome::Known(Value::from(text.as_str()))),
            Expression::Call(call) => self.call(call),
            Expression::Property { of, key, is_safe } => match (self.evaluate(of)?, self.evaluate(key)?) {
                (Outcome::Known(of), Outcome::Known(key)) => {
                    property(&of, &key, *is_safe).map(Outcome::Known)
                }
                (of, key) => Ok(Outcome::Later(Expression::Property {
                    of: Box::new(of.into_expression()),
                    key: Box::new(key.into_expression()),
                    is_safe: *is_safe,
                })),
            },
        }
    }

    fn call(&self, call: &Call) -> Result<Outcome> {
        if let Some(namespace) = &call.namespace {
            let arguments = call.arguments.iter().map(|it| self.evaluate(it)).collect::<Result<_>>()?;
            let named = self.names.call(self, namespace, &call.name, arguments);
            return named.unwrap_or_else(|| {
                Err(codes::NO_SUCH_FUNCTION.with([format!("{namespace}.{}", call.name)]))
            });
        }
        let Some(function) = functions::find(&call.name) else {
            return Err(codes::NO_SUCH_FUNCTION.with([&call.name]));
        };
        function.check(call)?;
        match function.run {
            Run::Lazy(run) => run(self, call),
            Run::Plain(_) | Run::Scoped(_) => self.eager(function, call),
        }
    }

    fn eager(&self, function: &Function, call: &Call) -> Result<Outcome> {
        let outcomes: Vec<Outcome> =
            call.arguments.iter().map(|it| self.evaluate(it)).collect::<Result<_>>()?;
        match known(outcomes) {
            Ok(values) => {
                let value = function.apply(self, &values)?;
                self.tally.spend(size(&value))?;
                Ok(Outcome::Known(value))
            }
            Err(outcomes) => Ok(later(call, outcomes)),
        }
    }

    /// A value that must be known by now.
    pub(super) fn settled(&self, expression: &Expression) -> Result<Value> {
        match self.evaluate(expression)? {
            Outcome::Known(value) => Ok(value),
            Outcome::Later(rest) => Err(not_expected(&rest)),
        }
    }

    /// Text of a template, whose expression must be known by now; other values as they are.
    pub(super) fn settled_value(&self, value: &Value) -> Result<Value> {
        self.walk(value, &mut |outcome| match outcome {
            Outcome::Known(value) => Ok(value),
            Outcome::Later(rest) => Err(not_expected(&rest)),
        })
    }

    /// The same document with everything filled in that is known; what is not stays an expression.
    pub(super) fn partial(&self, value: &Value) -> Result<Value> {
        self.walk(value, &mut |outcome| {
            Ok(match outcome {
                Outcome::Known(value) => escaped(value),
                Outcome::Later(rest) => Value::String(format!("[{rest}]")),
            })
        })
    }

    fn walk(&self, value: &Value, put: &mut impl FnMut(Outcome) -> Result<Value>) -> Result<Value> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => put(Outcome::Known(value.clone())),
            Value::String(source) => put(match parse::text(source)? {
                Text::Plain(text) => Outcome::Known(Value::String(text)),
                Text::Expression(expression) => self.evaluate(&expression)?,
            }),
            Value::Array(elements) => elements.iter().map(|it| self.walk(it, put)).collect(),
            Value::Object(members) => self.walk_object(members, put),
        }
    }

    fn walk_object(
        &self,
        members: &Map<String, Value>,
        put: &mut impl FnMut(Outcome) -> Result<Value>,
    ) -> Result<Value> {
        let mut walked = Map::new();
        let inner = inner_template(members);
        for (name, value) in members {
            if let Some(copies) = property_copies(name, value) {
                for copy in copies {
                    let (name, elements) = self.walk_copy(copy, put)?;
                    walked.insert(name, elements);
                }
                continue;
            }
            let value = match (inner, value) {
                (Some(template), Value::Object(properties)) if name.eq_ignore_ascii_case("properties") => {
                    self.walk_around(properties, template, put)?
                }
                _ => self.walk(value, put)?,
            };
            walked.insert(self.key(name)?, value);
        }
        Ok(Value::Object(walked))
    }

    /// A nested deployment's properties: its template has a scope of its own.
    fn walk_around(
        &self,
        properties: &Map<String, Value>,
        template: &Value,
        put: &mut impl FnMut(Outcome) -> Result<Value>,
    ) -> Result<Value> {
        let others: Map<String, Value> = properties
            .iter()
            .filter(|(name, _)| *name != "template")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut walked = self.walk_object(&others, put)?;
        if let Value::Object(walked) = &mut walked {
            walked.insert("template".to_owned(), template.clone());
        }
        Ok(walked)
    }

    /// A member's name may be an expression too.
    fn key(&self, name: &str) -> Result<String> {
        match parse::text(name)? {
            Text::Plain(name) => Ok(name),
            Text::Expression(expression) => match self.settled(&expression)? {
                Value::String(name) => Ok(name),
                other => Err(codes::NO_PROPERTY_OF.with([other.to_string()])),
            },
        }
    }

    fn walk_copy(
        &self,
        copy: &Map<String, Value>,
        put: &mut impl FnMut(Outcome) -> Result<Value>,
    ) -> Result<(String, Value)> {
        let name = self.key(copy.get("name").and_then(Value::as_str).unwrap_or_default())?;
        let count = self.count(&name, copy.get("count").unwrap_or(&Value::Null))?;
        let input = copy.get("input").unwrap_or(&Value::Null);
        let elements = (0..count).map(|index| self.within(&name, index, false).walk(input, put));
        Ok((name.clone(), elements.collect::<Result<_>>()?))
    }

    /// How often a copy repeats.
    pub(super) fn count(&self, name: &str, count: &Value) -> Result<i64> {
        let early = Scope { stand: Stand::Early, ..self.clone() };
        let found = early.settled_value(count)?;
        match found.as_i64().filter(|it| (0..=COPIES).contains(it)) {
            Some(count) => Ok(count),
            None => Err(codes::COPY_COUNT.with([name, "1", "1", &found.to_string()])),
        }
    }

    /// The same scope inside one turn of a loop.
    pub(super) fn within(&self, name: &str, index: i64, of_resource: bool) -> Self {
        let mut inner = self.clone();
        inner.loops.push(Loop { name: name.to_owned(), index, of_resource });
        inner
    }
}

/// Turns of one loop (arm.md §12).
pub(super) const COPIES: i64 = 800;

/// A late document's values, and whether all of them are known. An expression that nobody here can
/// evaluate stays one: it belongs to a template within.
pub(super) fn finished(scope: &Scope<'_>, value: &Value) -> Result<(Value, bool)> {
    let mut is_whole = true;
    let value = scope.walk(value, &mut |outcome| {
        Ok(match outcome {
            Outcome::Known(value) => value,
            Outcome::Later(rest) => {
                is_whole = false;
                Value::String(format!("[{rest}]"))
            }
        })
    })?;
    Ok((value, is_whole))
}

/// The template of a nested deployment that evaluates its own expressions.
fn inner_template(resource: &Map<String, Value>) -> Option<&Value> {
    let is_deployment =
        resource.get("type")?.as_str()?.eq_ignore_ascii_case("Microsoft.Resources/deployments");
    let properties = resource.get("properties")?.as_object()?;
    let scope = properties.get("expressionEvaluationOptions").and_then(|it| it.get("scope"));
    let is_inner = scope.and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case("inner"));
    if is_deployment && is_inner { properties.get("template") } else { None }
}

/// `"copy": [{"name", "count", "input"}]` stands for the members that it names.
fn property_copies<'a>(name: &str, value: &'a Value) -> Option<Vec<&'a Map<String, Value>>> {
    let copies = value.as_array().filter(|it| name == "copy" && !it.is_empty())?;
    let is_copy =
        |it: &&Map<String, Value>| ["name", "count", "input"].iter().all(|member| it.contains_key(*member));
    let copies: Vec<_> = copies.iter().filter_map(Value::as_object).filter(is_copy).collect();
    if copies.len() == value.as_array().map_or(0, Vec::len) { Some(copies) } else { None }
}

/// Text that the language reads as this value.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(parse::escaped(text)),
        Value::Array(elements) => elements.into_iter().map(escaped).collect(),
        Value::Object(members) => Value::Object(
            members.into_iter().map(|(name, value)| (parse::escaped(name), escaped(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// All values, or what there is.
pub(super) fn known(outcomes: Vec<Outcome>) -> std::result::Result<Vec<Value>, Vec<Outcome>> {
    if outcomes.iter().any(|it| matches!(it, Outcome::Later(_))) {
        return Err(outcomes);
    }
    let value = |outcome| match outcome {
        Outcome::Known(value) => Some(value),
        Outcome::Later(_) => None,
    };
    Ok(outcomes.into_iter().filter_map(value).collect())
}

/// The same call, as far as its arguments are known.
pub(super) fn later(call: &Call, arguments: Vec<Outcome>) -> Outcome {
    let arguments = arguments.into_iter().map(Outcome::into_expression).collect();
    Outcome::Later(Expression::Call(Call {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        arguments,
    }))
}

/// The refusal of a function that waits for the runtime where nothing waits.
fn not_expected(rest: &Expression) -> Error {
    let calls = rest.calls();
    let waits = |it: &&&Call| functions::find(&it.name).is_some_and(|function| function.is_of_runtime());
    let name = calls.iter().find(waits).or(calls.first()).map_or("", |it| it.name.as_str());
    codes::NOT_EXPECTED.with([name])
}

/// Members are found without regard to case, as Newtonsoft's `GetValue` is asked to.
pub(super) fn member<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    of.get(name).or_else(|| of.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

pub(super) fn property(of: &Value, key: &Value, is_safe: bool) -> Result<Value> {
    let found = match (of, key) {
        (Value::Object(members), Value::String(name)) => member(members, name).ok_or_else(|| {
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            codes::NO_PROPERTY.with([name.clone(), names.join(", ")])
        }),
        (Value::Array(elements), Value::Number(index)) => {
            let at = index.as_u64().and_then(|it| usize::try_from(it).ok());
            at.and_then(|at| elements.get(at)).ok_or_else(|| codes::OUT_OF_BOUNDS.with([index.to_string()]))
        }
        (Value::Object(_), other) => return Err(codes::NO_PROPERTY_OF.with([plain(other)])),
        (Value::Null, _) if is_safe => return Ok(Value::Null),
        (other, key) => return Err(codes::NOT_AN_OBJECT.with([&plain(key), functions::type_of(other)])),
    };
    match found {
        Ok(value) => Ok(value.clone()),
        Err(_) if is_safe => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
