//! What is asked at a door, and the answer in the words of its kind.

use azure::{
    error::{Error, Result},
    ids::{ClientId, ObjectId},
    jwt::claims::{Bearer, Credential, User as Claims},
    text,
    time::Timestamp,
};
use serde_json::{Map, Value};

use super::{
    Found, Op, codes,
    kinds::{Dialect, ExpiresOn, Protocol},
};
use crate::{
    directory::{
        Minted, Subject,
        mint::{self, Audience, Purpose},
        resources, users,
    },
    front::host_doors::Holder,
    imds::{
        machine::{AttachedIdentity, Machine},
        token::Selector,
    },
    keys,
    service::{Body, Cx, Reply},
};

const FORM_BYTES: usize = 16 << 10;
/// Whom Cloud Shell's tokens are issued to: az's own application.
const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

pub(super) struct Asked {
    resource: String,
    /// The parameter's name, and what it says.
    selector: Option<(&'static str, Selector)>,
}

impl Asked {
    pub(super) fn read(kind: &Protocol, dialect: &Dialect, pairs: &[(String, String)]) -> Result<Self> {
        let get = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let mut selectors = dialect.selectors.iter().filter_map(|(name, by)| Some((*name, by(get(name)?))));
        let selector = selectors.next();
        if selectors.next().is_some() {
            return Err((&codes::MANY_SELECTORS).into());
        }
        let resource = get("resource").filter(|it| !it.is_empty());
        Ok(Asked { resource: resource.ok_or_else(|| codes::no_resource(kind))?, selector })
    }

    pub(super) async fn of_body(kind: &Protocol, dialect: &Dialect, body: Body) -> Result<Self> {
        let bytes = body.bytes(FORM_BYTES).await?;
        let pairs =
            std::str::from_utf8(&bytes).ok().and_then(text::form_decode).ok_or(&codes::MALFORMED_FORM)?;
        let is_repeated =
            |at: &usize| pairs[..*at].iter().any(|(name, _)| name.eq_ignore_ascii_case(&pairs[*at].0));
        match (0..pairs.len()).find(is_repeated) {
            Some(at) => Err(codes::REPEATED_PARAMETER.with([&pairs[at].0])),
            None => Self::read(kind, dialect, &pairs),
        }
    }
}

pub(super) async fn answer(cx: &Cx, op: &Op, found: &Found, asked: &Asked) -> Result<Reply> {
    let (client, minted) = match (&found.machine, &found.grant.holder) {
        (Some(machine), _) => of_resource(cx, op.kind, machine, asked).await?,
        (None, Holder::Person(id)) => of_person(cx, op.kind, *id, asked).await?,
        (None, Holder::Resource { .. }) => return Err(codes::no_identity(op.kind)),
    };
    let mut body = Map::new();
    for name in op.dialect.members {
        let value = member(cx, op.dialect, name, (asked, client, &minted));
        body.insert((*name).to_owned(), Value::from(value));
    }
    // Clients refuse an answer that does not say whose token it is (imds.md §9.3).
    if let Some((name, Selector::Object(id) | Selector::Resource(id))) = &asked.selector
        && op.kind.has_challenge
    {
        body.insert((*name).to_owned(), Value::from(id.as_str()));
    }
    Ok(Reply::json(200, &body))
}

fn member(
    cx: &Cx,
    dialect: &Dialect,
    name: &str,
    (asked, client, minted): (&Asked, ClientId, &Minted),
) -> String {
    match name {
        "access_token" => minted.token.to_string(),
        "client_id" => client.to_string(),
        "expires_in" | "ext_expires_in" => minted.expires_in(cx.now).to_string(),
        "expires_on" => match dialect.expires_on {
            ExpiresOn::Epoch => minted.expires.seconds().to_string(),
            ExpiresOn::Date => date(minted.expires),
        },
        "not_before" => minted.not_before.seconds().to_string(),
        "resource" => asked.resource.clone(),
        "token_type" => "Bearer".to_owned(),
        // `refresh_token`, which is always empty.
        _ => String::new(),
    }
}

/// `06/20/2019 02:57:58 +00:00`.
fn date(at: Timestamp) -> String {
    let c = at.civil();
    format!("{:02}/{:02}/{:04} {:02}:{:02}:{:02} +00:00", c.month, c.day, c.year, c.hour, c.minute, c.second)
}

async fn of_resource(
    cx: &Cx,
    kind: &Protocol,
    machine: &Machine,
    asked: &Asked,
) -> Result<(ClientId, Minted)> {
    let identity = select(kind, machine, asked.selector.as_ref().map(|(_, selector)| selector))?;
    let audience = audience(cx, kind, identity.object_id, &asked.resource).await?;
    let purpose = Purpose::new(cx, &machine.vm.id, identity.object_id, &asked.resource);
    let subject = (machine.subject(identity), audience);
    let lifetime = mint::MANAGED_IDENTITY_LIFETIME;
    let minted = mint::mint_or_keep(cx, purpose, subject, lifetime, false);
    Ok((identity.client_id, minted))
}

/// Which identity is meant. App Service gives the system-assigned one to those who name none, and no other
/// (imds.md §9.1); a door that was made for an identity itself gives that one.
fn select<'m>(
    kind: &Protocol,
    machine: &'m Machine,
    selector: Option<&Selector>,
) -> Result<&'m AttachedIdentity, Error> {
    let all = &machine.identities;
    let found = match (selector, all.as_slice()) {
        (Some(selector), all) => all.iter().find(|identity| selector.names(identity)),
        (None, [only]) if kind.takes_the_only_one || machine.is_an_identity() => Some(only),
        (None, all) => all.iter().find(|identity| identity.resource.is_none()),
    };
    found.ok_or_else(|| codes::no_identity(kind))
}

async fn audience(cx: &Cx, kind: &Protocol, who: ObjectId, resource: &str) -> Result<Audience> {
    if resources::is_azures(resource) {
        return Ok(Audience::from(resource));
    }
    let found = cx.read(|txn| match resources::find(txn, resource)? {
        Some(found) => Ok(Some(found.audience(txn, who)?)),
        None => Ok(None),
    });
    found.await?.ok_or_else(|| codes::unknown_resource(cx, kind, resource))
}

/// A token of the person at the shell, who has signed in there.
async fn of_person(cx: &Cx, kind: &Protocol, id: ObjectId, asked: &Asked) -> Result<(ClientId, Minted)> {
    let user = cx.read(|txn| users::get(txn, id)).await?.filter(|it| it.account_enabled);
    let user = user.ok_or_else(|| codes::no_identity(kind))?;
    let client: ClientId = AZURE_CLI.parse().expect("a constant guid");
    let audience = audience(cx, kind, id, &asked.resource).await?;
    let claims = Claims {
        credential: Some(Credential::None),
        principal_name: user.user_principal_name.clone(),
        name: Some(user.display_name.clone()),
        methods: vec!["pwd".to_owned()],
        scopes: "user_impersonation".to_owned(),
        subject: text::base64url(keys::sha256(format!("{id} {client}").as_bytes())),
        ..Claims::default()
    };
    let subject = Subject { object_id: id, client, bearer: Bearer::User(Box::new(claims)) };
    Ok((client, mint::mint(cx, subject, audience, mint::APPLICATION_LIFETIME)))
}
