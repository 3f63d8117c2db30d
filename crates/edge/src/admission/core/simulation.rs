//! Overload in virtual time: a pool of workers behind the core, arrivals that do not wait for
//! answers, seconds of traffic in milliseconds.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::*;
use cold_cache::Cache;

mod cold_cache;

/// Workers behind the door; each request takes 20 ms of one on average.
const WORKERS: usize = 64;
const MEAN_MICROS: f64 = 20_000.0;
/// Requests a second that the workers can do.
const CAPACITY: f64 = WORKERS as f64 * 1e6 / MEAN_MICROS;

fn inspect(_: &crate::Bearer<'_>) -> Passport {
    Passport::new(Priority::Read, b"")
}

/// A stream of requests: who, how many a second, from when to when.
#[derive(Clone, Copy)]
struct Stream {
    passport: Passport,
    rate: f64,
    from: f64,
    to: f64,
}

fn stream(priority: Priority, tenant: u8, rate: f64) -> Stream {
    Stream {
        passport: Passport { priority, tenant },
        rate,
        from: 0.0,
        to: f64::MAX,
    }
}

/// One answered request.
struct Done {
    arrived: u64,
    finished: u64,
    passport: Passport,
}

#[derive(Default)]
struct Outcome {
    done: Vec<Done>,
    refused: HashMap<Passport, u64>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival(usize),
    Finish(u64),
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        (-mean * (1.0 - self.next()).ln()) as u64 + 1
    }
}

/// A request on its way: when it came and whose it is.
#[derive(Clone, Copy)]
struct Job {
    arrived: u64,
    begun: u64,
    passport: Passport,
    key: u32,
    /// Found in the cache, so that no worker was needed.
    hit: bool,
}

/// Workers take what was admitted, first come, first served: what the core lets in beyond them
/// waits here and takes longer.
struct World {
    core: Core<u64>,
    random: Random,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    jobs: HashMap<u64, Job>,
    backlog: std::collections::VecDeque<u64>,
    busy: usize,
    outcome: Outcome,
    controlled: bool,
    cache: Option<Cache>,
}

impl World {
    fn admit(&mut self, id: u64, now: u64) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.begun = now;
            job.hit = self
                .cache
                .as_mut()
                .is_some_and(|cache| cache.has(job.key, now));
            if job.hit {
                self.events
                    .push(Reverse((now + cold_cache::HIT_MICROS, Event::Finish(id))));
                return;
            }
        }
        self.backlog.push_back(id);
        self.start_work(now);
    }

    fn start_work(&mut self, now: u64) {
        while self.busy < WORKERS {
            let Some(id) = self.backlog.pop_front() else {
                return;
            };
            self.busy += 1;
            // A fixed part and a tail, as of a query.
            let took = 10_000 + self.random.exponential(MEAN_MICROS - 10_000.0);
            self.events.push(Reverse((now + took, Event::Finish(id))));
        }
    }

    fn refuse(&mut self, id: u64) {
        if let Some(job) = self.jobs.remove(&id) {
            *self.outcome.refused.entry(job.passport).or_default() += 1;
        }
    }

    fn arrive(&mut self, id: u64, passport: Passport, now: u64) {
        let at = Duration::from_micros(now);
        self.jobs.insert(
            id,
            Job {
                arrived: now,
                begun: now,
                passport,
                key: self.cache.as_mut().map_or(0, Cache::any_key),
                hit: false,
            },
        );
        if !self.controlled || self.core.enter(at, passport) {
            self.admit(id, now);
        } else {
            match self.core.wait(at, passport, || id) {
                Wait::Refused => self.refuse(id),
                Wait::InLine {
                    instead: Some((_, other)),
                } => self.refuse(other),
                Wait::InLine { instead: None } => {}
            }
        }
    }

    fn finish(&mut self, id: u64, now: u64) {
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        if !job.hit {
            self.busy -= 1;
            self.start_work(now);
            if let Some(cache) = &mut self.cache {
                cache.fill(job.key);
            }
        }
        let took = Duration::from_micros(now - job.begun);
        self.core.leave(
            Duration::from_micros(now),
            job.passport.priority,
            Some(took),
        );
        self.outcome.done.push(Done {
            arrived: job.arrived,
            finished: now,
            passport: job.passport,
        });
    }
}

fn simulate(seconds: f64, streams: &[Stream], controlled: bool) -> Outcome {
    let options = AdmissionOptions {
        slow_start: Duration::ZERO,
        ..AdmissionOptions::new(inspect)
    };
    run(seconds, streams, &options, controlled, None)
}

fn run(
    seconds: f64,
    streams: &[Stream],
    options: &AdmissionOptions,
    controlled: bool,
    cache: Option<Cache>,
) -> Outcome {
    let mut world = World {
        core: Core::new(options),
        random: Random(0x9e37_79b9_7f4a_7c15),
        events: BinaryHeap::new(),
        jobs: HashMap::new(),
        backlog: std::collections::VecDeque::new(),
        busy: 0,
        outcome: Outcome::default(),
        controlled,
        cache,
    };
    for (index, stream) in streams.iter().enumerate() {
        let first = (stream.from * 1e6) as u64 + world.random.exponential(1e6 / stream.rate);
        world.events.push(Reverse((first, Event::Arrival(index))));
    }
    let end = (seconds * 1e6) as u64;
    let mut ids = 0;
    while let Some(Reverse((now, event))) = world.events.pop() {
        match event {
            Event::Arrival(index) => {
                let stream = streams[index];
                if now < end && (now as f64) < stream.to * 1e6 {
                    ids += 1;
                    world.arrive(ids, stream.passport, now);
                    let next = now + world.random.exponential(1e6 / stream.rate);
                    world.events.push(Reverse((next, Event::Arrival(index))));
                }
            }
            Event::Finish(id) => world.finish(id, now),
        }
        while let Some((_, id, verdict)) = world.core.next(Duration::from_micros(now)) {
            match verdict {
                Verdict::Admitted => world.admit(id, now),
                Verdict::Refused => world.refuse(id),
            }
        }
    }
    world.outcome
}

impl Outcome {
    /// Answers within 250 ms, a second, of those that arrived in the span (in seconds).
    fn goodput(&self, from: f64, to: f64) -> f64 {
        let good = self
            .done
            .iter()
            .filter(|done| done.finished - done.arrived <= 250_000 && done.is_within(from, to));
        good.count() as f64 / (to - from)
    }

    fn p99(&self, from: f64, to: f64, of: impl Fn(&Passport) -> bool) -> u64 {
        let mut took: Vec<u64> = self
            .done
            .iter()
            .filter(|done| done.is_within(from, to) && of(&done.passport))
            .map(|done| done.finished - done.arrived)
            .collect();
        took.sort_unstable();
        took[took.len() * 99 / 100]
    }

    fn success(&self, of: impl Fn(&Passport) -> bool) -> f64 {
        let done = self.done.iter().filter(|done| of(&done.passport)).count() as f64;
        let refused: u64 = self
            .refused
            .iter()
            .filter(|(passport, _)| of(passport))
            .map(|(_, count)| count)
            .sum();
        done / (done + refused as f64)
    }
}

impl Done {
    fn is_within(&self, from: f64, to: f64) -> bool {
        (from..to).contains(&(self.arrived as f64 / 1e6))
    }
}

fn reads(load: f64) -> Vec<Stream> {
    (0..10)
        .map(|tenant| stream(Priority::Read, tenant, load * CAPACITY / 10.0))
        .collect()
}

const ANY: fn(&Passport) -> bool = |_| true;

#[test]
fn at_eighty_percent_of_capacity_nobody_is_refused() {
    let outcome = simulate(20.0, &reads(0.8), true);
    assert!(outcome.success(ANY) > 0.9999, "{}", outcome.success(ANY));
}

#[test]
fn at_ten_times_the_capacity_goodput_and_latency_hold() {
    let normal = simulate(8.0, &reads(0.8), true);
    let peak = simulate(8.0, &reads(1.0), true).goodput(2.0, 8.0);
    for load in [2.0, 5.0, 10.0] {
        let outcome = simulate(8.0, &reads(load), true);
        let goodput = outcome.goodput(0.0, 8.0);
        assert!(
            goodput >= 0.9 * peak,
            "{load}: {goodput:.0} of {peak:.0} a second"
        );
        let (p99, usual) = (outcome.p99(0.0, 8.0, ANY), normal.p99(0.0, 8.0, ANY));
        assert!(p99 <= 2 * usual, "{load}: p99 {p99} us, at 80 % {usual} us");
    }
}

#[test]
fn without_admission_control_the_same_overload_leaves_no_goodput() {
    let goodput = simulate(8.0, &reads(2.0), false).goodput(2.0, 8.0);
    assert!(
        goodput < 0.05 * CAPACITY,
        "the simulation would show nothing: {goodput}"
    );
}

#[test]
fn after_a_spike_everything_is_back_within_five_seconds() {
    let mut streams = reads(0.8);
    streams.push(Stream {
        from: 5.0,
        to: 10.0,
        ..stream(Priority::Read, 99, 9.2 * CAPACITY)
    });
    let outcome = simulate(20.0, &streams, true);
    let (before, after) = (outcome.goodput(1.0, 5.0), outcome.goodput(15.0, 20.0));
    assert!(after >= 0.98 * before, "{after:.0} after {before:.0}");
    let (usual, later) = (outcome.p99(1.0, 5.0, ANY), outcome.p99(15.0, 20.0, ANY));
    assert!(later * 10 <= usual * 13, "p99 {later} us after {usual} us");
}

#[test]
fn at_three_times_the_capacity_feeds_are_served_and_batches_are_not() {
    let streams = [
        stream(Priority::Read, 1, 0.6 * CAPACITY),
        stream(Priority::Event, 2, 0.6 * CAPACITY),
        stream(Priority::Server, 3, 0.6 * CAPACITY),
        stream(Priority::Batch, 4, 1.2 * CAPACITY),
    ];
    let outcome = simulate(8.0, &streams, true);
    let success = |priority| outcome.success(|passport| passport.priority == priority);
    let read = success(Priority::Read);
    assert!(read >= 0.95, "reads {read}");
    let [event, batch] = [success(Priority::Event), success(Priority::Batch)];
    assert!(
        event > batch && batch < 0.2,
        "events {event}, batches {batch}"
    );
}

#[test]
fn a_tenant_at_twenty_times_its_share_hardly_slows_the_others() {
    let usual = simulate(8.0, &reads(0.8), true);
    let mut streams = reads(0.8);
    streams[0].rate *= 20.0;
    let outcome = simulate(8.0, &streams, true);
    let others: fn(&Passport) -> bool = |passport| passport.tenant != 0;
    let (p99, before) = (outcome.p99(0.0, 8.0, others), usual.p99(0.0, 8.0, others));
    assert!(
        p99 * 10 <= before * 12,
        "p99 {p99} us, without the greedy one {before} us"
    );
    assert!(
        outcome.success(others) >= 0.999,
        "{}",
        outcome.success(others)
    );
}
