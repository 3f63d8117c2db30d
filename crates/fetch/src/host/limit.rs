//! How many calls a host takes at a time, learned from what it does with them.
//!
//! Grow while it helps, hold while it does not, cut when refused. An endpoint says in three ways
//! that it has enough: it refuses, it fails, or it lets calls queue, which shows as more latency
//! *without* more throughput. More latency with less throughput is a slower endpoint, and no reason
//! to call it less.

use std::time::Duration;

use tokio::time::Instant;

/// Where every host begins.
const START: f64 = 20.0;
/// A round whose mean latency is this much above the best one has waited somewhere.
const INFLATED: f64 = 1.5;
/// What is kept above the number of calls that an endpoint carries without a queue.
const HEADROOM: f64 = 1.5;
/// Of the best throughput: below, an endpoint is slower rather than full.
const SLOWER: f64 = 0.7;
/// Share of recent calls that may fail without being a sign of too many calls.
const TOLERATED_FAILURES: f64 = 0.1;
/// Share of recent calls above which there is little left to lose.
const MOSTLY: f64 = 0.5;
/// More bad calls in a row than this are an outage.
const OUTAGE: u32 = 10;
/// Share of the recent past in the running share of failures.
const MEMORY: f64 = 31.0 / 32.0;
/// How often the limit is halved for a moment, to see the latency without our own queue in it. What
/// was best before is then forgotten: endpoints change.
const BETWEEN_DIPS: Duration = Duration::from_secs(20);
/// When a host has become slower it is looked at earlier, but not more often than this.
const BETWEEN_LOOKS: Duration = Duration::from_secs(4);
const LONGEST_DIP: Duration = Duration::from_secs(2);
/// A round ends after this even when few calls have ended.
const LONGEST_ROUND: Duration = Duration::from_secs(2);

/// What became of a call, as far as the limit is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// An answer of an endpoint that has room.
    Fine,
    /// The endpoint said that it is too much.
    Shed,
    /// No answer, or one of an endpoint in trouble: a sign only when it is no exception.
    Failed,
    /// Says nothing about room: cancelled, or refused by the address guard.
    Nothing,
}

/// What happened since the limit was last looked at.
#[derive(Debug, Clone, Copy)]
struct Round {
    began: Instant,
    ended: u32,
    fine: u32,
    latency: f64,
    /// Calls that were on their way when one began, added up.
    present: f64,
    busiest: usize,
    cut: bool,
}

impl Round {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            ended: 0,
            fine: 0,
            latency: 0.0,
            present: 0.0,
            busiest: 0,
            cut: false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Dip {
    began: Instant,
    fine: u32,
    latency: f64,
}

#[derive(Debug)]
pub(crate) struct Limit {
    limit: f64,
    most: f64,
    slow_start: bool,
    refused_at: Option<f64>,
    last_cut: Instant,
    /// Bad calls since anything went well.
    streak: u32,
    /// Running shares of bad calls, and of all calls that were remembered so far.
    bad: f64,
    seen: f64,
    /// Mean latency of the best round, in seconds.
    best_latency: f64,
    /// Answers per second of the best round.
    best_rate: f64,
    round: Round,
    dip: Option<Dip>,
    next_dip: Instant,
}

impl Limit {
    pub(crate) fn new(most: usize, now: Instant) -> Self {
        let most = (most.max(1)) as f64;
        Self {
            limit: START.min(most),
            most,
            slow_start: true,
            refused_at: None,
            last_cut: now,
            streak: 0,
            bad: 0.0,
            seen: 0.0,
            best_latency: f64::INFINITY,
            best_rate: 0.0,
            round: Round::new(now),
            dip: None,
            next_dip: now + BETWEEN_DIPS,
        }
    }

    /// Calls that may be on their way now; at least one.
    pub(crate) fn allowed(&self) -> usize {
        let limit = if self.dip.is_some() {
            self.limit / 2.0
        } else {
            self.limit
        };
        limit.max(1.0) as usize
    }

    /// Calls in a row that were shed or failed, up to now.
    pub(crate) fn streak(&self) -> u32 {
        self.streak
    }

    /// Share of recent calls that were shed or failed, from 0 to 1.
    pub(crate) fn failing(&self) -> f64 {
        if self.seen > 0.0 {
            self.bad / self.seen
        } else {
            0.0
        }
    }

    /// A call that began at `started` has ended; `together` were on their way when it began, it
    /// included.
    pub(crate) fn ended(&mut self, sign: Sign, started: Instant, together: usize, now: Instant) {
        self.round.busiest = self.round.busiest.max(together);
        let bad = match sign {
            Sign::Nothing => return,
            Sign::Fine => 0.0,
            Sign::Shed | Sign::Failed => 1.0,
        };
        self.bad = self.bad * MEMORY + bad * (1.0 - MEMORY);
        self.seen = self.seen * MEMORY + (1.0 - MEMORY);
        self.streak = self.streak.saturating_add(1);
        self.round.ended += 1;
        if sign == Sign::Fine {
            self.is_back();
            let latency = now.duration_since(started).as_secs_f64();
            self.round.fine += 1;
            self.round.latency += latency;
            self.round.present += together as f64;
            if let Some(dip) = self.dip.as_mut().filter(|dip| started >= dip.began) {
                dip.fine += 1;
                dip.latency += latency;
            }
        } else if sign == Sign::Shed {
            // What was refused is what was on its way, which may be less than was allowed.
            self.cut(started, self.limit.min(together as f64), now);
        } else if self.failing() > TOLERATED_FAILURES {
            self.cut(started, self.limit, now);
        }
        self.end_dip(now);
        let whole_round = self.round.ended as usize >= self.allowed();
        if whole_round || now.duration_since(self.round.began) >= LONGEST_ROUND {
            self.end_round(now);
        }
    }

    /// After an outage that brought the limit down, what was learned before it is worth nothing.
    fn is_back(&mut self) {
        if self.streak > OUTAGE && self.limit < 3.0 {
            self.slow_start = true;
            self.refused_at = None;
            self.best_latency = f64::INFINITY;
            self.best_rate = 0.0;
        }
        self.streak = 0;
    }

    /// Once for all calls that were on their way together: one that began before the last cut says
    /// nothing about the limit since.
    fn cut(&mut self, started: Instant, refused_at: f64, now: Instant) {
        if started < self.last_cut {
            return;
        }
        let factor = if self.failing() > MOSTLY { 0.5 } else { 0.9 };
        self.refused_at = Some(refused_at);
        self.limit = (refused_at * factor).max(1.0);
        self.slow_start = false;
        self.last_cut = now;
        self.round.cut = true;
    }

    fn end_round(&mut self, now: Instant) {
        let round = std::mem::replace(&mut self.round, Round::new(now));
        if round.fine == 0 || round.latency <= 0.0 {
            return;
        }
        let latency = round.latency / f64::from(round.fine);
        // Little's law, with those a call found before it. Counting ends would be fooled by bursts of
        // them, counting those on their way at the end by the limit's own growth.
        let rate = round.present / round.latency;
        let needed = round.busiest as f64 >= (0.9 * self.limit).floor();
        if self.dip.is_some() {
            return;
        }
        self.best_latency = self.best_latency.min(latency);
        self.best_rate = self.best_rate.max(rate);
        if round.cut || !needed {
            return;
        }
        let inflated = latency > INFLATED * self.best_latency;
        let slower = inflated && rate < SLOWER * self.best_rate;
        let dips = self.next_dip.checked_sub(BETWEEN_DIPS - BETWEEN_LOOKS);
        let due = if slower {
            dips.unwrap_or(now)
        } else {
            self.next_dip
        };
        if now >= due && (slower || !self.slow_start) {
            self.slow_start = false;
            self.next_dip = now + BETWEEN_DIPS;
            self.dip = Some(Dip {
                began: now,
                fine: 0,
                latency: 0.0,
            });
        } else if !inflated {
            self.grow();
        } else {
            self.slow_start = false;
            if !slower {
                let carried = self.best_rate * self.best_latency * HEADROOM;
                self.limit = self.limit.min(carried.max(1.0));
            }
        }
        self.limit = self.limit.min(self.most);
    }

    fn grow(&mut self) {
        if self
            .refused_at
            .is_some_and(|refused| self.limit > 1.05 * refused + 1.0)
        {
            self.refused_at = None;
        }
        self.limit += match self.refused_at {
            Some(refused) if self.limit >= 0.8 * refused => 1.0,
            _ if self.slow_start => self.limit,
            _ => self.limit.sqrt(),
        };
    }

    fn end_dip(&mut self, now: Instant) {
        let Some(dip) = self.dip else {
            return;
        };
        let enough = f64::from(dip.fine) >= (self.limit / 4.0).max(4.0);
        if !enough && now.duration_since(dip.began) < LONGEST_DIP {
            return;
        }
        if dip.fine > 0 {
            self.best_latency = dip.latency / f64::from(dip.fine);
            self.best_rate = 0.0;
        }
        self.dip = None;
        self.round = Round::new(now);
    }
}

#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
