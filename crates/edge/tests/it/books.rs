//! The metrics of one test, kept by a recorder of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, LocalRecorderGuard, Metadata, Recorder, SharedString,
    Unit,
};
use tokio::time::{Instant, sleep};

use crate::server::DEADLINE;

/// Everything is counted on the test's own thread, which its runtime never leaves.
pub(crate) struct Books {
    ledger: &'static Ledger,
    _guard: LocalRecorderGuard<'static>,
}

#[derive(Default)]
struct Ledger {
    /// Counters as they are, gauges as the bits of their number.
    counters: Mutex<HashMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<HashMap<String, Arc<AtomicU64>>>,
}

impl Books {
    pub(crate) fn open() -> Self {
        // The handles of a listener outlive the test's own variables.
        let ledger: &'static Ledger = Box::leak(Box::default());
        Self {
            ledger,
            _guard: metrics::set_default_local_recorder(ledger),
        }
    }

    /// The value of "name" or of "name reason"; 0 when nothing was counted.
    pub(crate) fn read(&self, name: &str) -> f64 {
        if let Some(gauge) = self.ledger.gauges.lock().unwrap().get(name) {
            return f64::from_bits(gauge.load(Relaxed));
        }
        let counters = self.ledger.counters.lock().unwrap();
        let count = counters.get(name).map_or(0, |count| count.load(Relaxed));
        f64::from(u32::try_from(count).unwrap())
    }

    /// Until the books say so.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !wanted(self) {
            assert!(start.elapsed() < DEADLINE, "the books never say so");
            // Lets time pass, too, where it is paused.
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The name, and the reason where there is one.
fn title(key: &Key) -> String {
    let reason = key
        .labels()
        .filter(|label| label.key() != "listener")
        .map(|label| format!(" {}", label.value()));
    key.name().to_owned() + &reason.collect::<String>()
}

impl Recorder for Ledger {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.counters.lock().unwrap();
        Counter::from_arc(Arc::clone(counters.entry(title(key)).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.gauges.lock().unwrap();
        Gauge::from_arc(Arc::clone(gauges.entry(title(key)).or_default()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
