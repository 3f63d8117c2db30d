//! What goes over the line together, and which answers are whose.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use redis::{Arg, Cmd, Pipeline, Value};

use super::line::Found;
use crate::hashing::Seeded;
use crate::key::Key;
use crate::redis::Shared;
use crate::redis::link::Session;
use crate::redis::script::Step;

/// What is looked for, or done.
#[derive(Debug)]
pub(in crate::redis) enum Wanted {
    /// The value of a key.
    Value,
    /// The hash of this name, and how long it will be.
    Hash,
    /// What an errand about this key does: it is sent for this reader alone.
    Done(Box<Errand>),
    /// As [`Wanted::Hash`], and then an errand's answer.
    HashAnd(Box<Errand>),
}

/// A command that means something in one life of the server only: a lease that it has again from its
/// disk was not voided by what it was not told.
#[derive(Debug)]
pub(in crate::redis) struct Errand {
    pub(in crate::redis) order: Order,
    pub(in crate::redis) life: Arc<str>,
}

#[derive(Debug)]
pub(in crate::redis) enum Order {
    Call(Cmd),
    /// A script, with the number of its keys, the keys and the arguments.
    Run(&'static Step, Cmd),
}

/// Commands of several looks, in one message.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) commands: Pipeline,
    /// Of each place, how many answers are for it.
    counts: Vec<usize>,
    /// Of each look, the place of its answers.
    places: Vec<usize>,
    known: HashMap<(Key, Discriminant<Wanted>), usize, Seeded>,
    /// Scripts whose text is in it already: the server knows them by their hash when it comes to the others.
    scripts: Vec<&'static Step>,
}

impl Wanted {
    /// An errand of another life of the server.
    pub(super) fn is_over(&self, session: &Session) -> bool {
        match self {
            Self::Done(errand) | Self::HashAnd(errand) => errand.life != session.namespace,
            Self::Value | Self::Hash => false,
        }
    }

    /// What may be asked for once for several readers.
    fn can_be_shared(&self) -> bool {
        match self {
            Self::Value | Self::Hash => true,
            Self::Done(_) | Self::HashAnd(_) => false,
        }
    }
}

impl Parcel {
    pub(super) fn of(looks: usize, hashing: &Seeded) -> Self {
        Self {
            commands: Pipeline::with_capacity(2 * looks),
            counts: Vec::with_capacity(looks),
            places: Vec::with_capacity(looks),
            known: HashMap::with_hasher(hashing.clone()),
            scripts: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, shared: &Shared, session: &Session, key: &Key, wanted: Wanted) {
        let next = self.counts.len();
        let before = self.commands.len();
        if wanted.can_be_shared() {
            let known = self.known.entry((key.clone(), discriminant(&wanted)));
            let place = *known.or_insert(next);
            self.places.push(place);
            if place < next {
                return;
            }
        } else {
            self.places.push(next);
        }
        match wanted {
            Wanted::Value => {
                let name = shared.name(&session.namespace, key);
                self.commands.cmd("GET").arg(name);
            }
            Wanted::Hash => self.look_at_hash(key),
            Wanted::Done(errand) => self.add_order(errand.order),
            Wanted::HashAnd(errand) => {
                self.look_at_hash(key);
                self.add_order(errand.order);
            }
        }
        self.counts.push(self.commands.len() - before);
    }

    fn look_at_hash(&mut self, name: &Key) {
        self.commands.cmd("HGETALL").arg(name.as_bytes());
        self.commands.cmd("PTTL").arg(name.as_bytes());
    }

    fn add_order(&mut self, order: Order) {
        let command = match order {
            Order::Call(command) => command,
            Order::Run(script, arguments) => {
                let is_known = self.scripts.iter().any(|one| std::ptr::eq(*one, script));
                let mut command = if is_known {
                    script.by_hash()
                } else {
                    self.scripts.push(script);
                    script.by_text()
                };
                for argument in arguments.args_iter() {
                    if let Arg::Simple(argument) = argument {
                        command.arg(argument);
                    }
                }
                command
            }
        };
        self.commands.add_command(command);
    }

    /// The answers to each look, in their order.
    pub(super) fn divide(self, answers: Vec<Value>) -> Vec<Found> {
        let mut answers = answers.into_iter();
        let found: Vec<Found> = self
            .counts
            .into_iter()
            .map(|count| answers.by_ref().take(count).collect())
            .collect();
        if found.len() == self.places.len() {
            return found;
        }
        let of = |place: usize| found.get(place).cloned().unwrap_or_default();
        self.places.into_iter().map(of).collect()
    }
}
