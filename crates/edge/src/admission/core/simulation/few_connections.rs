//! A source with far fewer connections than the floor lets in, so that the line before them is there long before
//! the limit binds, and so slow that a window sees few answers: nothing that it says is certain.

use super::*;

/// A query of 10 ms for each, but for a fifth that is found elsewhere.
const CONNECTIONS: usize = 8;
const GIVES: f64 = CONNECTIONS as f64 * 100.0 / 0.8;

fn source() -> Backend {
    Backend {
        way: 500,
        beside: |_, random| (random.next() < 0.2).then_some(500),
        ..Backend::of(CONNECTIONS, |_| 10_000.0)
    }
}

/// So many times what the source gives, from when to when.
fn span(load: f64, from: f64, to: f64) -> Stream {
    Stream {
        from,
        to,
        ..stream(Priority::Read, 1, load * GIVES)
    }
}

#[test]
fn nobody_is_late_when_more_is_asked_for_than_a_slow_source_gives() {
    let streams = [
        span(0.7, 0.0, 30.0),
        span(1.3, 5.0, 10.0),
        span(4.3, 15.0, 20.0),
        span(9.3, 25.0, 30.0),
    ];
    let options = AdmissionOptions {
        slow_start: Duration::ZERO,
        ..AdmissionOptions::new(inspect)
    };
    let outcome = run(30.0, &streams, &options, true, source(), None);
    let took = |done: &outcome::Done| done.finished - done.arrived;
    let worst = outcome.done.iter().map(took).max();
    assert!(worst < Some(250_000), "the last one after {worst:?} us");
    for from in [5.0, 15.0, 25.0] {
        let goodput = outcome.goodput(from, from + 5.0);
        assert!(goodput > 0.9 * GIVES, "{goodput:.0} of {GIVES:.0}");
    }
}
