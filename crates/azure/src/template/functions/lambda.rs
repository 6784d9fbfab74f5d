//! Functions of functions: `map(array, lambda('item', expression))`.
//!
//! A lambda's parameters are read with `lambdaVariables`. An array that is not known yet leaves the
//! whole call for later, its lambda filled in as far as it goes. Where a lambda has one parameter more
//! than needed, that is the index.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Arguments, codes, shown};
use crate::{
    error::Result,
    template::{
        ast::{Call, Expression},
        evaluate::{Outcome, Scope, later},
    },
};

/// A lambda: its parameters' names, and its expression.
struct Lambda<'a> {
    names: Vec<String>,
    body: &'a Expression,
    function: &'a str,
}

impl<'a> Lambda<'a> {
    /// The argument at this place, which must be a lambda of so many parameters, or one more.
    fn of(call: &'a Call, at: usize, least: usize) -> Result<Lambda<'a>> {
        let refused =
            || codes::NOT_A_LAMBDA.with([call.name.clone(), (at + 1).to_string(), least.to_string()]);
        let Some(Expression::Call(lambda)) = call.arguments.get(at).filter(|_| true) else {
            return Err(refused());
        };
        let Some((body, names)) =
            lambda.arguments.split_last().filter(|_| lambda.name.eq_ignore_ascii_case("lambda"))
        else {
            return Err(refused());
        };
        let name = |it: &Expression| match it {
            Expression::Text(name) => Some(name.clone()),
            _ => None,
        };
        let names: Vec<String> = names.iter().map_while(name).collect();
        let is_right =
            names.len() + 1 == lambda.arguments.len() && (least..=least + 1).contains(&names.len());
        if is_right { Ok(Lambda { names, body, function: &call.name }) } else { Err(refused()) }
    }

    fn outcome(&self, scope: &Scope<'_>, values: &[Value]) -> Result<Outcome> {
        let mut inner = scope.clone();
        inner.lambdas.extend(self.names.iter().cloned().zip(values.iter().cloned().map(Some)));
        inner.evaluate(self.body)
    }

    fn value(&self, scope: &Scope<'_>, values: &[Value]) -> Result<Value> {
        match self.outcome(scope, values)? {
            Outcome::Known(value) => Ok(value),
            Outcome::Later(_) => Err(codes::NOT_EXPECTED.with(["reference"])),
        }
    }

    fn truth(&self, scope: &Scope<'_>, values: &[Value]) -> Result<bool> {
        let value = self.value(scope, values)?;
        value.as_bool().ok_or_else(|| {
            codes::ARGUMENT.with([self.function, "2", "lambda that gives a Boolean", super::type_of(&value)])
        })
    }

    /// The lambda for later, with its parameters still open.
    fn open(&self, scope: &Scope<'_>) -> Result<Outcome> {
        let mut inner = scope.clone();
        inner.lambdas.extend(self.names.iter().cloned().map(|name| (name, None)));
        let body = inner.evaluate(self.body)?.into_expression();
        let names = self.names.iter().map(Expression::text);
        Ok(Outcome::Later(Expression::call("lambda", names.chain([body]).collect())))
    }
}

/// Evaluates the first arguments, and hands everything on; or leaves the call for later.
fn over(
    scope: &Scope<'_>,
    call: &Call,
    lambdas: &[(usize, usize)],
    run: impl FnOnce(&[Value], &[Lambda<'_>]) -> Result<Outcome>,
) -> Result<Outcome> {
    let first_lambda = lambdas.first().map_or(call.arguments.len(), |(at, _)| *at);
    let lambdas: Vec<Lambda<'_>> = lambdas
        .iter()
        .filter(|(at, _)| *at < call.arguments.len())
        .map(|(at, least)| Lambda::of(call, *at, *least))
        .collect::<Result<_>>()?;
    let outcomes: Vec<Outcome> =
        call.arguments[..first_lambda].iter().map(|it| scope.evaluate(it)).collect::<Result<_>>()?;
    match crate::template::evaluate::known(outcomes) {
        Ok(values) => run(&values, &lambdas),
        Err(mut outcomes) => {
            for lambda in &lambdas {
                outcomes.push(lambda.open(scope)?);
            }
            Ok(later(call, outcomes))
        }
    }
}

fn elements<'a>(function: &'static str, values: &'a [Value]) -> Result<&'a Vec<Value>> {
    Arguments { function, values }.array(0)
}

pub(super) fn map(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    over(scope, call, &[(1, 1)], |values, lambdas| {
        let turns = elements("map", values)?.iter().enumerate();
        let outcomes: Vec<Outcome> = turns
            .map(|(at, it)| lambdas[0].outcome(scope, &[it.clone(), at.into()]))
            .collect::<Result<_>>()?;
        Ok(match crate::template::evaluate::known(outcomes) {
            Ok(values) => Outcome::Known(Value::Array(values)),
            Err(outcomes) => {
                let parts = outcomes.into_iter().map(Outcome::into_expression).collect();
                Outcome::Later(Expression::call("createArray", parts))
            }
        })
    })
}

pub(super) fn filter(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    over(scope, call, &[(1, 1)], |values, lambdas| {
        let mut kept = Vec::new();
        for (at, element) in elements("filter", values)?.iter().enumerate() {
            if lambdas[0].truth(scope, &[element.clone(), at.into()])? {
                kept.push(element.clone());
            }
        }
        Ok(Outcome::Known(Value::Array(kept)))
    })
}

pub(super) fn reduce(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    over(scope, call, &[(2, 2)], |values, lambdas| {
        let mut sum = values.get(1).cloned().unwrap_or(Value::Null);
        for (at, element) in elements("reduce", values)?.iter().enumerate() {
            sum = lambdas[0].value(scope, &[sum, element.clone(), at.into()])?;
        }
        Ok(Outcome::Known(sum))
    })
}

/// The lambda says whether its first comes before its second. Equal ones keep their order.
pub(super) fn sort(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    over(scope, call, &[(1, 2)], |values, lambdas| {
        let before = |one: &Value, other: &Value| lambdas[0].truth(scope, &[one.clone(), other.clone()]);
        merge_sorted(elements("sort", values)?.clone(), &before).map(|it| Outcome::Known(Value::Array(it)))
    })
}

/// A merge sort, because what compares may refuse and need not be an order.
fn merge_sorted(mut all: Vec<Value>, before: &impl Fn(&Value, &Value) -> Result<bool>) -> Result<Vec<Value>> {
    if all.len() < 2 {
        return Ok(all);
    }
    let right = merge_sorted(all.split_off(all.len() / 2), before)?;
    let mut left = merge_sorted(all, before)?.into_iter().peekable();
    let mut right = right.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let order = if before(other, one)? { Ordering::Greater } else { Ordering::Less };
        merged.extend(if order == Ordering::Greater { right.next() } else { left.next() });
    }
    Ok(merged.into_iter().chain(left).chain(right).collect())
}

/// Keys by the first lambda, values by the second, else the elements themselves.
pub(super) fn to_object(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    over(scope, call, &[(1, 1), (2, 1)], |values, lambdas| {
        let mut made = Map::new();
        for (at, element) in elements("toObject", values)?.iter().enumerate() {
            let turn = [element.clone(), at.into()];
            let value = lambdas.get(1).map_or(Ok(element.clone()), |it| it.value(scope, &turn))?;
            made.insert(shown(&lambdas[0].value(scope, &turn)?), value);
        }
        Ok(Outcome::Known(Value::Object(made)))
    })
}

/// Arrays of the elements that the lambda gives one key.
pub(super) fn group_by(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    over(scope, call, &[(1, 1)], |values, lambdas| {
        let mut groups = Map::new();
        for (at, element) in elements("groupBy", values)?.iter().enumerate() {
            let key = shown(&lambdas[0].value(scope, &[element.clone(), at.into()])?);
            let group = groups.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(group) = group {
                group.push(element.clone());
            }
        }
        Ok(Outcome::Known(Value::Object(groups)))
    })
}

pub(super) fn map_values(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    over(scope, call, &[(1, 1)], |values, lambdas| {
        let members = Arguments { function: "mapValues", values }.object(0)?;
        let mapped = members.iter().map(|(name, value)| {
            lambdas[0].value(scope, std::slice::from_ref(value)).map(|value| (name.clone(), value))
        });
        Ok(Outcome::Known(Value::Object(mapped.collect::<Result<_>>()?)))
    })
}

/// A lambda is an argument of certain functions and nothing else.
pub(super) fn stray(_: &Scope<'_>, call: &Call) -> Result<Outcome> {
    Err(codes::NOT_EXPECTED.with([&call.name]))
}

pub(super) fn variable(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    let Outcome::Known(Value::String(name)) = scope.evaluate(&call.arguments[0])? else {
        return Err(codes::NO_LAMBDA_VARIABLE.with([call.arguments[0].to_string()]));
    };
    let found = scope.lambdas.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(&name));
    match found {
        Some((_, Some(value))) => Ok(Outcome::Known(value.clone())),
        Some((_, None)) => Ok(Outcome::Later(Expression::Call(call.clone()))),
        None => Err(codes::NO_LAMBDA_VARIABLE.with([name])),
    }
}
