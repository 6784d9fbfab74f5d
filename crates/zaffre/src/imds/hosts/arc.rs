//! Azure Arc's challenge: whoever asks must show that it can read a file of this machine (imds.md §9.3).
//!
//! ```text
//! GET … ──► 401  WWW-Authenticate: Basic realm=/var/opt/azcmagent/tokens/{guid}.key
//! GET … Authorization: Basic {what the file holds} ──► 200
//! ```
//!
//! Clients take no other folder than that one, which is why nothing else is tried. The folder belongs to whoever runs the cloud,
//! and the files are readable by nobody else. A challenge is answered once, and its file goes with it; the oldest of a door's
//! open challenges goes when there are too many. Challenges live as long as the process.

use std::{
    collections::{HashMap, VecDeque},
    fs, io,
    path::PathBuf,
    sync::Mutex,
};

use azure::{error::Result, text};

use super::codes;
use crate::{
    front::{ca::write_whole, host_doors},
    keys,
    service::{Cx, Fault},
};

/// Of one door.
const OPEN: usize = 16;

/// The open challenges, by door.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<HashMap<String, VecDeque<Challenge>>>);

struct Challenge {
    hash: [u8; 32],
    file: PathBuf,
}

impl Drop for Challenge {
    fn drop(&mut self) {
        // Somebody may have cleared up before us.
        let _ = fs::remove_file(&self.file);
    }
}

impl Challenges {
    fn add(&self, door: &str, challenge: Challenge) {
        let mut all = self.0.lock().expect("no holder of this lock panics");
        let open = all.entry(door.to_owned()).or_default();
        open.push_back(challenge);
        if open.len() > OPEN {
            open.pop_front();
        }
    }

    /// Whether this answers one of the door's challenges, which it then no longer is.
    fn answers(&self, door: &str, secret: &str) -> bool {
        let hash = keys::sha256(secret.as_bytes());
        let mut all = self.0.lock().expect("no holder of this lock panics");
        let Some(open) = all.get_mut(door) else { return false };
        let at = open.iter().position(|it| keys::same(&it.hash, &hash));
        at.and_then(|at| open.remove(at)).is_some()
    }
}

/// Lets a request pass that answers a challenge; any other gets one.
pub(super) async fn admit(cx: &Cx, door: &str, authorization: Option<&str>) -> Result<()> {
    let shown = authorization.and_then(|it| it.strip_prefix("Basic "));
    match shown {
        Some(secret) if cx.env.metadata.challenges.answers(door, secret.trim()) => Ok(()),
        Some(_) | None => Err(codes::CHALLENGE.bare().and("realm", challenge(cx, door).await?)),
    }
}

/// Writes a challenge's file, and gives its path.
async fn challenge(cx: &Cx, door: &str) -> Result<String> {
    let mut draw = cx.draw();
    let (name, secret) = (draw.guid(), text::base64(draw.bytes::<48>()));
    let settings = cx.env.settings.clone();
    let hash = keys::sha256(secret.as_bytes());
    let written = tokio::task::spawn_blocking(move || -> io::Result<PathBuf> {
        let folder = host_doors::arc_tokens(&settings).map_err(|(_, error)| error)?;
        let file = folder.join(format!("{name}.key"));
        write_whole(&file, secret.as_bytes(), 0o600)?;
        Ok(file)
    });
    let written = written.await.map_err(|failed| Fault::Internal.because(failed))?;
    let file = written.map_err(|error| Fault::Unavailable.because(error))?;
    let shown = file.display().to_string();
    cx.env.metadata.challenges.add(door, Challenge { hash, file });
    Ok(shown)
}
