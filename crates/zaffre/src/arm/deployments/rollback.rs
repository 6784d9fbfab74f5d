//! `onErrorDeployment`: when a group's deployment fails, an earlier one is carried out again.
//!
//! ```text
//! a step fails ─► the rest of what is under way ends ─► the earlier deployment, in complete mode ─► this one ends, failed
//! ```
//!
//! The earlier one runs under its own name, with the template and the parameters that it had (documented: "Rollback on error to
//! successful deployment"). The values of its secure parameters were kept nowhere: one that needs them cannot be done again, and its
//! rollback fails and says so.

use azure::{
    error::{Error, Result},
    ids::ResourceId,
    template::source::{Places, Source},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    prepare, run,
    stored::{self, Deployment, State},
};
use crate::{
    access::Caller,
    arm::{Arm, codes, service::rendered},
    service::Cx,
    store::Txn,
};

/// What a deployment falls back to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rollback {
    kind: Kind,
    /// The earlier deployment.
    name: String,
    state: Option<State>,
    error: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    LastSuccessful,
    SpecificDeployment,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::LastSuccessful, Kind::SpecificDeployment];

    const fn as_str(self) -> &'static str {
        match self {
            Kind::LastSuccessful => "LastSuccessful",
            Kind::SpecificDeployment => "SpecificDeployment",
        }
    }
}

impl Rollback {
    /// As it was before anything failed.
    pub(super) fn untouched(&self) -> Rollback {
        Rollback { state: None, error: None, ..self.clone() }
    }

    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({
            "type": self.kind.as_str(),
            "deploymentName": self.name,
            "provisioningState": self.state.map_or("NotSpecified", State::as_str),
        });
        if let Some(error) = &self.error {
            shown["error"] = error.clone();
        }
        shown
    }
}

/// What a request's `onErrorDeployment` names. Refuses what was not deployed with success, and what is no group's.
pub(super) fn named(txn: &Txn, id: &ResourceId, properties: &Map<String, Value>) -> Result<Option<Rollback>> {
    let Some(asked) = properties.get("onErrorDeployment").filter(|it| !it.is_null()) else { return Ok(None) };
    let text = asked["type"].as_str().unwrap_or("LastSuccessful");
    let kind = Kind::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
    let kind = kind.ok_or_else(|| codes::BAD_ROLLBACK.with([format!("'{text}' is no type of it")]))?;
    if id.resource_group().is_none() {
        return Err(codes::BAD_ROLLBACK.with(["only deployments of resource groups have it"]));
    }
    let found = match (kind, asked["deploymentName"].as_str()) {
        (Kind::LastSuccessful, None) => last_successful(txn, id)?,
        (Kind::SpecificDeployment, Some(name)) => {
            let earlier = id.extended().provider("Microsoft.Resources", "deployments", name);
            stored::get(txn, &earlier)?.filter(|it| it.state == State::Succeeded)
        }
        (Kind::LastSuccessful, Some(_)) => {
            return Err(codes::BAD_ROLLBACK.with(["a deployment is named, and the type is 'LastSuccessful'"]));
        }
        (Kind::SpecificDeployment, None) => return Err(codes::BAD_ROLLBACK.with(["no deployment is named"])),
    };
    match found.filter(|it| it.id != *id) {
        Some(earlier) => {
            Ok(Some(Rollback { kind, name: earlier.id.name().to_owned(), state: None, error: None }))
        }
        None => Err(codes::BAD_ROLLBACK.with(["there is no such deployment that succeeded"])),
    }
}

fn last_successful(txn: &Txn, id: &ResourceId) -> Result<Option<Deployment>> {
    let all = stored::at(txn, &id.extended())?.into_iter();
    let fitting = all.filter(|it| it.state == State::Succeeded && !it.is_nested && it.id != *id);
    Ok(fitting.max_by_key(|it| it.changed))
}

/// Carries the earlier deployment out again, or goes on with it, to its end. Gives what became of it; nothing where
/// there is nothing to fall back to.
pub(super) async fn carry_out(
    arm: Arm,
    cx: &Cx,
    caller: &Caller,
    failed: &Deployment,
) -> Result<Option<Rollback>> {
    let Some(rollback) = &failed.rollback else { return Ok(None) };
    let id = failed.id.extended().provider("Microsoft.Resources", "deployments", &rollback.name);
    if let Err(error) = begin(arm, cx, caller, &id, failed).await {
        return Ok(Some(Rollback {
            state: Some(State::Failed),
            error: Some(rendered(&error)),
            ..rollback.clone()
        }));
    }
    run::to_the_end(arm, cx.clone(), id.clone()).await;
    let ended = cx.write(|txn| stands_alone(txn, &id)).await?;
    let (state, error) = ended.map_or((State::Failed, None), |it| (it.state, it.error));
    Ok(Some(Rollback { state: Some(state), error, ..rollback.clone() }))
}

/// It was somebody's work of its own, and is again: another one may fall back to it.
fn stands_alone(txn: &mut Txn, id: &ResourceId) -> Result<Option<Deployment>> {
    let ended = stored::get(txn, id)?.map(|it| Deployment { is_nested: false, ..it });
    if let Some(ended) = &ended {
        stored::put(txn, ended)?;
    }
    Ok(ended)
}

/// Begins it, unless it was begun before this program was.
async fn begin(arm: Arm, cx: &Cx, caller: &Caller, id: &ResourceId, failed: &Deployment) -> Result<()> {
    let absent = || -> Error { codes::DEPLOYMENT_NOT_FOUND.with([id.name()]) };
    let (earlier, template) = cx.read(|txn| Ok((stored::get(txn, id)?, stored::template(txn, id)?))).await?;
    let (earlier, template) = (earlier.ok_or_else(absent)?, template.ok_or_else(absent)?);
    if earlier.correlation == failed.correlation {
        return Ok(());
    }
    let values = earlier.parameters.as_object().into_iter().flatten();
    let parameters: Map<String, Value> =
        values.filter_map(|(name, it)| Some((name.clone(), json!({ "value": it.get("value")? })))).collect();
    let properties = json!({ "mode": "Complete", "template": template, "parameters": parameters });
    let source = Source { value: json!({ "properties": properties }), places: Places::default() };
    let cx = &Cx { correlation_id: failed.correlation, ..cx.clone() };
    let prepared = prepare::prepared(&arm, cx, caller, id, &source, earlier.link.as_ref()).await?;
    let of = arm.types.of(id)?;
    super::begin(cx, caller, (id, &of), prepared, None).await.map(drop)
}
