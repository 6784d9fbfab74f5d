//! What is done to containers. Each change is one transaction that looks again at what it changes.

use azure::error::Result;

use super::{
    codes,
    conditions::{Conditions, Write},
    headers,
    op::Op,
    purge,
    records::{CONTAINERS, Container, Metadata, PublicAccess, drop_container},
};
use crate::{
    products::storage::keys::{ACCOUNTS, DROP_IN},
    service::{Cx, Reply},
    store::{StoreError, Txn},
};

/// A container as somebody makes it.
pub(super) struct New {
    pub(super) public_access: PublicAccess,
    pub(super) metadata: Metadata,
}

/// The container that the operation names, or why there is none.
pub(super) fn present(container: Option<&Container>) -> Result<&Container> {
    container.ok_or_else(|| codes::CONTAINER_NOT_FOUND.bare())
}

pub(super) async fn create(cx: &Cx, op: &Op, new: &New) -> Result<Reply> {
    let id = cx.draw().guid();
    let container = cx.write(|txn| {
        let key = key(op);
        if !account_stands(txn, &key.0)? {
            return Err(codes::RESOURCE_NOT_FOUND.bare());
        }
        if CONTAINERS.exists(txn, &key)? {
            return Err(codes::CONTAINER_ALREADY_EXISTS.bare());
        }
        let mut container = Container::new(id, cx.now);
        container.public_access = new.public_access;
        container.metadata.clone_from(&new.metadata);
        CONTAINERS.put(txn, &key, &container)?;
        Ok(container)
    });
    let mut reply = Reply::new(201);
    headers::stamp(&mut reply, container.await?.stamp());
    Ok(reply)
}

/// Whether the account is still there: it may have been deleted since the request was admitted.
fn account_stands(txn: &Txn, account: &String) -> Result<bool, StoreError> {
    Ok(account == DROP_IN || ACCOUNTS.exists(txn, account)?)
}

pub(super) fn properties(container: &Container) -> Reply {
    let mut reply = Reply::new(200);
    headers::container(&mut reply, container);
    reply
}

pub(super) async fn set_metadata(cx: &Cx, op: &Op, metadata: &Metadata) -> Result<Reply> {
    let container = cx.write(|txn| {
        let mut container = judged(txn, op, &op.conditions)?;
        container.metadata.clone_from(metadata);
        container.touch(cx.now);
        CONTAINERS.put(txn, &key(op), &container)?;
        Ok(container)
    });
    let mut reply = Reply::new(200);
    headers::stamp(&mut reply, container.await?.stamp());
    Ok(reply)
}

/// Takes the container's row away, which is all it takes for its name to be free; what hung on it follows.
pub(super) async fn delete(cx: &Cx, op: &Op) -> Result<Reply> {
    cx.write(|txn| {
        let container = judged(txn, op, &op.conditions)?;
        if container.is_held() {
            return Err(codes::HELD_CONTAINER.bare());
        }
        let (account, name) = key(op);
        Ok(drop_container(txn, &account, &name, &container)?)
    })
    .await?;
    purge::begin(&cx.env, cx.cloud.id);
    Ok(Reply::new(202))
}

fn judged(txn: &Txn, op: &Op, conditions: &Conditions) -> Result<Container> {
    let container = CONTAINERS.get(txn, &key(op))?.ok_or_else(|| codes::CONTAINER_NOT_FOUND.bare())?;
    conditions.judge_write(Some(container.stamp()), Write::Change)?;
    Ok(container)
}

pub(super) fn key(op: &Op) -> (String, String) {
    (op.address.account.clone(), op.address.container().unwrap_or_default().to_owned())
}
