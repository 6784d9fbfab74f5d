//! The grants behind which a person stands: password, refresh token, authorization code, device code.
//!
//! Each ends in the same answer: an access token, and where the scopes ask for them an id token and a
//! refresh token. A refresh token is good for any resource, and a new one comes with each use.

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId},
    jwt::claims::{Bearer, Credential, User as Claims},
    text,
};
use serde_json::{Value, json};

use super::{
    client::{self, Client, Proof},
    codes,
    form::Form,
    routes::{Tenant, Version},
    scopes::{self, Asked},
    token::{self, TokenRequest},
};
use crate::{
    directory::{
        Subject, User, groups,
        mint::{self, Audience},
        resources::Resource,
        roles,
        sessions::{self, Answer, Device, Refresh},
        users,
    },
    keys,
    service::{Cx, Fault, Reply},
    store::Txn,
};

/// Clients that share refresh tokens: az is one (entra.md §2).
const FAMILY: &str = crate::directory::founding::AZURE_CLI;

/// A sign-in that is about to be answered with tokens.
pub(super) struct SignIn {
    pub(super) user: ObjectId,
    pub(super) client: Client,
    pub(super) scopes: String,
    pub(super) nonce: Option<String>,
    /// The hash of the authorization code that it began with.
    pub(super) origin: Option<String>,
    pub(super) capabilities: Vec<String>,
}

/// The client of a user's grant: a public one has nothing to prove, another must.
fn admit(cx: &Cx, txn: &Txn, shown: (&str, &Proof<'_>)) -> Result<Client> {
    let client = client::admit(cx, txn, shown)?;
    let application = client.application.as_ref();
    let keeps_secrets = application.is_some_and(|it| !it.is_public_client() && it.has_credentials());
    match client.credential {
        Credential::None if keeps_secrets => Err((&codes::SECRET_REQUIRED).into()),
        Credential::None | Credential::Secret | Credential::Certificate => Ok(client),
    }
}

pub(super) fn wanted(form: &Form, version: Version) -> Result<String> {
    let name = match version {
        Version::V1 => "resource",
        Version::V2 => "scope",
    };
    scopes::wanted(form, version).ok_or_else(|| codes::MISSING_PARAMETER.with([name]))
}

/// The user, if the password is theirs. Comparing takes a while where a person chose it, so it is done
/// outside of every transaction.
pub(super) async fn believed(cx: &Cx, name: &str, password: &str) -> Result<User> {
    let found = cx.read(|txn| users::named(txn, name)).await?;
    let user = found.ok_or_else(|| codes::USER_NOT_FOUND.with([name, &cx.cloud.charter.display_name]))?;
    let (hash, given) = (user.password.clone(), password.to_owned());
    let matches = tokio::task::spawn_blocking(move || hash.is_some_and(|hash| hash.matches(&given)));
    match matches.await.map_err(|failed| Fault::Internal.because(failed))? {
        false => Err((&codes::WRONG_PASSWORD).into()),
        true if !user.account_enabled => Err((&codes::USER_DISABLED).into()),
        true => Ok(user),
    }
}

pub(super) async fn password(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    // ADAL's clients (az until 2.29) ask /common with a password at v1, which finds the tenant by the name (az-cli.md §13).
    let is_common = request.tenant == Tenant::Common && request.version == Version::V2;
    if is_common || request.tenant == Tenant::Consumers {
        return Err((&codes::NOT_OVER_CONSUMERS).into());
    }
    let shown = client::shown(cx, request, form).await?;
    let (name, secret) = (form.required("username")?, form.required("password")?);
    let scopes = wanted(form, request.version)?;
    let client = cx.read(|txn| admit(cx, txn, (shown.0, &shown.1))).await?;
    let user = believed(cx, name, secret).await?.object_id;
    let capabilities = scopes::capabilities(form)?;
    let sign_in = SignIn { user, client, scopes, nonce: None, origin: None, capabilities };
    issue(cx, request.version, sign_in).await
}

pub(super) async fn refresh(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let shown = client::shown(cx, request, form).await?;
    let token = form.required("refresh_token")?;
    let scopes = scopes::wanted(form, request.version).unwrap_or_else(|| "openid offline_access".to_owned());
    let read = |txn: &Txn| {
        let client = admit(cx, txn, (shown.0, &shown.1))?;
        let found = sessions::refresh(txn, token)?.filter(|it| it.client == client.id);
        let found = found.ok_or(&codes::INVALID_GRANT)?;
        Ok((client, found.is_revoked(txn)?, found))
    };
    let (client, is_revoked, found) = cx.read(read).await?;
    if is_revoked {
        return Err((&codes::GRANT_REVOKED).into());
    }
    if cx.now >= found.expires {
        return Err((&codes::REFRESH_EXPIRED).into());
    }
    // MSAL asks for `openid profile offline_access` again; others expect a new token without asking.
    let scopes = format!("{scopes} offline_access");
    let (origin, capabilities) = (found.origin, scopes::capabilities(form)?);
    let sign_in = SignIn { user: found.user, client, scopes, nonce: None, origin, capabilities };
    issue(cx, request.version, sign_in).await
}

pub(super) async fn authorization_code(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let shown = client::shown(cx, request, form).await?;
    let (secret, redirect_uri) = (form.required("code")?, form.required("redirect_uri")?);
    let verifier = form.get("code_verifier");
    let redeemed = cx
        .write(|txn| {
            let client = admit(cx, txn, (shown.0, &shown.1))?;
            let code = sessions::code(txn, secret)?.filter(|it| it.client == client.id);
            let code = code.ok_or(&codes::INVALID_GRANT)?;
            if code.is_redeemed {
                // What was given for it the first time is good no longer, which has to be written.
                sessions::put_code(txn, secret, &sessions::Code { is_replayed: true, ..code })?;
                return Ok(None);
            }
            if cx.now >= code.expires {
                return Err((&codes::CODE_EXPIRED).into());
            }
            if code.redirect_uri != redirect_uri {
                return Err((&codes::OTHER_REDIRECT_URI).into());
            }
            let is_met = match (&code.challenge, verifier) {
                (None, None) => true,
                (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier),
                (None, Some(_)) | (Some(_), None) => false,
            };
            if !is_met {
                return Err((&codes::WRONG_VERIFIER).into());
            }
            sessions::put_code(txn, secret, &sessions::Code { is_redeemed: true, ..code.clone() })?;
            Ok(Some((client, code)))
        })
        .await?;
    let (client, code) = redeemed.ok_or(&codes::CODE_REDEEMED)?;
    let scopes = scopes::wanted(form, request.version).unwrap_or(code.scopes);
    let (origin, capabilities) = (Some(sessions::hash(secret)), scopes::capabilities(form)?);
    let sign_in = SignIn { user: code.user, client, scopes, nonce: code.nonce, origin, capabilities };
    issue(cx, request.version, sign_in).await
}

pub(super) async fn device_code(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let shown = client::shown(cx, request, form).await?;
    let secret = match form.get("device_code") {
        Some(secret) => secret,
        None => form.required("code")?,
    };
    let (client, device, user) = cx
        .write(|txn| {
            let client = admit(cx, txn, (shown.0, &shown.1))?;
            let device = sessions::device(txn, secret)?.filter(|it| it.client == client.id);
            let device = device.ok_or(&codes::WRONG_DEVICE_CODE)?;
            let user = match device.answer {
                Answer::Redeemed => return Err((&codes::CODE_REDEEMED).into()),
                _ if cx.now >= device.expires => return Err((&codes::DEVICE_CODE_EXPIRED).into()),
                Answer::Pending => return Err((&codes::PENDING).into()),
                Answer::Declined => return Err((&codes::DECLINED).into()),
                Answer::Approved(user) => user,
            };
            sessions::put_device(txn, secret, &Device { answer: Answer::Redeemed, ..device.clone() })?;
            Ok((client, device, user))
        })
        .await?;
    let (scopes, capabilities) = (device.scopes, scopes::capabilities(form)?);
    issue(cx, request.version, SignIn { user, client, scopes, nonce: None, origin: None, capabilities }).await
}

/// Begins a device's sign-in.
pub(super) async fn begin_device(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let id = form.required("client_id")?;
    let scopes = wanted(form, request.version)?;
    scopes::of_user(&scopes)?;
    let draw = cx.draw();
    let (secret, code) = cx
        .write(|txn| {
            let mut draw = draw.clone();
            let client: ClientId = client::admit(cx, txn, (id, &Proof::None))?.id;
            let device = Device {
                client,
                scopes: scopes.clone(),
                user_code: sessions::user_code(&mut draw),
                expires: cx.now.plus(sessions::DEVICE_LIFETIME),
                answer: Answer::Pending,
            };
            Ok((sessions::give_device(txn, &mut draw, &device)?, device.user_code))
        })
        .await?;
    let page = super::sign_in::DEVICE_PAGE;
    let message = format!(
        "To sign in, use a web browser to open the page {page} and enter the code {code} to authenticate."
    );
    let seconds = sessions::DEVICE_LIFETIME.as_secs();
    let body = match request.version {
        Version::V1 => json!({
            "user_code": code, "device_code": secret, "verification_url": page,
            "expires_in": seconds.to_string(), "interval": "5", "message": message,
        }),
        Version::V2 => json!({
            "user_code": code, "device_code": secret, "verification_uri": page,
            "expires_in": seconds, "interval": 5, "message": message,
        }),
    };
    Ok(Reply::json(200, &body))
}

/// Everything that a sign-in is answered with.
pub(super) async fn issue(cx: &Cx, version: Version, sign_in: SignIn) -> Result<Reply> {
    let asked = scopes::of_user(&sign_in.scopes)?;
    let admitted = cx.read(|txn| admitted(cx, txn, &sign_in, &asked)).await?;
    let user = admitted.user;
    let subject = Subject {
        object_id: user.object_id,
        client: sign_in.client.id,
        bearer: Bearer::User(Box::new(admitted.claims)),
    };
    let audience = Audience { capabilities: sign_in.capabilities.clone(), ..admitted.audience };
    let minted = mint::mint(cx, subject, audience, mint::APPLICATION_LIFETIME);
    let mut body = token::granted(cx, version, &asked.resource, &minted);
    body["scope"] = json!(admitted.answered);
    if asked.with_refresh_token {
        body["refresh_token"] = json!(refresh_token(cx, &user, &sign_in).await?);
    }
    if sign_in.client.id.to_string() == FAMILY {
        body["foci"] = json!("1");
    }
    if asked.with_id_token {
        body["id_token"] = json!(id_token(cx, &sign_in, &user));
    }
    let ids = json!({ "uid": user.object_id, "utid": cx.cloud.charter.tenant });
    body["client_info"] = json!(text::base64url(ids.to_string()));
    Ok(Reply::json(200, &body))
}

/// A user who gets a token, and what it says.
struct Admitted {
    user: User,
    claims: Claims,
    audience: Audience,
    /// The scopes, as the answer has them.
    answered: String,
}

/// The user as of now: whoever was deleted or disabled since the sign-in gets nothing.
fn admitted(cx: &Cx, txn: &Txn, sign_in: &SignIn, asked: &Asked) -> Result<Admitted> {
    let user = users::get(txn, sign_in.user)?.ok_or(&codes::INVALID_GRANT)?;
    if !user.account_enabled {
        return Err((&codes::USER_DISABLED).into());
    }
    check_assigned(txn, &sign_in.client, &user)?;
    let resource = token::resource(cx, txn, &asked.resource)?;
    let is_itself = resource.own.as_ref().is_some_and(|it| it.client_id == sign_in.client.id);
    if is_itself && resource.name.parse::<Guid>().is_err() {
        return Err(codes::ASKS_FOR_ITSELF.with([sign_in.client.id.to_string()]));
    }
    let granted = asked.granted(&sign_in.client.id.to_string(), &resource)?;
    let of = |name: &str| user.document.get(name).and_then(Value::as_str).map(str::to_owned);
    let claims = Claims {
        credential: Some(sign_in.client.credential),
        principal_name: user.user_principal_name.clone(),
        name: Some(user.display_name.clone()),
        given_name: of("givenName"),
        family_name: of("surname"),
        methods: vec!["pwd".to_owned()],
        groups: if resource.shows_groups() { groups::of(txn, user.object_id)? } else { Vec::new() },
        directory_roles: if resource.shows_roles() { roles::of(txn, user.object_id)? } else { Vec::new() },
        scopes: granted.scp,
        subject: pairwise(&user, sign_in.client.id),
        address: None,
        puid: None,
    };
    let audience = resource.audience(txn, user.object_id)?;
    Ok(Admitted { user, claims, audience, answered: granted.answered })
}

/// An application may take only those users who were given a role on it.
fn check_assigned(txn: &Txn, client: &Client, user: &User) -> Result<()> {
    let Some(application) = &client.application else { return Ok(()) };
    let itself = Resource { name: String::new(), own: Some(application.clone()) };
    match itself.keeps_out(txn, user.object_id)? {
        false => Ok(()),
        true => Err(codes::USER_NOT_ASSIGNED.with([
            user.user_principal_name.clone(),
            application.client_id.to_string(),
            application.display_name.clone(),
        ])),
    }
}

/// A subject that differs from client to client.
fn pairwise(user: &User, client: ClientId) -> String {
    text::base64url(keys::sha256(format!("{} {client}", user.object_id).as_bytes()))
}

async fn refresh_token(cx: &Cx, user: &User, sign_in: &SignIn) -> Result<String> {
    let draw = cx.draw();
    let refresh = Refresh {
        user: user.object_id,
        client: sign_in.client.id,
        expires: cx.now.plus(sessions::REFRESH_LIFETIME),
        origin: sign_in.origin.clone(),
    };
    cx.write(|txn| sessions::give_refresh(txn, &mut draw.clone(), &refresh)).await
}

fn id_token(cx: &Cx, sign_in: &SignIn, user: &User) -> String {
    let tenant = cx.cloud.charter.tenant;
    let now = cx.now.seconds();
    let mut claims = json!({
        "aud": sign_in.client.id,
        "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        "iat": now - 300,
        "nbf": now - 300,
        "exp": now + 3600,
        "name": user.display_name,
        "oid": user.object_id,
        "preferred_username": user.user_principal_name,
        "rh": "0.",
        "sub": pairwise(user, sign_in.client.id),
        "tid": tenant,
        "uti": text::base64url(cx.draw().bytes::<16>()),
        "ver": "2.0",
    });
    if let Some(nonce) = &sign_in.nonce {
        claims["nonce"] = json!(nonce);
    }
    mint::sign_id_token(cx, claims)
}
