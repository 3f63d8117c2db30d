//! The counters, read through a recorder of the test's own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use corkboard_testkit::{Peer, Reply};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use crate::bench_client::Bench;

/// One number per metric and label: counters and gauges add up, histograms count their samples.
#[derive(Debug, Clone, Default)]
struct Numbers(Arc<Mutex<BTreeMap<String, Arc<Number>>>>);

#[derive(Debug, Default)]
struct Number(AtomicU64);

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }
    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

impl GaugeFn for Number {
    fn increment(&self, value: f64) {
        self.0.fetch_add(value as u64, Ordering::SeqCst);
    }
    fn decrement(&self, value: f64) {
        self.0.fetch_sub(value as u64, Ordering::SeqCst);
    }
    fn set(&self, value: f64) {
        self.0.store(value as u64, Ordering::SeqCst);
    }
}

impl HistogramFn for Number {
    fn record(&self, _value: f64) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Numbers {
    fn number(&self, key: &Key) -> Arc<Number> {
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        Arc::clone(
            self.0
                .lock()
                .expect("no test panics with the lock")
                .entry(name.trim().to_owned())
                .or_default(),
        )
    }

    fn read(&self) -> Vec<(String, u64)> {
        let numbers = self.0.lock().expect("no test panics with the lock");
        numbers
            .iter()
            .map(|(name, it)| (name.clone(), it.0.load(Ordering::SeqCst)))
            .collect()
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.number(key))
    }
}

async fn one_of_each() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/ok", Reply::text("ok"))
        .on("/reset", Reply::reset());
    for path in ["/ok", "/ok", "/missing", "/reset"] {
        bench.get(&peer.url(path)).await;
    }
    bench.get("ftp://refused/").await;
}

#[test]
fn every_way_to_end_is_counted_under_its_own_name() {
    let numbers = Numbers::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&numbers, || runtime.block_on(one_of_each()));
    let expected = [
        ("corkboard_fetch_cache_bytes", 2 * 256 + 2),
        ("corkboard_fetch_calls_total cached", 1),
        ("corkboard_fetch_calls_total failed", 1),
        ("corkboard_fetch_calls_total http_error", 1),
        ("corkboard_fetch_calls_total refused", 1),
        ("corkboard_fetch_calls_total success", 1),
        ("corkboard_fetch_host_calls_total 127.0.0.1 2xx", 1),
        ("corkboard_fetch_host_calls_total 127.0.0.1 4xx", 1),
        ("corkboard_fetch_host_calls_total 127.0.0.1 failed", 1),
        ("corkboard_fetch_in_flight", 0),
        ("corkboard_fetch_seconds", 3),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    assert_eq!(numbers.read(), expected);
}
