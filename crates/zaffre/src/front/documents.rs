//! Documents that this cloud serves itself, for those of its parts that are given a link: templates in blobs.
//!
//! A link is followed down the one path, as a client's GET without a token: what is public is read, what has a
//! shared access signature is read by it, and everything else is refused by the service that has it. Other hosts
//! are not asked, ever.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{Request, Uri, header};
use http_body_util::BodyExt as _;

use super::route::{self, Target};
use crate::{
    cloud::Cloud,
    door::Door,
    env::{Env, Fetched, FetchedDocument},
    service::{Body, reply::ReplyBody},
};

/// A template's limit (arm.md §12).
const MOST_BYTES: usize = 4 << 20;

pub(crate) fn fetch(env: Arc<Env>, cloud: Arc<Cloud>, uri: String) -> FetchedDocument {
    Box::pin(async move {
        let Some(request) = request(&uri) else { return Fetched::Elsewhere };
        let response = super::answer(&env, &cloud, Door::named(cloud.id), request).await;
        if !response.status().is_success() {
            return Fetched::Refused;
        }
        whole(response.into_body()).await.map_or(Fetched::Refused, Fetched::Bytes)
    })
}

/// A body of a template's size; none where it is longer, or breaks off.
async fn whole(mut body: ReplyBody) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame.ok()?.into_data().unwrap_or_default());
        if bytes.len() > MOST_BYTES {
            return None;
        }
    }
    Some(bytes.freeze())
}

/// The request that the link stands for; none where it does not lead to this cloud's blobs.
fn request(uri: &str) -> Option<Request<Body>> {
    let uri: Uri = uri.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
    let authority = uri.authority()?.clone();
    let is_ours = is_web && route::by_name(authority.host()) == Target::Blob;
    let request = Request::get(uri).header(header::HOST, authority.as_str()).body(Body::empty());
    request.ok().filter(|_| is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_blobs_of_this_cloud_are_followed() {
        for (uri, is_followed) in [
            ("https://acct.blob.core.windows.net/c/a.json?sv=1&sig=x", true),
            ("https://contoso.com/a.json", false),
            ("https://raw.githubusercontent.com/a/b/c.json", false),
            ("https://management.azure.com/subscriptions", false),
            ("ftp://acct.blob.core.windows.net/c/a.json", false),
            ("acct.blob.core.windows.net/c/a.json", false),
            ("", false),
        ] {
            assert_eq!(request(uri).is_some(), is_followed, "{uri}");
        }
    }
}
