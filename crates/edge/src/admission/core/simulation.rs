//! Overload in virtual time: a pool of workers behind the core, arrivals that do not wait for
//! answers, seconds of traffic in milliseconds.

use super::*;
use outcome::Outcome;
use world::{Backend, Random, Stream, run, stream};

mod another_pace;
mod buses;
mod cold_cache;
mod few_connections;
mod outcome;
mod saturated;
mod world;

/// Workers behind the door; each request takes 20 ms of one on average.
const WORKERS: usize = 64;
const MEAN_MICROS: f64 = 20_000.0;
/// Requests a second that the workers can do.
const CAPACITY: f64 = WORKERS as f64 * 1e6 / MEAN_MICROS;

fn inspect(_: &crate::Bearer<'_>) -> Passport {
    Passport::new(Priority::Read, b"")
}

fn pool() -> Backend {
    Backend::of(WORKERS, |_| MEAN_MICROS)
}

fn simulate(seconds: f64, streams: &[Stream], controlled: bool) -> Outcome {
    let options = AdmissionOptions {
        slow_start: Duration::ZERO,
        ..AdmissionOptions::new(inspect)
    };
    run(seconds, streams, &options, controlled, pool(), None)
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
