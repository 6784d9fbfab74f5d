//! The objects: how each is read from the directory and shown.

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId},
};
use serde_json::{Map, Value, json};

use super::{
    ask::{Answer, Ask},
    codes, lists,
    properties::{self, Property},
};
use crate::{
    cloud::Charter,
    directory::{
        self, Application, Found, Group, ServicePrincipal, ServicePrincipalKind, User,
        applications::{self, KeyCredential, PasswordCredential},
        deleted, groups, service_principals, users,
    },
    store::Txn,
};

/// The types of objects, each a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Applications,
    ServicePrincipals,
    Users,
    Groups,
}

impl Set {
    pub(super) const ALL: [Set; 4] = [Set::Applications, Set::ServicePrincipals, Set::Users, Set::Groups];

    pub(super) fn name(self) -> &'static str {
        match self {
            Set::Applications => "applications",
            Set::ServicePrincipals => "servicePrincipals",
            Set::Users => "users",
            Set::Groups => "groups",
        }
    }

    /// `None` for `directoryObjects`, which is all of them.
    pub(super) fn of(name: &str) -> Option<Set> {
        Set::ALL.into_iter().find(|set| set.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn resource(self) -> &'static str {
        match self {
            Set::Applications => "Application",
            Set::ServicePrincipals => "ServicePrincipal",
            Set::Users => "User",
            Set::Groups => "Group",
        }
    }

    pub(super) fn properties(self) -> &'static [Property] {
        match self {
            Set::Applications => properties::APPLICATION,
            Set::ServicePrincipals => properties::SERVICE_PRINCIPAL,
            Set::Users => properties::USER,
            Set::Groups => properties::GROUP,
        }
    }

    /// `#microsoft.graph.servicePrincipal`.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Set::Applications => "#microsoft.graph.application",
            Set::ServicePrincipals => "#microsoft.graph.servicePrincipal",
            Set::Users => "#microsoft.graph.user",
            Set::Groups => "#microsoft.graph.group",
        }
    }

    /// The collection of a type: `microsoft.graph.user`.
    pub(super) fn of_type(name: &str) -> Option<Set> {
        Set::ALL.into_iter().find(|set| set.type_name()[1..].eq_ignore_ascii_case(name))
    }

    /// Whether there is such a property, in any case.
    pub(super) fn has(self, name: &str) -> bool {
        self.properties().iter().any(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// Whether a property comes when nothing is selected.
    pub(super) fn is_usual(self, name: &str) -> bool {
        self.properties().iter().any(|it| it.name == name && it.usual)
    }

    pub(super) fn page(self, txn: &Txn, after: Option<ObjectId>, limit: usize) -> Result<Vec<Object>> {
        Ok(match self {
            Set::Applications => {
                applications::page(txn, after, limit)?.into_iter().map(Object::Application).collect()
            }
            Set::ServicePrincipals => service_principals::page(txn, after, limit)?
                .into_iter()
                .map(Object::ServicePrincipal)
                .collect(),
            Set::Users => users::page(txn, after, limit)?.into_iter().map(Object::User).collect(),
            Set::Groups => groups::page(txn, after, limit)?.into_iter().map(Object::Group).collect(),
        })
    }
}

#[derive(Clone)]
pub(super) enum Object {
    Application(Application),
    ServicePrincipal(ServicePrincipal),
    User(User),
    Group(Group),
}

impl Object {
    pub(super) fn set(&self) -> Set {
        match self {
            Object::Application(_) => Set::Applications,
            Object::ServicePrincipal(_) => Set::ServicePrincipals,
            Object::User(_) => Set::Users,
            Object::Group(_) => Set::Groups,
        }
    }

    pub(super) fn id(&self) -> ObjectId {
        match self {
            Object::Application(it) => it.object_id,
            Object::ServicePrincipal(it) => it.object_id,
            Object::User(it) => it.object_id,
            Object::Group(it) => it.object_id,
        }
    }

    fn document(&self) -> &Map<String, Value> {
        match self {
            Object::Application(it) => &it.document,
            Object::ServicePrincipal(it) => &it.document,
            Object::User(it) => &it.document,
            Object::Group(it) => &it.document,
        }
    }

    pub(super) fn document_mut(&mut self) -> &mut Map<String, Value> {
        match self {
            Object::Application(it) => &mut it.document,
            Object::ServicePrincipal(it) => &mut it.document,
            Object::User(it) => &mut it.document,
            Object::Group(it) => &mut it.document,
        }
    }

    /// Every property.
    pub(super) fn whole(&self, charter: &Charter) -> Map<String, Value> {
        let document = self.document();
        let shown = |property: &Property| match property.kind {
            properties::Kind::Own => self.own(charter, property.name),
            kind => kind.shown(document.get(property.name)),
        };
        self.set().properties().iter().map(|it| (it.name.to_owned(), shown(it))).collect()
    }

    fn own(&self, charter: &Charter, name: &str) -> Value {
        match self {
            Object::Application(it) => of_application(it, charter, name),
            Object::ServicePrincipal(it) => of_service_principal(it, charter, name),
            Object::User(it) => of_user(it, name),
            Object::Group(it) => of_group(it, name),
        }
    }

    /// As one of a list of several types.
    pub(super) fn typed(&self, ask: &Ask<'_>, txn: &Txn) -> Result<Value> {
        let mut all = Map::from_iter([("@odata.type".to_owned(), json!(self.set().type_name()))]);
        all.extend(shown(ask, txn, self)?);
        Ok(Value::Object(all))
    }
}

impl From<deleted::Object> for Object {
    fn from(object: deleted::Object) -> Self {
        match object {
            deleted::Object::Application(it) => Object::Application(it),
            deleted::Object::ServicePrincipal(it) => Object::ServicePrincipal(it),
            deleted::Object::User(it) => Object::User(it),
            deleted::Object::Group(it) => Object::Group(it),
        }
    }
}

fn of_application(it: &Application, charter: &Charter, name: &str) -> Value {
    match name {
        "id" => json!(it.object_id),
        "appId" => json!(it.client_id),
        "createdDateTime" => json!(it.created.iso_seconds()),
        "displayName" => json!(it.display_name),
        "publisherDomain" => json!(charter.domain),
        "signInAudience" => it.document.get(name).cloned().unwrap_or_else(|| json!("AzureADMyOrg")),
        "passwordCredentials" => {
            it.passwords.iter().filter(|it| !it.is_principals).map(|it| password(it, None)).collect()
        }
        "keyCredentials" => it.keys.iter().filter(|it| !it.is_principals).map(key).collect(),
        _ => Value::Null,
    }
}

fn of_service_principal(it: &ServicePrincipal, charter: &Charter, name: &str) -> Value {
    let is_application = it.kind == ServicePrincipalKind::Application;
    match name {
        "id" => json!(it.object_id),
        "appId" => json!(it.app_id),
        "createdDateTime" => json!(it.created.iso_seconds()),
        "displayName" => json!(it.display_name),
        "accountEnabled" => json!(it.account_enabled),
        "alternativeNames" => json!(it.alternative_names),
        "servicePrincipalNames" => json!(it.service_principal_names),
        "servicePrincipalType" if is_application => json!("Application"),
        "servicePrincipalType" => json!("ManagedIdentity"),
        "appDisplayName" if is_application => json!(it.display_name),
        "appOwnerOrganizationId" if is_application => {
            it.document.get(name).cloned().unwrap_or_else(|| json!(charter.tenant))
        }
        "signInAudience" if is_application => json!("AzureADMyOrg"),
        "replyUrls" | "appRoles" | "oauth2PermissionScopes" | "keyCredentials" | "passwordCredentials" => {
            it.document.get(name).cloned().unwrap_or_else(|| json!([]))
        }
        _ => Value::Null,
    }
}

fn of_user(it: &User, name: &str) -> Value {
    match name {
        "id" => json!(it.object_id),
        "displayName" => json!(it.display_name),
        "userPrincipalName" => json!(it.user_principal_name),
        "createdDateTime" => json!(it.created.iso_seconds()),
        "accountEnabled" => json!(it.account_enabled),
        "userType" => json!("Member"),
        _ => Value::Null,
    }
}

fn of_group(it: &Group, name: &str) -> Value {
    match name {
        "id" => json!(it.object_id),
        "displayName" => json!(it.display_name),
        "createdDateTime" => json!(it.created.iso_seconds()),
        _ => Value::Null,
    }
}

/// A password as it is listed; its text only in the answer to its making.
pub(super) fn password(it: &PasswordCredential, secret: Option<&str>) -> Value {
    json!({
        "customKeyIdentifier": null,
        "displayName": it.display_name,
        "endDateTime": it.end.iso_seconds(),
        "hint": it.hint,
        "keyId": it.key_id,
        "secretText": secret,
        "startDateTime": it.start.iso_seconds(),
    })
}

fn key(it: &KeyCredential) -> Value {
    json!({
        "customKeyIdentifier": null,
        "displayName": it.display_name,
        "endDateTime": it.end.iso_seconds(),
        "key": null,
        "keyId": it.key_id,
        "startDateTime": it.start.iso_seconds(),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
    })
}

/// The properties that were selected, or the usual ones, and what was asked to be laid into them.
pub(super) fn shown(ask: &Ask<'_>, txn: &Txn, object: &Object) -> Result<Map<String, Value>> {
    let mut whole = object.whole(&ask.cx.cloud.charter);
    if let Object::ServicePrincipal(principal) = object {
        whole.extend(credentials_of(txn, principal)?);
    }
    whole.retain(|name, _| match &ask.query.select {
        Some(names) => names.iter().any(|it| it.eq_ignore_ascii_case(name) || it == "*"),
        None => object.set().is_usual(name),
    });
    lists::expand(ask, txn, object, &mut whole)?;
    Ok(whole)
}

/// A service principal's own credentials are kept with its application, which they prove.
fn credentials_of(txn: &Txn, principal: &ServicePrincipal) -> Result<Vec<(String, Value)>> {
    let Some(application) = applications::get(txn, principal.app_id)? else { return Ok(Vec::new()) };
    let passwords = application.passwords.iter().filter(|it| it.is_principals);
    let keys = application.keys.iter().filter(|it| it.is_principals);
    Ok(vec![
        ("passwordCredentials".to_owned(), passwords.map(|it| password(it, None)).collect()),
        ("keyCredentials".to_owned(), keys.map(key).collect()),
    ])
}

/// The object with this id, whatever it is.
pub(super) fn any(txn: &Txn, id: ObjectId) -> Result<Option<Object>> {
    Ok(match directory::get(txn, id)? {
        Some(Found::ServicePrincipal(it)) => Some(Object::ServicePrincipal(it)),
        Some(Found::User(it)) => Some(Object::User(it)),
        Some(Found::Group(it)) => Some(Object::Group(it)),
        None => applications::by_object(txn, id)?.map(Object::Application),
    })
}

/// The object that the path's first star names: by id, by `appId=`, by user principal name.
pub(super) fn named(ask: &Ask<'_>, txn: &Txn) -> Result<Object> {
    let key = ask.key(0)?;
    let set = Set::of(ask.set());
    let absent = || codes::OBJECT_NOT_FOUND.with([key.as_str()]);
    let by_app_id = key.strip_prefix("appId=").and_then(|id| id.parse().ok().map(ClientId));
    let found = match (set, by_app_id, key.parse::<Guid>()) {
        (Some(Set::Applications), Some(id), _) => applications::get(txn, id)?.map(Object::Application),
        (Some(Set::ServicePrincipals), Some(id), _) => {
            service_principals::of_application(txn, id)?.map(Object::ServicePrincipal)
        }
        (_, None, Ok(id)) => any(txn, ObjectId(id))?,
        (Some(Set::Users), None, Err(_)) => users::named(txn, &key)?.map(Object::User),
        _ => None,
    };
    found.filter(|it| set.is_none_or(|set| it.set() == set)).ok_or_else(absent)
}

pub(super) fn get(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    one(ask, txn, &named(ask, txn)?)
}

/// One object, as one of the collection that the path names.
pub(super) fn one(ask: &Ask<'_>, txn: &Txn, object: &Object) -> Result<Answer> {
    match Set::of(ask.set()) {
        Some(set) => Ok(ask.entity(200, set.name(), shown(ask, txn, object)?)),
        None => {
            let Value::Object(typed) = object.typed(ask, txn)? else { return Ok(Answer::Empty) };
            Ok(ask.entity(200, "directoryObjects", typed))
        }
    }
}

/// The objects with these ids that there are; who resolves an assignee asks this (az-cli.md §9).
pub(super) fn by_ids(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let texts = |name: &str| ask.body.get(name).and_then(Value::as_array).cloned();
    let ids = texts("ids").ok_or_else(|| codes::MISSING.with(["ids", "getByIds"]))?;
    let types = texts("types").filter(|it| !it.is_empty());
    let is_wanted = |object: &Object| {
        let name = object.set().resource();
        let is = |it: &Value| {
            it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(name) || it == "directoryObject")
        };
        types.as_ref().is_none_or(|types| types.iter().any(is))
    };
    let mut found = Vec::new();
    for id in &ids {
        let id = id.as_str().and_then(|it| it.parse::<Guid>().ok());
        let id = id.ok_or_else(|| codes::WRONG_TYPE.with(["ids", "getByIds"]))?;
        let object = any(txn, ObjectId(id))?.filter(|it| is_wanted(it));
        found.extend(object.map(|it| it.typed(ask, txn)).transpose()?);
    }
    Ok(ask.all("directoryObjects", found))
}

fn tenant(ask: &Ask<'_>) -> Map<String, Value> {
    let charter = &ask.cx.cloud.charter;
    let domain = json!({
        "capabilities": "Email, OfficeCommunicationsOnline",
        "isDefault": true,
        "isInitial": true,
        "name": charter.domain,
        "type": "Managed",
    });
    let all = json!({
        "id": charter.tenant,
        "deletedDateTime": null,
        "businessPhones": [],
        "city": null,
        "country": null,
        "countryLetterCode": null,
        "createdDateTime": charter.created.iso_seconds(),
        "displayName": charter.display_name,
        "tenantType": "AAD",
        "verifiedDomains": [domain],
    });
    match all {
        Value::Object(all) => all,
        _ => Map::new(),
    }
}

pub(super) fn organization(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    Ok(ask.all("organization", vec![Value::Object(tenant(ask))]))
}

/// The tenant's one domain.
pub(super) fn domains(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    let domain = json!({
        "authenticationType": "Managed",
        "availabilityStatus": null,
        "id": ask.cx.cloud.charter.domain,
        "isAdminManaged": true,
        "isDefault": true,
        "isInitial": true,
        "isRoot": true,
        "isVerified": true,
        "supportedServices": [],
    });
    Ok(ask.all("domains", vec![domain]))
}

pub(super) fn one_organization(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    let id = ask.key(0)?;
    match id.parse() == Ok(ask.cx.cloud.charter.tenant) {
        true => Ok(ask.entity(200, "organization", tenant(ask))),
        false => Err(codes::OBJECT_NOT_FOUND.with([id])),
    }
}
