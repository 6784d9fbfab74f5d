//! Names that look like Azure's are nobody's here, and one service's door opens no other.

use zaffre::{
    cloud::CloudId,
    door::{Door, Entrance},
};

use super::{Attack, stage::Stage};
use crate::world::{Ask, Auth, Protocol};

/// One of Microsoft's that is not emulated, and anybody's: nothing is sent anywhere.
const REFUSED: (u16, &str) = (404, "NotEmulated");
const NOBODYS: (u16, &str) = (404, "UnknownHost");

pub(super) async fn attacks(stage: &Stage) -> Vec<Attack> {
    let mut all = Vec::new();
    // A stolen name shows a good token; it must reach no service.
    for (name, host, refused) in [
        ("Entra's name and more", "login.microsoftonline.com.evil.example", REFUSED),
        ("Resource Manager's name and more", "management.azure.com.evil.example", NOBODYS),
        ("a storage account's name and more", "acct.blob.core.windows.net.evil.example", NOBODYS),
        ("a name that ends alike without its dot", "evilblob.core.windows.net", REFUSED),
        ("a suffix without an account", "blob.core.windows.net", REFUSED),
        ("a vault", "x.vault.azure.net", REFUSED),
        ("the wire server", "168.63.129.16", REFUSED),
        ("metadata as one number", "2852039166", NOBODYS),
        ("metadata in version 6", "[::ffff:169.254.169.254]", NOBODYS),
        ("metadata in octal", "0251.0376.0251.0376", NOBODYS),
        ("Entra's name in fullwidth letters", "ｌogin.microsoftonline.com", NOBODYS),
        ("a name with userinfo", "management.azure.com@evil.example", NOBODYS),
    ] {
        let ask = Ask::new(
            Protocol::Plain,
            Door::named(CloudId::DEFAULT),
            host,
            "GET",
            "/subscriptions?api-version=2022-12-01",
        );
        all.push(Attack::new(stage, name, &ask.by(stage.world.arm.clone()), refused));
    }
    all.extend(control(stage));
    all.extend(drop_in(stage));
    all
}

/// The control service is behind its socket alone, whatever a request calls itself.
fn control(stage: &Stage) -> Vec<Attack> {
    let paths = [
        ("GET", "/credentials"),
        ("GET", "/env"),
        ("POST", "/keys/rotate"),
        ("POST", "/shutdown"),
        ("PUT", "/federation?issuer=https%3A%2F%2Fevil.example"),
        ("GET", "/decisions"),
    ];
    let doors = [
        (
            "Resource Manager's",
            Protocol::Arm,
            Door::named(CloudId::DEFAULT),
            "management.azure.com",
            (400, "MissingApiVersionParameter"),
        ),
        (
            "Entra's",
            Protocol::Entra,
            Door::named(CloudId::DEFAULT),
            "login.microsoftonline.com",
            (404, "invalid_request"),
        ),
        ("a machine's", Protocol::Imds, stage.world.machine.clone(), "zaffre", (404, "Not found")),
        (
            "the blob",
            Protocol::Blob,
            Door::at(CloudId::DEFAULT, Entrance::Blob),
            "zaffre",
            (405, "UnsupportedHttpVerb"),
        ),
    ];
    let mut all = Vec::new();
    for (name, protocol, door, host, refused) in doors {
        for (method, path) in paths {
            let ask =
                Ask::new(protocol, door.clone(), host, method, path).by(Auth::None).with("metadata", "true");
            all.push(Attack::new(stage, format!("{method} {path} of control at {name} door"), &ask, refused));
        }
    }
    all
}

/// The drop-in ports serve their own accounts, whose keys everybody knows, and no others.
fn drop_in(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let other = world.drop_in_blob("GET", "/con/a.txt");
    let other = Ask { target: "/acct/con/a.txt".to_owned(), ..other };
    let spoofed = world.cosmos("GET", "/dbs").with("host", "acct.documents.azure.com");
    let own = match (&world.account_key, &world.cosmos_key, spoofed.auth.clone()) {
        (Auth::SharedKey { .. }, Auth::CosmosKey(_), known @ Auth::CosmosKey(_)) => known,
        _ => unreachable!("the world's keys are keys"),
    };
    let elsewhere = world.account_cosmos("GET", "/dbs").by(own);
    vec![
        Attack::new(
            stage,
            "an account of Resource Manager's at the drop-in port",
            &other,
            (403, "AuthenticationFailed"),
        ),
        Attack::new(stage, "the well-known key at another account", &elsewhere, (401, "Unauthorized")),
    ]
}
