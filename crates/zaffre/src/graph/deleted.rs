//! Deleted items: what there is, brought back or removed for good.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
};
use serde_json::{Value, json};

use super::{
    ask::{Answer, Ask},
    codes, lists,
    objects::{self, Object},
    permissions::{self, Area, Change},
};
use crate::{
    cloud::Draw,
    directory::{
        applications,
        deleted::{self, Deleted},
        service_principals, users,
    },
    store::Txn,
};

pub(super) fn list(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let all = deleted::all(txn, ask.cx.now)?;
    lists::typed(ask, txn, all.into_iter().map(|it| it.object.into()).collect())
}

pub(super) fn get(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let found = named(ask, txn)?;
    let Value::Object(mut shown) = Object::from(found.object).typed(ask, txn)? else {
        return Ok(Answer::Empty);
    };
    shown.insert("deletedDateTime".to_owned(), json!(found.at.iso_seconds()));
    Ok(ask.entity(200, "directoryObjects", shown))
}

fn named(ask: &Ask<'_>, txn: &Txn) -> Result<Deleted> {
    let key = ask.key(0)?;
    let id: Option<Guid> = key.parse().ok();
    let found = id.map(|id| deleted::get(txn, ObjectId(id), ask.cx.now)).transpose()?.flatten();
    found.ok_or_else(|| codes::OBJECT_NOT_FOUND.with([key]))
}

fn changeable(ask: &Ask<'_>, txn: &Txn) -> Result<Deleted> {
    let found = named(ask, txn)?;
    let set = Object::from(found.object.clone()).set();
    permissions::may_change(txn, ask.caller, Area::of(set.name()), Change::Of(found.object.id()))?;
    Ok(found)
}

pub(super) fn restore(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let found = changeable(ask, txn)?;
    check_free(txn, &found.object)?;
    deleted::restore(txn, &found)?;
    objects::one(ask, txn, &found.object.into())
}

/// Its names are still nobody else's.
fn check_free(txn: &Txn, object: &deleted::Object) -> Result<()> {
    match object {
        deleted::Object::User(it) if users::named(txn, &it.user_principal_name)?.is_some() => {
            Err(codes::TAKEN.with(["userPrincipalName"]))
        }
        deleted::Object::ServicePrincipal(it) => {
            if service_principals::of_application(txn, it.app_id)?.is_some() {
                return Err(codes::SERVICE_PRINCIPAL_TAKEN.with([it.app_id.to_string()]));
            }
            match applications::get(txn, it.app_id)? {
                Some(_) => Ok(()),
                None => Err(codes::NO_APPLICATION.with([it.app_id.to_string()])),
            }
        }
        deleted::Object::Application(_) | deleted::Object::User(_) | deleted::Object::Group(_) => Ok(()),
    }
}

pub(super) fn purge(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let found = changeable(ask, txn)?;
    deleted::purge(txn, found.object.id())?;
    Ok(Answer::Empty)
}
