//! Leaving a host alone that does nothing but fail, and finding out when it is back.

use std::time::Duration;

use tokio::time::Instant;

/// The moving window, in buckets of a second.
const SECONDS: usize = 60;
/// Calls that decide whether a halted host is back.
const PROBES: u32 = 5;
/// Share of failures above which a host may be halted.
const MOSTLY: f64 = 0.9;

/// May a call be made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Yes,
    /// Yes, and its outcome decides.
    Probe,
    /// Not before.
    Halted(Instant),
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    second: u64,
    failed: u32,
    fine: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Halted(Instant),
    Probing { sent: u32, passed: u32 },
}

#[derive(Debug)]
pub(crate) struct Halt {
    began: Instant,
    buckets: [Bucket; SECONDS],
    state: State,
    /// More failures than this within the window halt.
    failures: u32,
    length: Duration,
}

impl Halt {
    /// Halts for `length` after more than `failures` failures within a minute.
    pub(crate) fn new(failures: u32, length: Duration, now: Instant) -> Self {
        Self {
            began: now,
            buckets: [Bucket::default(); SECONDS],
            state: State::Open,
            failures,
            length,
        }
    }

    pub(crate) fn leave(&mut self, now: Instant) -> Leave {
        match self.state {
            State::Open => Leave::Yes,
            State::Halted(until) if now < until => Leave::Halted(until),
            State::Halted(_) => {
                self.state = State::Probing { sent: 1, passed: 0 };
                Leave::Probe
            }
            State::Probing { sent, passed } if sent < PROBES => {
                self.state = State::Probing {
                    sent: sent + 1,
                    passed,
                };
                Leave::Probe
            }
            // The probes will have answered within their time-outs.
            State::Probing { .. } => Leave::Halted(now + Duration::from_secs(1)),
        }
    }

    /// Whether this failure halts the host.
    pub(crate) fn failed(&mut self, probe: bool, now: Instant) -> bool {
        if probe {
            if matches!(self.state, State::Probing { .. }) {
                self.state = State::Halted(now + self.length);
            }
            return false;
        }
        self.bucket(now).failed += 1;
        if self.state != State::Open {
            return false;
        }
        let (failed, all) = self.window(now);
        if failed > self.failures && f64::from(failed) > MOSTLY * f64::from(all) {
            self.state = State::Halted(now + self.length);
            return true;
        }
        false
    }

    pub(crate) fn fine(&mut self, probe: bool, now: Instant) {
        self.bucket(now).fine += 1;
        if !probe {
            return;
        }
        if let State::Probing { sent, passed } = self.state {
            self.state = State::Probing {
                sent,
                passed: passed + 1,
            };
            if passed + 1 == PROBES {
                self.state = State::Open;
                self.buckets = [Bucket::default(); SECONDS];
            }
        }
    }

    /// A probe that ended without a result gives its place to another.
    pub(crate) fn probe_lost(&mut self) {
        if let State::Probing { sent, passed } = self.state {
            self.state = State::Probing {
                sent: sent.saturating_sub(1).max(passed),
                passed,
            };
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    fn second(&self, now: Instant) -> u64 {
        now.duration_since(self.began).as_secs()
    }

    fn bucket(&mut self, now: Instant) -> &mut Bucket {
        let second = self.second(now);
        let bucket = &mut self.buckets[(second % SECONDS as u64) as usize];
        if bucket.second != second {
            *bucket = Bucket {
                second,
                ..Bucket::default()
            };
        }
        bucket
    }

    fn window(&self, now: Instant) -> (u32, u32) {
        let second = self.second(now);
        let recent = self
            .buckets
            .iter()
            .filter(|bucket| bucket.second + SECONDS as u64 > second);
        recent.fold((0, 0), |(failed, all), bucket| {
            (failed + bucket.failed, all + bucket.failed + bucket.fine)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn halted(halt: &mut Halt, now: Instant) -> bool {
        (0..3_000).for_each(|_| assert!(!halt.failed(false, now)));
        halt.failed(false, now)
    }

    #[test]
    fn more_than_three_thousand_failures_and_more_than_nine_in_ten_halt() {
        let now = Instant::now();
        let mut halt = Halt::new(3_000, MINUTE, now);
        assert!(halted(&mut halt, now));
        assert_eq!(halt.leave(now), Leave::Halted(now + MINUTE));
        // 300 good ones are less than a tenth of all, 340 are more.
        let mut halt = Halt::new(3_000, MINUTE, now);
        (0..300).for_each(|_| halt.fine(false, now));
        assert!(halted(&mut halt, now));
        let mut halt = Halt::new(3_000, MINUTE, now);
        (0..340).for_each(|_| halt.fine(false, now));
        assert!(!halted(&mut halt, now));
        assert_eq!(halt.leave(now), Leave::Yes);
    }

    #[test]
    fn failures_older_than_a_minute_do_not_count() {
        let now = Instant::now();
        let mut halt = Halt::new(3_000, MINUTE, now);
        for second in 0..100 {
            let at = now + Duration::from_secs(second);
            assert!((0..50).all(|_| !halt.failed(false, at)), "{second}");
        }
        let mut rare = Halt::new(3_000, MINUTE, now);
        (0..3_000).for_each(|_| assert!(!rare.failed(false, now)));
        assert!(!rare.failed(false, now + Duration::from_secs(61)));
        let at = now + Duration::from_secs(99);
        assert!(
            (0..200).any(|_| halt.failed(false, at)),
            "51 in a second are"
        );
    }

    #[test]
    fn probes_decide_after_the_halt() {
        let now = Instant::now();
        let mut halt = Halt::new(3_000, MINUTE, now);
        assert!(halted(&mut halt, now));
        let later = now + MINUTE;
        assert_eq!(halt.leave(later), Leave::Probe);
        assert!(!halt.failed(true, later));
        assert_eq!(halt.leave(later), Leave::Halted(later + MINUTE));
        let later = later + MINUTE;
        for _ in 0..5 {
            assert_eq!(halt.leave(later), Leave::Probe);
        }
        assert!(matches!(halt.leave(later), Leave::Halted(_)));
        halt.probe_lost();
        assert_eq!(halt.leave(later), Leave::Probe);
        (0..4).for_each(|_| halt.fine(true, later));
        assert!(!halt.is_open());
        halt.fine(true, later);
        assert_eq!(halt.leave(later), Leave::Yes);
    }

    #[test]
    fn a_host_that_is_back_begins_anew() {
        let now = Instant::now();
        let mut halt = Halt::new(3_000, Duration::from_secs(1), now);
        assert!(halted(&mut halt, now));
        let later = now + Duration::from_secs(1);
        for _ in 0..5 {
            assert_eq!(halt.leave(later), Leave::Probe);
            halt.fine(true, later);
        }
        assert!(!halt.failed(false, later), "what was before is forgotten");
        assert_eq!(halt.leave(later), Leave::Yes);
    }
}
