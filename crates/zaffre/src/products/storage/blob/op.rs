//! The operations of the Blob service: one row each, found by method, level and `comp` (blob.md §5, §11).
//!
//! A row says what its operation is called, what it demands, how large its body may be, and how the rest of the
//! request is read. Operations that Azure has and we do not yet have are rows too: they are found, authenticated
//! and authorized like any other, and then say that they are missing.

use azure::{
    action::Action,
    error::Result,
    rbac::Plane,
    sas::{Demand, Place, Sas},
};
use http::Method;

use super::{
    address::{Address, Level, Target},
    ask::{self, Ask},
    auth, codes,
    conditions::Conditions,
    version::Version,
};
use crate::service::Parts;

/// A request, read.
pub struct Op {
    pub(super) row: &'static Row,
    pub(super) address: Address,
    /// The version asked for; `None` where the request names none.
    pub(super) asked_version: Option<Version>,
    /// The same as it was written.
    pub(super) asked_version_text: Option<String>,
    pub(super) conditions: Conditions,
    pub(super) ask: Ask,
    /// The shared access signature in the query, which nothing has proved yet.
    pub(super) sas: Option<Sas>,
    pub(super) is_head: bool,
    pub(super) has_lease_id: bool,
    /// `https://{host}/`, as listings print it.
    pub(super) endpoint: String,
}

impl Op {
    pub(super) fn of(parts: &Parts) -> Result<Self> {
        let address = Address::of(parts)?;
        let sas = Sas::parse(&parts.query).map_err(|fault| auth::failed(fault.to_string()))?;
        let asked_version = Version::of(parts)?;
        let row = find(parts, &address)?;
        ask::check_understood(row.name, parts, sas.as_ref())?;
        let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
        if address.is_secondary && !is_read {
            return Err(codes::SECONDARY_WRITE.bare());
        }
        Ok(Op {
            row,
            sas,
            asked_version,
            asked_version_text: Version::named(parts).map(str::to_owned),
            conditions: Conditions::of(parts)?,
            ask: row.ask.map_or(Ok(Ask::NothingYet), |ask| ask(parts, Version::or_oldest(asked_version)))?,
            is_head: parts.method == Method::HEAD,
            has_lease_id: parts.headers.contains_key("x-ms-lease-id"),
            endpoint: endpoint(parts, &address),
            address,
        })
    }

    pub(super) fn version(&self) -> Version {
        Version::or_oldest(self.asked_version)
    }

    /// What it names, as a signature is bound to it.
    pub(super) fn place(&self) -> Place<'_> {
        match &self.address.target {
            Target::Account => Place::Account,
            Target::Container(name) => Place::Container(name),
            Target::Blob { container, name } => Place::Blob { container, name },
        }
    }

    /// What it demands where the blob is there already: to write over it is more than to create it.
    pub(super) fn demanded(&self, is_there: bool) -> (&'static [Action], Demand) {
        match self.row.overwriting {
            Some((any, signed)) if is_there => (any, signed),
            Some(_) | None => (self.row.any, self.row.signed),
        }
    }
}

fn endpoint(parts: &Parts, address: &Address) -> String {
    match address.is_path_style {
        true => format!("{}/{}/", parts.origin(), address.account),
        false => format!("{}/", parts.origin()),
    }
}

/// One operation.
pub(super) struct Row {
    /// As Azure's reference calls it.
    pub(super) name: &'static str,
    pub(super) methods: &'static [Method],
    pub(super) level: Level,
    pub(super) restype: Option<&'static str>,
    pub(super) comp: Option<&'static str>,
    /// What else must hold of the request for this to be the row: its headers tell the kinds of PUT apart.
    when: fn(&Parts) -> bool,
    /// Any of these allows it (blob.md §5).
    pub(super) any: &'static [Action],
    pub(super) plane: Plane,
    /// What a shared access signature must allow (blob.md §6).
    pub(super) signed: Demand,
    /// The same two where a blob is there that will be written over.
    overwriting: Option<(&'static [Action], Demand)>,
    /// What an anonymous caller needs the container to be.
    pub(super) public: Public,
    /// Reads what is asked for; none where the operation is no more than a name to refuse.
    ask: Option<fn(&Parts, Version) -> Result<Ask>>,
}

/// How public a container must be for an anonymous caller to do this (blob.md §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Public {
    Never,
    Blob,
    Container,
}

macro_rules! blob_services {
    ($name:literal) => {
        const { &[Action::of(concat!("Microsoft.Storage/storageAccounts/blobServices/", $name))] }
    };
    ($one:literal or $other:literal) => {
        const {
            &[
                Action::of(concat!("Microsoft.Storage/storageAccounts/blobServices/", $one)),
                Action::of(concat!("Microsoft.Storage/storageAccounts/blobServices/", $other)),
            ]
        }
    };
}

const READS: &[Method] = &[Method::GET, Method::HEAD];
const GET: &[Method] = &[Method::GET];
const HEAD: &[Method] = &[Method::HEAD];
const PUT: &[Method] = &[Method::PUT];
const POST: &[Method] = &[Method::POST];
const DELETE: &[Method] = &[Method::DELETE];
const PUT_OR_DELETE: &[Method] = &[Method::PUT, Method::DELETE];

fn always(_: &Parts) -> bool {
    true
}

fn has_copy_source(parts: &Parts) -> bool {
    parts.headers.contains_key("x-ms-copy-source")
}

fn is_put_from_url(parts: &Parts) -> bool {
    has_copy_source(parts) && parts.headers.contains_key("x-ms-blob-type")
}

fn is_page_blob(parts: &Parts) -> bool {
    parts.header("x-ms-blob-type").is_some_and(|it| it == "PageBlob")
}

fn is_append_blob(parts: &Parts) -> bool {
    parts.header("x-ms-blob-type").is_some_and(|it| it == "AppendBlob")
}

const fn row(
    name: &'static str,
    methods: &'static [Method],
    level: Level,
    comp: Option<&'static str>,
    any: &'static [Action],
    plane: Plane,
) -> Row {
    let restype = match level {
        Level::Container => Some("container"),
        Level::Account | Level::Blob => None,
    };
    Row {
        name,
        methods,
        level,
        restype,
        comp,
        when: always,
        any,
        plane,
        signed: NEVER,
        overwriting: None,
        public: Public::Never,
        ask: None,
    }
}

/// What no shared access signature allows.
const NEVER: Demand = Demand { resource_types: "", of_account: "", of_service: "" };

impl Row {
    const fn of_type(mut self, restype: &'static str) -> Self {
        self.restype = Some(restype);
        self
    }

    const fn when(mut self, holds: fn(&Parts) -> bool) -> Self {
        self.when = holds;
        self
    }

    const fn public(mut self, public: Public) -> Self {
        self.public = public;
        self
    }

    /// Which types of resources, and which permissions of an account SAS or of a service SAS, any of which will do.
    const fn signed(
        mut self,
        resource_types: &'static str,
        of_account: &'static str,
        of_service: &'static str,
    ) -> Self {
        self.signed = Demand { resource_types, of_account, of_service };
        self
    }

    /// Puts a blob, over another if there is one: that is a write and no mere creation.
    const fn puts(mut self) -> Self {
        self.signed = Demand { resource_types: "o", of_account: "wc", of_service: "wc" };
        let writes = Demand { resource_types: "o", of_account: "w", of_service: "w" };
        self.overwriting = Some((WRITE_BLOB, writes));
        self
    }

    const fn asks(mut self, ask: fn(&Parts, Version) -> Result<Ask>) -> Self {
        self.ask = Some(ask);
        self
    }

    /// Whether it is more than a name to refuse.
    pub(super) fn is_done(&self) -> bool {
        self.ask.is_some()
    }

    fn is_at(&self, method: &Method, level: Level) -> bool {
        self.level == level && self.methods.contains(method)
    }

    fn is_for(&self, parts: &Parts) -> bool {
        let same = |wanted: Option<&str>, given: Option<&str>| match (wanted, given) {
            (None, None) => true,
            (Some(wanted), Some(given)) => wanted.eq_ignore_ascii_case(given),
            (None, Some(_)) | (Some(_), None) => false,
        };
        same(self.restype, parts.query("restype"))
            && same(self.comp, parts.query("comp"))
            && (self.when)(parts)
    }
}

use Level::{Account, Blob, Container};
use Plane::{Control, Data};

const GET_INFO: &[Action] = blob_services!("getInfo/action");
const READ_CONTAINER: &[Action] = blob_services!("containers/read");
const WRITE_CONTAINER: &[Action] = blob_services!("containers/write");
const READ_BLOB: &[Action] = blob_services!("containers/blobs/read");
const WRITE_BLOB: &[Action] = blob_services!("containers/blobs/write");
const ADD_BLOB: &[Action] = blob_services!("containers/blobs/write" or "containers/blobs/add/action");
const IMMUTABLE: &[Action] = blob_services!("containers/blobs/immutableStorage/runAsSuperUser/action");

/// Every operation, as blob.md §11 lists them; what each demands is from its §5. The first row that fits is it.
#[rustfmt::skip]
pub(super) static OPERATIONS: &[Row] = &[
    row("List Containers", GET, Account, Some("list"), READ_CONTAINER, Control).signed("s", "l", "").asks(ask::list_containers),
    row("Get Account Information", READS, Account, Some("properties"), GET_INFO, Control).signed("sco", "rcdlpuw", "").of_type("account").asks(ask::account_information),
    row("Get Account Information", READS, Container, Some("properties"), GET_INFO, Control).signed("sco", "rcdlpuw", "r").of_type("account").asks(ask::account_information),
    row("Get Account Information", READS, Blob, Some("properties"), GET_INFO, Control).signed("sco", "rcdlpuw", "r").of_type("account").asks(ask::account_information),
    row("Get Blob Service Properties", GET, Account, Some("properties"), blob_services!("read"), Control).signed("s", "r", "").of_type("service").asks(ask::service_properties),
    row("Set Blob Service Properties", PUT, Account, Some("properties"), blob_services!("write"), Control).signed("s", "w", "").of_type("service"),
    row("Get Blob Service Stats", GET, Account, Some("stats"), blob_services!("read"), Control).signed("s", "r", "").of_type("service"),
    row("Get User Delegation Key", POST, Account, Some("userdelegationkey"), blob_services!("generateUserDelegationKey/action"), Control).of_type("service").asks(ask::user_delegation_key),
    row("Blob Batch", POST, Account, Some("batch"), WRITE_CONTAINER, Control).signed("sco", "rwdxylacuptfi", ""),
    row("Find Blobs by Tags", GET, Account, Some("blobs"), blob_services!("containers/blobs/filter/action"), Data).signed("o", "f", ""),

    row("Create Container", PUT, Container, None, WRITE_CONTAINER, Control).signed("c", "cw", "").asks(ask::create_container),
    row("Get Container Properties", READS, Container, None, READ_CONTAINER, Control).signed("c", "r", "").public(Public::Container).asks(ask::container_properties),
    row("Get Container Metadata", READS, Container, Some("metadata"), READ_CONTAINER, Control).signed("c", "r", "").public(Public::Container).asks(ask::container_properties),
    row("Set Container Metadata", PUT, Container, Some("metadata"), WRITE_CONTAINER, Control).signed("c", "w", "").asks(ask::set_container_metadata),
    row("Delete Container", DELETE, Container, None, blob_services!("containers/delete"), Control).signed("c", "d", "").asks(ask::delete_container),
    row("Get Container ACL", READS, Container, Some("acl"), blob_services!("containers/getAcl/action"), Control).asks(ask::container_acl),
    row("Set Container ACL", PUT, Container, Some("acl"), blob_services!("containers/setAcl/action"), Control).asks(ask::set_container_acl),
    row("Lease Container", PUT, Container, Some("lease"), WRITE_CONTAINER, Control).signed("c", "w", ""),
    row("Restore Container", PUT, Container, Some("undelete"), WRITE_CONTAINER, Control).signed("c", "w", ""),
    row("Rename Container", PUT, Container, Some("rename"), WRITE_CONTAINER, Control),
    row("List Blobs", GET, Container, Some("list"), READ_BLOB, Data).signed("c", "l", "l").public(Public::Container).asks(ask::list_blobs),
    row("Blob Batch", POST, Container, Some("batch"), WRITE_CONTAINER, Control).signed("sco", "rwdxylacuptfi", "racwdxyltfmeopi"),
    row("Find Blobs by Tags in Container", GET, Container, Some("blobs"), blob_services!("containers/blobs/filter/action"), Data).signed("c", "f", "f"),

    row("Put Blob From URL", PUT, Blob, None, ADD_BLOB, Data).puts().when(is_put_from_url),
    row("Copy Blob", PUT, Blob, None, ADD_BLOB, Data).puts().when(has_copy_source),
    row("Put Blob (PageBlob)", PUT, Blob, None, ADD_BLOB, Data).puts().when(is_page_blob),
    row("Put Blob (AppendBlob)", PUT, Blob, None, ADD_BLOB, Data).puts().when(is_append_blob),
    row("Put Blob", PUT, Blob, None, ADD_BLOB, Data).puts().asks(ask::put_blob),
    row("Get Blob", GET, Blob, None, READ_BLOB, Data).signed("o", "r", "r").public(Public::Blob).asks(ask::get_blob),
    row("Get Blob Properties", HEAD, Blob, None, READ_BLOB, Data).signed("o", "r", "r").public(Public::Blob).asks(ask::blob_properties),
    row("Get Blob Metadata", READS, Blob, Some("metadata"), READ_BLOB, Data).signed("o", "r", "r").public(Public::Blob).asks(ask::blob_properties),
    row("Delete Blob", DELETE, Blob, None, blob_services!("containers/blobs/delete"), Data).signed("o", "d", "d").asks(ask::delete_blob),
    row("Set Blob Properties", PUT, Blob, Some("properties"), WRITE_BLOB, Data).signed("o", "w", "w").asks(ask::set_blob_properties),
    row("Set Blob Metadata", PUT, Blob, Some("metadata"), WRITE_BLOB, Data).signed("o", "w", "w").asks(ask::set_blob_metadata),
    row("Put Block From URL", PUT, Blob, Some("block"), WRITE_BLOB, Data).signed("o", "w", "w").when(has_copy_source),
    row("Put Block", PUT, Blob, Some("block"), WRITE_BLOB, Data).signed("o", "w", "w").asks(ask::put_block),
    row("Put Block List", PUT, Blob, Some("blocklist"), WRITE_BLOB, Data).signed("o", "w", "w").asks(ask::put_block_list),
    row("Get Block List", GET, Blob, Some("blocklist"), READ_BLOB, Data).signed("o", "r", "r").public(Public::Blob).asks(ask::get_block_list),
    row("Undelete Blob", PUT, Blob, Some("undelete"), WRITE_BLOB, Data).signed("o", "w", "w"),
    row("Set Blob Expiry", PUT, Blob, Some("expiry"), WRITE_BLOB, Data).signed("o", "w", "w"),
    row("Lease Blob", PUT, Blob, Some("lease"), WRITE_BLOB, Data).signed("o", "w", "w"),
    row("Snapshot Blob", PUT, Blob, Some("snapshot"), ADD_BLOB, Data).signed("o", "wc", "wc"),
    row("Abort Copy Blob", PUT, Blob, Some("copy"), WRITE_BLOB, Data).signed("o", "w", "w"),
    row("Set Blob Tier", PUT, Blob, Some("tier"), WRITE_BLOB, Data).signed("o", "w", "w"),
    row("Get Blob Tags", GET, Blob, Some("tags"), blob_services!("containers/blobs/tags/read"), Data).signed("o", "t", "t"),
    row("Set Blob Tags", PUT, Blob, Some("tags"), blob_services!("containers/blobs/tags/write"), Data).signed("o", "t", "t"),
    row("Set Blob Immutability Policy", PUT_OR_DELETE, Blob, Some("immutabilityPolicies"), IMMUTABLE, Data).signed("o", "i", "i"),
    row("Set Blob Legal Hold", PUT, Blob, Some("legalhold"), WRITE_CONTAINER, Control).signed("o", "i", "i"),
    row("Query Blob Contents", POST, Blob, Some("query"), READ_BLOB, Data).signed("o", "r", "r"),
    row("Append Block", PUT, Blob, Some("appendblock"), ADD_BLOB, Data).signed("o", "aw", "aw"),
    row("Append Blob Seal", PUT, Blob, Some("seal"), WRITE_BLOB, Data).signed("o", "w", "w"),
    row("Put Page", PUT, Blob, Some("page"), WRITE_BLOB, Data).signed("o", "w", "w"),
    row("Get Page Ranges", GET, Blob, Some("pagelist"), READ_BLOB, Data).signed("o", "r", "r"),
    row("Incremental Copy Blob", PUT, Blob, Some("incrementalcopy"), ADD_BLOB, Data).signed("o", "wc", "wc"),
];

/// What the rows demand.
pub(super) fn demands() -> Vec<(Plane, &'static Action)> {
    OPERATIONS.iter().flat_map(|row| row.any.iter().map(|action| (row.plane, action))).collect()
}

fn find(parts: &Parts, address: &Address) -> Result<&'static Row> {
    let level = address.level();
    let found = OPERATIONS.iter().find(|row| row.is_at(&parts.method, level) && row.is_for(parts));
    found.ok_or_else(|| unknown(parts))
}

/// A verb that nothing answers to is the verb's fault; else the query's.
fn unknown(parts: &Parts) -> azure::error::Error {
    let is_known = OPERATIONS.iter().any(|row| row.methods.contains(&parts.method));
    let at_fault = ["comp", "restype"].iter().find_map(|name| Some((*name, parts.query(name)?)));
    match at_fault {
        Some((name, value)) if is_known => invalid_query(name, value, ""),
        _ => codes::UNSUPPORTED_VERB.bare(),
    }
}

/// A query parameter that cannot be what it is.
pub(super) fn invalid_query(name: &str, value: &str, reason: &str) -> azure::error::Error {
    let error = codes::INVALID_QUERY.bare();
    error.and("QueryParameterName", name).and("QueryParameterValue", value).and("Reason", reason)
}
