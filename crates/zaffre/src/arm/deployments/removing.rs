//! Deleting many resources, as their deployer may: what Complete mode and stacks leave over.
//!
//! What is in use by another one that goes too is refused at first, and goes when that one has gone.

use std::time::Duration;

use azure::{
    error::{Error, Result},
    ids::ResourceId,
};
use http::Method;
use serde_json::Value;

use crate::{
    access::Caller,
    arm::{Arm, durations},
    resources::{self, State},
    service::Cx,
};

/// Deletes them in their order, and again as long as some of them go. Gives those that are left, with why.
pub(super) async fn all(
    (arm, cx, caller): (&Arm, &Cx, &Caller),
    ids: Vec<ResourceId>,
) -> Vec<(ResourceId, Error)> {
    let mut left = ids;
    loop {
        let (count, mut refused) = (left.len(), Vec::new());
        for id in left {
            if let Err(error) = one((arm, cx, caller), &id).await {
                refused.push((id, error));
            }
        }
        if refused.is_empty() || refused.len() == count {
            return refused;
        }
        left = refused.into_iter().map(|(id, _)| id).collect();
    }
}

async fn one((arm, cx, caller): (&Arm, &Cx, &Caller), id: &ResourceId) -> Result<()> {
    let version = arm.newest_version(id)?;
    match arm.inside(cx, caller, (Method::DELETE, id.as_str(), &version), &Value::Null).await {
        Ok(_) => gone(cx, id).await,
        Err(error) if error.row.status == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waits until what is being deleted is.
async fn gone(cx: &Cx, id: &ResourceId) -> Result<()> {
    let mut reports = cx.env.follower.reports();
    loop {
        durations::settle(cx).await?;
        match cx.read(|txn| resources::get(txn, id)).await? {
            Some(resource) if resource.state == State::Deleting => {
                // Whoever is at work reports; some finish without a word, so one looks again.
                let _ = tokio::time::timeout(Duration::from_secs(2), reports.changed()).await;
            }
            _ => return Ok(()),
        }
    }
}
