//! What memory does not have: a look into Redis, by the reader itself, and where Redis has nothing, one
//! fill for all who want the key.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{CallError, Joined, Lead, Mark, Missed, Passenger, Seen};
use tokio::time::timeout;

use super::{Held, Origin, Place, Served, Shared, Tier, Unavailable};
use crate::rows::{Found, Rows};

impl Origin {
    /// Whether a reader for whom memory has nothing is refused before anything is begun: the line before the
    /// source takes nobody, Redis cannot be asked, nobody is bringing the key, and nothing old is left of it.
    pub(crate) fn turns_away(&self, place: &Place) -> bool {
        let Shared {
            reader,
            rows,
            memory,
            ..
        } = &*self.shared;
        let name = place.name.as_bytes();
        let refused = reader.is_full()
            && !rows.as_ref().is_some_and(Rows::are_there)
            && memory.get(name).is_none()
            && matches!(memory.see(name, false), Seen::Nothing(_));
        if refused {
            reader.turned_away();
        }
        refused
    }

    /// Looks into Redis; if there is nothing, joins the fill of the key, or begins it.
    pub(crate) async fn fetch(&self, place: Place) -> Result<Served, Unavailable> {
        let mut looked = false;
        if let Some(rows) = self.rows_of(&place) {
            match self.shared.memory.see(place.name.as_bytes(), false) {
                Seen::Here(held) => return held.served(held.tier).ok_or(Unavailable::Source),
                Seen::Flying(passenger) => return self.await_fill(passenger).await,
                // Whoever finds nothing begins a fill: where most do, it looks, and takes the lease with it.
                Seen::Nothing(_) if rows.are_cold() => {}
                Seen::Nothing(mark) => match rows.read(&place.name).await {
                    Ok(Some(found)) => return Ok(self.bring(&place, &found, mark)),
                    Ok(None) => looked = true,
                    Err(CallError::Crowded) => return Err(Unavailable::Overloaded),
                    Err(_) => {}
                },
            }
        }
        let passenger = match self.shared.memory.join(&place.name, false) {
            Joined::Here(held) => return held.served(held.tier).ok_or(Unavailable::Source),
            Joined::Flying(passenger) => passenger,
            Joined::Leads(lead) => {
                let passenger = lead.board();
                self.begin(place, lead, looked)?;
                passenger
            }
        };
        self.await_fill(passenger).await
    }

    async fn await_fill(
        &self,
        passenger: Passenger<Held, Unavailable>,
    ) -> Result<Served, Unavailable> {
        match timeout(self.shared.options.patience, passenger.wait()).await {
            Ok(Ok(held)) => held.served(held.tier).ok_or(Unavailable::Source),
            Ok(Err(Missed::Failed(unavailable))) => Err(unavailable),
            Ok(Err(Missed::Abandoned)) => Err(Unavailable::Source),
            Err(_) => Err(Unavailable::TimedOut),
        }
    }

    /// Leaves what Redis had in memory, unless the key may have been changed meanwhile.
    fn bring(&self, place: &Place, found: &Found, mark: Mark) -> Served {
        let answer = self.found_in_redis(place, found);
        let held = Held::brought(Arc::clone(&answer), Tier::Redis);
        let lifetime = answer.life(self.now());
        self.shared.memory.keep(&place.name, held, lifetime, mark);
        Served {
            answer,
            tier: Tier::Redis,
        }
    }

    /// Begins a fill that nobody waits for, unless there is one.
    pub(super) fn fill_behind(&self, place: &Place) {
        if let Joined::Leads(lead) = self.shared.memory.join(&place.name, false) {
            // With too many under way, the next reader tries again.
            let _ = self.begin(place.clone(), lead, false);
        }
    }

    /// A fill is a task of its own: a client that hangs up takes nobody's answer away.
    /// `looked`: into Redis, a moment ago, and there was nothing.
    fn begin(
        &self,
        place: Place,
        lead: Lead<Held, Unavailable>,
        looked: bool,
    ) -> Result<(), Unavailable> {
        // Under the lead nobody else lands: what somebody has brought, or failed to bring, since this
        // reader looked is here now and is not asked for again.
        let held = self.shared.memory.get(place.name.as_bytes());
        if let Some(held) = held.as_ref().filter(|held| held.spares_a_fill(self.now())) {
            lead.land(Ok(held.clone()), Duration::ZERO);
            return Ok(());
        }
        let Ok(permit) = Arc::clone(&self.shared.fills).try_acquire_owned() else {
            lead.land(Err(Unavailable::Overloaded), Duration::ZERO);
            return Err(Unavailable::Overloaded);
        };
        let origin = self.clone();
        self.shared.tasks.spawn(async move {
            origin.fill(place, held, lead, looked).await;
            drop(permit);
        });
        Ok(())
    }
}
