//! Apps and their keys, remembered for a few seconds and read by one request for all.
//!
//! Every request needs them, so in a spike thousands find at the same moment that it is time to read them
//! again. One does, while the others go on with what is known; when nothing is known, they wait for it. A
//! reader whose client hangs up leaves the reading to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corkboard_cache::{Awaited, Reading};
use corkboard_core::id::AppId;
use corkboard_store::StoreError;
use tokio::time::{Instant, timeout};

/// How long an app's keys are remembered.
pub(super) const LIFETIME: Duration = Duration::from_secs(5);
/// After so long one request reads them again, while others go on with what is remembered.
const RENEWED_AFTER: Duration = Duration::from_secs(4);
/// Apps remembered at a time. When full, all are forgotten: they come back with the next request.
const MAX_APPS: usize = 1_024;
/// Longest wait for another request's reading.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of apps; `None` for an id that no app has.
#[derive(Debug)]
pub(super) struct Apps<T> {
    entries: Mutex<HashMap<AppId, Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    reading: Arc<Reading>,
    known: Option<Known<T>>,
}

#[derive(Debug)]
struct Known<T> {
    at: Instant,
    app: Option<T>,
}

impl<T> Default for Apps<T> {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
        }
    }
}

impl<T: Clone> Apps<T> {
    /// An app that was read lately. Nothing when it is time to read it again, so that somebody does.
    pub(super) fn at_hand(&self, id: AppId, now: Instant) -> Option<T> {
        let entries = self.entries();
        let entry = entries.get(&id)?;
        let known = entry.known.as_ref()?;
        let age = now.duration_since(known.at);
        let goes_on = age < RENEWED_AFTER || (age < LIFETIME && entry.reading.is_held());
        goes_on.then(|| known.app.clone()).flatten()
    }

    /// The app, as it was less than [`LIFETIME`] ago. `read` is given what was known before.
    pub(super) async fn get(
        &self,
        id: AppId,
        read: impl AsyncFnOnce(Option<T>) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let (reading, known) = self.look(id);
        match known {
            Some((age, app)) if age < RENEWED_AFTER => Ok(app),
            Some((age, app)) if age < LIFETIME => {
                let Some(_reader) = reading.begin() else {
                    return Ok(app);
                };
                match self.read(id, app.clone(), read).await {
                    // It is known for a moment more, in which the next tries.
                    Err(_) => Ok(app),
                    read => read,
                }
            }
            _ => self.wait_or_read(id, &reading, read).await,
        }
    }

    async fn wait_or_read(
        &self,
        id: AppId,
        reading: &Reading,
        read: impl AsyncFnOnce(Option<T>) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let good = || self.look(id).1.filter(|(age, _)| *age < LIFETIME);
        match timeout(PATIENCE, reading.wait(good)).await {
            Ok(Awaited::Known((_, app))) => Ok(app),
            Ok(Awaited::Reads(_reader)) => {
                let known = self.look(id).1.and_then(|(_, app)| app);
                self.read(id, known, read).await
            }
            Err(_) => Err(StoreError::Overloaded),
        }
    }

    /// Who reads it, and what is known, with its age.
    fn look(&self, id: AppId) -> (Arc<Reading>, Option<(Duration, Option<T>)>) {
        let mut entries = self.entries();
        if entries.len() >= MAX_APPS && !entries.contains_key(&id) {
            entries.clear();
        }
        let entry = entries.entry(id).or_insert_with(|| Entry {
            reading: Arc::default(),
            known: None,
        });
        let known = entry.known.as_ref();
        let known = known.map(|known| (known.at.elapsed(), known.app.clone()));
        (Arc::clone(&entry.reading), known)
    }

    async fn read(
        &self,
        id: AppId,
        known: Option<T>,
        read: impl AsyncFnOnce(Option<T>) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let at = Instant::now();
        let app = read(known).await?;
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.known = Some(Known {
                at,
                app: app.clone(),
            });
        }
        Ok(app)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<AppId, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use corkboard_core::time::Timestamp;
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tokio::time::advance;

    use super::*;

    type Read = Result<Option<usize>, StoreError>;

    /// An app of which each reading finds another state.
    struct World {
        apps: Apps<usize>,
        readings: AtomicUsize,
        id: AppId,
    }

    impl World {
        fn at_hand(&self) -> Option<usize> {
            self.apps.at_hand(self.id, Instant::now())
        }

        fn new() -> Self {
            Self {
                apps: Apps::default(),
                readings: AtomicUsize::new(0),
                id: AppId::generate(Timestamp::EPOCH),
            }
        }

        async fn get(&self) -> Read {
            self.get_unless(false).await
        }

        async fn get_unless(&self, fails: bool) -> Read {
            let read = async |_| {
                tokio::task::yield_now().await;
                let reading = self.readings.fetch_add(1, Relaxed) + 1;
                if fails {
                    Err(StoreError::Overloaded)
                } else {
                    Ok(Some(reading))
                }
            };
            self.apps.get(self.id, read).await
        }

        async fn crowd(&self) -> Vec<usize> {
            let crowd = join_all((0..100).map(|_| self.get())).await;
            crowd.into_iter().map(|app| app.unwrap().unwrap()).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_reads_for_all() {
        let world = World::new();
        assert_eq!(world.crowd().await, [1; 100]);
        advance(LIFETIME).await;
        assert_eq!(world.at_hand(), None);
        assert_eq!(world.crowd().await, [2; 100]);
        assert_eq!(world.at_hand(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_does_not_wait_for_others_who_wait() {
        let world = World::new();
        let mut crowd: Vec<_> = (0..100).map(|_| Box::pin(world.get())).collect();
        for one in &mut crowd {
            assert!(one.as_mut().now_or_never().is_none());
        }
        let reader = crowd.remove(0);
        assert_eq!(reader.await.unwrap(), Some(1));
        // The last of the line first.
        for one in crowd.iter_mut().rev() {
            let app = one.as_mut().now_or_never().unwrap();
            assert_eq!(app.unwrap(), Some(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_one_renews_the_others_go_on() {
        let world = World::new();
        world.get().await.unwrap();
        advance(RENEWED_AFTER).await;
        assert_eq!(world.at_hand(), None, "somebody has to");
        let crowd = world.crowd().await;
        assert_eq!(crowd.iter().filter(|app| **app == 2).count(), 1);
        assert_eq!(crowd.iter().filter(|app| **app == 1).count(), 99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_leaves_leaves_the_reading_to_the_next() {
        let world = World::new();
        world.get().await.unwrap();
        advance(RENEWED_AFTER).await;
        let leaving = world.apps.get(world.id, async |_| pending().await);
        let mut leaving = Box::pin(leaving);
        assert!(leaving.as_mut().now_or_never().is_none());
        assert_eq!(world.at_hand(), Some(1), "it is being read");
        drop(leaving);
        assert_eq!(world.at_hand(), None);
        assert_eq!(world.get().await.unwrap(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_felt_when_nothing_is_known_any_more() {
        let world = World::new();
        world.get().await.unwrap();
        advance(RENEWED_AFTER).await;
        assert_eq!(world.get_unless(true).await.unwrap(), Some(1));
        advance(LIFETIME - RENEWED_AFTER).await;
        assert!(world.get_unless(true).await.is_err());
        assert!(world.get().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_somebody_elses_reading() {
        let world = World::new();
        let hanging = world.apps.get(world.id, async |_| pending().await);
        let mut hanging = Box::pin(hanging);
        assert!(hanging.as_mut().now_or_never().is_none());
        assert!(matches!(world.get().await, Err(StoreError::Overloaded)));
    }
}
