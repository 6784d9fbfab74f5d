//! Pins: while a backup copies what a snapshot names, nothing it may need is removed.
//!
//! A body whose last record goes meanwhile is remembered, and removed when the last pin is. Should the process end
//! before, a sweep finds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Content, ContentId};

#[derive(Default)]
pub(super) struct Pins(Mutex<Pinned>);

#[derive(Default)]
struct Pinned {
    pins: usize,
    put_off: Vec<ContentId>,
}

impl Pins {
    /// Whether the removal of a body has to wait; then it is remembered.
    pub(super) fn put_off(&self, id: ContentId) -> bool {
        let mut pinned = self.lock();
        let is_pinned = pinned.pins > 0;
        if is_pinned {
            pinned.put_off.push(id);
        }
        is_pinned
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.lock().pins > 0
    }

    fn lock(&self) -> MutexGuard<'_, Pinned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps every body that is there.
pub(in crate::store) struct Pin(Arc<Pins>);

impl Content {
    pub(in crate::store) fn pin(&self) -> Pin {
        self.pins.lock().pins += 1;
        Pin(self.pins.clone())
    }

    /// Ends a pin, and removes what waited for it.
    pub(in crate::store) async fn unpin(&self, pin: Pin) {
        drop(pin);
        let waited = {
            let mut pinned = self.pins.lock();
            if pinned.pins > 0 { Vec::new() } else { std::mem::take(&mut pinned.put_off) }
        };
        for id in waited {
            // What stays behind, a sweep finds.
            let _ = self.remove(id).await;
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.lock().pins -= 1;
    }
}
