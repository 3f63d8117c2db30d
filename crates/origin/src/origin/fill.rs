//! Bringing one key: Redis, then the source under a lease, then both tiers are filled.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{CallError, HashLeased, HashLooked, Lead};
use corkboard_core::time::Timestamp;
use tokio::time::{Instant, sleep};

use super::{Held, Origin, Place, Tier, Unavailable};
use crate::answer::{Age, Answer};
use crate::row::Row;
use crate::rows::{Found, Lease, Rows};
use crate::source::SourceError;

/// The first pause between two looks whether the row that another process is reading has come. The
/// next ones are longer: whoever waits long waits for a slow source, not for Redis.
const LOOK: Duration = Duration::from_millis(10);
const LONGEST_LOOK: Duration = Duration::from_millis(80);

impl Origin {
    /// Ends the flight with what it found: a row, that there is none, or something old. `looked`: Redis
    /// had nothing a moment ago.
    pub(super) async fn fill(
        &self,
        place: Place,
        held: Option<Held>,
        lead: Lead<Held, Unavailable>,
        looked: bool,
    ) {
        let outcome = match self.rows_of(&place) {
            Some(rows) => self.through_redis(rows, &place, looked).await,
            None => self.read_source(&place, None).await,
        };
        let now = self.now();
        match outcome {
            Ok(held) => {
                let lifetime = held.answer.as_ref().map_or(Duration::ZERO, |a| a.life(now));
                lead.land(Ok(held), lifetime);
            }
            Err(unavailable) => {
                let old = held.and_then(|held| held.answer);
                let old = old.filter(|answer| answer.age(now) != Age::Over);
                let old = match old {
                    Some(old) => Some(old),
                    None => self.last_resort(&place, now).await,
                };
                let pause = self.shared.options.pause;
                let lifetime = old
                    .as_ref()
                    .map_or(pause, |answer| answer.life(now).max(pause));
                match old {
                    None if unavailable != Unavailable::Source => {
                        lead.land(Err(unavailable), Duration::ZERO)
                    }
                    old => lead.land(Ok(Held::after_failure(old, now.plus(pause))), lifetime),
                };
            }
        }
    }

    async fn through_redis(
        &self,
        rows: &Rows,
        place: &Place,
        mut looked: bool,
    ) -> Result<Held, Unavailable> {
        // By then the other one's lease is over, whatever has become of it.
        let give_up = Instant::now() + self.lease();
        let mut pause = LOOK;
        loop {
            let looked = if mem::take(&mut looked) {
                let leased = rows.lease(&place.name, self.lease()).await;
                leased.map(HashLooked::Absent)
            } else {
                rows.look(&place.name, self.lease()).await
            };
            match looked {
                Ok(HashLooked::Row(row)) => {
                    let answer = self.found_in_redis(place, &row.into());
                    return Ok(Held::brought(answer, Tier::Redis));
                }
                Ok(HashLooked::Absent(HashLeased::Lease(lease))) => {
                    return self.read_source(place, Some((rows, lease))).await;
                }
                // Brought since this one looked.
                Ok(HashLooked::Absent(HashLeased::There)) if Instant::now() < give_up => {}
                // Somebody else is reading it. A key without a row is not in Redis when they are
                // done: then the lease is free.
                Ok(HashLooked::Absent(HashLeased::Taken)) if Instant::now() < give_up => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_LOOK);
                }
                // No reason to ask the source instead.
                Err(CallError::Crowded) => return Err(Unavailable::Overloaded),
                Ok(HashLooked::Absent(_)) | Err(_) => {
                    return self.read_source(place, None).await;
                }
            }
        }
    }

    pub(super) fn found_in_redis(&self, place: &Place, found: &Found) -> Arc<Answer> {
        let endpoint = &self.shared.endpoints[place.endpoint];
        let columns = &endpoint.description.columns;
        let row = columns.read_fields(found.fields());
        let ttl = self.ttl(place);
        // A row without an end was put there by somebody else: it counts as new.
        let left = found.left.unwrap_or(ttl).min(ttl);
        let read_at = self.now().minus(ttl.saturating_sub(left));
        self.answer(place, &row, read_at)
    }

    async fn read_source(
        &self,
        place: &Place,
        leased: Option<(&Rows, Lease)>,
    ) -> Result<Held, Unavailable> {
        let read_at = self.now();
        let found = self
            .shared
            .reader
            .read(place.endpoint, place.key.clone())
            .await;
        let row = match found {
            Ok(row) => row,
            Err(error) => {
                if let Some((rows, lease)) = leased {
                    rows.release(&lease);
                }
                return Err(match *error {
                    SourceError::Overloaded => Unavailable::Overloaded,
                    _ => Unavailable::Source,
                });
            }
        };
        let answer = match &row {
            Some(row) => self.answer(place, row, read_at),
            None => Arc::new(Answer::missing(read_at, &self.shared.options.lifetimes)),
        };
        if let Some((rows, lease)) = leased {
            match &row {
                Some(row) => {
                    let columns = &self.shared.endpoints[place.endpoint].description.columns;
                    let kept = self.kept(place, &answer);
                    // Not in when the row was changed meanwhile, or Redis is gone: the next one reads.
                    rows.fill(&lease, columns.fields(row), &kept);
                }
                None => rows.release(&lease),
            }
        }
        Ok(Held::brought(answer, Tier::Source))
    }

    /// What Redis keeps for the hour of need.
    async fn last_resort(&self, place: &Place, now: Timestamp) -> Option<Arc<Answer>> {
        let rows = self.rows_of(place)?;
        let (read_at, body) = rows.last(&place.name).await?;
        let lifetimes = &self.shared.options.lifetimes;
        let answer = Answer::row(body, read_at, self.ttl(place), lifetimes);
        (answer.age(now) != Age::Over).then(|| Arc::new(answer))
    }

    /// How a row is kept in Redis.
    pub(crate) fn kept(&self, place: &Place, answer: &Answer) -> crate::rows::Kept {
        let body = answer.body.as_ref().map(|body| body.bytes.clone());
        crate::rows::Kept {
            lifetime: self.ttl(place),
            last: self.shared.options.lifetimes.stale_if_error,
            body: body.unwrap_or_default(),
            read_at: answer.read_at,
        }
    }

    pub(crate) fn answer(&self, place: &Place, row: &Row, read_at: Timestamp) -> Arc<Answer> {
        let body = self.shared.endpoints[place.endpoint]
            .description
            .columns
            .body(row);
        let lifetimes = &self.shared.options.lifetimes;
        Arc::new(Answer::row(body, read_at, self.ttl(place), lifetimes))
    }

    /// How long a process may take to read the source before another one tries.
    pub(super) fn lease(&self) -> Duration {
        self.shared.options.source.statement + Duration::from_secs(1)
    }

    /// The lifetime of this key's row.
    pub(super) fn ttl(&self, place: &Place) -> Duration {
        let ttl = self.shared.endpoints[place.endpoint].spec.ttl;
        self.shared.options.lifetimes.ttl(ttl, &place.key)
    }
}
