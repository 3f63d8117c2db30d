//! Looks of many readers in one go.
//!
//! Under a spike, hundreds of readers want something of Redis within the same millisecond. A message
//! for each costs a timer, a task's turn and a wake-up here, and a read and a write there. So looks
//! gather in a line, and a *courier* takes all that are in it, up to a bound, in one message; the next
//! ones gather meanwhile. Nobody waits for company: a look that is alone goes at once.
//!
//! What readers do about a key that is not there, taking its lease and filling it, goes the same way.
//! What is asked for twice in a message is asked for once: a key that everybody wants costs Redis one
//! look for each message, however many want it.

mod line;
mod parcel;

use std::sync::Arc;

use futures_util::future::join_all;
use redis::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::link::{CallError, Connections, Session};
use super::{Redis, Shared};
use crate::key::Key;
use line::{Asker, Duty, Look};
pub(super) use line::{Found, Looks};
use parcel::{Errand, Parcel};
pub(super) use parcel::{Order, Wanted};

impl Redis {
    /// Looks for something, together with whoever else looks now.
    pub(super) async fn find(&self, key: &Key, wanted: Wanted) -> Result<Found, CallError> {
        let since = self.come(key)?;
        let (told, answer) = oneshot::channel();
        self.stand_in_line(key, wanted, since, Asker::Reader(told))?;
        // A courier that ends without a word was stopped with the node.
        answer.await.unwrap_or(Err(CallError::Away))
    }

    /// Has something done about this key in this life of the server, together with whatever else is
    /// asked for now.
    pub(super) async fn have_done(
        &self,
        key: &Key,
        life: &Arc<str>,
        order: Order,
    ) -> Result<Value, CallError> {
        let mut answers = self.find(key, Wanted::Done(errand(life, order))).await?;
        Ok(answers.pop().unwrap_or(Value::Nil))
    }

    /// The same for whoever does not wait for it. What cannot be done now is not done.
    pub(super) fn ask_to_do(&self, key: &Key, life: &Arc<str>, order: Order) {
        let wanted = Wanted::Done(errand(life, order));
        if let Ok(since) = self.come(key) {
            let _ = self.stand_in_line(key, wanted, since, Asker::Nobody);
        }
    }

    /// The hash of this name, how long it will be, and what an order answers that is done after the look.
    pub(super) async fn find_hash_and_do(
        &self,
        name: &Key,
        life: &Arc<str>,
        order: Order,
    ) -> Result<Found, CallError> {
        self.find(name, Wanted::HashAnd(errand(life, order))).await
    }

    /// When somebody came, unless Redis has no say.
    fn come(&self, key: &Key) -> Result<Instant, CallError> {
        let now = Instant::now();
        let is_admitted = self.admits_at(key, now);
        is_admitted.then_some(now).ok_or(CallError::Away)
    }

    fn stand_in_line(
        &self,
        key: &Key,
        wanted: Wanted,
        since: Instant,
        asker: Asker,
    ) -> Result<(), CallError> {
        let look = Look {
            key: key.clone(),
            wanted,
            since,
            asker,
        };
        if self.shared.looks.join(look, self.shared.couriers())? {
            let redis = self.clone();
            let home = &self.shared.home;
            self.shared.tasks.spawn_on(redis.carry(), home);
        }
        Ok(())
    }

    /// Why it is not looked for any more: Redis may have been lost, or owed the void of the key, since
    /// the reader came.
    fn objection(&self, look: &Look, now: Instant) -> Option<CallError> {
        if !self.admits_at(&look.key, now) {
            Some(CallError::Away)
        } else if look.is_late(now) {
            Some(CallError::Crowded)
        } else {
            None
        }
    }

    /// Takes what is in line until nothing is.
    async fn carry(self) {
        let shared = &self.shared;
        let most = (shared.options.looks / shared.couriers()).max(1);
        let mut duty = Duty::of(&shared.looks);
        while let Some(looks) = duty.take(most) {
            let now = Instant::now();
            let looks = looks.into_iter().filter(|look| !look.is_over());
            let looks = looks.filter_map(|look| match self.objection(&look, now) {
                Some(error) => {
                    look.asker.tell(Err(error));
                    None
                }
                None => Some(look),
            });
            let looks: Vec<Look> = looks.collect();
            if !looks.is_empty() {
                shared.deliver(looks).await;
            }
        }
    }
}

fn errand(life: &Arc<str>, order: Order) -> Box<Errand> {
    let life = Arc::clone(life);
    Box::new(Errand { order, life })
}

impl Shared {
    fn couriers(&self) -> usize {
        let options = &self.options;
        options.connections.min(options.looks).max(1)
    }

    async fn deliver(&self, looks: Vec<Look>) {
        let session = match self.link.session() {
            Ok(session) => session,
            Err(error) => return tell_all(looks.into_iter().map(|look| look.asker), &error),
        };
        match session.connections {
            Connections::One(_) => self.ask_for(&session, looks).await,
            Connections::Cluster(_) => {
                // Keys of a Cluster are in different places: a message for each.
                let one_by_one = looks.into_iter();
                let one_by_one = one_by_one.map(|look| self.ask_for(&session, vec![look]));
                join_all(one_by_one).await;
            }
        }
    }

    /// One message for all of them; an answer for each.
    async fn ask_for(&self, session: &Session, looks: Vec<Look>) {
        let mut parcel = Parcel::of(looks.len(), &self.hashing);
        let mut askers = Vec::with_capacity(looks.len());
        for look in looks {
            if look.wanted.is_over(session) {
                look.asker.tell(Err(CallError::Away));
                continue;
            }
            parcel.add(self, session, &look.key, look.wanted);
            askers.push(look.asker);
        }
        if askers.is_empty() {
            return;
        }
        let outcome = self.link.answers_in(session, &parcel.commands).await;
        self.note_of(&outcome, askers.len());
        match outcome {
            Ok(answers) => {
                for (asker, found) in askers.into_iter().zip(parcel.divide(answers)) {
                    asker.tell(Ok(found));
                }
            }
            Err(error) => tell_all(askers.into_iter(), &error),
        }
    }
}

fn tell_all(askers: impl Iterator<Item = Asker>, error: &CallError) {
    for asker in askers {
        asker.tell(Err(error.clone()));
    }
}
