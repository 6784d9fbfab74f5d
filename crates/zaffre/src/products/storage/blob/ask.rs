//! What each operation reads of its request beside its address and its conditions.
//!
//! Everything a handler will need of the query and the headers is read here, before anything is looked up: what
//! is malformed is refused first, and what we do not understand is refused rather than passed over.

use azure::{
    error::Result,
    sas::{Resource, Sas},
    text,
};

use super::{
    checksum::{self, Expected},
    codes,
    list::{self, BlobPage, ContainerPage},
    op::invalid_query,
    range,
    records::{ContentHeaders, Metadata, PublicAccess},
    version::Version,
};
use crate::service::Parts;

/// The rest of a request, by operation.
pub(super) enum Ask {
    /// Azure has this operation, and we do not yet have it.
    NothingYet,
    AccountInformation,
    ServiceProperties,
    UserDelegationKey,
    ListContainers(ContainerPage),
    CreateContainer {
        public_access: PublicAccess,
        metadata: Metadata,
    },
    ContainerProperties,
    SetContainerMetadata {
        metadata: Metadata,
    },
    DeleteContainer,
    ContainerAcl,
    SetContainerAcl {
        public_access: PublicAccess,
    },
    ListBlobs(BlobPage),
    PutBlob {
        upload: Upload,
        headers: ContentHeaders,
        metadata: Metadata,
    },
    GetBlob {
        range: Option<range::Asked>,
        with_md5: bool,
    },
    BlobProperties,
    DeleteBlob,
    SetBlobProperties {
        headers: ContentHeaders,
    },
    SetBlobMetadata {
        metadata: Metadata,
    },
    PutBlock {
        id: String,
        upload: Upload,
    },
    PutBlockList {
        expected: Expected,
        headers: ContentHeaders,
        metadata: Metadata,
    },
    GetBlockList(BlockListType),
}

/// A body that will be kept: how long it may be, and what its checksum should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    pub(super) limit: u64,
    pub(super) expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockListType {
    Committed,
    Uncommitted,
    All,
}

const MIB: u64 = 1 << 20;
const MAX_METADATA_BYTES: usize = 8 << 10;
const MAX_BLOCK_ID_BYTES: usize = 64;

/// Headers and parameters that change what an operation means, and that we do not understand yet: to pass them
/// over would be to do something else than what was asked.
const NOT_YET_HEADERS: &[&str] = &[
    "x-ms-access-tier",
    "x-ms-encryption-key",
    "x-ms-encryption-scope",
    "x-ms-if-tags",
    "x-ms-immutability-policy-until-date",
    "x-ms-legal-hold",
    "x-ms-structured-body",
    "x-ms-tags",
];
const NOT_YET_QUERY: &[&str] = &["snapshot", "versionid", "deletetype"];
/// Members of a signature that an account without encryption scopes and hierarchical namespace cannot obey.
const NOT_YET_SIGNED: &[&str] = &["ses", "suoid"];

/// Refuses what would change the operation's meaning.
pub(super) fn check_understood(operation: &str, parts: &Parts, sas: Option<&Sas>) -> Result<()> {
    let header = NOT_YET_HEADERS.iter().find(|name| parts.headers.contains_key(**name));
    let query = || NOT_YET_QUERY.iter().find(|name| parts.query(name).is_some_and(|value| !value.is_empty()));
    let signed = || sas.and_then(signed_not_yet);
    match header.or_else(query).copied().or_else(signed) {
        Some(what) => Err(codes::NOT_IMPLEMENTED.with([format!("{operation} with {what}")])),
        None => Ok(()),
    }
}

fn signed_not_yet(sas: &Sas) -> Option<&'static str> {
    match sas.resource() {
        Some(Resource::Snapshot) => return Some("sr=bs"),
        Some(Resource::Version) => return Some("sr=bv"),
        Some(Resource::Directory { .. }) if !sas.has_flat_directories() => return Some("sr=d"),
        Some(Resource::Directory { .. } | Resource::Container | Resource::Blob) | None => {}
    }
    NOT_YET_SIGNED.iter().find(|name| sas.field(name).is_some()).copied()
}

pub(super) fn account_information(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::AccountInformation)
}

pub(super) fn service_properties(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::ServiceProperties)
}

pub(super) fn user_delegation_key(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::UserDelegationKey)
}

pub(super) fn list_containers(parts: &Parts, _: Version) -> Result<Ask> {
    list::container_page(parts).map(Ask::ListContainers)
}

pub(super) fn create_container(parts: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::CreateContainer { public_access: public_access(parts)?, metadata: metadata(parts)? })
}

pub(super) fn container_properties(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::ContainerProperties)
}

pub(super) fn set_container_metadata(parts: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::SetContainerMetadata { metadata: metadata(parts)? })
}

pub(super) fn delete_container(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::DeleteContainer)
}

pub(super) fn container_acl(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::ContainerAcl)
}

pub(super) fn set_container_acl(parts: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::SetContainerAcl { public_access: public_access(parts)? })
}

pub(super) fn list_blobs(parts: &Parts, version: Version) -> Result<Ask> {
    list::blob_page(parts, version).map(Ask::ListBlobs)
}

pub(super) fn put_blob(parts: &Parts, version: Version) -> Result<Ask> {
    match parts.header("x-ms-blob-type") {
        Some("BlockBlob") => {}
        Some(other) => return Err(invalid_header("x-ms-blob-type", other)),
        None => return Err(codes::MISSING_HEADER.bare().and("HeaderName", "x-ms-blob-type")),
    }
    let limit = match version {
        _ if version >= Version::LARGEST_PUTS => 5000 * MIB,
        _ if version >= Version::LARGE_PUTS => 256 * MIB,
        _ => 64 * MIB,
    };
    let mut headers = blob_headers(parts)?;
    let plain = |name| parts.header(name).map(str::to_owned);
    headers.content_type = headers.content_type.or_else(|| plain("content-type"));
    headers.encoding = headers.encoding.or_else(|| plain("content-encoding"));
    headers.language = headers.language.or_else(|| plain("content-language"));
    headers.cache_control = headers.cache_control.or_else(|| plain("cache-control"));
    let upload = Upload { limit, expected: Expected::of(parts)? };
    Ok(Ask::PutBlob { upload, headers, metadata: metadata(parts)? })
}

pub(super) fn get_blob(parts: &Parts, _: Version) -> Result<Ask> {
    let range = range::Asked::of(parts)?;
    let with_md5 =
        parts.header("x-ms-range-get-content-md5").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    if with_md5 && range.is_none() {
        return Err(invalid_header("x-ms-range-get-content-md5", "true"));
    }
    Ok(Ask::GetBlob { range, with_md5 })
}

pub(super) fn blob_properties(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::BlobProperties)
}

pub(super) fn delete_blob(_: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::DeleteBlob)
}

pub(super) fn set_blob_properties(parts: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::SetBlobProperties { headers: blob_headers(parts)? })
}

pub(super) fn set_blob_metadata(parts: &Parts, _: Version) -> Result<Ask> {
    Ok(Ask::SetBlobMetadata { metadata: metadata(parts)? })
}

pub(super) fn put_block(parts: &Parts, version: Version) -> Result<Ask> {
    let Some(id) = parts.query("blockid") else {
        return Err(codes::MISSING_QUERY.bare().and("QueryParameterName", "blockid"));
    };
    if text::base64_decode(id).is_none_or(|id| id.is_empty() || id.len() > MAX_BLOCK_ID_BYTES) {
        return Err(invalid_query("blockid", id, "Not a valid base64 string."));
    }
    let limit = match version {
        _ if version >= Version::LARGEST_PUTS => 4000 * MIB,
        _ if version >= Version::LARGE_PUTS => 100 * MIB,
        _ => 4 * MIB,
    };
    Ok(Ask::PutBlock { id: id.to_owned(), upload: Upload { limit, expected: Expected::of(parts)? } })
}

pub(super) fn put_block_list(parts: &Parts, _: Version) -> Result<Ask> {
    let (expected, headers, metadata) = (Expected::of(parts)?, blob_headers(parts)?, metadata(parts)?);
    Ok(Ask::PutBlockList { expected, headers, metadata })
}

pub(super) fn get_block_list(parts: &Parts, _: Version) -> Result<Ask> {
    let which = match parts.query("blocklisttype").map(str::to_ascii_lowercase).as_deref() {
        None | Some("committed") => BlockListType::Committed,
        Some("uncommitted") => BlockListType::Uncommitted,
        Some("all") => BlockListType::All,
        Some(other) => return Err(invalid_query("blocklisttype", other, "")),
    };
    Ok(Ask::GetBlockList(which))
}

fn invalid_header(name: &str, value: &str) -> azure::error::Error {
    codes::INVALID_HEADER.bare().and("HeaderName", name).and("HeaderValue", value)
}

/// The content headers under their own names, `x-ms-blob-*`.
fn blob_headers(parts: &Parts) -> Result<ContentHeaders> {
    let own = |name| parts.header(name).filter(|it| !it.is_empty()).map(str::to_owned);
    let md5 = own("x-ms-blob-content-md5");
    if let Some(md5) = &md5 {
        checksum::parse_md5(md5)?;
    }
    Ok(ContentHeaders {
        content_type: own("x-ms-blob-content-type"),
        encoding: own("x-ms-blob-content-encoding"),
        language: own("x-ms-blob-content-language"),
        disposition: own("x-ms-blob-content-disposition"),
        cache_control: own("x-ms-blob-cache-control"),
        md5,
    })
}

fn public_access(parts: &Parts) -> Result<PublicAccess> {
    match parts.header("x-ms-blob-public-access") {
        None => Ok(PublicAccess::None),
        Some("blob") => Ok(PublicAccess::Blob),
        Some("container") => Ok(PublicAccess::Container),
        Some(other) => Err(invalid_header("x-ms-blob-public-access", other)),
    }
}

/// The `x-ms-meta-*` headers. Names are C# identifiers, and all together have at most 8 KiB (blob.md §10).
fn metadata(parts: &Parts) -> Result<Metadata> {
    let mut found = Metadata::new();
    let mut bytes = 0;
    for (name, value) in &parts.headers {
        let Some(name) = name.as_str().strip_prefix("x-ms-meta-") else { continue };
        if name.is_empty() {
            return Err(codes::EMPTY_METADATA_KEY.bare());
        }
        let value = value
            .to_str()
            .ok()
            .filter(|_| is_identifier(name))
            .ok_or_else(|| codes::INVALID_METADATA.bare())?;
        bytes += name.len() + value.len();
        found.push((name.to_owned(), value.to_owned()));
    }
    if bytes > MAX_METADATA_BYTES { Err(codes::METADATA_TOO_LARGE.bare()) } else { Ok(found) }
}

fn is_identifier(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
