//! What answers those who would install packages: that there are none to be had, and what to do.
//!
//! What scripts ask before they install is answered where it is known: of what architecture the machine is.

use std::ffi::OsString;
use std::io::Write;

/// As apt-get ends when it cannot.
const FAILED: i32 = 100;

pub(super) fn main(name: &str, arguments: &[OsString]) -> i32 {
    let is_asked = |word: &str| arguments.iter().any(|it| it == word);
    if name == "dpkg" && is_asked("--print-architecture") {
        return say(std::io::stdout(), &format!("{}\n", architecture()), 0);
    }
    let text = format!(
        "{name}: this machine has the programs of the host that runs it, and cannot install others.\n\
         Install what it needs on the host; or start the cloud with --rootfs DIRECTORY (or an archive), a system\n\
         of your own for its machines, in which packages can be installed.\n"
    );
    say(std::io::stderr(), &text, FAILED)
}

/// As Debian names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn say(mut to: impl Write, text: &str, code: i32) -> i32 {
    // Who closed the pipe reads nothing.
    let _ = to.write_all(text.as_bytes());
    code
}
