//! A second cache tier that nodes share: what one has fetched the others need not, and one of them
//! fetches at a time.
//!
//! The tier is a help and no more. Every question to it has a deadline of its own, after a failure it
//! is left out for a moment, and without it every node does what it would do alone. What it holds is
//! bounded in size by whoever puts it in, and read back as carefully as an answer of an endpoint.

mod entry;
mod memory;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use corkboard_core::time::SharedClock;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until, timeout};

use crate::body::BodyLimits;
use crate::cache::{LASTING_MAX_AGE, is_lasting};
use crate::call::Answer;
use crate::request::Sharing;

pub use memory::MemoryTier;

/// Longest wait for one answer of the tier.
const TIER_TIME: Duration = Duration::from_millis(50);
/// So long it is left out after it did not answer.
const LEFT_OUT: Duration = Duration::from_secs(1);
/// Pauses between looks for what another node is fetching.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What an answer is kept under: 32 bytes that differ wherever workspaces, requests or ages differ.
pub type TierKey = [u8; 32];

/// The tier did not answer, or does not take part now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared response cache is not there")]
pub struct TierLost;

/// What there is for a key.
#[derive(Debug)]
pub enum TierLook {
    Value(Bytes),
    /// Nothing, and the caller is the one to bring it.
    Lease(Box<dyn TierLease>),
    /// Nothing yet: somebody else is bringing it.
    Leased,
}

/// A cache that several nodes share. Slow or wrong answers cost speed and nothing else.
#[async_trait]
pub trait ResponseTier: Send + Sync + fmt::Debug {
    /// The value of a key, or the right to bring it, which ends by itself after `lease`.
    async fn look(&self, key: &TierKey, lease: Duration) -> Result<TierLook, TierLost>;
}

/// The right to fill one key. Dropped, it ends by itself in the end.
#[async_trait]
pub trait TierLease: Send + Sync + fmt::Debug {
    /// Puts the value in for so long, unless the right has ended meanwhile.
    async fn fill(self: Box<Self>, value: Bytes, keep: Duration) -> Result<(), TierLost>;

    /// Gives the right back: there is nothing to keep.
    async fn release(self: Box<Self>) -> Result<(), TierLost>;
}

/// What came of asking the tier.
#[derive(Debug)]
pub(crate) enum Asked {
    Answer(Answer),
    /// The call is to be made, and its answer shared if there is a lease.
    Call(Option<Box<dyn TierLease>>),
}

/// The client's side of a tier, if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Tier {
    tier: Arc<dyn ResponseTier>,
    limits: BodyLimits,
    clock: SharedClock,
    left_out: Arc<Mutex<Option<Instant>>>,
}

impl Tier {
    pub(crate) fn new(tier: Arc<dyn ResponseTier>, limits: BodyLimits, clock: SharedClock) -> Self {
        Self {
            tier,
            limits,
            clock,
            left_out: Arc::default(),
        }
    }

    /// The answer that another node has, now or within `patience`; otherwise whether to share what
    /// the call brings.
    pub(crate) async fn ask(&self, sharing: Sharing, lease: Duration, patience: Duration) -> Asked {
        let key = tier_key(sharing);
        let end = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.bounded(self.tier.look(&key, lease)).await {
                Ok(TierLook::Value(value)) => {
                    let now = self.clock.now();
                    return match entry::read(&value, &self.limits, now) {
                        Some(answer) => Asked::Answer(answer),
                        None => Asked::Call(None),
                    };
                }
                Ok(TierLook::Lease(lease)) => return Asked::Call(Some(lease)),
                Ok(TierLook::Leased) if Instant::now() < end => {}
                Ok(TierLook::Leased) | Err(TierLost) => return Asked::Call(None),
            }
            sleep_until(end.min(Instant::now() + pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Shares an answer that lasts, and lets the others go on where there is none.
    pub(crate) async fn tell(&self, lease: Box<dyn TierLease>, sharing: Sharing, answer: &Answer) {
        let keep = match answer.status {
            _ if answer.is_success() => sharing.max_age,
            status if is_lasting(status) => LASTING_MAX_AGE,
            _ => Duration::ZERO,
        };
        let value = (!keep.is_zero()).then(|| entry::write(answer, self.clock.now()));
        let longest = self.limits.max_body + entry::HEAD;
        let told = match value.filter(|value| value.len() <= longest) {
            Some(value) => self.bounded(lease.fill(value, keep)).await,
            None => self.bounded(lease.release()).await,
        };
        // The lease ends by itself.
        let _ = told;
    }

    async fn bounded<T>(
        &self,
        answer: impl Future<Output = Result<T, TierLost>>,
    ) -> Result<T, TierLost> {
        let left_out = || self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if left_out().is_some_and(|until| Instant::now() < until) {
            return Err(TierLost);
        }
        let answer = timeout(TIER_TIME, answer).await.unwrap_or(Err(TierLost));
        *left_out() = answer.is_err().then(|| Instant::now() + LEFT_OUT);
        answer
    }
}

/// The age is a part of it, so that a template never gets what is older than it wants.
fn tier_key(sharing: Sharing) -> TierKey {
    let mut hash = Sha256::new();
    hash.update(sharing.key);
    hash.update(sharing.max_age.as_millis().to_le_bytes());
    hash.finalize().into()
}
