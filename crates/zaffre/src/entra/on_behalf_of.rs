//! On-behalf-of: an application passes on the user who called it, to a service behind it (entra.md §3.6).
//!
//! The assertion is the access token by which the user's client called the application, so it must be for
//! the application itself: for anybody else's token this grant would be a way to become whoever calls.

use azure::{
    error::{Error, Result},
    ids::ObjectId,
    jwt::check::{Believed, Fault as Claim},
    time::Timestamp,
};

use super::{
    client, codes,
    form::Form,
    routes::Tenant,
    scopes,
    token::TokenRequest,
    users::{self, SignIn},
};
use crate::{
    directory::{Application, TokenFault, verify},
    service::{Cx, Reply},
};

pub(super) async fn answer(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    if form.required("requested_token_use")? != "on_behalf_of" {
        return Err((&codes::MALFORMED).into());
    }
    if matches!(request.tenant, Tenant::Common | Tenant::Consumers) {
        return Err((&codes::NOT_OVER_CONSUMERS).into());
    }
    let shown = client::shown(cx, request, form).await?;
    let token = form.required("assertion")?;
    let scopes = users::wanted(form, request.version)?;
    let client = cx.read(|txn| client::admit(cx, txn, (shown.0, &shown.1))).await?;
    // A managed identity is no application, and nobody signs in to it.
    let application =
        client.application.as_ref().ok_or_else(|| codes::APPLICATION_ON_BEHALF.with([shown.0]))?;
    if client.credential == azure::jwt::claims::Credential::None {
        return Err((&codes::SECRET_REQUIRED).into());
    }
    let user = user(cx, application, token)?;
    let capabilities = scopes::capabilities(form)?;
    let sign_in = SignIn { user, client, scopes, nonce: None, origin: None, capabilities };
    users::issue(cx, request.version, sign_in).await
}

/// The user for whom the application was called.
fn user(cx: &Cx, application: &Application, token: &str) -> Result<ObjectId> {
    let id = application.client_id.to_string();
    let believed = verify::presented(cx, token, &application.identifiers());
    match believed.map_err(|fault| refusal(cx, &id, fault))? {
        // An id token says who signed in, and not by which client.
        Believed { app_id: None, .. } => Err((&codes::ID_TOKEN_AS_ASSERTION).into()),
        Believed { is_app: true, .. } => Err(codes::APPLICATION_ON_BEHALF.with([id])),
        Believed { object_id, .. } => Ok(object_id),
    }
}

fn refusal(cx: &Cx, client: &str, fault: TokenFault) -> Error {
    let time = |at: Timestamp| codes::timestamp(at);
    let error = match &fault {
        TokenFault::Claims(Claim::Expired { at } | Claim::NotYetValid { not_before: at }) => {
            codes::ASSERTION_EXPIRED.with([time(cx.now), time(*at)])
        }
        TokenFault::Claims(Claim::WrongAudience { found }) => {
            codes::ASSERTION_FOR_ANOTHER.with([found, client, client])
        }
        TokenFault::Malformed(_)
        | TokenFault::UnknownKey
        | TokenFault::BadSignature
        | TokenFault::Claims(_) => Error::from(&codes::WRONG_ASSERTION),
    };
    error.because(fault)
}
