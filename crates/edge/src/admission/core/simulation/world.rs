//! The machinery of the simulations: arrivals, the core, workers, in the order of virtual time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use super::cold_cache::{self, Cache};
use super::outcome::{Done, Outcome};
use super::*;

/// A stream of requests: who, how many a second, from when to when.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    pub(super) passport: Passport,
    pub(super) rate: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

pub(super) fn stream(priority: Priority, tenant: u8, rate: f64) -> Stream {
    Stream {
        passport: Passport { priority, tenant },
        rate,
        from: 0.0,
        to: f64::MAX,
    }
}

/// What stands behind the door. Times are in microseconds.
#[derive(Clone, Copy)]
pub(super) struct Backend {
    pub(super) workers: usize,
    /// What a request takes of a worker on average, by now.
    pub(super) work: fn(u64) -> f64,
    /// What it takes before that, without a worker.
    pub(super) way: u64,
    /// How long it takes if it needs no worker at all.
    pub(super) beside: fn(u64, &mut Random) -> Option<u64>,
    pub(super) bus: Option<Bus>,
}

/// A worker takes all who wait, as far as there are seats, and does once for all of them what one alone would
/// cost as well. One processor does the work of all workers, in turn, and refuses.
#[derive(Clone, Copy)]
pub(super) struct Bus {
    pub(super) seats: usize,
    /// What each passenger adds to the work.
    pub(super) each: f64,
    /// How long it is away beside the work.
    pub(super) away: u64,
    pub(super) refusal: u64,
}

impl Backend {
    pub(super) fn of(workers: usize, work: fn(u64) -> f64) -> Self {
        Self {
            workers,
            work,
            way: 0,
            beside: |_, _| None,
            bus: None,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival(usize),
    Ready(u64),
    Finish(u64),
    Terminus(Vec<u64>),
}

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn exponential(&mut self, mean: f64) -> u64 {
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
    backlog: VecDeque<u64>,
    busy: usize,
    outcome: Outcome,
    controlled: bool,
    backend: Backend,
    cache: Option<Cache>,
    /// When the processor of the buses will have done what it has to do.
    free_at: u64,
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
            if let Some(took) = (self.backend.beside)(now, &mut self.random) {
                job.hit = true;
                self.events.push(Reverse((now + took, Event::Finish(id))));
                return;
            }
        }
        if self.backend.way > 0 {
            let ready = now + self.backend.way;
            self.events.push(Reverse((ready, Event::Ready(id))));
        } else {
            self.ready(id, now);
        }
    }

    fn ready(&mut self, id: u64, now: u64) {
        self.backlog.push_back(id);
        match self.backend.bus {
            Some(bus) => self.depart(bus, now),
            None => self.start_work(now),
        }
    }

    fn depart(&mut self, bus: Bus, now: u64) {
        while self.busy < self.backend.workers && !self.backlog.is_empty() {
            let seats = bus.seats.min(self.backlog.len());
            let passengers: Vec<u64> = self.backlog.drain(..seats).collect();
            let alone = (self.backend.work)(now) * (0.8 + 0.4 * self.random.next());
            let took = alone + bus.each * seats as f64;
            self.busy += 1;
            self.free_at = self.free_at.max(now) + took as u64;
            let there = Event::Terminus(passengers);
            self.events.push(Reverse((self.free_at + bus.away, there)));
        }
    }

    fn terminus(&mut self, passengers: Vec<u64>, now: u64) {
        self.busy -= 1;
        for id in passengers {
            self.finish(id, now);
        }
        if let Some(bus) = self.backend.bus {
            self.depart(bus, now);
        }
    }

    fn start_work(&mut self, now: u64) {
        while self.busy < self.backend.workers {
            let Some(id) = self.backlog.pop_front() else {
                return;
            };
            self.busy += 1;
            // A fixed part and a tail, as of a query.
            let half = (self.backend.work)(now) / 2.0;
            let took = half as u64 + self.random.exponential(half);
            self.events.push(Reverse((now + took, Event::Finish(id))));
        }
    }

    fn refuse(&mut self, id: u64) {
        if let Some(job) = self.jobs.remove(&id) {
            self.free_at += self.backend.bus.map_or(0, |bus| bus.refusal);
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
            if self.backend.bus.is_none() {
                self.busy -= 1;
                self.start_work(now);
            }
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

pub(super) fn run(
    seconds: f64,
    streams: &[Stream],
    options: &AdmissionOptions,
    controlled: bool,
    backend: Backend,
    cache: Option<Cache>,
) -> Outcome {
    let mut world = World {
        core: Core::new(options),
        random: Random(0x9e37_79b9_7f4a_7c15),
        events: BinaryHeap::new(),
        jobs: HashMap::new(),
        backlog: VecDeque::new(),
        busy: 0,
        outcome: Outcome::default(),
        controlled,
        backend,
        cache,
        free_at: 0,
    };
    // Of its own, so that the same arrive whatever is decided.
    let mut arrivals = Random(0x0123_4567_89ab_cdef);
    for (index, stream) in streams.iter().enumerate() {
        let first = (stream.from * 1e6) as u64 + arrivals.exponential(1e6 / stream.rate);
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
                    let next = now + arrivals.exponential(1e6 / stream.rate);
                    world.events.push(Reverse((next, Event::Arrival(index))));
                }
            }
            Event::Ready(id) => world.ready(id, now),
            Event::Finish(id) => world.finish(id, now),
            Event::Terminus(passengers) => world.terminus(passengers, now),
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
