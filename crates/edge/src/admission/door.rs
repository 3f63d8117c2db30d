//! The core with a clock and a lock: what a connection's task talks to.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::core::{Core, Verdict, Wait};
use super::options::AdmissionOptions;
use super::refusal::retry_after;
use super::{Bearer, Inspect, Passport, Priority};
use crate::reply::Refusal;

/// How often the scheduler's lateness is looked at.
const PULSE: Duration = Duration::from_millis(20);

/// Admission control of one listener.
#[derive(Debug)]
pub(crate) struct Door {
    // A std mutex: held for a few steps of arithmetic, never across an await.
    core: Mutex<Core<oneshot::Sender<Verdict>>>,
    born: Instant,
    inspect: Inspect,
    retry_after: Duration,
    meters: DoorMeters,
}

/// What a newcomer is told.
#[derive(Debug)]
pub(crate) enum Entry {
    Admitted(Ticket),
    Waiting(Waiting),
    Refused,
}

impl Door {
    pub(crate) fn new(options: &AdmissionOptions, listener: &'static str) -> Arc<Self> {
        Arc::new(Self {
            core: Mutex::new(Core::new(options)),
            born: Instant::now(),
            inspect: options.inspect,
            retry_after: options.retry_after,
            meters: DoorMeters::new(listener, options),
        })
    }

    pub(crate) fn inspect(&self, bearer: &Bearer<'_>) -> Passport {
        (self.inspect)(bearer)
    }

    pub(crate) fn enter(self: &Arc<Self>, passport: Passport) -> Entry {
        let began = Instant::now();
        let now = began.duration_since(self.born);
        let mut core = self.core();
        if core.enter(now, passport) {
            drop(core);
            return Entry::Admitted(self.ticket(passport.priority, began));
        }
        let mut verdict = None;
        let wait = core.wait(now, passport, || {
            let (waker, receiver) = oneshot::channel();
            verdict = Some(receiver);
            waker
        });
        drop(core);
        if let Wait::InLine {
            instead: Some((priority, waker)),
        } = wait
        {
            self.refuse(priority, waker);
        }
        // Somebody in line may have become too old, or found room, since the last one looked.
        self.settle();
        let Some(verdict) = verdict else {
            self.meters.shed(passport.priority);
            return Entry::Refused;
        };
        Entry::Waiting(Waiting {
            door: Arc::clone(self),
            priority: passport.priority,
            verdict,
        })
    }

    /// Watches how late tasks run, for as long as it is polled: work that never waits for anything
    /// piles up before the scheduler, where nobody can count it. And should nobody leave for a while, and
    /// so nobody look, those whose time in line is up are told here: a timer for each would cost more
    /// than the line.
    pub(crate) async fn pulse(&self) {
        loop {
            let due = Instant::now() + PULSE;
            sleep_until(due).await;
            let lag = due.elapsed();
            let mut core = self.core();
            core.lag(lag);
            // Where nobody leaves any more, nobody else says how many are left.
            self.meters.look(&core);
            drop(core);
            self.settle();
            self.meters.lag.set(lag.as_secs_f64());
        }
    }

    /// The answer to one that was refused. The connection stays open when nothing of the request
    /// is left in it.
    pub(crate) fn refusal(&self, bodiless: bool) -> Refusal {
        Refusal::Overloaded {
            retry_after_seconds: retry_after(self.retry_after),
            stays_open: bodiless,
        }
    }

    fn core(&self) -> MutexGuard<'_, Core<oneshot::Sender<Verdict>>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticket(self: &Arc<Self>, priority: Priority, began: Instant) -> Ticket {
        Ticket {
            door: Arc::clone(self),
            priority,
            began,
            answered: false,
        }
    }

    fn refuse(&self, priority: Priority, waker: oneshot::Sender<Verdict>) {
        // One that has gone meanwhile needs no answer, and was not shed.
        if waker.send(Verdict::Refused).is_ok() {
            self.meters.shed(priority);
        }
    }

    /// Tells those whose waiting is over.
    fn settle(&self) {
        loop {
            let now = self.born.elapsed();
            let Some((priority, waker, verdict)) = self.core().next(now) else {
                return;
            };
            match verdict {
                Verdict::Refused => self.refuse(priority, waker),
                Verdict::Admitted => {
                    if waker.send(Verdict::Admitted).is_err() {
                        self.core().leave(now, priority, None);
                    }
                }
            }
        }
    }

    fn leave(&self, priority: Priority, took: Option<Duration>) {
        let mut core = self.core();
        let looked = core.leave(self.born.elapsed(), priority, took);
        if looked {
            self.meters.look(&core);
        }
        let somebody_waits = core.waiting() > 0;
        drop(core);
        if somebody_waits {
            self.settle();
        }
    }
}

/// A request's place; given back on drop.
#[derive(Debug)]
pub(crate) struct Ticket {
    door: Arc<Door>,
    priority: Priority,
    began: Instant,
    answered: bool,
}

impl Ticket {
    /// The response is there. One that waited for its client says nothing about the work.
    pub(crate) fn answered(&mut self, waited_for_client: bool) {
        self.answered = !waited_for_client;
    }

    pub(crate) fn parking(&self) -> Parking {
        Parking {
            door: Arc::clone(&self.door),
            priority: self.priority,
            parked: false,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let took = self.answered.then(|| self.began.elapsed());
        self.door.leave(self.priority, took);
    }
}

/// Gives a request's place to others while its client is slow in sending the body.
#[derive(Debug)]
pub(crate) struct Parking {
    door: Arc<Door>,
    priority: Priority,
    parked: bool,
}

impl Parking {
    pub(crate) fn park(&mut self) {
        if !self.parked {
            self.parked = true;
            self.door.core().park(self.priority);
            self.door.settle();
        }
    }

    pub(crate) fn unpark(&mut self) {
        if self.parked {
            self.parked = false;
            self.door.core().unpark(self.priority);
        }
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        self.unpark();
    }
}

/// A request in line. Dropping it leaves the line.
#[derive(Debug)]
pub(crate) struct Waiting {
    door: Arc<Door>,
    priority: Priority,
    verdict: oneshot::Receiver<Verdict>,
}

impl Waiting {
    /// The place, or none when the request is refused.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ticket>> {
        Pin::new(&mut self.verdict)
            .poll(cx)
            .map(|verdict| match verdict {
                Ok(Verdict::Admitted) => Some(self.door.ticket(self.priority, Instant::now())),
                Ok(Verdict::Refused) | Err(_) => None,
            })
    }
}

impl Waiting {
    pub(crate) fn refusal(&self, bodiless: bool) -> Refusal {
        self.door.refusal(bodiless)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.verdict.close();
        if let Ok(Verdict::Admitted) = self.verdict.try_recv() {
            self.door.leave(self.priority, None);
        }
    }
}

/// What an operator reads about admission.
#[derive(Debug)]
struct DoorMeters {
    limit: Gauge,
    in_flight: Gauge,
    waiting: Gauge,
    lag: Gauge,
    shed: [Counter; 4],
}

impl DoorMeters {
    fn new(listener: &'static str, options: &AdmissionOptions) -> Self {
        describe_gauge!(
            "corkboard_edge_admission_limit",
            "Requests that may be worked on at once."
        );
        describe_gauge!(
            "corkboard_edge_admission_in_flight",
            "Requests being worked on, at the last look."
        );
        describe_gauge!(
            "corkboard_edge_admission_waiting",
            "Requests waiting for their turn, at the last look."
        );
        describe_gauge!(
            "corkboard_edge_lag_seconds",
            "How late the last task ran that was due at a known time."
        );
        describe_counter!(
            "corkboard_edge_shed_total",
            "Requests refused with 503 before any work, by priority."
        );
        let limit = gauge!("corkboard_edge_admission_limit", "listener" => listener);
        limit.set(f64::from(options.min_in_flight));
        Self {
            limit,
            in_flight: gauge!("corkboard_edge_admission_in_flight", "listener" => listener),
            waiting: gauge!("corkboard_edge_admission_waiting", "listener" => listener),
            lag: gauge!("corkboard_edge_lag_seconds", "listener" => listener),
            shed: Priority::ALL.map(|priority| {
                counter!(
                    "corkboard_edge_shed_total",
                    "listener" => listener, "priority" => priority.label()
                )
            }),
        }
    }

    fn shed(&self, priority: Priority) {
        self.shed[priority as usize].increment(1);
    }

    fn look<T>(&self, core: &Core<T>) {
        self.limit.set(core.limit());
        self.in_flight.set(f64::from(core.in_flight()));
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge; the line is far below 2^52"
        )]
        self.waiting.set(core.waiting() as f64);
    }
}

#[cfg(test)]
mod tests;
