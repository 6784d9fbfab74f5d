//! Ids out of types and names.
//!
//! A type of two segments behind its namespace takes two names: `Microsoft.Sql/servers/databases` and
//! `s`, `d` give `.../Microsoft.Sql/servers/s/databases/d`. Slashes around a type are tolerated: a
//! tutorial of 2018 writes one at the end, and meant nothing by it.

use serde_json::Value;

use super::{Arguments, codes};
use crate::{
    error::Result,
    ids::Guid,
    template::{context::Place, evaluate::Scope},
};

/// `{scope}/providers/{namespace}/{type}/{name}...`.
fn id(arguments: &Arguments<'_>, scope: &str, kind: &str, names: &[&str]) -> Result<Value> {
    let mut segments = kind.trim_matches('/').split('/');
    let namespace = segments.next().unwrap_or_default();
    let types: Vec<&str> = segments.collect();
    if types.len() != names.len() {
        return Err(codes::NAMES_OF_TYPE.with([arguments.function, kind, &types.len().to_string()]));
    }
    let pairs =
        types.iter().zip(names).fold(String::new(), |text, (kind, name)| format!("{text}/{kind}/{name}"));
    // A group, a subscription and their kind are no provider's, though templates call them so.
    let is_group = namespace.eq_ignore_ascii_case("Microsoft.Resources")
        && types.first().is_some_and(|it| it.eq_ignore_ascii_case("resourceGroups"));
    Ok(match is_group && types.len() == 1 {
        true => format!("{scope}/resourceGroups/{}", names[0]),
        false => format!("{scope}/providers/{namespace}{pairs}"),
    }
    .into())
}

/// What comes before the type, the type, and the names behind it.
fn parted<'a>(arguments: &Arguments<'a>) -> Result<(Vec<&'a str>, &'a str, Vec<&'a str>)> {
    let texts = arguments.texts(0)?;
    let at = texts.iter().position(|it| it.contains('/'));
    let at = at.ok_or_else(|| codes::NO_TYPE.with([arguments.function]))?;
    Ok((texts[..at].to_vec(), texts[at], texts[at + 1..].to_vec()))
}

/// `resourceId([subscription], [group], type, names...)`: at the scope of the deployment, or where the first ones say.
pub(super) fn resource(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    let (before, kind, names) = parted(arguments)?;
    let place = &scope.context.place;
    let too_many = || codes::NO_TYPE.with([arguments.function]);
    let at = match (before.as_slice(), place) {
        ([], _) => match place {
            Place::Tenant | Place::ManagementGroup { .. } => String::new(),
            Place::Subscription { .. } | Place::Group { .. } => place.id(),
        },
        ([subscription], Place::Subscription { .. } | Place::ManagementGroup { .. } | Place::Tenant)
            if subscription.parse::<Guid>().is_ok() =>
        {
            format!("/subscriptions/{subscription}")
        }
        ([subscription], Place::Group { group, .. }) if subscription.parse::<Guid>().is_ok() => {
            format!("/subscriptions/{subscription}/resourceGroups/{group}")
        }
        ([group], _) => {
            let subscription =
                place.subscription().ok_or_else(|| codes::NOT_IN_SCOPE.with([arguments.function]))?;
            format!("/subscriptions/{subscription}/resourceGroups/{group}")
        }
        ([subscription, group], _) => format!("/subscriptions/{subscription}/resourceGroups/{group}"),
        _ => return Err(too_many()),
    };
    id(arguments, &at, kind, &names)
}

pub(super) fn subscription(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    let (before, kind, names) = parted(arguments)?;
    let own = scope.context.place.subscription();
    let subscription = match before.as_slice() {
        [] => own.ok_or_else(|| codes::NOT_IN_SCOPE.with([arguments.function]))?,
        [given] => given,
        _ => return Err(codes::NO_TYPE.with([arguments.function])),
    };
    id(arguments, &format!("/subscriptions/{subscription}"), kind, &names)
}

pub(super) fn tenant(arguments: &Arguments<'_>) -> Result<Value> {
    match parted(arguments)? {
        (before, kind, names) if before.is_empty() => id(arguments, "", kind, &names),
        _ => Err(codes::NO_TYPE.with([arguments.function])),
    }
}

pub(super) fn management_group(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    let (before, kind, names) = parted(arguments)?;
    let name = match (before.as_slice(), &scope.context.place) {
        ([given], _) => (*given).to_owned(),
        ([], Place::ManagementGroup { name }) => name.clone(),
        ([], _) => return Err(codes::NOT_IN_SCOPE.with([arguments.function])),
        _ => return Err(codes::NO_TYPE.with([arguments.function])),
    };
    id(arguments, &Place::ManagementGroup { name }.id(), kind, &names)
}

/// `extensionResourceId(scope, type, names...)`.
pub(super) fn extension(arguments: &Arguments<'_>) -> Result<Value> {
    let texts = arguments.texts(0)?;
    id(arguments, texts[0].trim_end_matches('/'), texts[1], &texts[2..])
}
