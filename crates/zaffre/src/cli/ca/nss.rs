//! NSS's stores, which Firefox and, on Linux, Chromium and Chrome read in place of the system's: one for the user, one for each
//! profile of Firefox, and others where Snap and Flatpak keep them.
//!
//! `certutil` of NSS's own tools changes them; browsers see it when they are started the next time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Certificate, Machine, Wish, steps::Step};

/// Below the user's directory; `*` stands for every folder.
static PLACES: &[&str] = &[
    ".pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
    ".mozilla/firefox/*",
    ".config/mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
];
/// What a store of today's form has.
const STORE: &str = "cert9.db";

fn stores(machine: &Machine) -> Vec<PathBuf> {
    let Some(home) = &machine.home else { return Vec::new() };
    let found = PLACES.iter().flat_map(|place| match place.strip_suffix("/*") {
        Some(above) => folders(&home.join(above)),
        None => vec![home.join(place)],
    });
    found.filter(|folder| folder.join(STORE).is_file()).collect()
}

fn folders(above: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(above).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
    folders.sort();
    folders
}

pub(super) fn steps(wish: Wish, machine: &Machine, certificate: &Certificate) -> Vec<Step> {
    let stores = stores(machine);
    if stores.is_empty() {
        return vec![Step::Already("no browser of this user has a store of NSS".to_owned())];
    }
    let Some(certutil) = machine.program("certutil") else {
        return vec![Step::Cannot(format!(
            "{} stores of browsers need `certutil`: the package is libnss3-tools, nss-tools or mozilla-nss-tools",
            stores.len()
        ))];
    };
    stores.iter().map(|store| step(wish, &certutil, store, certificate)).collect()
}

fn step(wish: Wish, certutil: &Path, store: &Path, certificate: &Certificate) -> Step {
    let (place, name) = (format!("sql:{}", store.display()), format!("Zaffre ({})", certificate.print()));
    let words = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
    let run = |all: &[&str]| Step::Run(certutil.to_owned(), words(all));
    match (wish, holds(certutil, &place, &name)) {
        (Wish::Trust, true) => Step::Already(format!("{} trusts it already", store.display())),
        (Wish::Untrust, false) => Step::Already(format!("{} does not trust it", store.display())),
        (Wish::Trust, false) => {
            let file = certificate.path.display().to_string();
            run(&["-A", "-d", &place, "-t", "C,,", "-n", &name, "-i", &file])
        }
        (Wish::Untrust, true) => run(&["-D", "-d", &place, "-n", &name]),
    }
}

fn holds(certutil: &Path, place: &str, name: &str) -> bool {
    let asked = Command::new(certutil)
        .args(["-L", "-d", place, "-n", name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|it| it.success())
}
