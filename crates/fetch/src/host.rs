//! What is known of a host, and who may call it when.
//!
//! A host is a workspace and a host name with its port. Everything that the pieces below decide is
//! decided here under one short lock; waiting happens outside of it. First come, first served: who
//! may go is handed a [`Slot`] by the one who made room.

mod budget;
mod connects;
mod halt;
mod limit;
mod pace;
mod pass;
mod registry;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::meter::HostMeter;
use crate::problem::Problem;
use budget::Budget;
use connects::Connects;
pub(crate) use connects::Turn;
use halt::{Halt, Leave};
use limit::Limit;
pub(crate) use limit::Sign;
use pace::Pace;
pub(crate) use pass::Pass;
use pass::Slot;
pub(crate) use registry::Hosts;

/// Above this share of refusals among the recent answers, `Retry-After` stops the whole host.
const MOSTLY_REFUSING: f64 = 0.5;
/// Above this share of failures, waiting in vain is the host's doing.
const MOSTLY_FAILING: f64 = 0.9;
/// So many failures in a row, with one call at a time left, are tried again ever more slowly: failing
/// fast would use up every card of a send while an endpoint restarts.
const STREAK: u32 = 10;
const FIRST_BREATH: Duration = Duration::from_millis(10);
const LONGEST_BREATH: Duration = Duration::from_secs(1);
/// An endpoint that wants to be left alone for longer is asked again after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// The bounds for every host.
#[derive(Debug, Clone)]
pub(crate) struct HostRules {
    pub(crate) max_concurrent: usize,
    pub(crate) max_waiting: usize,
    /// 0 is no cap.
    pub(crate) per_second: u32,
    pub(crate) halt_failures: u32,
    pub(crate) halt_time: Duration,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

type Granted = Result<Slot, Problem>;

#[derive(Debug)]
struct State {
    limit: Limit,
    halt: Halt,
    budget: Budget,
    pace: Pace,
    in_flight: usize,
    waiting: VecDeque<oneshot::Sender<Granted>>,
    resuming: bool,
    used: Instant,
}

#[derive(Debug)]
pub(crate) struct Host {
    rules: Arc<HostRules>,
    state: Mutex<State>,
    pub(crate) connects: Connects,
    pub(crate) meter: HostMeter,
}

impl Host {
    fn new(rules: Arc<HostRules>, meter: HostMeter) -> Self {
        let now = Instant::now();
        let state = State {
            limit: Limit::new(rules.max_concurrent, now),
            halt: Halt::new(rules.halt_failures, rules.halt_time, now),
            budget: Budget::new(now),
            pace: Pace::new(rules.per_second, now),
            in_flight: 0,
            waiting: VecDeque::new(),
            resuming: false,
            used: now,
        };
        Self {
            rules,
            state: Mutex::new(state),
            connects: Connects::new(),
            meter,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for leave to call, until `deadline` at the latest. A `retry` needs a token.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        retry: bool,
        deadline: Instant,
    ) -> Result<Pass, Problem> {
        let (mut pass, leave) = self.ask(retry, deadline)?;
        if leave > Instant::now() {
            sleep_until(leave).await;
        }
        let slot = match self.line_up()? {
            Ok(slot) => slot,
            Err(turn) => match timeout_at(deadline, turn).await {
                Ok(Ok(turn)) => turn?,
                Ok(Err(_)) => return Err(Problem::Interrupted),
                Err(_) => return Err(self.waited_in_vain()),
            },
        };
        pass.slot = Some(slot);
        Ok(pass)
    }

    /// Everything that can be decided at once: halt, budget, pause, cap.
    fn ask(self: &Arc<Self>, retry: bool, deadline: Instant) -> Result<(Pass, Instant), Problem> {
        let now = Instant::now();
        let mut state = self.state();
        state.used = now;
        let probe = match state.halt.leave(now) {
            Leave::Yes => false,
            Leave::Probe => true,
            Leave::Halted(until) => return Err(Problem::Halted(until.duration_since(now))),
        };
        let decided = state.decide(retry, deadline, now);
        if decided.is_err() && probe {
            state.halt.probe_lost();
        }
        drop(state);
        let pass = Pass {
            slot: None,
            host: Arc::clone(self),
            probe,
            started: now,
        };
        match decided {
            Ok(leave) => Ok((pass, leave)),
            Err(problem) => {
                pass.forget();
                Err(problem)
            }
        }
    }

    /// A slot, or a place in the queue for one.
    fn line_up(self: &Arc<Self>) -> Result<Result<Slot, oneshot::Receiver<Granted>>, Problem> {
        let mut state = self.state();
        if state.waiting.is_empty() && state.has_room(Instant::now()) {
            return Ok(Ok(self.take(&mut state)));
        }
        let most = self.rules.max_waiting;
        if state.waiting.len() >= most {
            state.waiting.retain(|turn| !turn.is_closed());
            if state.waiting.len() >= most {
                return Err(Problem::QueueFull);
            }
        }
        let (turn, wait) = oneshot::channel();
        state.waiting.push_back(turn);
        self.admit(&mut state);
        Ok(Err(wait))
    }

    fn take(self: &Arc<Self>, state: &mut State) -> Slot {
        state.in_flight += 1;
        Slot {
            host: Arc::clone(self),
            together: state.in_flight,
            armed: true,
        }
    }

    /// Lets as many go as there is room for.
    fn admit(self: &Arc<Self>, state: &mut State) {
        let now = Instant::now();
        while state.has_room(now) {
            let Some(turn) = state.waiting.pop_front() else {
                return;
            };
            if let Err(Ok(mut unwanted)) = turn.send(Ok(self.take(state))) {
                // Gone while waiting. Dropping the slot as it is would ask for the lock again.
                unwanted.armed = false;
                state.in_flight -= 1;
            }
        }
    }

    /// Whether a call that was lost with its connection may be made once more.
    pub(crate) fn spares_a_retry(&self) -> bool {
        self.state().budget.retry(Instant::now())
    }

    fn waited_in_vain(&self) -> Problem {
        let mut state = self.state();
        let now = Instant::now();
        if state.limit.failing() > MOSTLY_FAILING && state.halt.failed(false, now) {
            self.halted(&mut state);
        }
        Problem::NoTurn
    }

    /// Tells those who wait.
    fn halted(&self, state: &mut State) {
        self.meter.halted();
        let length = self.rules.halt_time;
        tracing::warn!(
            host = self.meter.name(),
            ?length,
            "calls to a host are halted"
        );
        for turn in state.waiting.drain(..) {
            // Whoever is gone need not be told.
            let _ = turn.send(Err(Problem::Halted(length)));
        }
    }

    /// Stops the host for a while, and sees to it that those who wait go on afterwards.
    fn pause(self: &Arc<Self>, state: &mut State, length: Duration) {
        state.pace.pause(Instant::now() + length.min(LONGEST_PAUSE));
        if state.resuming {
            return;
        }
        state.resuming = true;
        let host = Arc::clone(self);
        let resuming = async move {
            while let Some(until) = host.resume() {
                sleep_until(until).await;
            }
        };
        let stop = self.rules.stop.clone();
        self.rules
            .tasks
            .spawn(stop.run_until_cancelled_owned(resuming));
    }

    /// Lets calls go again, or says when.
    fn resume(self: &Arc<Self>) -> Option<Instant> {
        let mut state = self.state();
        let paused = state.pace.paused(Instant::now());
        if paused.is_none() {
            state.resuming = false;
            self.admit(&mut state);
        }
        paused
    }

    /// Whether nothing would be lost by forgetting this host, unused for `idle`.
    fn is_forgettable(&self, idle: Duration) -> bool {
        let state = self.state();
        let now = Instant::now();
        state.in_flight == 0
            && state.waiting.is_empty()
            && state.halt.is_open()
            && state.pace.paused(now).is_none()
            && now.duration_since(state.used) >= idle
    }
}

impl State {
    /// The pause that a row of failures asks for.
    fn breath(&mut self, sign: Sign) -> Option<Duration> {
        if sign == Sign::Nothing {
            return None;
        }
        let doublings = self.limit.streak().checked_sub(STREAK)?.min(16);
        let breath = FIRST_BREATH.saturating_mul(1 << doublings);
        (self.limit.allowed() == 1).then_some(breath.min(LONGEST_BREATH))
    }

    fn has_room(&self, now: Instant) -> bool {
        self.in_flight < self.limit.allowed() && self.pace.paused(now).is_none()
    }

    fn decide(&mut self, retry: bool, deadline: Instant, now: Instant) -> Result<Instant, Problem> {
        if !retry {
            self.budget.first_try(now);
        } else if !self.budget.retry(now) {
            return Err(Problem::NoRetry);
        }
        if let Some(until) = self.pace.paused(now).filter(|until| *until > deadline) {
            return Err(Problem::Paused(until.duration_since(now)));
        }
        self.pace
            .reserve(now, deadline)
            .map_err(|due| Problem::Paced(due.duration_since(now)))
    }
}

#[cfg(test)]
mod tests;
