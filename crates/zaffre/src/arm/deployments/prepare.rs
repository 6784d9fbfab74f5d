//! From a request's body to a plan that may be carried out.
//!
//! Everything that can be known before anything is deployed is judged here, for `validate`, for
//! `whatIf` and for the deployment itself alike: the template, its parameters, the type and the
//! api-version of every resource, and whether the deployer may write each of them.

use azure::{
    error::{Error, Result},
    ids::ResourceId,
    template::{
        self, Context, Plan,
        context::{self, Place},
        source::{Places, Source},
    },
};
use http::Method;
use serde_json::{Map, Value, json};

use super::{
    links::{self, Found, Link},
    rollback::{self, Rollback},
    stored::Mode,
};
use crate::{
    access::{Caller, Refusal, Why},
    arm::{Arm, codes, content, tags, write},
    resources::{self, Tags},
    service::{Cx, Fault},
    store::Txn,
};

/// A deployment that may begin.
pub(super) struct Prepared {
    pub location: Option<String>,
    pub tags: Option<Tags>,
    pub mode: Mode,
    pub template: Value,
    pub template_hash: String,
    pub link: Option<Link>,
    pub rollback: Option<Rollback>,
    pub plan: Plan,
}

/// Where a deployment's id says that it deploys to.
pub(super) fn place_of(id: &ResourceId) -> Place {
    let scope = id.extended();
    match (scope.subscription(), scope.resource_group()) {
        (Some(subscription), Some(group)) => {
            Place::Group { subscription: subscription.to_string(), group: group.to_owned() }
        }
        (Some(subscription), None) => Place::Subscription { subscription: subscription.to_string() },
        (None, _) if scope.is_root() => Place::Tenant,
        (None, _) => Place::ManagementGroup { name: scope.name().to_owned() },
    }
}

/// Judges a deployment's body. Refuses what could not be deployed, and says why.
pub(super) async fn prepared(
    arm: &Arm,
    cx: &Cx,
    caller: &Caller,
    id: &ResourceId,
    source: &Source,
    base: Option<&Link>,
) -> Result<Prepared> {
    let body = &source.value;
    let properties = body.get("properties").and_then(Value::as_object);
    let properties = properties
        .ok_or_else(|| codes::INVALID_CONTENT.with(["Required property 'properties' not found in JSON"]))?;
    let rollback = cx.read(|txn| rollback::named(txn, id, properties)).await?;
    let mode = properties.get("mode").and_then(Value::as_str).unwrap_or("Incremental");
    let mode = Mode::read(mode).ok_or_else(|| codes::INVALID_DEPLOYMENT_MODE.with([mode]))?;
    let location = content::text(body, "location")?;
    if location.is_none() && !matches!(place_of(id), Place::Group { .. }) {
        return Err((&codes::LOCATION_REQUIRED).into());
    }
    if mode == Mode::Complete && !matches!(place_of(id), Place::Group { .. }) {
        return Err((&codes::COMPLETE_ELSEWHERE).into());
    }
    let Found { template, places, link } =
        links::template((arm, cx, caller), id, (properties, source), base).await?;
    let parameters = links::parameters((arm, cx, caller), properties, base).await?;
    let template_hash = template::hash(&template);
    let given = Given {
        id,
        location: location.as_deref(),
        mode,
        template: &template,
        hash: &template_hash,
        parameters: &parameters,
        link: link.as_ref(),
    };
    let context = cx.read(|txn| surroundings(arm, cx, txn, caller, &given)).await?;
    let plan = expanded(template.clone(), places, parameters, context).await?;
    judge(arm, cx, caller, id, &plan).await?;
    let tags = content::map(body, "tags")?.map(tags::checked).transpose()?;
    Ok(Prepared { location, tags, mode, template, template_hash, link, rollback, plan })
}

/// A template may mean a second of work: it is not done where requests are answered.
async fn expanded(template: Value, places: Places, parameters: Value, context: Context) -> Result<Plan> {
    let expand = move || template::expand(&template, &places, &parameters, &context);
    tokio::task::spawn_blocking(expand).await.map_err(|panic| Fault::Internal.because(panic))?
}

/// What is known of a deployment before it is expanded.
struct Given<'a> {
    id: &'a ResourceId,
    location: Option<&'a str>,
    mode: Mode,
    template: &'a Value,
    hash: &'a str,
    parameters: &'a Value,
    link: Option<&'a Link>,
}

/// What the template's functions see of the cloud.
fn surroundings(arm: &Arm, cx: &Cx, txn: &Txn, caller: &Caller, given: &Given<'_>) -> Result<Context> {
    write::group_is_there(txn, given.id)?;
    let charter = &cx.cloud.charter;
    let place = place_of(given.id);
    let group = match resources::group(txn, given.id)? {
        None => Value::Null,
        Some(group) => json!({
            "id": group.id,
            "name": group.name(),
            "type": "Microsoft.Resources/resourceGroups",
            "location": group.location,
            "tags": group.tags.clone().unwrap_or_default(),
            "properties": { "provisioningState": group.state.as_str() },
        }),
    };
    let subscription = match place.subscription() {
        None => Value::Null,
        Some(subscription) => json!({
            "id": format!("/subscriptions/{subscription}"),
            "subscriptionId": subscription,
            "tenantId": charter.tenant,
            "displayName": charter.subscription_name,
        }),
    };
    let management_group = match &place {
        Place::ManagementGroup { name } => {
            json!({ "id": place.id(), "name": name, "type": "/providers/Microsoft.Management/managementGroups" })
        }
        Place::Tenant | Place::Subscription { .. } | Place::Group { .. } => Value::Null,
    };
    let who = caller.principal();
    Ok(Context {
        place,
        deployment: deployment(given),
        deployer: json!({ "objectId": who.map(|it| it.object_id), "tenantId": charter.tenant, "userPrincipalName": who.and_then(|it| it.name.as_deref()).unwrap_or_default() }),
        tenant: json!({ "countryCode": "US", "displayName": charter.display_name, "id": format!("/tenants/{}", charter.tenant), "tenantId": charter.tenant }),
        subscription,
        group,
        management_group,
        environment: context::public_cloud(),
        providers: arm.provider_documents(),
        now: cx.now,
        chance: cx.draw().guid(),
    })
}

/// What `deployment()` gives. The values of secure parameters are not among it.
fn deployment(given: &Given<'_>) -> Value {
    let is_secure = |name: &str| {
        let kind = given.template.pointer(&format!("/parameters/{name}/type")).and_then(Value::as_str);
        kind.is_none_or(|it| it.to_ascii_lowercase().starts_with("secure"))
    };
    let parameters: Map<String, Value> = given
        .parameters
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !is_secure(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut shown = Map::from_iter([("name".to_owned(), json!(given.id.name()))]);
    shown.extend(given.location.map(|it| ("location".to_owned(), json!(it))));
    let mut properties = json!({
        "template": given.template, "templateHash": given.hash, "parameters": parameters,
        "mode": given.mode.as_str(), "provisioningState": "Accepted",
    });
    if let Some(link) = given.link {
        properties["templateLink"] = link.shown();
    }
    shown.insert("properties".to_owned(), properties);
    Value::Object(shown)
}

/// Every resource is of a type and a version that there is, and the deployer may write it.
async fn judge(arm: &Arm, cx: &Cx, caller: &Caller, deployment: &ResourceId, plan: &Plan) -> Result<()> {
    for resource in &plan.resources {
        let id = ResourceId::parse(&resource.id)
            .map_err(|why| codes::INVALID_PATH.with([resource.id.clone(), why.to_string()]))?;
        if id == *deployment {
            return Err(codes::DEPLOYS_ITSELF.with([resource.name.as_str()]));
        }
        let line = || (Method::PUT, resource.id.as_str(), resource.api_version.as_str());
        let refusal = cx.read(|txn| arm.refusal(cx, txn, caller, line())).await?;
        if let Some(refusal) = refusal {
            return Err(not_authorized(&refusal, &resource.name, &resource.resource_type));
        }
    }
    Ok(())
}

fn not_authorized(refusal: &Refusal, name: &str, resource_type: &str) -> Error {
    let Why::Denied { access, .. } = &refusal.why else { return codes::refused(refusal) };
    let (client, object_id) = codes::names_of(&refusal.caller);
    let action = access.any.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(",");
    codes::TEMPLATE_NOT_AUTHORIZED.with([
        name,
        resource_type,
        &client,
        &object_id,
        &action,
        access.on.as_str(),
    ])
}
