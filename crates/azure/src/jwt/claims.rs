//! The claims of access tokens, as Entra ID writes them (entra.md §5).
//!
//! Which version a token has is for the resource's application to say, not for the endpoint it was asked
//! at: all of Azure's own services take version 1. The members come in Entra's order: audience, issuer and
//! times first, the rest by name. One description of a token gives the same bytes every time, so that
//! tokens can be golden.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    ids::{ClientId, Guid, ObjectId, ResourceId, TenantId},
    time::Timestamp,
};

/// How far in the past a token begins, against clocks that differ.
const BACKDATED: Duration = Duration::from_secs(300);
/// More groups than these are not listed: the token says where to ask for them (entra.md §5).
const GROUPS_MAX: usize = 200;

/// What a resource's application asked for as its `requestedAccessTokenVersion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TokenVersion {
    #[default]
    V1,
    V2,
}

/// An access token that is about to be signed.
#[derive(Clone, Debug)]
pub struct AccessToken {
    pub version: TokenVersion,
    /// The resource as it was asked for; in version 2 the client id of its application.
    pub audience: String,
    pub tenant: TenantId,
    pub issued: Timestamp,
    pub lifetime: Duration,
    pub client: ClientId,
    pub object_id: ObjectId,
    pub bearer: Bearer,
    /// The token's own id.
    pub uti: String,
    /// Opaque to clients.
    pub rh: String,
    /// Opaque to clients; names the cloud.
    pub aio: String,
    /// Application roles on the resource.
    pub roles: Vec<String>,
    /// Capabilities the client claimed (`xms_cc`).
    pub capabilities: Vec<String>,
    pub tenant_created: Timestamp,
}

/// Who will carry it.
#[derive(Clone, Debug)]
pub enum Bearer {
    App(Credential),
    /// A resource under its own identity.
    SystemAssigned {
        resource: ResourceId,
    },
    /// An identity, on the resource it is used from.
    UserAssigned {
        identity: ResourceId,
        used_from: Option<ResourceId>,
    },
    User(Box<User>),
}

/// How the client proved itself: `appidacr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A public client has none.
    None,
    Secret,
    /// A certificate, an assertion, or the platform itself.
    Certificate,
}

/// A person who signed in.
#[derive(Clone, Debug, Default)]
pub struct User {
    pub credential: Option<Credential>,
    pub principal_name: String,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    /// How they proved themselves, such as `pwd`.
    pub methods: Vec<String>,
    pub groups: Vec<ObjectId>,
    /// Directory roles (`wids`).
    pub directory_roles: Vec<Guid>,
    /// OAuth scopes, blank between: `user_impersonation`.
    pub scopes: String,
    /// The subject, which differs from client to client.
    pub subject: String,
    pub address: Option<String>,
    pub puid: Option<String>,
}

impl Credential {
    const fn acr(self) -> &'static str {
        match self {
            Credential::None => "0",
            Credential::Secret => "1",
            Credential::Certificate => "2",
        }
    }
}

/// `https://sts.windows.net/{tenant}/`.
pub fn issuer(tenant: TenantId) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// `https://login.microsoftonline.com/{tenant}/v2.0`: of version 2 tokens, and of id tokens.
pub fn issuer_v2(tenant: TenantId) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// An id as `xms_mirid` spells it: `resourcegroups` in lower case, the rest as it is.
pub fn mirid(id: &ResourceId) -> String {
    let literal = |at: usize, segment: &str| match at == 2 && segment.eq_ignore_ascii_case("resourceGroups") {
        true => segment.to_ascii_lowercase(),
        false => segment.to_owned(),
    };
    id.segments().enumerate().map(|(at, segment)| format!("/{}", literal(at, segment))).collect()
}

impl AccessToken {
    /// `nbf` and `iat`.
    pub fn not_before(&self) -> Timestamp {
        self.issued.minus(BACKDATED)
    }

    /// `exp`.
    pub fn expires(&self) -> Timestamp {
        self.issued.plus(self.lifetime)
    }

    /// The claims, in order.
    pub fn claims(&self) -> Value {
        let mut claims = Claims(Map::new());
        claims.put("aud", self.audience.as_str());
        claims.put("iss", self.issuer());
        claims.put("iat", self.not_before().seconds());
        claims.put("nbf", self.not_before().seconds());
        claims.put("exp", self.expires().seconds());
        match (&self.bearer, self.version) {
            (Bearer::User(user), TokenVersion::V1) => self.put_user(&mut claims, user),
            (Bearer::User(user), TokenVersion::V2) => self.put_user_v2(&mut claims, user),
            (_, TokenVersion::V1) => self.put_app(&mut claims),
            (_, TokenVersion::V2) => self.put_app_v2(&mut claims),
        }
        claims.put("tid", self.tenant.to_string());
        match (&self.bearer, self.version) {
            (Bearer::User(user), TokenVersion::V1) => {
                claims.put("unique_name", user.principal_name.as_str());
                claims.put("upn", user.principal_name.as_str());
            }
            (_, TokenVersion::V1 | TokenVersion::V2) => {}
        }
        claims.put("uti", self.uti.as_str());
        match self.version {
            TokenVersion::V1 => claims.put("ver", "1.0"),
            TokenVersion::V2 => claims.put("ver", "2.0"),
        }
        self.put_extensions(&mut claims);
        Value::Object(claims.0)
    }

    fn issuer(&self) -> String {
        match self.version {
            TokenVersion::V1 => issuer(self.tenant),
            TokenVersion::V2 => issuer_v2(self.tenant),
        }
    }

    /// How the client proved itself: the platform vouches for managed identities.
    fn credential(&self) -> Credential {
        match &self.bearer {
            Bearer::App(credential) => *credential,
            Bearer::SystemAssigned { .. } | Bearer::UserAssigned { .. } => Credential::Certificate,
            Bearer::User(user) => user.credential.unwrap_or(Credential::None),
        }
    }

    fn put_app(&self, claims: &mut Claims) {
        claims.put("aio", self.aio.as_str());
        claims.put("appid", self.client.to_string());
        claims.put("appidacr", self.credential().acr());
        claims.put("idp", issuer(self.tenant));
        claims.put("idtyp", "app");
        claims.put("oid", self.object_id.to_string());
        claims.put("rh", self.rh.as_str());
        claims.put_list("roles", &self.roles);
        claims.put("sub", self.object_id.to_string());
    }

    /// Without `idtyp`, which is an optional claim there: an application's token is one without `scp`.
    fn put_app_v2(&self, claims: &mut Claims) {
        claims.put("aio", self.aio.as_str());
        claims.put("azp", self.client.to_string());
        claims.put("azpacr", self.credential().acr());
        claims.put("oid", self.object_id.to_string());
        claims.put("rh", self.rh.as_str());
        claims.put_list("roles", &self.roles);
        claims.put("sub", self.object_id.to_string());
    }

    fn put_user(&self, claims: &mut Claims, user: &User) {
        self.put_groups_elsewhere(claims, user);
        claims.put("acr", "1");
        claims.put("aio", self.aio.as_str());
        claims.put_list("amr", &user.methods);
        claims.put("appid", self.client.to_string());
        claims.put("appidacr", self.credential().acr());
        claims.put_some("family_name", &user.family_name);
        claims.put_some("given_name", &user.given_name);
        claims.put_list("groups", user.listed_groups());
        claims.put("idtyp", "user");
        claims.put_some("ipaddr", &user.address);
        claims.put_some("name", &user.name);
        claims.put("oid", self.object_id.to_string());
        claims.put_some("puid", &user.puid);
        claims.put("rh", self.rh.as_str());
        claims.put_list("roles", &self.roles);
        claims.put("scp", user.scopes.as_str());
        claims.put("sub", user.subject.as_str());
    }

    fn put_user_v2(&self, claims: &mut Claims, user: &User) {
        self.put_groups_elsewhere(claims, user);
        claims.put("aio", self.aio.as_str());
        claims.put("azp", self.client.to_string());
        claims.put("azpacr", self.credential().acr());
        claims.put_list("groups", user.listed_groups());
        claims.put_some("name", &user.name);
        claims.put("oid", self.object_id.to_string());
        claims.put("preferred_username", user.principal_name.as_str());
        claims.put("rh", self.rh.as_str());
        claims.put_list("roles", &self.roles);
        claims.put("scp", user.scopes.as_str());
        claims.put("sub", user.subject.as_str());
    }

    /// Where the groups are that a token has no room for (entra.md §5).
    fn put_groups_elsewhere(&self, claims: &mut Claims, user: &User) {
        if user.groups.len() > GROUPS_MAX {
            let (tenant, user) = (self.tenant, self.object_id);
            let endpoint = format!("https://graph.windows.net/{tenant}/users/{user}/getMemberObjects");
            claims.put("_claim_names", json!({ "groups": "src1" }));
            claims.put("_claim_sources", json!({ "src1": { "endpoint": endpoint } }));
        }
    }

    /// `xms_mirid`, `xms_az_rid` and `xms_tcdt` were seen in version 1 tokens alone.
    fn put_extensions(&self, claims: &mut Claims) {
        let is_v1 = self.version == TokenVersion::V1;
        match &self.bearer {
            Bearer::UserAssigned { used_from, .. } if is_v1 => {
                claims.put_some("xms_az_rid", &used_from.as_ref().map(mirid));
            }
            Bearer::User(user) => claims.put_list("wids", &user.directory_roles),
            Bearer::UserAssigned { .. } | Bearer::App(_) | Bearer::SystemAssigned { .. } => {}
        }
        claims.put_list("xms_cc", &self.capabilities);
        if !is_v1 {
            return;
        }
        match &self.bearer {
            Bearer::SystemAssigned { resource } => claims.put("xms_mirid", mirid(resource)),
            Bearer::UserAssigned { identity, .. } => claims.put("xms_mirid", mirid(identity)),
            Bearer::App(_) | Bearer::User(_) => {}
        }
        claims.put("xms_tcdt", self.tenant_created.seconds());
    }
}

impl User {
    /// All of them, or none where they are too many.
    fn listed_groups(&self) -> &[ObjectId] {
        if self.groups.len() > GROUPS_MAX { &[] } else { &self.groups }
    }
}

/// Members in the order they are put; empty ones stay away.
struct Claims(Map<String, Value>);

impl Claims {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn put_some(&mut self, name: &str, value: &Option<String>) {
        if let Some(value) = value {
            self.put(name, value.as_str());
        }
    }

    fn put_list(&mut self, name: &str, list: &[impl serde::Serialize]) {
        if !list.is_empty() {
            self.put(name, json!(list));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM: &str = "/subscriptions/s/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/VM1";
    const IDENTITY: &str =
        "/subscriptions/s/resourceGroups/RG/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Id1";

    fn id(text: &str) -> ResourceId {
        text.parse().expect("an id")
    }

    fn token(bearer: Bearer) -> AccessToken {
        AccessToken {
            version: TokenVersion::V1,
            audience: "https://management.azure.com/".to_owned(),
            tenant: TenantId(Guid([1; 16])),
            issued: Timestamp::from_seconds(1_000_000),
            lifetime: Duration::from_secs(86_400),
            client: ClientId(Guid([2; 16])),
            object_id: ObjectId(Guid([3; 16])),
            bearer,
            uti: "uti".to_owned(),
            rh: "rh".to_owned(),
            aio: "aio".to_owned(),
            roles: vec![],
            capabilities: vec![],
            tenant_created: Timestamp::from_seconds(7),
        }
    }

    fn text(bearer: Bearer) -> String {
        token(bearer).claims().to_string()
    }

    const START: &str = r#"{"aud":"https://management.azure.com/","iss":"https://sts.windows.net/01010101-0101-0101-0101-010101010101/","iat":999700,"nbf":999700,"exp":1086400,"#;
    const APP: &str = r#""idp":"https://sts.windows.net/01010101-0101-0101-0101-010101010101/","idtyp":"app","oid":"03030303-0303-0303-0303-030303030303","rh":"rh","sub":"03030303-0303-0303-0303-030303030303","tid":"01010101-0101-0101-0101-010101010101","uti":"uti","ver":"1.0","#;

    #[test]
    fn the_claims_of_applications_and_managed_identities() {
        for (bearer, acr, end) in [
            (Bearer::App(Credential::Secret), "1", r#""xms_tcdt":7}"#.to_owned()),
            (Bearer::App(Credential::Certificate), "2", r#""xms_tcdt":7}"#.to_owned()),
            (
                Bearer::SystemAssigned { resource: id(VM) },
                "2",
                format!(r#""xms_mirid":"{}","xms_tcdt":7}}"#, VM.replace("resourceGroups", "resourcegroups")),
            ),
            (
                Bearer::UserAssigned { identity: id(IDENTITY), used_from: Some(id(VM)) },
                "2",
                format!(
                    r#""xms_az_rid":"{}","xms_mirid":"{}","xms_tcdt":7}}"#,
                    VM.replace("resourceGroups", "resourcegroups"),
                    IDENTITY.replace("resourceGroups", "resourcegroups")
                ),
            ),
        ] {
            let ids =
                format!(r#""aio":"aio","appid":"02020202-0202-0202-0202-020202020202","appidacr":"{acr}","#);
            assert_eq!(text(bearer), format!("{START}{ids}{APP}{end}"));
        }
    }

    #[test]
    fn the_claims_of_a_user() {
        let user = User {
            principal_name: "admin@contoso.onmicrosoft.com".to_owned(),
            name: Some("Admin".to_owned()),
            methods: vec!["pwd".to_owned()],
            groups: vec![ObjectId(Guid([9; 16]))],
            scopes: "user_impersonation".to_owned(),
            subject: "pairwise".to_owned(),
            ..User::default()
        };
        let claims = token(Bearer::User(Box::new(user))).claims();
        let names: Vec<&str> = claims.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = "aud iss iat nbf exp acr aio amr appid appidacr groups idtyp name oid rh scp sub tid \
                        unique_name upn uti ver xms_tcdt";
        assert_eq!(names.join(" "), expected);
        assert_eq!(claims["appidacr"], "0");
        assert_eq!(claims["scp"], "user_impersonation");
        assert_eq!(claims["sub"], "pairwise");
        assert_eq!(claims["groups"][0], "09090909-0909-0909-0909-090909090909");
    }

    #[test]
    fn roles_and_capabilities_appear_when_there_are_some() {
        let token = AccessToken {
            roles: vec!["Files.Read".to_owned()],
            capabilities: vec!["cp1".to_owned()],
            ..token(Bearer::App(Credential::Secret))
        };
        let claims = token.claims();
        assert_eq!((&claims["roles"], &claims["xms_cc"]), (&json!(["Files.Read"]), &json!(["cp1"])));
    }

    fn names(claims: &Value) -> String {
        claims.as_object().expect("an object").keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_version_2_token_names_its_client_and_its_user_by_other_claims() {
        let v2 = |bearer: Bearer| AccessToken { version: TokenVersion::V2, ..token(bearer) }.claims();
        let app = v2(Bearer::App(Credential::Secret));
        assert_eq!(names(&app), "aud iss iat nbf exp aio azp azpacr oid rh sub tid uti ver");
        assert_eq!(app["iss"], "https://login.microsoftonline.com/01010101-0101-0101-0101-010101010101/v2.0");
        assert_eq!((&app["ver"], &app["azpacr"]), (&json!("2.0"), &json!("1")));
        let identity = v2(Bearer::UserAssigned { identity: id(IDENTITY), used_from: Some(id(VM)) });
        assert_eq!(names(&identity), names(&app));
        let user = User { principal_name: "a@b".to_owned(), scopes: "read".to_owned(), ..User::default() };
        let user = v2(Bearer::User(Box::new(user)));
        assert_eq!(
            names(&user),
            "aud iss iat nbf exp aio azp azpacr oid preferred_username rh scp sub tid uti ver"
        );
        assert_eq!(user["preferred_username"], "a@b");
    }

    #[test]
    fn more_than_two_hundred_groups_are_elsewhere() {
        for (count, version, is_listed) in [
            (200, TokenVersion::V1, true),
            (201, TokenVersion::V1, false),
            (200, TokenVersion::V2, true),
            (201, TokenVersion::V2, false),
        ] {
            let user = User { groups: vec![ObjectId(Guid([9; 16])); count], ..User::default() };
            let claims = AccessToken { version, ..token(Bearer::User(Box::new(user))) }.claims();
            assert_eq!(claims.get("groups").is_some(), is_listed, "{count}");
            let elsewhere = claims.pointer("/_claim_sources/src1/endpoint").and_then(Value::as_str);
            assert_eq!(elsewhere.is_some_and(|it| it.ends_with("/getMemberObjects")), !is_listed, "{count}");
            assert_eq!(claims["_claim_names"]["groups"] == "src1", !is_listed);
        }
    }

    #[test]
    fn what_is_made_is_believed() {
        let token = token(Bearer::App(Credential::Secret));
        let claims = token.claims();
        let expected = super::super::check::Expectation {
            issuers: &[issuer(token.tenant)],
            audiences: std::slice::from_ref(&token.audience),
            tenant: token.tenant,
            aio: Some("aio"),
            skew: Duration::ZERO,
        };
        let claims = claims.as_object().expect("an object");
        let believed = super::super::check::check(claims, token.issued, &expected).expect("is good");
        assert_eq!(believed.object_id, token.object_id);
        let late = token.expires();
        assert!(super::super::check::check(claims, late, &expected).is_err());
    }
}
