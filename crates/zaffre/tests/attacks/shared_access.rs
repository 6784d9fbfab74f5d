//! Shared access signatures: changed after they were signed, used elsewhere, too early or too late, or signed by
//! somebody who may not.
//!
//! Each parameter has one bit changed, in the first and in the last of its characters: what it says then is either no
//! signature at all or not what was signed, and Azure has one code for both.

use azure::text;

use super::{Attack, stage::Stage};
use crate::world::{Ask, Auth};

const REFUSED: (u16, &str) = (403, "AuthenticationFailed");
const NO_LETTER: (u16, &str) = (403, "AuthorizationPermissionMismatch");
const NEVER: (u16, &str) = (403, "AuthorizationFailure");
const TIMES: &str = "st=2026-11-21T00:00:00Z&se=2026-11-22T00:00:00Z";
const LABELS: &str = "rscc=no-store&rscd=inline&rsce=identity&rscl=de&rsct=text/plain";

pub(super) fn attacks(stage: &Stage) -> Vec<Attack> {
    let mut all = bent(stage);
    all.extend(elsewhere(stage));
    all.extend(strange(stage));
    all.extend(delegated(stage));
    all
}

/// A request whose only credential is in its query.
fn signed(stage: &Stage, method: &str, path: &str, sas: &str) -> Ask {
    let mark = if path.contains('?') { '&' } else { '?' };
    stage.world.blob(method, &format!("{path}{mark}{sas}")).by(Auth::None).with("x-ms-blob-type", "BlockBlob")
}

fn bent(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let ways = format!("{TIMES}&sip=127.0.0.1&spr=https,http");
    let of_account = world.sas(&format!("sv=2026-04-06&ss=b&srt=sco&sp=rl&{ways}"), "/");
    let of_blob = world.sas(&format!("sv=2026-04-06&sr=b&sp=r&{ways}&{LABELS}"), "/con/a.txt");
    let of_container = world.sas(&format!("sv=2026-04-06&sr=c&sp=rl&{ways}&{LABELS}"), "/con");
    let of_user =
        stage.contributor_key.sas(&format!("sv=2026-04-06&sr=b&sp=r&{ways}&{LABELS}"), "/con/a.txt");
    let mut all = Vec::new();
    for (kind, sas) in [
        ("an account's", of_account),
        ("a blob's", of_blob),
        ("a container's", of_container),
        ("a user delegation's", of_user),
    ] {
        for (name, changed) in one_bit_changed(&sas) {
            let ask = signed(stage, "GET", "/con/a.txt", &changed);
            all.push(Attack::new(stage, format!("{kind} signature, changed: {name}"), &ask, REFUSED));
        }
        for (name, _) in pairs(&sas).filter(|(name, _)| *name != "sig") {
            let ask = signed(stage, "GET", "/con/a.txt", &without(&sas, name));
            let title = format!("{kind} signature without {name}");
            all.push(Attack::new(stage, title, &ask, REFUSED));
            let twice = format!("{sas}&{name}=r");
            let ask = signed(stage, "GET", "/con/a.txt", &twice);
            all.push(Attack::new(stage, format!("{kind} signature with {name} twice"), &ask, REFUSED));
        }
        let unsigned = sas.split("&sig=").next().unwrap_or_default();
        for (what, rest) in [("empty", "&sig="), ("short", "&sig=AAAA"), ("no base64", "&sig=%2A%2A%2A%2A")] {
            let ask = signed(stage, "GET", "/con/a.txt", &format!("{unsigned}{rest}"));
            all.push(Attack::new(stage, format!("{kind} signature that is {what}"), &ask, REFUSED));
        }
    }
    all
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}

fn without(query: &str, name: &str) -> String {
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
    kept.join("&")
}

/// Every parameter's first and last character with its lowest bit changed; of the signature's bytes, the first and the
/// last.
fn one_bit_changed(query: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in pairs(query) {
        let decoded = text::percent_decode(value).expect("text");
        for end in ["first", "last"] {
            let mut bytes = match name {
                "sig" => text::base64_decode(&decoded).expect("base64"),
                _ => decoded.clone().into_bytes(),
            };
            let at = if end == "first" { 0 } else { bytes.len() - 1 };
            bytes[at] ^= 1;
            let changed = match name {
                "sig" => text::base64(bytes),
                _ => String::from_utf8(bytes).expect("text"),
            };
            let pair = format!("{name}={}", text::percent_encode(&changed));
            let bent = query.replacen(&format!("{name}={value}"), &pair, 1);
            all.push((format!("{name}, {end}"), bent));
            // Of one character, the first is the last.
            if decoded.len() == 1 {
                break;
            }
        }
    }
    all
}

fn elsewhere(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let (blob, container) = ("sv=2026-04-06&sr=b", "sv=2026-04-06&sr=c");
    let account = "sv=2026-04-06&ss=b&srt=sco";
    let tomorrow = "se=2026-11-22T23:00:00Z";
    let all_letters = "sp=racwdl";
    let list = "/con?restype=container&comp=list";
    let acl = "/con?restype=container&comp=acl";
    let row = |name: &str, terms: String, path: &str, method: &str, target: &str, refused: (u16, &str)| {
        let ask = signed(stage, method, target, &world.sas(&terms, path));
        Attack::new(stage, name, &ask, refused)
    };
    vec![
        row(
            "a blob's signature at another blob",
            format!("{blob}&sp=r&{tomorrow}"),
            "/con/a.txt",
            "GET",
            "/con/b.txt",
            REFUSED,
        ),
        row(
            "a blob's signature at its name's other case",
            format!("{blob}&sp=r&{tomorrow}"),
            "/con/a.txt",
            "GET",
            "/con/A.txt",
            REFUSED,
        ),
        row(
            "a blob's signature at its container's list",
            format!("{blob}&sp=r&{tomorrow}"),
            "/con/a.txt",
            "GET",
            list,
            REFUSED,
        ),
        row(
            "a blob's signature below the blob",
            format!("{blob}&sp=r&{tomorrow}"),
            "/con/a.txt",
            "GET",
            "/con/a.txt/b",
            REFUSED,
        ),
        row(
            "a container's signature at another container",
            format!("{container}&sp=r&{tomorrow}"),
            "/con",
            "GET",
            "/com/a.txt",
            REFUSED,
        ),
        row(
            "a container's signature at a container that begins like it",
            format!("{container}&sp=r&{tomorrow}"),
            "/con",
            "GET",
            "/con2/a.txt",
            REFUSED,
        ),
        row(
            "a container's signature at the account",
            format!("{container}&sp=rl&{tomorrow}"),
            "/con",
            "GET",
            "/?comp=list",
            REFUSED,
        ),
        row(
            "a container's signature at its policies",
            format!("{container}&{all_letters}&{tomorrow}"),
            "/con",
            "PUT",
            acl,
            NEVER,
        ),
        row(
            "a container's signature at its deletion",
            format!("{container}&{all_letters}&{tomorrow}"),
            "/con",
            "DELETE",
            "/con?restype=container",
            NEVER,
        ),
        row(
            "an account's signature at a container's policies",
            format!("{account}&{all_letters}&{tomorrow}"),
            "/",
            "GET",
            acl,
            NEVER,
        ),
        row(
            "a reader's signature at a write",
            format!("{blob}&sp=r&{tomorrow}"),
            "/con/a.txt",
            "PUT",
            "/con/a.txt",
            NO_LETTER,
        ),
        row(
            "a reader's signature at a deletion",
            format!("{account}&sp=rl&{tomorrow}"),
            "/",
            "DELETE",
            "/con/a.txt",
            NO_LETTER,
        ),
        row(
            "a creator's signature at a blob that is there",
            format!("{container}&sp=c&{tomorrow}"),
            "/con",
            "PUT",
            "/con/a.txt",
            (403, "UnauthorizedBlobOverwrite"),
        ),
        row(
            "a signature for other services",
            format!("sv=2026-04-06&ss=qtf&srt=sco&sp=r&{tomorrow}"),
            "/",
            "GET",
            "/con/a.txt",
            (403, "AuthorizationServiceMismatch"),
        ),
        row(
            "a signature for other types of resources",
            format!("sv=2026-04-06&ss=b&srt=sc&sp=r&{tomorrow}"),
            "/",
            "GET",
            "/con/a.txt",
            (403, "AuthorizationResourceTypeMismatch"),
        ),
        row(
            "a signature that has expired",
            format!("{blob}&sp=r&se=2026-11-21T23:02:54Z"),
            "/con/a.txt",
            "GET",
            "/con/a.txt",
            REFUSED,
        ),
        row(
            "an account's signature that has expired",
            format!("{account}&sp=r&st=2026-11-20&se=2026-11-21"),
            "/",
            "GET",
            "/con/a.txt",
            REFUSED,
        ),
        row(
            "a signature that has not begun",
            format!("{blob}&sp=r&st=2026-11-22&se=2026-11-23"),
            "/con/a.txt",
            "GET",
            "/con/a.txt",
            REFUSED,
        ),
        row(
            "a signature for another address",
            format!("{blob}&sp=r&sip=168.1.5.65&{tomorrow}"),
            "/con/a.txt",
            "GET",
            "/con/a.txt",
            (403, "AuthorizationSourceIPMismatch"),
        ),
        row(
            "a signature by a policy that is not there",
            format!("{container}&si=read"),
            "/con",
            "GET",
            "/con/a.txt",
            REFUSED,
        ),
        row(
            "a signature without sv for a day",
            format!("sr=b&sp=r&{tomorrow}"),
            "/con/a.txt",
            "GET",
            "/con/a.txt",
            REFUSED,
        ),
    ]
}

fn strange(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let terms = "sv=2026-04-06&sr=b&sp=r&se=2026-11-22T23:00:00Z";
    let well_known = match world.drop_in_blob("GET", "").auth {
        Auth::SharedKey { key, .. } => key,
        other => panic!("{other:?} is no key"),
    };
    let by = |account: &str, key: &str| world.sas_by(account, key, terms, "/con/a.txt");
    let good = world.sas(terms, "/con/a.txt");
    let row = |name: &str, ask: Ask, refused| Attack::new(stage, name, &ask, refused);
    let at_drop_in = |sas: &str| world.drop_in_blob("GET", &format!("/con/a.txt?{sas}")).by(Auth::None);
    vec![
        row(
            "a strange key's",
            signed(stage, "GET", "/con/a.txt", &by("acct", &text::base64([7; 64]))),
            REFUSED,
        ),
        row(
            "the well-known key's at another account",
            signed(stage, "GET", "/con/a.txt", &by("acct", &well_known)),
            REFUSED,
        ),
        row(
            "the well-known account's at another",
            signed(stage, "GET", "/con/a.txt", &by("devstoreaccount1", &well_known)),
            REFUSED,
        ),
        row("another account's at the well-known one", at_drop_in(&good), REFUSED),
        row(
            "for https alone, over http",
            at_drop_in(&world.sas_by(
                "devstoreaccount1",
                &well_known,
                &format!("{terms}&spr=https"),
                "/con/a.txt",
            )),
            (403, "AuthorizationProtocolMismatch"),
        ),
        row(
            "beside a token",
            stage.world.blob("GET", &format!("/con/a.txt?{good}")),
            (400, "InvalidAuthenticationInfo"),
        ),
        row(
            "in a query of one's own making",
            signed(stage, "GET", "/con/a.txt", terms),
            (401, "NoAuthenticationInformation"),
        ),
    ]
}

fn delegated(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let terms = "sv=2026-04-06&sr=b&sp=rw&se=2026-11-22T00:00:00Z";
    let (former, contributor) = (&stage.former_key, &stage.contributor_key);
    let row = |name: &str, method: &str, sas: String, refused| {
        Attack::new(stage, name, &signed(stage, method, "/con/a.txt", &sas), refused)
    };
    // A contributor manages accounts, may even have keys, and reads no data.
    let swapped = contributor.sas(terms, "/con/a.txt");
    let swapped = swapped.replacen(&contributor.object_id, &stage.reader.principal, 1);
    vec![
        row("delegated by somebody who lost the role", "GET", former.sas(terms, "/con/a.txt"), NO_LETTER),
        row(
            "delegated by somebody who lost the role, a write",
            "PUT",
            former.sas(terms, "/con/a.txt"),
            NO_LETTER,
        ),
        row(
            "delegated by somebody who never read data",
            "GET",
            contributor.sas(terms, "/con/a.txt"),
            NO_LETTER,
        ),
        row("delegated in another's name", "GET", swapped, REFUSED),
        row(
            "delegated with the account's key",
            "GET",
            world.sas(&format!("{terms}&{}", former.fields), "/con/a.txt"),
            REFUSED,
        ),
        row("delegated, at another blob", "GET", former.sas(terms, "/con/b.txt"), REFUSED),
        row(
            "delegated, before its time",
            "GET",
            former
                .sas(&terms.replace("se=2026-11-22", "st=2026-11-22T23:00:00Z&se=2026-11-29"), "/con/a.txt"),
            REFUSED,
        ),
        row(
            "delegated, with a stored policy",
            "GET",
            format!("{}&si=read", former.sas(terms, "/con/a.txt")),
            REFUSED,
        ),
    ]
}
