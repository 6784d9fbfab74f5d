//! The founding of a cloud: its charter, an administrator, and one application with Owner.
//!
//! It happens once, at the first start; each later start finds what was made and gives the same
//! credentials. They are kept in the clear, because `zaffre credentials` shows them: the data
//! directory is its owner's alone, and nobody else's secrets are in this table.

use std::time::Duration;

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId, ResourceId, SubscriptionId, TenantId},
    principal::PrincipalKind,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    applications::{self, Application, PasswordCredential},
    first_party, roles,
    secret::{self, SecretHash},
    service_principals::{self, ServicePrincipal},
    users::{self, User},
};
use crate::{
    access::assignments::{self, RoleAssignment},
    cloud::{Charter, CloudId, Draw},
    store::{Store, StoreError, Table, Txn},
};

/// The clouds of a store, in its own rows (`CloudId::RING`).
const CLOUDS: Table<u32, Charter> = Table::new("clouds");
const CREDENTIALS: Table<String, Credentials> = Table::new("founding_credentials");
/// The one row of that table.
const FOUNDERS: &str = "founders";

/// The first principals' ids: fixed, so that what one copies from a page goes on working.
pub const ADMIN_APPLICATION: &str = "7af7e000-c10d-4000-8000-0000000000a1";
pub const ADMIN_APPLICATION_OBJECT: &str = "7af7e000-c10d-4000-8000-0000000000a2";
pub const ADMIN_SERVICE_PRINCIPAL: &str = "7af7e000-c10d-4000-8000-0000000000a3";
pub const ADMIN_USER: &str = "7af7e000-c10d-4000-8000-0000000000b1";
/// az's own client id, the same in every tenant of Azure.
pub const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const AZURE_CLI_OBJECT: &str = "7af7e000-c10d-4000-8000-0000000000c1";
const ADMIN_APPLICATION_NAME: &str = "zaffre-admin";

/// `Owner` among the built-in roles.
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
/// A cloud's own application goes on working for as long as its data directory is likely to live.
const SECRET_LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How to sign in to a cloud as those who may do everything.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub tenant: TenantId,
    pub domain: String,
    pub subscription: SubscriptionId,
    pub client_id: ClientId,
    pub client_secret: String,
    pub user_principal_name: String,
    pub password: String,
}

/// The charters of a store's clouds, in the order of their ids.
pub async fn charters(store: &Store) -> Result<Vec<(CloudId, Charter)>, StoreError> {
    let rows = store.read(CloudId::RING, |txn| CLOUDS.scan(txn, &(), None, usize::MAX)).await?;
    Ok(rows.into_iter().map(|(id, charter)| (CloudId(id), charter)).collect())
}

/// The charter a cloud was founded with. One the store does not know yet is founded with the one
/// that is offered.
pub async fn charter(store: &Store, id: CloudId, offered: &Charter) -> Result<Charter, StoreError> {
    let write = |txn: &mut Txn| match CLOUDS.get(txn, &id.0)? {
        Some(charter) => Ok(charter),
        None => {
            CLOUDS.put(txn, &id.0, offered)?;
            Ok(offered.clone())
        }
    };
    store.write(CloudId::RING, write).await
}

/// Makes the first principals, or finds them made.
pub fn found(txn: &mut Txn, draw: &mut Draw, charter: &Charter) -> Result<Credentials> {
    if let Some(credentials) = CREDENTIALS.get(txn, &FOUNDERS.to_owned())? {
        return Ok(credentials);
    }
    let credentials = Credentials {
        tenant: charter.tenant,
        domain: charter.domain.clone(),
        subscription: charter.subscription,
        client_id: ClientId(fixed(ADMIN_APPLICATION)),
        client_secret: secret::draw(draw),
        user_principal_name: format!("admin@{}", charter.domain),
        password: secret::draw(draw),
    };
    let application = admin_application(txn, draw, &credentials, charter.created)?;
    let user = admin_user(txn, draw, &credentials, charter.created)?;
    let scope = ResourceId::subscription_scope(charter.subscription);
    for holder in [(application, PrincipalKind::ServicePrincipal), (user, PrincipalKind::User)] {
        let owner = RoleAssignment::plain(draw.guid(), &scope, holder, fixed(OWNER), charter.created);
        assignments::put(txn, &owner)?;
    }
    for id in [ADMIN_SERVICE_PRINCIPAL, ADMIN_USER] {
        roles::give(txn, ObjectId(fixed(id)), roles::GLOBAL_ADMINISTRATOR)?;
    }
    applications::put(txn, &az(charter.created))?;
    first_party::found(txn, charter.created)?;
    CREDENTIALS.put(txn, &FOUNDERS.to_owned(), &credentials)?;
    Ok(credentials)
}

/// The Azure CLI, which every tenant knows without having asked for it (entra.md §2).
fn az(now: Timestamp) -> Application {
    let document = json!({
        "isFallbackPublicClient": true,
        "publicClient": { "redirectUris": ["http://localhost", "https://login.microsoftonline.com/common/oauth2/nativeclient"] },
    });
    let Value::Object(document) = document else { unreachable!("the literal is an object") };
    Application {
        client_id: ClientId(fixed(AZURE_CLI)),
        object_id: ObjectId(fixed(AZURE_CLI_OBJECT)),
        display_name: "Microsoft Azure CLI".to_owned(),
        created: now,
        passwords: Vec::new(),
        keys: Vec::new(),
        federated: Vec::new(),
        document,
    }
}

fn admin_application(
    txn: &mut Txn,
    draw: &mut Draw,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<ObjectId> {
    let password = PasswordCredential::new(&credentials.client_secret, (now, now.plus(SECRET_LIFE)), draw);
    let application = Application {
        client_id: credentials.client_id,
        object_id: ObjectId(fixed(ADMIN_APPLICATION_OBJECT)),
        display_name: ADMIN_APPLICATION_NAME.to_owned(),
        created: now,
        passwords: vec![password],
        keys: Vec::new(),
        federated: Vec::new(),
        document: Map::new(),
    };
    applications::put(txn, &application)?;
    let principal = ServicePrincipal::of(&application, ObjectId(fixed(ADMIN_SERVICE_PRINCIPAL)), now);
    service_principals::put(txn, &principal)?;
    Ok(principal.object_id)
}

fn admin_user(txn: &mut Txn, draw: &mut Draw, credentials: &Credentials, now: Timestamp) -> Result<ObjectId> {
    let user = User {
        object_id: ObjectId(fixed(ADMIN_USER)),
        user_principal_name: credentials.user_principal_name.clone(),
        display_name: "Administrator".to_owned(),
        created: now,
        account_enabled: true,
        password: Some(SecretHash::of(&credentials.password, draw)),
        document: Map::new(),
    };
    users::put(txn, &user)?;
    Ok(user.object_id)
}

fn fixed(guid: &str) -> Guid {
    guid.parse().expect("a constant guid")
}
