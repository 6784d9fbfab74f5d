//! What control refuses, with the words that say what to do: each a request at its socket's door.
//!
//! What the command line makes of them is in `process`.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use zaffre::{
    Server,
    cloud::CloudId,
    control::{Run, Running},
    door::{Door, Entrance},
    env::{LogFormat, Settings},
    store::{Content, Store},
};

use crate::world::{Answer, Ask, NOW, Protocol, World};

/// A request, the status, the code, and words of the message.
type Row<'r> = (&'r str, &'r str, Value, u16, &'r str, &'r str);

/// A server that says it listens there.
fn listening(server: &Server, folder: &std::path::Path, listeners: &[&str]) {
    let address = |name: &&str| ((*name).to_owned(), "127.0.0.1:1".parse().expect("an address"));
    let run = Run {
        pid: 1,
        version: String::new(),
        data: None,
        control: folder.join("control.sock"),
        ca: folder.join("ca/ca.pem"),
        bundle: folder.join("ca/bundle.pem"),
        offline: true,
        public_address: None,
        egress: Default::default(),
        addresses: listeners.iter().map(address).collect::<BTreeMap<_, _>>(),
    };
    assert!(server.env.running.set(Running::new(run)).is_ok(), "it listens already");
}

async fn refused(server: &Server, rows: &[Row<'_>]) {
    for (method, target, body, status, code, words) in rows {
        let door = Door::at(CloudId::DEFAULT, Entrance::Control);
        let ask = Ask::new(Protocol::Plain, door, "localhost", method, target).json(body);
        let request = ask.request(NOW).expect("a request");
        let answer = Answer::to(server, &ask.door, request).await;
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        let found = (answer.status, answer.code(Protocol::Plain));
        assert_eq!((found.0, found.1.as_str()), (*status, *code), "{method} {target}: {message}");
        assert!(message.contains(words), "{method} {target}: {message}");
    }
}

#[tokio::test]
async fn a_cloud_without_listeners_machines_or_guests_says_which_it_lacks() {
    let server = Server::in_memory(1, NOW).await;
    let null = Value::Null;
    refused(
        &server,
        &[
            ("GET", "/nothing", null.clone(), 404, "NotFound", "control has no `/nothing`"),
            ("DELETE", "/vms", null.clone(), 405, "MethodNotAllowed", "control has no DELETE of `/vms`"),
            ("GET", "/env", null.clone(), 409, "NotListening", "no listeners"),
            ("GET", "/env?as_vm=vm", null.clone(), 404, "VmNotFound", "has no virtual machines yet"),
            ("POST", "/vms/vm/exec", json!({ "command": [] }), 400, "BadCommand", "cannot be read"),
            ("POST", "/vms/vm/event?type=Sleep", null.clone(), 400, "NoSuchEvent", "there are: Freeze,"),
            (
                "POST",
                "/vms/vm/event?type=Reboot&in=1h",
                null.clone(),
                400,
                "BadNotice",
                "`1h` is no number of seconds",
            ),
            ("POST", "/store/backup", json!({}), 400, "BadBackup", "missing field `to`"),
            ("POST", "/store/backup", json!({ "to": "here" }), 400, "BadBackup", "its whole path"),
            ("POST", "/store/backup", json!({ "to": "/dev/null/x" }), 500, "UpkeepFailed", "/dev/null/x"),
            (
                "PUT",
                "/federation?issuer=https://i.example",
                json!({}),
                400,
                "BadIssuer",
                "cannot be believed",
            ),
            (
                "DELETE",
                "/federation?issuer=https://i.example",
                null.clone(),
                404,
                "IssuerNotFound",
                "no keys of",
            ),
        ],
    )
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    listening(&server, folder.path(), &[]);
    refused(
        &server,
        &[
            ("GET", "/env", null.clone(), 409, "NoProxy", "`--port proxy=off`"),
            (
                "GET",
                "/env?host_kind=mainframe&as=x",
                null.clone(),
                400,
                "NoSuchHostKind",
                "there are: app-service,",
            ),
            ("GET", "/env?host_kind=app-service&as=x", null, 409, "NoHosts", "`--port hosts=off`"),
        ],
    )
    .await;
}

#[tokio::test]
async fn who_is_meant_has_to_be_there_to_be_one_and_to_have_an_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocked = folder.path().join("a file");
    std::fs::write(&blocked, "").expect("is written");
    let settings = Settings { log: LogFormat::Off, arc_tokens: Some(blocked.clone()), ..Settings::default() };
    let server = Server::start(Store::in_memory(), Content::in_memory(), settings).await.expect("starts");
    let world = World::furnished(Arc::clone(&server), CloudId::DEFAULT, "one").await;
    // Its certificates would lie below a file.
    listening(&server, &blocked.join("x"), &["proxy", "hosts"]);
    for target in
        ["?api-version=2024-11-01", "/providers/Microsoft.Compute/virtualMachines/vm?api-version=2024-07-01"]
    {
        let other = format!("{}/resourceGroups/other{target}", world.subscription());
        let body = json!({
            "location": "westeurope", "identity": { "type": "SystemAssigned" },
            "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } },
        });
        let body = if target.starts_with('?') { json!({ "location": "westeurope" }) } else { body };
        assert_eq!(world.ask(&world.arm("PUT", &other).json(&body)).await.status, 201);
    }
    let identity = world.group("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai");
    let env = |kind: &str, whom: &str| format!("/env?host_kind={kind}&as={whom}");
    let null = Value::Null;
    let rows = [
        (
            "GET",
            "/env?as_vm=absent".to_owned(),
            404,
            "VmNotFound",
            "no virtual machine is called `absent`; there are: vm",
        ),
        ("GET", "/env?as_vm=vm".to_owned(), 409, "VmAmbiguous", "give one of their ids"),
        (
            "GET",
            env("app-service", "absent"),
            404,
            "ResourceNotFound",
            "no resource with an identity is called",
        ),
        ("GET", env("app-service", "vm"), 409, "ResourceAmbiguous", "several resources are called `vm`"),
        (
            "GET",
            env("app-service", &world.account("")),
            409,
            "NoIdentity",
            "has no identity; assign one to it first",
        ),
        (
            "GET",
            env("cloud-shell", "nobody@contoso.onmicrosoft.com"),
            404,
            "UserNotFound",
            "no user is called",
        ),
        ("GET", env("arc", "uai"), 409, "NoArcTokens", "`sudo install -d"),
        (
            "GET",
            env("workload-identity", &world.vm("")),
            409,
            "NoIdentity",
            "is no user-assigned identity, and workload",
        ),
        ("GET", env("workload-identity", "uai"), 409, "NoFederatedCredential", "believes nobody here"),
    ];
    let rows = rows.iter().map(|(method, target, status, code, words)| {
        (*method, target.as_str(), null.clone(), *status, *code, *words)
    });
    refused(&server, &rows.collect::<Vec<_>>()).await;

    let exec = format!("/vms/{}/exec", world.vm(""));
    let command = json!({ "argv": ["true"] });
    refused(&server, &[("POST", &exec, command, 501, "NoGuests", "nothing can be run in `vm`")]).await;

    let issuer = format!("https://login.microsoftonline.com/{}/v2.0", world.cloud.charter.tenant);
    let body = json!({ "properties": { "issuer": issuer, "subject": "s", "audiences": ["api://AzureADTokenExchange"] } });
    let credential = format!("{identity}/federatedIdentityCredentials/cluster?api-version=2023-01-31");
    assert_eq!(world.ask(&world.arm("PUT", &credential).json(&body)).await.status, 201);
    let workload = env("workload-identity", "uai");
    refused(&server, &[("GET", &workload, null, 500, "NoTokenFile", "the token cannot be written")]).await;
}

/// A shell is refused before anything of it is there.
#[tokio::test]
async fn whose_a_shell_is_to_be_has_to_be_one_who_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Arc::new(Server::in_memory(1, NOW).await);
    let world = World::furnished(Arc::clone(&server), CloudId::DEFAULT, "one").await;
    listening(&server, folder.path(), &["proxy"]);
    for _ in 0..2 {
        let twin = world.graph("POST", "/v1.0/applications").json(&json!({ "displayName": "twin" }));
        assert_eq!(world.ask(&twin).await.status, 201);
    }
    let null = Value::Null;
    refused(
        &server,
        &[
            (
                "POST",
                "/shells?as=absent",
                null.clone(),
                404,
                "PrincipalNotFound",
                "nobody is called `absent`",
            ),
            (
                "POST",
                "/shells?as=no@contoso.onmicrosoft.com",
                null.clone(),
                404,
                "UserNotFound",
                "no user is",
            ),
            ("POST", "/shells?as=twin", null.clone(), 409, "PrincipalAmbiguous", "give the client id of one"),
            ("POST", "/shells?as_vm=absent", null.clone(), 404, "VmNotFound", "there are: vm"),
            ("POST", "/shells?forward=80,http", null, 400, "BadForward", "`http` is no port"),
        ],
    )
    .await;
}
