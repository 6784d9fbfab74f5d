//! The client: which application asks, and by what proof.
//!
//! A secret in the form or in a Basic header; an assertion that the application's certificate signed; a
//! token of another issuer about somebody whom the application, or a user-assigned identity, takes for
//! its own (`federation`).

use aws_lc_rs::{
    digest,
    signature::{self, UnparsedPublicKey},
};
use azure::{
    error::{Error, Result},
    ids::ClientId,
    jwt::{
        assertion::{Algorithm, Assertion},
        certificate,
        claims::Credential,
        jwks::PublicKey,
    },
    text,
};

use super::{codes, federation, form::Form, token::TokenRequest};
use crate::{
    directory::{
        Application,
        applications::{self, KeyCredential, SecretFault},
        service_principals,
    },
    keys,
    service::Cx,
    store::Txn,
};

const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far a client's clock may be off; five minutes, as Entra's libraries allow (unverified).
pub(super) const SKEW: i64 = 300;

/// What the client showed.
pub(super) enum Proof<'r> {
    None,
    Secret(&'r str),
    /// With the keys of its issuer, where a federated credential names that.
    Assertion(&'r str, Vec<PublicKey>),
}

/// A client that proved itself, or that has nothing to prove.
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) credential: Credential,
    /// None for a managed identity, which is no application.
    pub(super) application: Option<Application>,
}

/// The client's id and its proof, with whatever is needed to judge it.
pub(super) async fn shown<'r>(
    cx: &Cx,
    request: &'r TokenRequest,
    form: &'r Form,
) -> Result<(&'r str, Proof<'r>)> {
    match read(request, form)? {
        (client, Proof::Assertion(token, _)) => {
            let keys = federation::keys(cx, client, token).await?;
            Ok((client, Proof::Assertion(token, keys)))
        }
        other => Ok(other),
    }
}

/// The client's id and its proof, from the one place where they are.
fn read<'r>(request: &'r TokenRequest, form: &'r Form) -> Result<(&'r str, Proof<'r>)> {
    if let Some((client, secret)) = &request.basic {
        let is_twice = form.get("client_secret").is_some();
        let is_other = form.get("client_id").is_some_and(|it| !it.eq_ignore_ascii_case(client));
        return match is_twice || is_other {
            true => Err((&codes::MALFORMED).into()),
            false => Ok((client, Proof::Secret(secret))),
        };
    }
    let client = form.required("client_id")?;
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(_), Some(_)) => Err((&codes::MALFORMED).into()),
        (Some(secret), None) => Ok((client, Proof::Secret(secret))),
        (None, Some(assertion)) => match form.required("client_assertion_type")? {
            BEARER => Ok((client, Proof::Assertion(assertion, Vec::new()))),
            _ => Err((&codes::MALFORMED).into()),
        },
        (None, None) => Ok((client, Proof::None)),
    }
}

/// Judges the proof.
pub(super) fn admit(cx: &Cx, txn: &Txn, (client, proof): (&str, &Proof<'_>)) -> Result<Client> {
    let unknown = || codes::APPLICATION_NOT_FOUND.with([client, &cx.cloud.charter.display_name]);
    let id: ClientId = client.parse().map_err(|_| unknown())?;
    let Some(application) = applications::get(txn, id)? else {
        return match (service_principals::of_application(txn, id)?, proof) {
            (Some(identity), Proof::Assertion(token, keys)) => {
                federation::identity(cx, txn, &identity, (token, keys))?;
                let credential = Credential::Certificate;
                Ok(Client { id: identity.app_id, credential, application: None })
            }
            _ => Err(unknown()),
        };
    };
    let credential = match proof {
        Proof::None => Credential::None,
        Proof::Secret(_) if application.is_public_client() && !application.has_credentials() => {
            return Err((&codes::PUBLIC_WITH_SECRET).into());
        }
        Proof::Secret(secret) => by_secret(cx, &application, secret)?,
        Proof::Assertion(token, keys) => by_assertion(cx, &application, token, keys)?,
    };
    Ok(Client { id, credential, application: Some(application) })
}

fn by_secret(cx: &Cx, application: &Application, secret: &str) -> Result<Credential> {
    let id = application.client_id.to_string();
    application.believes(secret, cx.now).map_err(|fault| match fault {
        SecretFault::Wrong => codes::WRONG_SECRET.with([id]),
        SecretFault::Expired => codes::EXPIRED_SECRET.with([id]),
    })?;
    Ok(Credential::Secret)
}

pub(super) fn parsed(assertion: &str) -> Result<Assertion<'_>> {
    Assertion::parse(assertion).map_err(|why| Error::from(&codes::BAD_ASSERTION).because(why))
}

fn by_assertion(cx: &Cx, application: &Application, token: &str, keys: &[PublicKey]) -> Result<Credential> {
    let assertion = parsed(token)?;
    if is_by(&assertion, application.client_id) {
        by_certificate(cx, application, &assertion)?;
    } else {
        federation::application(cx, application, (token, keys), &assertion)?;
    }
    Ok(Credential::Certificate)
}

/// Whether the client itself issued it.
pub(super) fn is_by(assertion: &Assertion<'_>, client: ClientId) -> bool {
    assertion.text("iss").is_some_and(|it| it.eq_ignore_ascii_case(&client.to_string()))
}

/// Signed by one of the application's certificates, about itself, for this token service, in time.
fn by_certificate(cx: &Cx, application: &Application, assertion: &Assertion<'_>) -> Result<()> {
    let key = application.keys.iter().find(|it| is_named(it, assertion));
    let thumbprint = assertion.x5t_s256.as_ref().or(assertion.x5t.as_ref());
    let named = thumbprint.map(|it| text::hex(it).to_uppercase()).unwrap_or_default();
    let key = key.ok_or_else(|| codes::NO_SUCH_KEY.with([named]))?;
    if !is_signed(key, assertion) {
        return Err((&codes::BAD_ASSERTION).into());
    }
    let id = application.client_id.to_string();
    let is_ours = assertion.text("sub").is_some_and(|it| it.eq_ignore_ascii_case(&id));
    if !is_ours || !assertion.audience().is_some_and(|it| is_own_audience(cx, it)) {
        return Err((&codes::BAD_ASSERTION).into());
    }
    let is_in_time = key.start <= cx.now && cx.now < key.end;
    if !is_in_time || !assertion.is_current(cx.now.seconds(), SKEW) {
        return Err((&codes::ASSERTION_OUT_OF_TIME).into());
    }
    Ok(())
}

fn is_named(key: &KeyCredential, assertion: &Assertion<'_>) -> bool {
    let Some(der) = text::base64_decode(&key.certificate) else { return false };
    match (&assertion.x5t_s256, &assertion.x5t) {
        (Some(thumbprint), _) => *thumbprint == keys::sha256(&der),
        (None, Some(thumbprint)) => {
            thumbprint.as_slice() == digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref()
        }
        (None, None) => false,
    }
}

fn is_signed(key: &KeyCredential, assertion: &Assertion<'_>) -> bool {
    let Some(der) = text::base64_decode(&key.certificate) else { return false };
    let Some(public) = certificate::public_key(&der) else { return false };
    let algorithm = match assertion.algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
    };
    let public = UnparsedPublicKey::new(algorithm, public);
    public.verify(assertion.signed.as_bytes(), &assertion.signature).is_ok()
}

/// The token endpoints of this tenant, and its issuer (entra.md §3.1).
fn is_own_audience(cx: &Cx, audience: &str) -> bool {
    let charter = &cx.cloud.charter;
    let rest =
        ["https://login.microsoftonline.com/", "https://login.windows.net/", "https://sts.windows.net/"]
            .iter()
            .find_map(|host| audience.strip_prefix(host));
    let Some((tenant, endpoint)) = rest.and_then(|it| it.split_once('/')) else { return false };
    let is_tenant = tenant.parse() == Ok(charter.tenant) || tenant.eq_ignore_ascii_case(&charter.domain);
    is_tenant && ["oauth2/v2.0/token", "oauth2/token", "v2.0", ""].contains(&endpoint)
}
