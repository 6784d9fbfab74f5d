//! `cargo xtask image`: the container image, made without a container engine.
//!
//! ```text
//! cargo rustc ─▶ {target}/image/release/zaffre      the same program, linked statically
//!                      └─▶ {target}/image/zaffre.tar   `docker load -i`, `podman load -i`, `skopeo copy oci-archive:`
//! ```
//!
//! Only the last crate, a few lines, is compiled with another flag: whether the C library is static is decided when a program is linked, so
//! everything below it is what the ordinary build made. Its folder of products is another one, so that the ordinary program stays.
//!
//! `cargo xtask image -- COMMAND` runs a command afterwards that finds the archive by `ZAFFRE_IMAGE`: the tests.

mod oci;
mod tar;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::oci::Image;
use crate::place;
use crate::test::{self, Count};

/// Of no registry: nobody can have put another image there under this name.
const NAME: &str = concat!("localhost/zaffre:", env!("CARGO_PKG_VERSION"));

pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let (words, then) = match words.iter().position(|word| word == "--") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (words, &[][..]),
    };
    let (mut out, mut profile) = (place::target()?.join("image").join("zaffre.tar"), "release");
    for pair in words.chunks(2) {
        match pair {
            [flag, path] if flag == "--out" => out = PathBuf::from(path),
            [flag, name] if flag == "--profile" => profile = name,
            _ => return Err("expected [--out FILE] [--profile NAME] [-- COMMAND...]".to_owned()),
        }
    }
    let program = build(profile)?;
    let bytes = write(&program, &out)?;
    let shown = place::as_typed(&out);
    println!("{} ({} MiB): `docker load -i {}` gives {NAME}", shown.display(), bytes >> 20, shown.display());
    if then.is_empty() { Ok(()) } else { follow(then, &out) }
}

/// Links the program statically, and gives where it is.
fn build(profile: &str) -> Result<PathBuf, String> {
    let folder = if profile == "dev" { "debug" } else { profile };
    let (target, own) = (place::target()?, place::target()?.join("image"));
    let status = Command::new(place::cargo())
        .current_dir(place::root())
        .args(["rustc", "--profile", profile, "--locked", "--package", "zaffre", "--bin", "zaffre"])
        .arg("--target-dir")
        .arg(&own)
        .args(["--", "-C", "target-feature=+crt-static"])
        // What is compiled lies with the rest, what is linked beside it.
        .env("CARGO_BUILD_BUILD_DIR", &target)
        .status()
        .map_err(|why| format!("cannot start cargo: {why}"))?;
    if status.success() {
        Ok(own.join(folder).join("zaffre"))
    } else {
        Err("the program does not build".to_owned())
    }
}

/// Writes the archive whole or not at all, and gives its size.
fn write(program: &Path, out: &Path) -> Result<usize, String> {
    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |why: std::io::Error| format!("`{path}`: {why}")
    };
    let program = fs::read(program).map_err(cannot(program))?;
    let image = Image { program: &program, architecture: architecture()?, name: NAME };
    let archive = image.archive(sha256)?;
    let partial = out.with_extension("partial");
    fs::write(&partial, &archive).map_err(cannot(&partial))?;
    fs::rename(&partial, out).map_err(cannot(out))?;
    Ok(archive.len())
}

/// This machine's, which is what was built for.
fn architecture() -> Result<&'static str, String> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => Err(format!("nobody has said yet what an image calls `{other}`")),
    }
}

/// By the system's own program: this crate has no dependencies.
fn sha256(bytes: &[u8]) -> Result<String, String> {
    let cannot = |why: std::io::Error| format!("cannot run `sha256sum`: {why}");
    let mut child =
        Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
    child.stdin.take().expect("its input was asked for").write_all(bytes).map_err(cannot)?;
    let said = child.wait_with_output().map_err(cannot)?.stdout;
    let said = String::from_utf8_lossy(&said);
    let digest = said.split_whitespace().next().unwrap_or_default();
    match digest.len() == 64 && digest.bytes().all(|it| it.is_ascii_hexdigit()) {
        true => Ok(digest.to_owned()),
        false => Err(format!("`sha256sum` said `{}`", said.trim())),
    }
}

fn follow(then: &[String], image: &Path) -> Result<(), String> {
    let image = std::path::absolute(image).map_err(|why| why.to_string())?;
    let words: Vec<&str> = then.iter().map(String::as_str).collect();
    let (is_good, Count { failed, .. }) = test::run_with(&words, &[("ZAFFRE_IMAGE", &image)])?;
    if is_good && failed == 0 { Ok(()) } else { Err("not good, see above".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of NIST's examples.
    #[test]
    fn digests_are_sha_256() {
        let digest = sha256(b"abc").expect("a digest");
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
