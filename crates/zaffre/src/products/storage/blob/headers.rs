//! The headers by which an answer describes a container or a blob (blob.md §11.2, §11.3).

use super::{
    conditions::Stamp,
    records::{Blob, Container, Metadata, PublicAccess},
};
use crate::service::Reply;

pub(super) const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// `ETag` and `Last-Modified`.
pub(super) fn stamp(reply: &mut Reply, stamp: Stamp) {
    reply.set("etag", stamp.quoted());
    reply.set("last-modified", stamp.modified.rfc1123());
}

pub(super) fn metadata(reply: &mut Reply, metadata: &Metadata) {
    for (name, value) in metadata {
        reply.set(format!("x-ms-meta-{name}").as_str(), value);
    }
}

pub(super) fn container(reply: &mut Reply, container: &Container) {
    stamp(reply, container.stamp());
    metadata(reply, &container.metadata);
    unleased(reply);
    public_access(reply, container.public_access);
    reply.set("x-ms-has-immutability-policy", "false");
    reply.set("x-ms-has-legal-hold", container.is_held().to_string());
    reply.set("x-ms-immutable-storage-with-versioning-enabled", "false");
    reply.set("x-ms-default-encryption-scope", "$account-encryption-key");
    reply.set("x-ms-deny-encryption-scope-override", "false");
}

/// Absent where there is none.
pub(super) fn public_access(reply: &mut Reply, access: PublicAccess) {
    match access {
        PublicAccess::None => {}
        PublicAccess::Blob => reply.set("x-ms-blob-public-access", "blob"),
        PublicAccess::Container => reply.set("x-ms-blob-public-access", "container"),
    }
}

pub(super) fn blob(reply: &mut Reply, blob: &Blob) {
    stamp(reply, blob.stamp());
    metadata(reply, &blob.metadata);
    unleased(reply);
    let headers = &blob.headers;
    reply.set("content-type", headers.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE));
    let given = [
        ("content-md5", &headers.md5),
        ("content-encoding", &headers.encoding),
        ("content-language", &headers.language),
        ("content-disposition", &headers.disposition),
        ("cache-control", &headers.cache_control),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            reply.set(name, value);
        }
    }
    reply.set("accept-ranges", "bytes");
    reply.set("x-ms-creation-time", blob.created.rfc1123());
    reply.set("x-ms-blob-type", "BlockBlob");
    reply.set("x-ms-access-tier", "Hot");
    reply.set("x-ms-access-tier-inferred", "true");
    reply.set("x-ms-server-encrypted", "true");
}

/// There are no leases yet.
fn unleased(reply: &mut Reply) {
    reply.set("x-ms-lease-status", "unlocked");
    reply.set("x-ms-lease-state", "available");
}
