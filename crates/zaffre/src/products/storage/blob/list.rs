//! List Containers and List Blobs: pages in the order of names (blob.md §13).
//!
//! A page costs what it prints. It begins behind the marker without reading what lies before, and a folder (what
//! names have in common up to the delimiter) is one row read and one leap, however much is in it.

use azure::{error::Result, ids::Guid, text};

use super::{
    codes,
    headers::DEFAULT_CONTENT_TYPE,
    op::{Op, invalid_query},
    records::{BLOBS, Blob, CONTAINERS, Container, Metadata, PublicAccess},
    version::Version,
    xml::{self, Xml},
};
use crate::{
    service::Parts,
    store::{Span, StoreError, Txn},
};

const MAX_RESULTS: usize = 5000;

/// A page of containers, as asked for.
pub(super) struct ContainerPage {
    page: Page,
    with_metadata: bool,
}

/// A page of blobs, as asked for.
pub(super) struct BlobPage {
    page: Page,
    delimiter: Option<String>,
    start_from: Option<String>,
    with_metadata: bool,
    /// Whether names that XML cannot hold are escaped.
    encodes_names: bool,
}

struct Page {
    prefix: String,
    /// Where to go on, and the text the client sent for it.
    marker: Option<(Marker, String)>,
    /// What the client asked for, where it did, and what it gets.
    asked: Option<u64>,
    max: usize,
}

impl BlobPage {
    /// What the names must begin with; empty where the request does not say.
    pub(super) fn prefix(&self) -> &str {
        &self.page.prefix
    }
}

/// The last thing a page showed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Marker {
    Name(String),
    /// A folder, all of which is passed.
    Folder(String),
}

pub(super) fn container_page(parts: &Parts) -> Result<ContainerPage> {
    let with_metadata = includes(parts, &["metadata", "deleted", "system"], &[])?.contains(&"metadata");
    Ok(ContainerPage { page: Page::of(parts)?, with_metadata })
}

/// What a listing may include that there is none of here, so that nothing is missing from it.
const INCLUDES: &[&str] = &[
    "metadata",
    "copy",
    "deleted",
    "snapshots",
    "versions",
    "tags",
    "immutabilitypolicy",
    "legalhold",
    "deletedwithversions",
    "permissions",
];

pub(super) fn blob_page(parts: &Parts, version: Version) -> Result<BlobPage> {
    let included = includes(parts, INCLUDES, &["uncommittedblobs"])?;
    let given = |name| parts.query(name).filter(|text| !text.is_empty()).map(str::to_owned);
    if given("endBefore").is_some() {
        return Err(codes::NOT_IMPLEMENTED.with(["List Blobs with endBefore"]));
    }
    Ok(BlobPage {
        page: Page::of(parts)?,
        delimiter: given("delimiter"),
        start_from: given("startFrom"),
        with_metadata: included.contains(&"metadata"),
        encodes_names: version >= Version::ENCODED_NAMES,
    })
}

fn includes(parts: &Parts, known: &[&'static str], not_yet: &[&'static str]) -> Result<Vec<&'static str>> {
    let mut found = Vec::new();
    let given = parts.query("include").unwrap_or_default();
    for word in given.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let is = |name: &&&'static str| name.eq_ignore_ascii_case(word);
        if let Some(name) = not_yet.iter().find(is) {
            return Err(codes::NOT_IMPLEMENTED.with([format!("a listing that includes {name}")]));
        }
        found.push(*known.iter().find(is).ok_or_else(|| invalid_query("include", given, ""))?);
    }
    Ok(found)
}

impl Page {
    fn of(parts: &Parts) -> Result<Self> {
        let asked = parts.query("maxresults").map(max_results).transpose()?;
        let marker = parts.query("marker").filter(|text| !text.is_empty());
        Ok(Page {
            prefix: parts.query("prefix").unwrap_or_default().to_owned(),
            marker: marker
                .map(|text| Ok::<_, azure::error::Error>((Marker::parse(text)?, text.to_owned())))
                .transpose()?,
            asked,
            max: asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(MAX_RESULTS).min(MAX_RESULTS),
        })
    }

    fn begin(&self, xml: &mut Xml) {
        if !self.prefix.is_empty() {
            xml.element("Prefix", &self.prefix);
        }
        if let Some((_, text)) = &self.marker {
            xml.element("Marker", text);
        }
        if let Some(asked) = self.asked {
            xml.number("MaxResults", asked);
        }
    }
}

fn max_results(text: &str) -> Result<u64> {
    let number: i64 = text.parse().map_err(|_| invalid_query("maxresults", text, ""))?;
    u64::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| {
        let error = codes::OUT_OF_RANGE_QUERY.bare();
        let error = error.and("QueryParameterName", "maxresults").and("QueryParameterValue", text);
        error.and("MinimumAllowed", "1").and("MaximumAllowed", MAX_RESULTS.to_string())
    })
}

impl Marker {
    fn print(&self) -> String {
        let (kind, name) = match self {
            Marker::Name(name) => ('n', name),
            Marker::Folder(name) => ('f', name),
        };
        text::base64url(format!("{kind}{name}"))
    }

    fn parse(marker: &str) -> Result<Self> {
        let bytes = text::base64url_decode(marker).and_then(|bytes| String::from_utf8(bytes).ok());
        let parsed = bytes.as_deref().and_then(|text| match text.split_at_checked(1)? {
            ("n", name) => Some(Marker::Name(name.to_owned())),
            ("f", name) => Some(Marker::Folder(name.to_owned())),
            _ => None,
        });
        parsed.ok_or_else(|| invalid_query("marker", marker, ""))
    }
}

/// The answer to List Containers.
pub(super) fn containers(txn: &Txn, op: &Op, asked: &ContainerPage) -> Result<String, StoreError> {
    let page = &asked.page;
    let account = &op.address.account;
    let mut span = Span::text(&(account.as_str(),), &page.prefix);
    if let Some((Marker::Name(name) | Marker::Folder(name), _)) = &page.marker {
        span = span.after(&(account.clone(), name.clone()));
    }
    let mut xml = Xml::new();
    xml.open_with("EnumerationResults", &[("ServiceEndpoint", &op.endpoint)]);
    page.begin(&mut xml);
    xml.open("Containers");
    let (mut shown, mut last, mut next) = (0, None, None);
    for row in CONTAINERS.rows(txn, span) {
        let ((_, name), container) = row?;
        if shown == page.max {
            next = last;
            break;
        }
        print_container(&mut xml, &name, &container, asked.with_metadata);
        shown += 1;
        last = Some(Marker::Name(name));
    }
    xml.close("Containers");
    xml.element("NextMarker", &next.map_or_else(String::new, |it| it.print()));
    xml.close("EnumerationResults");
    Ok(xml.finish())
}

fn print_container(xml: &mut Xml, name: &str, container: &Container, with_metadata: bool) {
    xml.open("Container");
    xml.element("Name", name);
    xml.open("Properties");
    xml.element("Last-Modified", &container.modified.rfc1123());
    xml.element("Etag", &container.stamp().quoted());
    xml.element("LeaseStatus", "unlocked");
    xml.element("LeaseState", "available");
    match container.public_access {
        PublicAccess::None => {}
        PublicAccess::Blob => xml.element("PublicAccess", "blob"),
        PublicAccess::Container => xml.element("PublicAccess", "container"),
    }
    xml.element("HasImmutabilityPolicy", "false");
    xml.element("HasLegalHold", if container.is_held() { "true" } else { "false" });
    xml.element("DefaultEncryptionScope", "$account-encryption-key");
    xml.element("DenyEncryptionScopeOverride", "false");
    xml.element("ImmutableStorageWithVersioningEnabled", "false");
    xml.close("Properties");
    if with_metadata {
        print_metadata(xml, &container.metadata);
    }
    xml.close("Container");
}

/// The answer to List Blobs.
pub(super) fn blobs(txn: &Txn, op: &Op, container: Guid, asked: &BlobPage) -> Result<String, StoreError> {
    let page = &asked.page;
    let mut xml = Xml::new();
    let name = op.address.container().unwrap_or_default();
    xml.open_with("EnumerationResults", &[("ServiceEndpoint", &op.endpoint), ("ContainerName", name)]);
    page.begin(&mut xml);
    if let Some(delimiter) = &asked.delimiter {
        xml.element("Delimiter", delimiter);
    }
    xml.open("Blobs");
    let next = print_page(&mut xml, txn, container, asked)?;
    xml.close("Blobs");
    xml.element("NextMarker", &next.map_or_else(String::new, |it| it.print()));
    xml.close("EnumerationResults");
    Ok(xml.finish())
}

/// Prints one page, and gives the marker of the next if there is one.
fn print_page(
    xml: &mut Xml,
    txn: &Txn,
    container: Guid,
    asked: &BlobPage,
) -> Result<Option<Marker>, StoreError> {
    let page = &asked.page;
    let mut rows = BLOBS.rows(txn, span(container, asked));
    if let Some((Marker::Folder(folder), _)) = &page.marker
        && folder.starts_with(&page.prefix)
    {
        rows.leap(&(container,), folder);
    }
    let (mut shown, mut last) = (0, None);
    while let Some(row) = rows.next() {
        let ((_, name), blob) = row?;
        if shown == page.max {
            return Ok(last);
        }
        shown += 1;
        last = Some(match folder_of(&name, asked) {
            Some(folder) => {
                xml.open("BlobPrefix");
                print_name(xml, folder, asked.encodes_names);
                xml.close("BlobPrefix");
                rows.leap(&(container,), folder);
                Marker::Folder(folder.to_owned())
            }
            None => {
                print_blob(xml, &name, &blob, asked);
                Marker::Name(name)
            }
        });
    }
    Ok(None)
}

fn span(container: Guid, asked: &BlobPage) -> Span<(Guid, String)> {
    let mut span = Span::text(&(container,), &asked.page.prefix);
    if let Some(name) = &asked.start_from {
        span = span.from(&(container, name.clone()));
    }
    if let Some((Marker::Name(name), _)) = &asked.page.marker {
        span = span.after(&(container, name.clone()));
    }
    span
}

/// The part of a name up to the first delimiter behind the prefix, the delimiter included.
fn folder_of<'n>(name: &'n str, asked: &BlobPage) -> Option<&'n str> {
    let delimiter = asked.delimiter.as_deref()?;
    let start = asked.page.prefix.len();
    let at = name.get(start..)?.find(delimiter)?;
    name.get(..start + at + delimiter.len())
}

fn print_name(xml: &mut Xml, name: &str, encodes_names: bool) {
    if encodes_names && !xml::can_hold(name) {
        xml.open_with("Name", &[("Encoded", "true")]);
        xml.text(&text::percent_encode(name));
        xml.close("Name");
    } else {
        xml.element("Name", name);
    }
}

fn print_blob(xml: &mut Xml, name: &str, blob: &Blob, asked: &BlobPage) {
    xml.open("Blob");
    print_name(xml, name, asked.encodes_names);
    xml.open("Properties");
    xml.element("Creation-Time", &blob.created.rfc1123());
    xml.element("Last-Modified", &blob.modified.rfc1123());
    xml.element("Etag", &blob.stamp().bare());
    xml.number("Content-Length", blob.length);
    let headers = &blob.headers;
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    xml.element("Content-Type", headers.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE));
    xml.element("Content-Encoding", &or_empty(&headers.encoding));
    xml.element("Content-Language", &or_empty(&headers.language));
    xml.element("Content-CRC64", "");
    xml.element("Content-MD5", &or_empty(&headers.md5));
    xml.element("Cache-Control", &or_empty(&headers.cache_control));
    xml.element("Content-Disposition", &or_empty(&headers.disposition));
    xml.element("BlobType", "BlockBlob");
    xml.element("AccessTier", "Hot");
    xml.element("AccessTierInferred", "true");
    xml.element("LeaseStatus", "unlocked");
    xml.element("LeaseState", "available");
    xml.element("ServerEncrypted", "true");
    xml.close("Properties");
    if asked.with_metadata {
        print_metadata(xml, &blob.metadata);
    }
    xml.close("Blob");
}

fn print_metadata(xml: &mut Xml, metadata: &Metadata) {
    xml.open("Metadata");
    for (name, value) in metadata {
        xml.element(name, value);
    }
    xml.close("Metadata");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_read_back_and_others_are_refused() {
        for marker in [Marker::Name("a/b c".into()), Marker::Folder("a/".into()), Marker::Name(String::new())]
        {
            assert_eq!(Marker::parse(&marker.print()).ok(), Some(marker));
        }
        for text in ["!", "", "eA"] {
            assert!(Marker::parse(text).is_err(), "{text}");
        }
    }
}
