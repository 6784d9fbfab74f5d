//! Creating, updating and deleting.

use azure::{
    error::Result,
    ids::{ClientId, ObjectId},
    principal::PrincipalKind,
};
use serde_json::{Map, Value};

use super::{
    ask::{Answer, Ask},
    codes, credentials, links as references,
    objects::{self, Object, Set},
    permissions::Change,
    properties,
};
use crate::{
    cloud::Draw,
    directory::{
        Application, Group, ServicePrincipalKind, User, applications, deleted, groups, links,
        service_principals, users,
    },
    store::Txn,
};

pub(super) fn create_application(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    ask.may_change(txn, Change::New)?;
    let name = required(ask, "displayName", Set::Applications)?;
    let application = applications::create(txn, draw, name, ask.cx.now)?;
    own(ask, txn, application.object_id)?;
    written(ask, txn, draw, Object::Application(application))
}

pub(super) fn create_service_principal(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    ask.may_change(txn, Change::New)?;
    let app_id = required(ask, "appId", Set::ServicePrincipals)?;
    let id = app_id.parse().map(ClientId);
    let id = id.map_err(|_| codes::WRONG_TYPE.with(["appId", Set::ServicePrincipals.resource()]))?;
    if service_principals::of_application(txn, id)?.is_some() {
        return Err(codes::SERVICE_PRINCIPAL_TAKEN.with([app_id]));
    }
    let application = applications::get(txn, id)?.ok_or_else(|| codes::NO_APPLICATION.with([app_id]))?;
    let made = service_principals::create(txn, draw, &application, ask.cx.now)?;
    mirror(txn, &application)?;
    let principal = service_principals::get(txn, made.object_id)?.unwrap_or(made);
    own(ask, txn, principal.object_id)?;
    written(ask, txn, draw, Object::ServicePrincipal(principal))
}

pub(super) fn create_user(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    ask.may_change(txn, Change::New)?;
    let of = |name| required(ask, name, Set::Users);
    let user = User {
        object_id: ObjectId(draw.guid()),
        user_principal_name: of("userPrincipalName")?.to_owned(),
        display_name: of("displayName")?.to_owned(),
        created: ask.cx.now,
        account_enabled: true,
        password: Some(ask.password.clone().ok_or_else(|| codes::MISSING.with(["passwordProfile", "User"]))?),
        document: Map::new(),
    };
    of("mailNickname")?;
    check_name(ask, txn, &user)?;
    written(ask, txn, draw, Object::User(user))
}

/// A name of the tenant's domain that nobody else has.
fn check_name(ask: &Ask<'_>, txn: &Txn, user: &User) -> Result<()> {
    let name = &user.user_principal_name;
    let is_ours = name.split_once('@').is_some_and(|(front, domain)| {
        !front.is_empty() && domain.eq_ignore_ascii_case(&ask.cx.cloud.charter.domain)
    });
    if !is_ours {
        return Err(codes::WRONG_TYPE.with(["userPrincipalName", "User"]));
    }
    match users::named(txn, name)? {
        Some(other) if other.object_id != user.object_id => Err(codes::TAKEN.with(["userPrincipalName"])),
        _ => Ok(()),
    }
}

pub(super) fn create_group(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    ask.may_change(txn, Change::New)?;
    let name = required(ask, "displayName", Set::Groups)?;
    required(ask, "mailNickname", Set::Groups)?;
    for flag in ["mailEnabled", "securityEnabled"] {
        if !ask.body.get(flag).is_some_and(Value::is_boolean) {
            return Err(codes::MISSING.with([flag, "Group"]));
        }
    }
    let group = Group {
        object_id: ObjectId(draw.guid()),
        display_name: name.to_owned(),
        created: ask.cx.now,
        document: Map::new(),
    };
    groups::put(txn, &group)?;
    if ask.caller.principal().is_some_and(|it| it.kind == PrincipalKind::User) {
        own(ask, txn, group.object_id)?;
    }
    bind(ask, txn, group.object_id)?;
    written(ask, txn, draw, Object::Group(group))
}

/// Members and owners that the body of a group names.
fn bind(ask: &Ask<'_>, txn: &mut Txn, group: ObjectId) -> Result<()> {
    for (property, add) in
        [("members@odata.bind", groups::add as references::Link), ("owners@odata.bind", links::add_owner)]
    {
        for reference in ask.body.get(property).and_then(Value::as_array).into_iter().flatten() {
            let other = references::referred(txn, reference.as_str().unwrap_or_default(), property)?;
            add(txn, group, other.id())?;
        }
    }
    Ok(())
}

fn required<'a>(ask: &'a Ask<'_>, name: &'static str, set: Set) -> Result<&'a str> {
    ask.text(name).filter(|it| !it.is_empty()).ok_or_else(|| codes::MISSING.with([name, set.resource()]))
}

/// Who makes an application owns it.
fn own(ask: &Ask<'_>, txn: &mut Txn, object: ObjectId) -> Result<()> {
    if let Some(principal) = ask.caller.principal() {
        links::add_owner(txn, object, principal.object_id)?;
    }
    Ok(())
}

/// The body's other properties written into what was just made, and the answer.
fn written(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw, mut object: Object) -> Result<Answer> {
    apply(ask, draw, &mut object, Moment::Create)?;
    store(txn, &object)?;
    let set = object.set();
    Ok(ask.entity(201, set.name(), objects::shown(ask, txn, &object)?))
}

pub(super) fn update(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    let mut object = objects::named(ask, txn)?;
    ask.may_change(txn, Change::Of(object.id()))?;
    refuse_managed(&object)?;
    apply(ask, draw, &mut object, Moment::Update)?;
    if let Object::User(user) = &object {
        check_name(ask, txn, user)?;
    }
    if let Object::Group(group) = &object {
        bind(ask, txn, group.object_id)?;
    }
    store(txn, &object)?;
    Ok(Answer::Empty)
}

/// A managed identity lives and dies with its resource.
fn refuse_managed(object: &Object) -> Result<()> {
    match object {
        Object::ServicePrincipal(it) if it.kind == ServicePrincipalKind::ManagedIdentity => {
            Err((&codes::MANAGED).into())
        }
        _ => Ok(()),
    }
}

pub(super) fn delete(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    ask.may_change(txn, Change::Of(object.id()))?;
    refuse_managed(&object)?;
    let now = ask.cx.now;
    match object {
        Object::Application(it) => {
            if let Some(principal) = service_principals::of_application(txn, it.client_id)? {
                deleted::delete(txn, deleted::Object::ServicePrincipal(principal), now)?;
            }
            deleted::delete(txn, deleted::Object::Application(it), now)?;
        }
        Object::ServicePrincipal(it) => deleted::delete(txn, deleted::Object::ServicePrincipal(it), now)?,
        Object::User(it) => deleted::delete(txn, deleted::Object::User(it), now)?,
        Object::Group(it) if is_unified(&it) => deleted::delete(txn, deleted::Object::Group(it), now)?,
        Object::Group(it) => {
            groups::delete(txn, it.object_id)?;
        }
    }
    Ok(Answer::Empty)
}

/// A Microsoft 365 group; security groups are deleted for good ("Restore deleted item").
fn is_unified(group: &Group) -> bool {
    let types = group.document.get("groupTypes").and_then(Value::as_array);
    types.is_some_and(|types| types.iter().any(|it| it == "Unified"))
}

fn store(txn: &mut Txn, object: &Object) -> Result<()> {
    match object {
        Object::Application(it) => {
            applications::put(txn, it)?;
            mirror(txn, it)
        }
        Object::ServicePrincipal(it) => service_principals::put(txn, it),
        Object::User(it) => users::put(txn, it),
        Object::Group(it) => groups::put(txn, it),
    }
}

/// What its service principal in the application's own tenant shows of an application.
fn mirror(txn: &mut Txn, application: &Application) -> Result<()> {
    let Some(mut principal) = service_principals::of_application(txn, application.client_id)? else {
        return Ok(());
    };
    let of =
        |path: &str| application.document.get(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut names = vec![application.client_id.to_string()];
    names.extend(of("identifierUris").iter().filter_map(Value::as_str).map(str::to_owned));
    principal.service_principal_names = names;
    principal.display_name.clone_from(&application.display_name);
    let scopes = application.document.get("api").and_then(|it| it.get("oauth2PermissionScopes")).cloned();
    principal.document.insert("appRoles".to_owned(), Value::Array(of("appRoles")));
    principal
        .document
        .insert("oauth2PermissionScopes".to_owned(), scopes.unwrap_or_else(|| Value::Array(vec![])));
    principal.document.insert("replyUrls".to_owned(), application.redirect_uris().into_iter().collect());
    service_principals::put(txn, &principal)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Create,
    Update,
}

/// Writes the body's properties into an object: those the program means something by itself, the others
/// by their table.
fn apply(ask: &Ask<'_>, draw: &mut Draw, object: &mut Object, moment: Moment) -> Result<()> {
    let set = object.set();
    for (name, value) in ask.body.iter().filter(|(name, _)| !name.contains('@')) {
        let is_key = moment == Moment::Create && name == "appId";
        if is_key || apply_own(ask, draw, object, (name, value))? {
            continue;
        }
        properties::write(set.properties(), set.resource(), object.document_mut(), (name, value))?;
    }
    Ok(())
}

/// `false`: the program means nothing by it, or cannot take it.
fn apply_own(ask: &Ask<'_>, draw: &mut Draw, object: &mut Object, property: (&str, &Value)) -> Result<bool> {
    match (object, property) {
        (Object::Application(it), ("displayName", Value::String(text))) => it.display_name.clone_from(text),
        (Object::Application(it), ("keyCredentials", listed)) => {
            it.keys = credentials::keys(ask, draw, &it.keys, listed)?;
        }
        // Only addPassword makes secrets; some clients send the empty list.
        (Object::Application(_), ("passwordCredentials", Value::Array(none))) => return Ok(none.is_empty()),
        (Object::Application(it), (name @ "signInAudience", text @ Value::String(_))) => {
            it.document.insert(name.to_owned(), text.clone());
        }
        (Object::ServicePrincipal(it), ("displayName", Value::String(text))) => {
            it.display_name.clone_from(text)
        }
        (Object::ServicePrincipal(it), ("accountEnabled", Value::Bool(enabled))) => {
            it.account_enabled = *enabled
        }
        (Object::ServicePrincipal(it), ("servicePrincipalNames", Value::Array(names))) => {
            it.service_principal_names = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        (Object::ServicePrincipal(it), (name @ ("replyUrls" | "appRoles"), list @ Value::Array(_))) => {
            it.document.insert(name.to_owned(), list.clone());
        }
        (Object::User(it), ("displayName", Value::String(text))) => it.display_name.clone_from(text),
        (Object::User(it), ("userPrincipalName", Value::String(text))) => {
            it.user_principal_name.clone_from(text);
        }
        (Object::User(it), ("accountEnabled", Value::Bool(enabled))) => it.account_enabled = *enabled,
        (Object::User(it), ("passwordProfile", Value::Object(_))) => {
            it.password = ask.password.clone().or(it.password.take());
        }
        (Object::Group(it), ("displayName", Value::String(text))) => it.display_name.clone_from(text),
        _ => return Ok(false),
    }
    Ok(true)
}
