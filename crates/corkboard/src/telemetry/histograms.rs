//! Histograms of a fixed size.
//!
//! The exporter's own keep every value until somebody looks at `/metrics`. A node that answers two hundred
//! thousand requests a second and is looked at by nobody would fill its memory with them. These count values
//! by bucket as they come, which is quicker, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{HistogramFn, Key};
use metrics_exporter_prometheus::formatting::{
    sanitize_label_key, sanitize_label_value, write_help_line, write_type_line,
};

/// Upper bounds for durations: from what memory takes to what nobody waits for.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
/// Upper bounds for how many.
const COUNTS: [f64; 15] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0, 8_192.0,
    16_384.0,
];

/// All histograms of the process, by name and labels. Labels are bounded, and so are they.
#[derive(Debug, Default)]
pub(super) struct Histograms(Mutex<BTreeMap<String, Family>>);

#[derive(Debug, Default)]
struct Family {
    help: String,
    /// By labels, as they are shown.
    series: BTreeMap<String, Arc<Buckets>>,
}

/// One histogram.
#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    /// One more than bounds: what is greater than all of them.
    counts: Box<[AtomicU64]>,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl Histograms {
    pub(super) fn describe(&self, name: &str, help: &str) {
        help.clone_into(&mut self.families().entry(name.to_owned()).or_default().help);
    }

    pub(super) fn register(&self, key: &Key) -> Arc<impl HistogramFn + use<>> {
        let mut families = self.families();
        let family = families.entry(key.name().to_owned()).or_default();
        let buckets = || Arc::new(Buckets::for_name(key.name()));
        Arc::clone(family.series.entry(labels(key)).or_insert_with(buckets))
    }

    /// Adds all of them to `text`, in Prometheus' text format (0.0.4).
    pub(super) fn render(&self, text: &mut String) {
        for (name, family) in &*self.families() {
            if family.series.is_empty() {
                continue;
            }
            if !family.help.is_empty() {
                write_help_line(text, name, None, None, &family.help);
            }
            write_type_line(text, name, None, None, "histogram");
            for (labels, buckets) in &family.series {
                buckets.render(name, labels, text);
            }
            text.push('\n');
        }
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn for_name(name: &str) -> Self {
        let bounds: &[f64] = if name.ends_with("_seconds") {
            &SECONDS
        } else {
            &COUNTS
        };
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    fn render(&self, name: &str, labels: &str, text: &mut String) {
        let (comma, mut count) = (if labels.is_empty() { "" } else { "," }, 0);
        let bounds = self.bounds.iter().map(f64::to_string);
        let bounds = bounds.chain(["+Inf".to_owned()]);
        for (bound, bucket) in bounds.zip(&self.counts) {
            count += bucket.load(Relaxed);
            let _ = writeln!(
                text,
                "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
            );
        }
        let sum = f64::from_bits(self.sum.load(Relaxed));
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        let _ = writeln!(text, "{name}_sum{labels} {sum}");
        let _ = writeln!(text, "{name}_count{labels} {count}");
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Relaxed);
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        let _ = self.sum.fetch_update(Relaxed, Relaxed, add);
    }
}

/// `name="value",...`, in the order of the names.
fn labels(key: &Key) -> String {
    let labels = key.labels().map(|label| {
        let (name, value) = (label.key(), label.value());
        format!(
            "{}=\"{}\"",
            sanitize_label_key(name),
            sanitize_label_value(value)
        )
    });
    let mut labels: Vec<_> = labels.collect();
    labels.sort();
    labels.join(",")
}

#[cfg(test)]
mod tests {
    use metrics::Label;

    use super::*;

    #[test]
    fn values_are_counted_by_bucket_and_labels() {
        let histograms = Histograms::default();
        histograms.describe("corkboard_api_request_seconds", "Time to\nanswer.");
        histograms.describe("corkboard_never_used", "Nothing.");
        let of = |route: &'static str| {
            let labels = vec![Label::new("route", route)];
            histograms.register(&Key::from_parts("corkboard_api_request_seconds", labels))
        };
        let feed = of("/v1/feed");
        for value in [0.0, 0.000_1, 0.000_2, 0.25, 0.3, 11.0] {
            feed.record(value);
        }
        of("/v1/feed").record(0.5);
        of("say \"hi\"").record(0.5);
        let reads = histograms.register(&Key::from_name("corkboard_store_users_per_read"));
        reads.record(64.0);
        reads.record(65.0);
        let mut text = String::new();
        histograms.render(&mut text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_several_threads_record_is_all_there() {
        let histograms = Histograms::default();
        let name = "corkboard_store_users_per_read";
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let one = histograms.register(&Key::from_name(name));
                    (0..10_000).for_each(|_| one.record(2.0));
                });
            }
        });
        let mut text = String::new();
        histograms.render(&mut text);
        assert!(text.contains(&format!("{name}_sum 80000\n{name}_count 40000\n")));
    }
}
