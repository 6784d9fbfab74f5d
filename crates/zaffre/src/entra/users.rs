//! The grants behind which a person stands: password, refresh token, authorization code, device code.
//!
//! Each ends in the same answer: an access token, and where the scopes ask for them an id token and a
//! refresh token. A refresh token is good for any resource, and a new one comes with each use.

use azure::{
    error::Result,
    ids::{ClientId, ObjectId},
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
        Subject, User, groups, mint, roles,
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
struct SignIn {
    user: ObjectId,
    client: Client,
    scopes: String,
    nonce: Option<String>,
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

fn wanted(form: &Form, version: Version) -> Result<String> {
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
    if matches!(request.tenant, Tenant::Common | Tenant::Consumers) {
        return Err((&codes::NOT_OVER_CONSUMERS).into());
    }
    let shown = client::shown(request, form)?;
    let (name, secret) = (form.required("username")?, form.required("password")?);
    let scopes = wanted(form, request.version)?;
    let client = cx.read(|txn| admit(cx, txn, (shown.0, &shown.1))).await?;
    let user = believed(cx, name, secret).await?.object_id;
    issue(cx, request.version, SignIn { user, client, scopes, nonce: None }).await
}

pub(super) async fn refresh(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let shown = client::shown(request, form)?;
    let token = form.required("refresh_token")?;
    let scopes = scopes::wanted(form, request.version).unwrap_or_else(|| "openid offline_access".to_owned());
    let (client, found) =
        cx.read(|txn| Ok((admit(cx, txn, (shown.0, &shown.1))?, sessions::refresh(txn, token)?))).await?;
    let found = found.filter(|it| it.client == client.id).ok_or(&codes::INVALID_GRANT)?;
    if cx.now >= found.expires {
        return Err((&codes::REFRESH_EXPIRED).into());
    }
    // MSAL asks for `openid profile offline_access` again; others expect a new token without asking.
    let scopes = format!("{scopes} offline_access");
    issue(cx, request.version, SignIn { user: found.user, client, scopes, nonce: None }).await
}

pub(super) async fn authorization_code(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let shown = client::shown(request, form)?;
    let (secret, redirect_uri) = (form.required("code")?, form.required("redirect_uri")?);
    let verifier = form.get("code_verifier");
    let (client, code) = cx
        .write(|txn| {
            let client = admit(cx, txn, (shown.0, &shown.1))?;
            let code = sessions::code(txn, secret)?.filter(|it| it.client == client.id);
            let code = code.ok_or(&codes::INVALID_GRANT)?;
            if code.is_redeemed {
                return Err((&codes::CODE_REDEEMED).into());
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
            Ok((client, code))
        })
        .await?;
    let scopes = scopes::wanted(form, request.version).unwrap_or(code.scopes);
    issue(cx, request.version, SignIn { user: code.user, client, scopes, nonce: code.nonce }).await
}

pub(super) async fn device_code(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let shown = client::shown(request, form)?;
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
    issue(cx, request.version, SignIn { user, client, scopes: device.scopes, nonce: None }).await
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
async fn issue(cx: &Cx, version: Version, sign_in: SignIn) -> Result<Reply> {
    let asked = scopes::of_user(&sign_in.scopes)?;
    let (user, claims) = cx.read(|txn| subject(cx, txn, &sign_in, &asked)).await?;
    let subject = Subject {
        object_id: user.object_id,
        client: sign_in.client.id,
        bearer: Bearer::User(Box::new(claims)),
    };
    let minted = mint::mint(cx, subject, &asked.audience, mint::APPLICATION_LIFETIME).await?;
    let mut body = token::granted(cx, version, &asked.audience, &minted);
    body["scope"] = json!(asked.answered);
    if asked.with_refresh_token {
        body["refresh_token"] = json!(refresh_token(cx, &user, sign_in.client.id).await?);
    }
    if sign_in.client.id.to_string() == FAMILY {
        body["foci"] = json!("1");
    }
    if asked.with_id_token {
        body["id_token"] = json!(id_token(cx, &sign_in, &user).await?);
    }
    let ids = json!({ "uid": user.object_id, "utid": cx.cloud.charter.tenant });
    body["client_info"] = json!(text::base64url(ids.to_string()));
    Ok(Reply::json(200, &body))
}

/// The user as of now: whoever was deleted or disabled since the sign-in gets nothing.
fn subject(cx: &Cx, txn: &Txn, sign_in: &SignIn, asked: &Asked) -> Result<(User, Claims)> {
    let user = users::get(txn, sign_in.user)?.ok_or(&codes::INVALID_GRANT)?;
    if !user.account_enabled {
        return Err((&codes::USER_DISABLED).into());
    }
    token::check_resource(cx, txn, &asked.audience)?;
    let of = |name: &str| user.document.get(name).and_then(Value::as_str).map(str::to_owned);
    let claims = Claims {
        credential: Some(sign_in.client.credential),
        principal_name: user.user_principal_name.clone(),
        name: Some(user.display_name.clone()),
        given_name: of("givenName"),
        family_name: of("surname"),
        methods: vec!["pwd".to_owned()],
        groups: groups::of(txn, user.object_id)?,
        directory_roles: roles::of(txn, user.object_id)?,
        scopes: asked.names.clone(),
        subject: pairwise(&user, sign_in.client.id),
        address: None,
        puid: None,
    };
    Ok((user, claims))
}

/// A subject that differs from client to client.
fn pairwise(user: &User, client: ClientId) -> String {
    text::base64url(keys::sha256(format!("{} {client}", user.object_id).as_bytes()))
}

async fn refresh_token(cx: &Cx, user: &User, client: ClientId) -> Result<String> {
    let draw = cx.draw();
    let refresh = Refresh { user: user.object_id, client, expires: cx.now.plus(sessions::REFRESH_LIFETIME) };
    cx.write(|txn| sessions::give_refresh(txn, &mut draw.clone(), &refresh)).await
}

async fn id_token(cx: &Cx, sign_in: &SignIn, user: &User) -> Result<String> {
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
    mint::sign_id_token(cx, claims).await
}
