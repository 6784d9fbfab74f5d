//! Federated credentials: a token of another issuer in place of a secret, as GitHub's workflows and the pods of
//! AKS have them (entra.md §3.1).
//!
//! ```text
//! the client's credentials ── issuer, subject, audience, to the letter ── the issuer's keys ── signature, times
//! ```
//!
//! The names are compared with case, and a slash more is another name. Only then are keys looked for: those
//! that the operator gave (`zaffre federation trust`), or those of an issuer on this machine. This token
//! service is an issuer too, whose tokens are verified as everywhere.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use azure::{
    error::{Error, Result},
    jwt::{
        assertion::{Algorithm, Assertion},
        check::Fault as Claim,
        claims,
        jwks::PublicKey,
    },
};
use serde_json::Value;

use super::{
    client::{SKEW, is_by, parsed},
    codes,
};
use crate::{
    directory::{
        Application, ServicePrincipal, TokenFault, applications,
        federation::{self, loopback},
        service_principals, verify,
    },
    resources,
    service::Cx,
    store::Txn,
};

const FEDERATED: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
/// More an identity cannot have (resources.md).
const CREDENTIALS_MAX: usize = 20;

/// One federated credential.
struct Trust {
    issuer: String,
    subject: String,
    audiences: Vec<String>,
}

/// Whose token it is that a credential names.
enum Named {
    Own,
    Other,
}

/// Proves the application, by one of its credentials.
pub(super) fn application(
    cx: &Cx,
    application: &Application,
    shown: (&str, &[PublicKey]),
    assertion: &Assertion<'_>,
) -> Result<()> {
    prove(cx, &of_application(application), shown, assertion)
}

/// Proves a user-assigned identity: its credentials are resources.
pub(super) fn identity(
    cx: &Cx,
    txn: &Txn,
    identity: &ServicePrincipal,
    shown: (&str, &[PublicKey]),
) -> Result<()> {
    prove(cx, &of_identity(txn, identity)?, shown, &parsed(shown.0)?)
}

/// The keys of the assertion's issuer, where one of the client's credentials names it. What is wrong with the
/// assertion itself is not said here.
pub(super) async fn keys(cx: &Cx, client: &str, token: &str) -> Result<Vec<PublicKey>> {
    let Ok(assertion) = Assertion::parse(token) else { return Ok(Vec::new()) };
    let issuer = assertion.text("iss").unwrap_or_default().to_owned();
    let found = cx
        .read(|txn| match is_named(cx, &of_client(txn, client, &assertion)?, &assertion) {
            Ok(Named::Other) => Ok(Some(federation::issuer(txn, &issuer)?)),
            Ok(Named::Own) | Err(_) => Ok(None),
        })
        .await?;
    match found {
        None => Ok(Vec::new()),
        Some(Some(known)) => Ok(known.keys()),
        Some(None) => fetched(cx, issuer).await,
    }
}

async fn fetched(cx: &Cx, issuer: String) -> Result<Vec<PublicKey>> {
    let unknown = |why: String| Error::from(&codes::ISSUER_KEYS_UNKNOWN).because(why);
    if loopback(&issuer).is_none() {
        let why = format!(
            "`{issuer}` is not on this machine and is not asked; `zaffre federation trust ISSUER --jwks FILE` gives its keys"
        );
        return Err(unknown(why));
    }
    let fetch = cx.env.issuers.get().ok_or_else(|| unknown("nobody is there to ask an issuer".to_owned()))?;
    fetch(issuer).await.map_err(unknown)
}

fn of_client(txn: &Txn, client: &str, assertion: &Assertion<'_>) -> Result<Vec<Trust>> {
    let Ok(id) = client.parse() else { return Ok(Vec::new()) };
    if let Some(application) = applications::get(txn, id)? {
        let is_own = is_by(assertion, id);
        return Ok(if is_own { Vec::new() } else { of_application(&application) });
    }
    match service_principals::of_application(txn, id)? {
        Some(identity) => of_identity(txn, &identity),
        None => Ok(Vec::new()),
    }
}

fn of_application(application: &Application) -> Vec<Trust> {
    let trust = |it: &applications::FederatedCredential| Trust {
        issuer: it.issuer.clone(),
        subject: it.subject.clone(),
        audiences: it.audiences.clone(),
    };
    application.federated.iter().map(trust).collect()
}

fn of_identity(txn: &Txn, identity: &ServicePrincipal) -> Result<Vec<Trust>> {
    let Some(resource) = &identity.resource_id else { return Ok(Vec::new()) };
    let rows = resources::of_type(txn, FEDERATED, resource, None, CREDENTIALS_MAX)?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let trust = |it: &resources::Resource| Trust {
        issuer: text(it.text("issuer")),
        subject: text(it.text("subject")),
        audiences: it
            .property("audiences")
            .and_then(Value::as_array)
            .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
    };
    Ok(rows.iter().map(trust).collect())
}

/// Whether a credential names the assertion: issuer, then subject, then audience, each with case.
fn is_named(cx: &Cx, believed: &[Trust], assertion: &Assertion<'_>) -> Result<Named> {
    let of = |name: &str| assertion.text(name).unwrap_or_default();
    let (issuer, subject, audience) = (of("iss"), of("sub"), assertion.audience().unwrap_or_default());
    // This token service goes by both of its issuers' names.
    let tenant = cx.cloud.charter.tenant;
    let own = [claims::issuer(tenant), claims::issuer_v2(tenant)];
    let is_own = own.iter().any(|it| it == issuer);
    let is_same = |it: &&Trust| it.issuer == issuer || (is_own && own.contains(&it.issuer));
    let of_issuer: Vec<_> = believed.iter().filter(is_same).collect();
    if of_issuer.is_empty() {
        return Err(codes::NO_FEDERATED_ISSUER.with([issuer]));
    }
    let of_subject: Vec<_> = of_issuer.into_iter().filter(|it| it.subject == subject).collect();
    if of_subject.is_empty() {
        return Err(codes::NO_FEDERATED_SUBJECT.with([subject]));
    }
    if !of_subject.iter().any(|it| it.audiences.iter().any(|known| known == audience)) {
        return Err(codes::NO_FEDERATED_AUDIENCE.with([audience]));
    }
    Ok(if is_own { Named::Own } else { Named::Other })
}

fn prove(
    cx: &Cx,
    believed: &[Trust],
    (token, keys): (&str, &[PublicKey]),
    assertion: &Assertion<'_>,
) -> Result<()> {
    match is_named(cx, believed, assertion)? {
        Named::Own => verify_own(cx, token, assertion.audience().unwrap_or_default()),
        Named::Other => verify_other(cx, keys, assertion),
    }
}

fn verify_other(cx: &Cx, keys: &[PublicKey], assertion: &Assertion<'_>) -> Result<()> {
    let kid = assertion.kid.as_deref().unwrap_or_default();
    let issuer = assertion.text("iss").unwrap_or_default();
    let unknown = || codes::ISSUER_WITHOUT_KEY.with([kid, issuer]);
    let key = keys.iter().find(|key| key.kid == kid).ok_or_else(unknown)?;
    let public = RsaPublicKeyComponents { n: &key.modulus, e: &key.exponent };
    let is_signed = match assertion.algorithm {
        Algorithm::Rs256 => public
            .verify(&RSA_PKCS1_2048_8192_SHA256, assertion.signed.as_bytes(), &assertion.signature)
            .is_ok(),
        // Of other issuers RS256 alone is taken (entra-docs, "workload identity federation considerations").
        Algorithm::Ps256 => false,
    };
    if !is_signed {
        return Err((&codes::BAD_ASSERTION).into());
    }
    match assertion.is_current(cx.now.seconds(), SKEW) {
        true => Ok(()),
        false => Err((&codes::ASSERTION_OUT_OF_TIME).into()),
    }
}

/// The one verification: of another cloud's token too, whose tenant may be the same.
fn verify_own(cx: &Cx, token: &str, audience: &str) -> Result<()> {
    verify::presented(cx, token, &[audience.to_owned()]).map(drop).map_err(|fault| {
        let refusal = match &fault {
            TokenFault::Claims(Claim::Expired { .. } | Claim::NotYetValid { .. }) => {
                &codes::ASSERTION_OUT_OF_TIME
            }
            TokenFault::Malformed(_)
            | TokenFault::UnknownKey
            | TokenFault::BadSignature
            | TokenFault::Claims(_) => &codes::BAD_ASSERTION,
        };
        Error::from(refusal).because(fault)
    })
}
