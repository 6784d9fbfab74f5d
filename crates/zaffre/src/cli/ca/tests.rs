//! Stores of machines that are made up: a root directory, a user's directory, and programs that do as the real ones are
//! documented to. This machine's own stores are read by nobody here.

use std::os::unix::fs::PermissionsExt as _;

use azure::time::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::front::ca::Authority;

/// Gathers anchors into what clients read: `$ROOT` and `$ANCHORS` are filled in.
const GATHER: &str = "#!/bin/sh\necho \"$@\" >> $ROOT/calls\ncat $ROOT/public.pem $ANCHORS/* > $ROOT/etc/ssl/certs/ca-certificates.crt 2>/dev/null\ntrue\n";
/// Keeps a certificate as a file in its store; `-L` fails where there is none.
const CERTUTIL: &str = r#"#!/bin/sh
verb=$1; store=${3#sql:}; shift 3
while [ $# -gt 0 ]; do case $1 in -n) name=$2;; -i) file=$2;; -t) trust=$2;; esac; shift 2; done
case $verb in
  -L) test -f "$store/$name" ;;
  -A) [ "$trust" = C,, ] && cp "$file" "$store/$name" ;;
  -D) rm "$store/$name" ;;
esac
"#;

struct Made {
    folder: TempDir,
    machine: Machine,
    certificate: Certificate,
}

impl Made {
    /// A system with this folder of anchors, and no browser.
    fn new(anchors: &str, program: &str) -> Made {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        let machine = Machine {
            root: root.clone(),
            home: Some(folder.path().join("home")),
            programs: vec![folder.path().join("bin")],
        };
        let made = folder.path().join("ca");
        let authority =
            Authority::open(&made, || Timestamp::from_seconds(1_795_302_174)).expect("an authority");
        let der = authority.certificate_der().expect("DER");
        let certificate =
            Certificate { path: authority.certificate_path(), pem: authority.certificate().to_owned(), der };
        for it in [anchors, "/etc/ssl/certs"] {
            fs::create_dir_all(machine.at(it)).expect("makes a folder");
        }
        fs::write(machine.at("/public.pem"), "public roots\n").expect("writes");
        fs::write(machine.at("/etc/ssl/certs/ca-certificates.crt"), "public roots\n").expect("writes");
        let it = Made { folder, machine, certificate };
        let text = GATHER.replace("$ROOT", &root.display().to_string());
        it.program(program, &text.replace("$ANCHORS", &it.machine.at(anchors).display().to_string()));
        it
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.machine.programs[0].join(name);
        fs::create_dir_all(&self.machine.programs[0]).expect("makes a folder");
        fs::write(&path, text).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("is ours");
    }

    fn browser(&self, place: &str) -> PathBuf {
        let store = self.machine.home.as_ref().expect("a home").join(place);
        fs::create_dir_all(&store).expect("makes a folder");
        fs::write(store.join("cert9.db"), "").expect("writes");
        store
    }

    /// What was said.
    fn change(&self, wish: Wish, dry_run: bool) -> String {
        let (plan, _) = planned(wish, None, &self.machine, &self.certificate);
        let mut said = String::new();
        done(&plan, dry_run, |line| {
            said += &format!("{line}\n");
            Ok(())
        })
        .expect("is done");
        said.replace(&self.folder.path().display().to_string(), "")
            .replace(&self.certificate.print(), "PRINT")
    }

    /// Every file below the root and the home, with what it holds; what was called is left out.
    fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut folders = vec![self.machine.root.clone(), self.folder.path().join("home")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("lists").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false if path.ends_with("calls") => {}
                    false => files.push((path.clone(), fs::read(&path).expect("reads"))),
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn each_systems_store_is_changed_in_its_own_way_and_is_afterwards_what_it_was() {
    for (anchors, extension, program, words) in [
        ("/etc/pki/ca-trust/source/anchors", "pem", "update-ca-trust", "extract"),
        ("/etc/pki/trust/anchors", "pem", "update-ca-certificates", "--fresh"),
        ("/etc/ca-certificates/trust-source/anchors", "crt", "trust", "extract-compat"),
        ("/usr/local/share/ca-certificates", "crt", "update-ca-certificates", "--fresh"),
    ] {
        let made = Made::new(anchors, program);
        let before = made.all();
        let none = "no browser of this user has a store of NSS\n";
        let (file, run) =
            (format!("/root{anchors}/zaffre-PRINT.{extension}"), format!("run /bin/{program} {words}\n"));
        assert_eq!(made.change(Wish::Trust, true), format!("{none}would write {file}\nwould {run}"));
        assert_eq!(made.all(), before, "a dry run of {program} changed something");
        assert_eq!(made.change(Wish::Trust, false), format!("{none}write {file}\n{run}"));
        assert!(system_trusts(&made.machine, &made.certificate));
        let after = made.all();
        assert_eq!(made.change(Wish::Trust, false), format!("{none}the system trusts it already\n"));
        assert_eq!(made.all(), after);
        assert_eq!(made.change(Wish::Untrust, false), format!("{none}remove {file}\n{run}"));
        assert_eq!(made.all(), before, "{program} was not undone");
        assert_eq!(made.change(Wish::Untrust, false), format!("{none}the system does not trust it\n"));
        assert_eq!(fs::read_to_string(made.machine.at("/calls")).expect("called").lines().count(), 2);
    }
}

#[test]
fn what_was_begun_is_ended_by_the_same_command() {
    let made = Made::new("/usr/local/share/ca-certificates", "update-ca-certificates");
    let anchor = made.machine.at("/usr/local/share/ca-certificates");
    let anchor = anchor.join(format!("zaffre-{}.crt", made.certificate.print()));
    fs::write(&anchor, &made.certificate.pem).expect("writes");
    assert!(made.change(Wish::Trust, false).contains("run /bin/update-ca-certificates --fresh"));
    fs::remove_file(&anchor).expect("removes");
    assert!(made.change(Wish::Untrust, false).contains("run /bin/update-ca-certificates --fresh"));
    assert!(!system_trusts(&made.machine, &made.certificate));
}

#[test]
fn the_stores_of_browsers_are_found_changed_and_left_as_they_were() {
    let made = Made::new("/usr/local/share/ca-certificates", "update-ca-certificates");
    let stores = [
        ".pki/nssdb",
        "snap/chromium/current/.pki/nssdb",
        ".mozilla/firefox/ab12.default release",
        "snap/firefox/common/.mozilla/firefox/cd34.default",
    ]
    .map(|it| made.browser(it));
    fs::create_dir_all(made.machine.home.as_ref().expect("a home").join(".mozilla/firefox/Crash Reports"))
        .expect("makes");
    let (plan, whole) = planned(Wish::Trust, Some(Which::Nss), &made.machine, &made.certificate);
    assert!(
        !whole
            && matches!(&plan[..], [Step::Cannot(why)] if why.contains("4 stores") && why.contains("libnss3-tools"))
    );

    made.program("certutil", CERTUTIL);
    let before = made.all();
    let said = made.change(Wish::Trust, false);
    assert_eq!(said.matches("run /bin/certutil -A ").count(), 4, "{said}");
    assert!(
        said.contains("-d 'sql:/home/.mozilla/firefox/ab12.default release' -t C,, -n 'Zaffre (PRINT)'"),
        "{said}"
    );
    for store in &stores {
        let kept = fs::read_to_string(store.join(format!("Zaffre ({})", made.certificate.print())))
            .expect("is kept");
        assert_eq!(kept, made.certificate.pem);
    }
    assert_eq!(made.change(Wish::Trust, false).matches("trusts it already").count(), 5);
    assert_eq!(made.change(Wish::Untrust, false).matches("run /bin/certutil -D ").count(), 4);
    assert_eq!(made.all(), before);
    assert_eq!(made.change(Wish::Untrust, false).matches("does not trust it").count(), 5);
}

#[test]
fn a_system_that_is_not_known_and_a_program_that_fails_are_said() {
    let made = Made::new("/usr/local/share/ca-certificates", "update-ca-certificates");
    made.program("update-ca-certificates", "#!/bin/sh\necho no room >&2\nexit 3\n");
    let (plan, _) = planned(Wish::Trust, Some(Which::System), &made.machine, &made.certificate);
    let error = done(&plan, false, |_| Ok(())).expect_err("fails").to_string();
    assert!(error.contains("update-ca-certificates") && error.contains("no room"), "{error}");

    fs::remove_dir_all(made.machine.at("/usr")).expect("removes");
    let (plan, whole) = planned(Wish::Trust, Some(Which::System), &made.machine, &made.certificate);
    assert!(
        !whole && matches!(&plan[..], [Step::Cannot(why)] if why.contains("ca-certificates")),
        "{plan:?}"
    );
}

#[test]
fn an_authority_says_whether_it_is_limited() {
    let made = Made::new("/usr/local/share/ca-certificates", "update-ca-certificates");
    assert!(made.certificate.is_constrained());
    let key = rcgen::KeyPair::generate().expect("a key");
    let any = rcgen::CertificateParams::default().self_signed(&key).expect("a certificate");
    let older = Certificate { der: any.der().to_vec(), ..made.certificate };
    assert!(!older.is_constrained());
}
