//! What a signature is, held against what Microsoft's own library signs.

use std::time::Duration;

use super::*;
use crate::{
    ids::{ObjectId, ResourceId, TenantId},
    principal::{Principal, PrincipalKind},
    text::form_decode,
};

/// 2026-11-21T12:00:00Z.
const NOON: Timestamp = Timestamp::from_seconds(1_795_262_400);
const SERVICE: &str = "sv=2026-04-06&sr=b&sp=r&se=2026-11-22";
const ACCOUNT: &str = "sv=2026-04-06&ss=b&srt=o&sp=r&se=2026-11-22";
const KEY: &str = "skoid=09090909-0909-0909-0909-090909090909&sktid=7af7e000-c10d-4000-8000-00000000000a\
                   &skt=2026-11-21T00%3A00%3A00Z&ske=2026-11-23T00%3A00%3A00Z&sks=b&skv=2026-10-06";

fn try_parse(query: &str) -> Result<Sas, Fault> {
    Sas::draft(&form_decode(query).expect("is UTF-8"))
}

fn parse(query: &str) -> Sas {
    try_parse(query).unwrap_or_else(|fault| panic!("{query}: {fault}"))
}

fn fault(query: &str) -> String {
    try_parse(query).err().unwrap_or_else(|| panic!("{query} is well formed")).to_string()
}

fn blob<'a>(name: &'a str, headers: &'a [(&'a str, &'a str)], query: &'a [(String, String)]) -> Request<'a> {
    Request { account: "acct", place: Place::Blob { container: "con", name }, headers, query }
}

fn signed(query: &str, name: &str) -> String {
    parse(query).string_to_sign(&blob(name, &[], &[])).expect("the level is right")
}

/// Every string here is what azure-storage-blob 12.31.1 says that it signed, for the query that it made.
#[test]
fn the_python_library_signs_the_same() {
    let account = "st=2026-11-21T00%3A00%3A00Z&se=2026-11-22T00%3A00%3A00Z&sp=rwdl&sip=10.0.0.1-10.0.0.9&spr=https\
                   &sv=2026-10-06&ss=b&srt=sco";
    assert_eq!(
        signed(account, "any"),
        "acct\nrwdl\nb\nsco\n2026-11-21T00:00:00Z\n2026-11-22T00:00:00Z\n10.0.0.1-10.0.0.9\nhttps\n2026-10-06\n\n"
    );
    let of_blob = "se=2026-11-22T00%3A00%3A00Z&sp=r&sv=2026-10-06&sr=b&rscc=no-store&rscd=attachment\
                   &rsct=text/html%3B%20charset%3Dutf-8";
    assert_eq!(
        signed(of_blob, "dir/a b.txt"),
        "r\n\n2026-11-22T00:00:00Z\n/blob/acct/con/dir/a b.txt\n\n\n\n2026-10-06\nb\n\n\nno-store\nattachment\n\n\n\
         text/html; charset=utf-8"
    );
    assert_eq!(
        signed("sv=2026-10-06&si=read&sr=c", "any"),
        "\n\n\n/blob/acct/con\nread\n\n\n2026-10-06\nc\n\n\n\n\n\n\n"
    );
    let delegated = format!(
        "se=2026-11-22T00%3A00%3A00Z&sp=rw&sv=2026-10-06&sr=b&scid=c0ffee00-0000-4000-8000-000000000000&{KEY}\
         &srh=x-ms-meta-a,x-b&srq=timeout"
    );
    let query = [("timeout".to_owned(), "30".to_owned())];
    let request = blob("a.txt", &[("X-Ms-Meta-A", "1"), ("x-b", "2")], &query);
    assert_eq!(
        parse(&delegated).string_to_sign(&request).expect("the level is right"),
        "rw\n\n2026-11-22T00:00:00Z\n/blob/acct/con/a.txt\n09090909-0909-0909-0909-090909090909\n\
         7af7e000-c10d-4000-8000-00000000000a\n2026-11-21T00:00:00Z\n2026-11-23T00:00:00Z\nb\n2026-10-06\n\n\n\
         c0ffee00-0000-4000-8000-000000000000\n\n\n\n\n2026-10-06\nb\n\n\nx-ms-meta-a:1\nx-b:2\n\n\ntimeout:30\n\n\n\n\n"
    );
}

/// How many lines, and what begins the canonical resource, for each year of a format (blob.md §6).
#[test]
fn lines_come_with_their_versions() {
    for (version, kind, lines, resource) in [
        ("", "sr=b", 5, "/acct/con/a"),
        ("sv=2012-02-12&", "sr=b", 6, "/acct/con/a"),
        ("sv=2013-08-15&", "sr=b", 11, "/acct/con/a"),
        ("sv=2015-02-21&", "sr=b", 11, "/blob/acct/con/a"),
        ("sv=2015-04-05&", "sr=b", 13, "/blob/acct/con/a"),
        ("sv=2018-11-09&", "sr=b", 15, "/blob/acct/con/a"),
        ("sv=2020-12-06&", "sr=b", 16, "/blob/acct/con/a"),
        ("sv=2099-01-01&", "sr=b", 16, "/blob/acct/con/a"),
        ("sv=2018-11-09&", &format!("sr=b&{KEY}"), 20, "/blob/acct/con/a"),
        ("sv=2020-02-10&", &format!("sr=b&{KEY}"), 23, "/blob/acct/con/a"),
        ("sv=2020-12-06&", &format!("sr=b&{KEY}"), 24, "/blob/acct/con/a"),
        ("sv=2025-07-05&", &format!("sr=b&{KEY}"), 26, "/blob/acct/con/a"),
        ("sv=2026-04-06&", &format!("sr=b&{KEY}"), 28, "/blob/acct/con/a"),
        ("sv=2026-04-06&", "sr=c", 16, "/blob/acct/con"),
        ("sv=2026-06-06&", "sr=d&sdd=0", 16, "/blob/acct/con"),
    ] {
        let text = signed(&format!("{version}{kind}&sp=r&se=2026-11-22"), "a");
        let found: Vec<&str> = text.split('\n').collect();
        assert_eq!((found.len(), found[3]), (lines, resource), "{version}{kind}");
    }
    for (version, lines) in [("2015-04-05", 10), ("2020-12-06", 11)] {
        let text = signed(&format!("sv={version}&ss=b&srt=o&sp=r&se=2026-11-22"), "a");
        assert_eq!(text.split('\n').count(), lines, "{version}");
    }
}

#[test]
fn a_directory_is_so_many_segments_of_a_name() {
    let query = |depth: usize| format!("sv=2026-06-06&sr=d&sdd={depth}&sp=r&se=2026-11-22");
    for (depth, name, resource) in [(1, "a/b/c", "con/a"), (2, "a/b/c", "con/a/b"), (0, "a", "con")] {
        let text = signed(&query(depth), name);
        assert_eq!(
            text.split('\n').nth(3),
            Some(format!("/blob/acct/{resource}").as_str()),
            "{depth} {name}"
        );
    }
    let refused = parse(&query(2)).string_to_sign(&blob("a/b", &[], &[]));
    assert_eq!(refused, Err(Fault::ResourceLevel), "the directory itself is not in it");
}

#[test]
fn a_signature_is_for_its_own_level() {
    let at = |place| Request { place, ..blob("a", &[], &[]) };
    for (query, place, is_for) in [
        ("sr=c", Place::Container("con"), true),
        ("sr=c", Place::Account, false),
        ("sr=b", Place::Container("con"), false),
        ("sr=b", Place::Account, false),
    ] {
        let sas = parse(&format!("sv=2026-04-06&{query}&sp=r&se=2026-11-22"));
        assert_eq!(sas.string_to_sign(&at(place)).is_ok(), is_for, "{query} {place:?}");
    }
}

#[test]
fn what_is_no_signature_is_told_so_in_azures_words() {
    let mandatory = |name: &str| format!("{name} is mandatory. Cannot be empty");
    let malformed = || "Signature fields not well formed.".to_owned();
    for (query, said) in [
        ("sv=2026-04-06&sp=r&se=2026-11-22", mandatory("sr")),
        ("sv=2026-04-06&sr=b&se=2026-11-22", mandatory("sp")),
        ("sv=2026-04-06&sr=b&sp=r", mandatory("se")),
        ("sv=2026-04-06&sr=b&sp=r&se=", mandatory("se")),
        ("ss=b&srt=o&sp=r&se=2026-11-22", mandatory("sv")),
        ("sv=2026-04-06&srt=o&sp=r&se=2026-11-22", mandatory("ss")),
        ("sv=2026-04-06&ss=b&sp=r&se=2026-11-22", mandatory("srt")),
        (&format!("{SERVICE}&st="), "st is optional but cannot be empty".to_owned()),
        (&format!("{SERVICE}&si="), "si is optional but cannot be empty".to_owned()),
        (&format!("{SERVICE}&st=yesterday"), malformed()),
        (&format!("{SERVICE}&spr=http"), malformed()),
        (&format!("{SERVICE}&sip=10.0.0.0/8"), malformed()),
        (&format!("{SERVICE}&sip=10.0.0.9-10.0.0.1"), malformed()),
        ("sv=2026-04-06&sr=b&sp=wr&se=2026-11-22", malformed()),
        ("sv=2026-04-06&sr=b&sp=rr&se=2026-11-22", malformed()),
        ("sv=2026-04-06&sr=b&sp=rz&se=2026-11-22", malformed()),
        ("sv=2014-02-14&sr=b&sp=rc&se=2026-11-22", malformed()),
        ("sv=2026-04-06&sr=x&sp=r&se=2026-11-22", malformed()),
        ("sv=2026-04-06&ss=bx&srt=o&sp=r&se=2026-11-22", malformed()),
        ("sv=2026-04-06&ss=b&srt=oo&sp=r&se=2026-11-22", malformed()),
        (
            "sv=2011-08-18&sr=b&sp=r&se=2026-11-22",
            "sv is either not in the correct format or is not equal or later than version 2012-02-12"
                .to_owned(),
        ),
        (
            "sv=2014-02-14&ss=b&srt=o&sp=r&se=2026-11-22",
            "sv is either not in the correct format or is not equal or later than version 2015-04-05"
                .to_owned(),
        ),
        (
            &format!("{SERVICE}&sp=rw"),
            "Signature fields not well formed. sp is given more than once.".to_owned(),
        ),
        (
            &format!("{SERVICE}&SP=rw"),
            "Signature fields not well formed. sp is given more than once.".to_owned(),
        ),
        (&format!("{SERVICE}&skoid=1"), mandatory("sktid")),
        (
            &format!("{SERVICE}&{KEY}&si=read"),
            "A stored access policy cannot be associated with a user delegation SAS".to_owned(),
        ),
        (
            &format!("sv=2017-11-09&sr=b&sp=r&se=2026-11-22&{KEY}"),
            "sv is either not in the correct format or is not equal or later than version 2018-11-09"
                .to_owned(),
        ),
    ] {
        assert_eq!(fault(query), said, "{query}");
    }
    for (signature, said) in
        [("sig=AAAA", "Signature size is invalid"), ("sig=%2A", &malformed()), ("sig=", &mandatory("sig"))]
    {
        let query = form_decode(&format!("{SERVICE}&{signature}")).expect("is UTF-8");
        let fault = Sas::parse(&query).err().unwrap_or_else(|| panic!("{signature} is well formed"));
        assert_eq!(fault.to_string(), said, "{signature}");
    }
}

#[test]
fn a_query_without_a_signature_shows_none() {
    let query = form_decode("sv=2026-04-06&sr=b&sp=r&sp=w").expect("is UTF-8");
    assert!(Sas::parse(&query).expect("is nothing").is_none());
}

#[test]
fn letters_come_in_any_order_for_accounts_and_in_theirs_for_services() {
    for letters in ["rwdl", "lr", "dwrlacupxytfi"] {
        assert!(try_parse(&ACCOUNT.replace("sp=r", &format!("sp={letters}"))).is_ok(), "{letters}");
    }
    // As the libraries for Python, JavaScript and .NET write all that they know.
    for letters in ["racwdxyltfmei", "racwdxltmeiyf", "racwdxyltfmeopi", "rl"] {
        assert!(try_parse(&SERVICE.replace("sp=r", &format!("sp={letters}"))).is_ok(), "{letters}");
    }
    for letters in ["lr", "dw", "wd l", "R"] {
        assert!(try_parse(&SERVICE.replace("sp=r", &format!("sp={letters}"))).is_err(), "{letters}");
    }
}

#[test]
fn a_signature_is_good_from_its_start_until_before_its_expiry() {
    let window = |query: &str, now: Timestamp| match parse(query).check_window(now) {
        Ok(()) => String::new(),
        Err(fault) => fault.to_string(),
    };
    let (service, account) = ("sv=2026-04-06&sr=b&sp=r", "sv=2026-04-06&ss=b&srt=o&sp=r");
    let second = Duration::from_secs(1);
    for (base, terms, now, said) in [
        (service, "st=2026-11-21T12:00Z&se=2026-11-21T13:00Z", NOON, ""),
        (
            service,
            "st=2026-11-21T12:00Z&se=2026-11-21T13:00Z",
            NOON.minus(second),
            "Signature not valid in the specified time frame: Start [Sat, 21 Nov 2026 12:00:00 GMT] - Expiry \
             [Sat, 21 Nov 2026 13:00:00 GMT] - Current [Sat, 21 Nov 2026 11:59:59 GMT]",
        ),
        (
            service,
            "se=2026-11-21T12:00:00Z",
            NOON,
            "Signed expiry time [Sat, 21 Nov 2026 12:00:00 GMT] must be after signed start time \
             [Sat, 21 Nov 2026 12:00:00 GMT]",
        ),
        (service, "se=2026-11-21T12:00:01Z", NOON, ""),
        (
            account,
            "se=2026-11-21T12:00:00Z",
            NOON,
            "Signed expiry time [Sat, 21 Nov 2026 12:00:00 GMT] has to be after signed start time \
             [Sat, 21 Nov 2026 12:00:00 GMT]",
        ),
        (
            account,
            "st=2026-11-20&se=2026-11-21",
            NOON,
            "Signature not valid in the specified time frame: Start [Fri, 20 Nov 2026 00:00:00 GMT] - Expiry \
             [Sat, 21 Nov 2026 00:00:00 GMT] - Current [Sat, 21 Nov 2026 12:00:00 GMT]",
        ),
        ("sv=2026-04-06&sr=c&si=read", "st=2026-11-22", NOON, "Start time is after the current time"),
        (
            "sr=b&sp=r",
            "st=2026-11-21T11:30:00Z&se=2026-11-21T12:30:01Z",
            NOON,
            "Access without signed identifier cannot have time window more than 1 hour: Start \
             [Sat, 21 Nov 2026 11:30:00 GMT] - Expiry [Sat, 21 Nov 2026 12:30:01 GMT]",
        ),
        ("sr=b&sp=r", "st=2026-11-21T11:30:00Z&se=2026-11-21T12:30:00Z", NOON, ""),
    ] {
        assert_eq!(window(&format!("{base}&{terms}"), now), said, "{base} {terms}");
    }
    let delegated = format!("sv=2026-04-06&sr=b&sp=r&se=2026-11-30&{KEY}");
    assert_eq!(window(&delegated, NOON), "");
    assert_eq!(
        window(&delegated, NOON.plus(Duration::from_secs(36 * 3600))),
        "Signature not valid in the specified key time frame: Key start [Sat, 21 Nov 2026 00:00:00 GMT] - Key expiry \
         [Mon, 23 Nov 2026 00:00:00 GMT] - Current [Mon, 23 Nov 2026 00:00:00 GMT]"
    );
}

#[test]
fn a_stored_policy_gives_what_is_missing_and_nothing_twice() {
    let read = Permissions::of_policy("r");
    let policy = Terms { start: None, expiry: Some(NOON), permissions: read };
    let bare = Terms::default();
    assert_eq!(bare.with(policy), Ok(policy));
    assert_eq!(bare.with(Terms { expiry: None, ..policy }), Err(Fault::NoExpiry));
    assert_eq!(bare.with(Terms { permissions: None, ..policy }), Err(Fault::NoPermission));
    assert_eq!(Terms { expiry: Some(NOON), ..bare }.with(policy), Err(Fault::GivenTwice));
    assert_eq!(Terms { permissions: read, ..bare }.with(policy), Err(Fault::GivenTwice));
    assert!(policy.check(NOON.minus(Duration::from_secs(1))).is_ok());
    assert!(matches!(policy.check(NOON), Err(Fault::ExpiryBeforeStart { has_to: true, .. })));
}

#[test]
fn addresses_are_one_or_from_one_to_another() {
    for (range, address, holds) in [
        ("168.1.5.65", "168.1.5.65", true),
        ("168.1.5.65", "168.1.5.66", false),
        ("168.1.5.60-168.1.5.70", "168.1.5.60", true),
        ("168.1.5.60-168.1.5.70", "168.1.5.70", true),
        ("168.1.5.60-168.1.5.70", "168.1.5.71", false),
        ("168.1.5.60-168.1.5.70", "::1", false),
        ("::1", "::1", true),
    ] {
        let range: AddressRange = range.parse().expect("a range");
        assert_eq!(range.holds(address.parse().expect("an address")), holds, "{range:?} {address}");
    }
}

#[test]
fn a_grant_reaches_no_further_than_its_place_and_its_letters() {
    let account = ResourceId::root().provider("Microsoft.Storage", "storageAccounts", "acct");
    let container = |name: &str| account.child("blobServices", "default").child("containers", name);
    let at = |container_name: &str, name: &str| container(container_name).child("blobs", name);
    let read = Demand { resource_types: "o", of_account: "r", of_service: "r" };
    let list = Demand { resource_types: "c", of_account: "l", of_service: "l" };
    let create = Demand { resource_types: "c", of_account: "cw", of_service: "" };
    let place = Place::Blob { container: "con", name: "a" };
    let grant = |query: &str| {
        let sas = parse(query);
        Grant::new(&sas, sas.terms, &account, place, None).expect("a grant")
    };
    let no = |mismatch| Err(mismatch);
    for (query, demand, on, outcome) in [
        ("sv=2026-04-06&sr=b&sp=r", read, at("con", "a"), Ok(())),
        ("sv=2026-04-06&sr=b&sp=r", read, at("con", "b"), no(Mismatch::Never)),
        ("sv=2026-04-06&sr=b&sp=r", read, at("con", "A"), no(Mismatch::Never)),
        ("sv=2026-04-06&sr=b&sp=wd", read, at("con", "a"), no(Mismatch::Permission)),
        ("sv=2026-04-06&sr=c&sp=r", read, at("con", "b"), Ok(())),
        ("sv=2026-04-06&sr=c&sp=r", read, at("other", "a"), no(Mismatch::Never)),
        ("sv=2026-04-06&sr=c&sp=l", list, container("con"), Ok(())),
        ("sv=2026-04-06&sr=c&sp=racwdl", create, container("con"), no(Mismatch::Never)),
        ("sv=2026-04-06&ss=b&srt=o&sp=r", read, at("other", "b"), Ok(())),
        ("sv=2026-04-06&ss=qtf&srt=o&sp=r", read, at("con", "a"), no(Mismatch::Service)),
        ("sv=2026-04-06&ss=b&srt=sc&sp=r", read, at("con", "a"), no(Mismatch::ResourceType)),
        ("sv=2026-04-06&ss=b&srt=sco&sp=l", read, at("con", "a"), no(Mismatch::Permission)),
        ("sv=2026-04-06&ss=b&srt=sco&sp=r", read, ResourceId::root(), no(Mismatch::Never)),
    ] {
        assert_eq!(
            grant(&format!("{query}&se=2026-11-22")).judge(Some(demand), &on),
            outcome,
            "{query} {on}"
        );
    }
    let all = grant("sv=2026-04-06&ss=b&srt=sco&sp=rwdlacupxytfi&se=2026-11-22");
    assert_eq!(all.judge(None, &account), no(Mismatch::Never), "what names no demand is for no signature");
}

#[test]
fn a_user_delegation_is_nothing_without_its_delegator() {
    let account = ResourceId::root().provider("Microsoft.Storage", "storageAccounts", "acct");
    let sas = parse(&format!("sv=2026-04-06&sr=b&sp=r&se=2026-11-22&{KEY}"));
    let place = Place::Blob { container: "con", name: "a" };
    assert!(Grant::new(&sas, sas.terms, &account, place, None).is_none());
    let id = ObjectId("09090909-0909-0909-0909-090909090909".parse().expect("a guid"));
    let tenant = TenantId(id.0);
    let principal = Principal { object_id: id, tenant, kind: PrincipalKind::User, app_id: None, name: None };
    let grant = Grant::new(&sas, sas.terms, &account, place, Some(principal)).expect("a grant");
    assert_eq!(grant.delegator().map(|it| it.object_id), Some(id));
}

#[test]
fn overrides_are_a_services_and_signed_since_2013() {
    let given = "rscc=no-store&rsct=text/plain";
    let count = |query: &str| parse(&format!("{query}&{given}")).overrides().count();
    assert_eq!(count(SERVICE), 2);
    assert_eq!(count(ACCOUNT), 0);
    assert_eq!(count("sv=2012-02-12&sr=b&sp=r&se=2026-11-22"), 0);
}
