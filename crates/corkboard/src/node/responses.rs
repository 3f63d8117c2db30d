//! Connected content's responses in the Redis that nodes share: the fetch room's trait in the words
//! of the cache room.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use corkboard_cache::{CallError, Ears, Key, Looked, Redis, Token};
use corkboard_fetch::ResponseTier;
use corkboard_fetch::tier::{TierKey, TierLease, TierLook, TierLost};

/// What the keys are about.
pub(super) const AREA: &str = "fetch";

/// Nothing is kept outside of Redis, so there is nothing to be told of.
#[derive(Debug)]
struct Deaf;

impl Ears for Deaf {
    fn voided(&self, _: &[Key], _: bool) {}
    fn told(&self, _: &[u8]) {}
    fn missed(&self) {}
}

/// Responses under leases.
#[derive(Debug)]
pub(super) struct Responses(pub(super) Redis);

#[derive(Debug)]
struct Lease {
    redis: Redis,
    token: Token,
}

#[async_trait]
impl ResponseTier for Responses {
    async fn look(&self, key: &TierKey, lease: Duration) -> Result<TierLook, TierLost> {
        let key = Key::from(key.as_slice());
        if !self.0.admits(&key) {
            return Err(TierLost);
        }
        match self.0.look(&key, lease).await {
            Ok(Looked::Value(bytes)) => Ok(TierLook::Value(Bytes::from(bytes))),
            Ok(Looked::Leased) => Ok(TierLook::Leased),
            Ok(Looked::Lease(token)) => Ok(TierLook::Lease(Box::new(Lease {
                redis: self.0.clone(),
                token,
            }))),
            Err(error) => Err(lost(&error)),
        }
    }
}

#[async_trait]
impl TierLease for Lease {
    async fn fill(self: Box<Self>, value: Bytes, keep: Duration) -> Result<(), TierLost> {
        let filled = self.redis.fill(&self.token, &value, keep).await;
        filled.map(|_| ()).map_err(|error| lost(&error))
    }

    async fn release(self: Box<Self>) -> Result<(), TierLost> {
        self.redis.release(&self.token).await;
        Ok(())
    }
}

fn lost(error: &CallError) -> TierLost {
    tracing::debug!(%error, "responses are not shared");
    TierLost
}

/// For whoever hears of nothing.
pub(super) fn deaf() -> Arc<dyn Ears> {
    Arc::new(Deaf)
}
