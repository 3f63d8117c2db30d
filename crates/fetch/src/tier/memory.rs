//! A tier in this process's memory: several clients behave as several nodes would.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::{ResponseTier, TierKey, TierLease, TierLook, TierLost};

/// Keys kept; beyond, none is leased, and nodes fetch for themselves.
const MOST_KEYS: usize = 10_000;

#[derive(Debug)]
enum Slot {
    Leased { number: u64, until: Instant },
    Filled { value: Bytes, until: Instant },
}

impl Slot {
    fn until(&self) -> Instant {
        match self {
            Self::Leased { until, .. } | Self::Filled { until, .. } => *until,
        }
    }
}

#[derive(Debug, Default)]
struct Slots {
    by_key: HashMap<TierKey, Slot>,
    leases: u64,
}

/// Values and leases by key. Clones are the same tier.
#[derive(Debug, Clone, Default)]
pub struct MemoryTier {
    slots: Arc<Mutex<Slots>>,
}

impl MemoryTier {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ResponseTier for MemoryTier {
    async fn look(&self, key: &TierKey, lease: Duration) -> Result<TierLook, TierLost> {
        let (mut slots, now) = (self.slots(), Instant::now());
        match slots.by_key.get(key) {
            Some(Slot::Filled { value, until }) if now < *until => {
                return Ok(TierLook::Value(value.clone()));
            }
            Some(Slot::Leased { until, .. }) if now < *until => return Ok(TierLook::Leased),
            Some(_) | None => {}
        }
        if slots.by_key.len() >= MOST_KEYS {
            slots.by_key.retain(|_, slot| now < slot.until());
        }
        if slots.by_key.len() >= MOST_KEYS {
            return Err(TierLost);
        }
        slots.leases += 1;
        let (number, until) = (slots.leases, now + lease);
        slots.by_key.insert(*key, Slot::Leased { number, until });
        Ok(TierLook::Lease(Box::new(Lease {
            tier: self.clone(),
            key: *key,
            number,
        })))
    }
}

#[derive(Debug)]
struct Lease {
    tier: MemoryTier,
    key: TierKey,
    number: u64,
}

impl Lease {
    fn end(&self, value: Option<(Bytes, Duration)>) {
        let mut slots = self.tier.slots();
        let mine = slots.by_key.get(&self.key);
        if !matches!(mine, Some(Slot::Leased { number, .. }) if *number == self.number) {
            return;
        }
        match value {
            None => drop(slots.by_key.remove(&self.key)),
            Some((value, keep)) => {
                let until = Instant::now() + keep;
                slots.by_key.insert(self.key, Slot::Filled { value, until });
            }
        }
    }
}

#[async_trait]
impl TierLease for Lease {
    async fn fill(self: Box<Self>, value: Bytes, keep: Duration) -> Result<(), TierLost> {
        self.end(Some((value, keep)));
        Ok(())
    }

    async fn release(self: Box<Self>) -> Result<(), TierLost> {
        self.end(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const BRIEF: Duration = Duration::from_secs(1);

    async fn lease(tier: &MemoryTier, key: u8) -> Box<dyn TierLease> {
        match tier.look(&[key; 32], BRIEF).await {
            Ok(TierLook::Lease(lease)) => lease,
            other => panic!("no lease but {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_brings_it_and_the_others_wait_or_find_it() {
        let tier = MemoryTier::default();
        let first = lease(&tier, 1).await;
        let second = tier.look(&[1; 32], BRIEF).await;
        assert!(matches!(second, Ok(TierLook::Leased)));
        first.fill(Bytes::from_static(b"x"), LONG).await.unwrap();
        let found = tier.look(&[1; 32], BRIEF).await;
        assert!(matches!(found, Ok(TierLook::Value(value)) if &value[..] == b"x"));
        tokio::time::advance(LONG).await;
        lease(&tier, 1).await.release().await.unwrap();
        // Given back, it is free at once.
        let _ = lease(&tier, 1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_has_ended_fills_nothing() {
        let tier = MemoryTier::default();
        let slow = lease(&tier, 1).await;
        tokio::time::advance(BRIEF).await;
        let next = lease(&tier, 1).await;
        slow.fill(Bytes::from_static(b"old"), LONG).await.unwrap();
        let found = tier.look(&[1; 32], BRIEF).await;
        assert!(matches!(found, Ok(TierLook::Leased)));
        next.fill(Bytes::from_static(b"new"), LONG).await.unwrap();
    }
}
