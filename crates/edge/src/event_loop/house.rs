//! All connections of one event loop, and what becomes of each.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use mio::event::Event;
use slab::Slab;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::time::DelayQueue;

use super::bells::{Bell, Bells};
use super::direct::Direct;
use super::poller::Registered;
use super::resident::{Resident, Timer};
use super::{Newcomer, Surroundings};
use crate::connection::{Ended, Left};
use crate::gate::Gate;
use crate::lane::{Answers, LaneConversation};
use crate::service::HttpService;
use crate::socket::Socket;

pub(super) struct House<S>
where
    S: HttpService,
{
    surroundings: Surroundings,
    registered: Registered,
    residents: Slab<Resident<S>>,
    timers: DelayQueue<usize>,
    /// Whose answer is made and has not gone out.
    due: Vec<usize>,
    /// Requests, since they were last counted.
    answered: u64,
}

impl<S> House<S>
where
    S: HttpService,
{
    pub(super) fn new(surroundings: Surroundings, registered: Registered) -> Self {
        Self {
            surroundings,
            registered,
            residents: Slab::new(),
            timers: DelayQueue::new(),
            due: Vec::new(),
            answered: 0,
        }
    }

    pub(super) fn move_in(&mut self, newcomer: Newcomer<S>, bells: &Arc<Bells>) {
        let Newcomer {
            stream,
            service,
            shared,
            place,
            counted,
        } = newcomer;
        let entry = self.residents.vacant_entry();
        let key = entry.key();
        if let Err(error) = self.registered.add(&stream, key) {
            tracing::warn!(%error, "a connection cannot be listened to");
            place.end(Ended::Broken);
            return;
        }
        let socket = Socket::new(
            Direct::new(stream),
            Bytes::new(),
            Arc::clone(&shared.activity),
        );
        let gate = Gate { service, shared };
        let lane = Arc::clone(&self.surroundings.lane);
        let answers = Answers::Apart(self.surroundings.answers.clone());
        let conversation = LaneConversation::new(socket, lane, gate, answers);
        let bell = Bell::new(bells, key);
        entry.insert(Resident::new(conversation, bell, place, counted));
        self.look_after(key);
    }

    pub(super) fn hear(&mut self, key: usize, event: &Event) {
        // One that has just left may have been in the news, too.
        if let Some(resident) = self.residents.get_mut(key) {
            resident.heard(event);
            self.look_after(key);
        }
    }

    /// Goes on with a connection for which something has come.
    pub(super) fn look_after(&mut self, key: usize) {
        let Some(resident) = self.residents.get_mut(key) else {
            return;
        };
        let gone_on = resident.go_on();
        self.answered += resident.take_answered();
        match gone_on {
            Poll::Pending if resident.is_due() => self.due.push(key),
            Poll::Pending if resident.rests() => {}
            Poll::Pending => self.set_timer(key),
            Poll::Ready(Left::Ended(ended)) => self.let_go(key, ended),
            Poll::Ready(Left::HandedOver) => self.hand_over(key),
        }
    }

    /// Lets the answers that were made go out, one right after the other. Whether there are others
    /// again.
    pub(super) fn send_due(&mut self) -> bool {
        let mut due = mem::take(&mut self.due);
        for key in due.drain(..) {
            // Another one may have its number by now: then nothing of it is due.
            if let Some(resident) = self.residents.get_mut(key) {
                resident.release();
                self.look_after(key);
            }
        }
        if self.due.is_empty() {
            self.due = due;
        }
        !self.due.is_empty()
    }

    pub(super) fn look_after_all(&mut self) {
        for key in self.keys() {
            self.look_after(key);
        }
    }

    pub(super) fn abort_all(&mut self) {
        for key in self.keys() {
            self.let_go(key, Ended::Aborted);
        }
    }

    /// Counts what was answered, once a turn.
    pub(super) fn count(&mut self) {
        let answered = mem::take(&mut self.answered);
        if answered > 0 {
            self.surroundings.meters.requests.increment(answered);
        }
    }

    /// Looks after those whose time has come.
    pub(super) fn poll_timers(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(expired)) = self.timers.poll_expired(cx) {
            let key = expired.into_inner();
            let Some(resident) = self.residents.get_mut(key) else {
                continue;
            };
            resident.timer = None;
            match resident.overdue(Instant::now()) {
                Some(ended) => self.let_go(key, ended),
                // It has moved away, or it is time for the goodbye.
                None => self.look_after(key),
            }
        }
    }

    /// A timer that fires too early does no harm: it is set anew then.
    fn set_timer(&mut self, key: usize) {
        let resident = &mut self.residents[key];
        let Some(at) = resident.deadline() else {
            return;
        };
        match &mut resident.timer {
            None => {
                let key = self.timers.insert_at(key, at);
                resident.timer = Some(Timer { key, at });
            }
            Some(timer) if at < timer.at => {
                timer.at = at;
                self.timers.reset_at(&timer.key, at);
            }
            Some(_) => {}
        }
    }

    fn let_go(&mut self, key: usize, ended: Ended) {
        self.take_out(key).place.end(ended);
    }

    /// hyper goes on with it, in a task.
    fn hand_over(&mut self, key: usize) {
        let mut resident = self.take_out(key);
        let deregistered = self.registered.remove(resident.socket().stream());
        let (socket, gate, place, counted) = resident.into_parts();
        let protocols = Arc::clone(&self.surroundings.protocols);
        self.surroundings.tasks.spawn(async move {
            let ended = match deregistered.and_then(|()| tokio_socket(socket)) {
                Ok(socket) => {
                    let shared = Arc::clone(&gate.shared);
                    protocols.speak_any_http1(socket, gate, &shared).await
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be handed over");
                    Ended::Broken
                }
            };
            place.end(ended);
        });
        // Counted by its task from now on.
        drop(counted);
    }

    fn take_out(&mut self, key: usize) -> Resident<S> {
        let mut resident = self.residents.remove(key);
        if let Some(timer) = resident.timer.take() {
            self.timers.remove(&timer.key);
        }
        resident
    }

    fn keys(&self) -> Vec<usize> {
        self.residents.iter().map(|(key, _)| key).collect()
    }
}

fn tokio_socket(socket: Socket<Direct>) -> std::io::Result<Socket<TcpStream>> {
    socket.try_map(|direct| TcpStream::from_std(direct.into_stream()))
}
