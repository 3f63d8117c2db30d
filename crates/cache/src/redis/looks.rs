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

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::link::{CallError, Connections, Session};
use super::script::Step;
use super::{Redis, Shared};
use crate::key::Key;

/// Looks in line; more are refused. A bound on bytes, and far above what gathers while Redis answers.
const MOST: usize = 65_536;
/// A look that stood in line for longer is refused: so many come that they can never all be answered.
const LONGEST_IN_LINE: Duration = Duration::from_secs(2);

/// What is looked for, or done.
#[derive(Debug)]
pub(super) enum Wanted {
    /// The value of a key.
    Value,
    /// The hash of this name, and how long it will be.
    Hash,
    /// What an errand about this key does: it is sent for this reader alone. Absent once it is.
    Done(Option<Box<Errand>>),
}

/// A command that means something in one life of the server only: a lease that it has again from its
/// disk was not voided by what it was not told.
#[derive(Debug)]
pub(super) struct Errand {
    command: Cmd,
    life: Arc<str>,
}

/// What was found: an answer for each command that [`Wanted`] takes.
pub(super) type Found = Vec<Value>;

struct Look {
    key: Key,
    wanted: Wanted,
    since: Instant,
    told: Option<oneshot::Sender<Result<Found, CallError>>>,
}

/// Those who wait for an answer of Redis.
#[derive(Default)]
pub(super) struct Looks {
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    looks: VecDeque<Look>,
    couriers: usize,
}

impl Wanted {
    /// Commands, and so answers.
    fn commands(&self) -> usize {
        match self {
            Self::Value | Self::Done(_) => 1,
            Self::Hash => 2,
        }
    }

    /// An errand of another life of the server.
    fn is_over(&self, session: &Session) -> bool {
        match self {
            Self::Done(Some(errand)) => errand.life != session.namespace,
            Self::Value | Self::Hash | Self::Done(None) => false,
        }
    }

    /// Tells what may be asked for once for several readers.
    fn shared(&self) -> Option<u8> {
        match self {
            Self::Value => Some(0),
            Self::Hash => Some(1),
            Self::Done(_) => None,
        }
    }
}

impl Redis {
    /// Looks for something, together with whoever else looks now.
    pub(super) async fn find(&self, key: &Key, wanted: Wanted) -> Result<Found, CallError> {
        if !self.admits(key) {
            return Err(CallError::Away);
        }
        let (told, answer) = oneshot::channel();
        let look = Look {
            key: key.clone(),
            wanted,
            since: Instant::now(),
            told: Some(told),
        };
        if self.shared.looks.join(look, self.shared.couriers())? {
            let redis = self.clone();
            let home = &self.shared.home;
            self.shared.tasks.spawn_on(redis.carry(), home);
        }
        // A courier that ends without a word was stopped with the node.
        answer.await.unwrap_or(Err(CallError::Away))
    }

    /// Has a command about this key done in this life of the server, together with whatever else is
    /// asked for now.
    pub(super) async fn have_done(
        &self,
        key: &Key,
        life: &Arc<str>,
        command: Cmd,
    ) -> Result<Value, CallError> {
        let life = Arc::clone(life);
        let errand = Box::new(Errand { command, life });
        let mut answers = self.find(key, Wanted::Done(Some(errand))).await?;
        Ok(answers.pop().unwrap_or(Value::Nil))
    }

    /// The same for a script. `arguments` adds the number of keys, the keys and the arguments.
    pub(super) async fn have_run(
        &self,
        key: &Key,
        life: &Arc<str>,
        step: &Step,
        arguments: impl Fn(&mut Cmd) + Send,
    ) -> Result<Value, CallError> {
        let call = |mut call: Cmd| {
            arguments(&mut call);
            self.have_done(key, life, call)
        };
        match call(step.by_hash()).await {
            Err(CallError::Refused(error)) if error.code() == Some("NOSCRIPT") => {
                call(step.by_text()).await
            }
            answer => answer,
        }
    }

    /// Why it is not looked for any more: Redis may have been lost, or owed the void of the key, since
    /// the reader came.
    fn objection(&self, look: &Look, now: Instant) -> Option<CallError> {
        if !self.admits(&look.key) {
            Some(CallError::Away)
        } else if now.duration_since(look.since) > LONGEST_IN_LINE {
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
        while let Some(mut looks) = duty.take(most) {
            let now = Instant::now();
            looks.retain_mut(|look| match self.objection(look, now) {
                Some(error) => {
                    look.tell(Err(error));
                    false
                }
                None => !look.told.as_ref().is_none_or(oneshot::Sender::is_closed),
            });
            if !looks.is_empty() {
                shared.deliver(looks).await;
            }
        }
    }
}

impl Shared {
    fn couriers(&self) -> usize {
        let options = &self.options;
        options.connections.min(options.looks).max(1)
    }

    async fn deliver(&self, mut looks: Vec<Look>) {
        let session = match self.link.session() {
            Ok(session) => session,
            Err(error) => return tell_all(looks, &error),
        };
        looks.retain_mut(|look| {
            let is_over = look.wanted.is_over(&session);
            if is_over {
                look.tell(Err(CallError::Away));
            }
            !is_over
        });
        if matches!(session.connections, Connections::Cluster(_)) {
            // Keys of a Cluster are in different places: a message for each.
            let session = &session;
            let one_by_one = looks.into_iter().map(|mut look| async move {
                let found = match &mut look.wanted {
                    Wanted::Done(errand) => match errand.take() {
                        Some(errand) => self
                            .call_in(session, &errand.command)
                            .await
                            .map(|one| vec![one]),
                        None => Ok(Vec::new()),
                    },
                    Wanted::Value | Wanted::Hash => {
                        let answers = self.ask_for(session, std::slice::from_mut(&mut look)).await;
                        answers.map(|mut answers| answers.pop().unwrap_or_default())
                    }
                };
                look.tell(found);
            });
            join_all(one_by_one).await;
            return;
        }
        match self.ask_for(&session, &mut looks).await {
            Ok(answers) => {
                for (mut look, answer) in looks.into_iter().zip(answers) {
                    look.tell(Ok(answer));
                }
            }
            Err(error) => tell_all(looks, &error),
        }
    }

    /// One message for all of them; an answer for each.
    async fn ask_for(
        &self,
        session: &Session,
        looks: &mut [Look],
    ) -> Result<Vec<Found>, CallError> {
        let mut message = Pipeline::with_capacity(2 * looks.len());
        let mut known = HashMap::with_capacity_and_hasher(looks.len(), self.hashing.clone());
        let (mut counts, mut places) = (Vec::new(), Vec::with_capacity(looks.len()));
        for look in looks.iter_mut() {
            let next = counts.len();
            let place = match look.wanted.shared() {
                Some(what) => *known.entry((look.key.clone(), what)).or_insert(next),
                None => next,
            };
            places.push(place);
            if place == next {
                counts.push(look.wanted.commands());
                self.add(&mut message, session, look);
            }
        }
        let outcome = self.link.answers_in(session, &message).await;
        self.note_of(&outcome, looks.len());
        let mut values = outcome?.into_iter();
        let answers: Vec<Found> = counts
            .into_iter()
            .map(|count| values.by_ref().take(count).collect())
            .collect();
        if answers.len() == looks.len() {
            return Ok(answers);
        }
        let of = |place: usize| answers.get(place).cloned().unwrap_or_default();
        Ok(places.into_iter().map(of).collect())
    }

    fn add(&self, message: &mut Pipeline, session: &Session, look: &mut Look) {
        match &mut look.wanted {
            Wanted::Value => {
                let name = self.name(&session.namespace, &look.key);
                message.cmd("GET").arg(name);
            }
            Wanted::Hash => {
                message.cmd("HGETALL").arg(look.key.as_bytes());
                message.cmd("PTTL").arg(look.key.as_bytes());
            }
            Wanted::Done(errand) => {
                if let Some(errand) = errand.take() {
                    message.add_command(errand.command);
                }
            }
        }
    }
}

impl Look {
    /// A reader who has left hears nothing.
    fn tell(&mut self, found: Result<Found, CallError>) {
        let refused = found.as_ref().ok().and_then(|answers| {
            answers.iter().find_map(|answer| match answer {
                Value::ServerError(error) => Some(error.clone()),
                _ => None,
            })
        });
        let found = match refused {
            Some(error) => Err(CallError::Refused(error.into())),
            None => found,
        };
        if let Some(told) = self.told.take() {
            let _ = told.send(found);
        }
    }
}

fn tell_all(looks: Vec<Look>, error: &CallError) {
    for mut look in looks {
        look.tell(Err(error.clone()));
    }
}

impl Looks {
    /// Stands in line; whether a courier more is wanted.
    fn join(&self, look: Look, most_couriers: usize) -> Result<bool, CallError> {
        let mut line = self.line();
        if line.looks.len() >= MOST {
            return Err(CallError::Crowded);
        }
        line.looks.push_back(look);
        let wanted = line.couriers < most_couriers;
        line.couriers += usize::from(wanted);
        Ok(wanted)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A courier's part of the work; given up when there is nothing left to carry, or it is stopped.
struct Duty<'l> {
    looks: &'l Looks,
    is_over: bool,
}

impl<'l> Duty<'l> {
    fn of(looks: &'l Looks) -> Self {
        Self {
            looks,
            is_over: false,
        }
    }

    /// The first in line, at most `most`.
    fn take(&mut self, most: usize) -> Option<Vec<Look>> {
        let mut line = self.looks.line();
        if line.looks.is_empty() {
            // Under the lock: whoever comes now sends another courier.
            line.couriers -= 1;
            self.is_over = true;
            return None;
        }
        let most = most.min(line.looks.len());
        Some(line.looks.drain(..most).collect())
    }
}

impl Drop for Duty<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.looks.line().couriers -= 1;
        }
    }
}
