//! Tokens whose signature has been checked, until they expire: checking costs more than the read
//! that it is for.
//!
//! A token is known by the SHA-256 of all its characters, so that one that differs anywhere is
//! another one. It counts only as long as its app has the very keys that it was checked with, and
//! its times are looked at on every use. Bounded in bytes; tokens seen once make room for those
//! seen again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{Key, Memory, Weigh};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::claims::Times;
use super::known_app::KnownApp;
use super::token::VerifiedUser;

/// The parts of an entry that are no text.
const OWN_BYTES: usize = 160;
/// Longer than most tokens are good; those that are good for longer are checked once a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What a checked token says.
#[derive(Clone)]
pub(crate) struct Vouched(pub(super) Arc<Checked>);

impl Vouched {
    pub(crate) fn user(&self) -> &VerifiedUser {
        &self.0.user
    }
}

pub(super) struct Checked {
    pub(super) user: VerifiedUser,
    pub(super) times: Times,
    /// The app as it was then: replaced by another one when anything about it changes.
    pub(super) app: Arc<KnownApp>,
}

impl Weigh for Vouched {
    fn weight(&self) -> usize {
        OWN_BYTES + self.0.user.user.as_str().len()
    }
}

/// A token's fingerprint.
pub(super) fn fingerprint(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Checked tokens by fingerprint.
pub(super) struct Remembered {
    tokens: Memory<Vouched, ()>,
}

impl Remembered {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            tokens: Memory::new(bytes),
        }
    }

    pub(super) fn get(&self, fingerprint: &[u8; 32], now: Instant) -> Option<Vouched> {
        self.tokens.get_at(fingerprint, now)
    }

    pub(super) fn add(&self, fingerprint: &[u8; 32], checked: Checked, left: Duration) {
        let key = Key::from(fingerprint.as_slice());
        let vouched = Vouched(Arc::new(checked));
        self.tokens.insert(key, vouched, left.min(LONGEST));
    }

    pub(super) fn forget(&self, fingerprint: &[u8; 32]) {
        self.tokens.void(fingerprint);
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}
