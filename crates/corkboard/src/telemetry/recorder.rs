//! The recorder behind `/metrics`: an exporter's counters and gauges, and histograms of our own.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::histograms::Histograms;
use crate::exit::{Failure, Outcome};
use crate::stores;

/// What `/metrics` shows. Clones are the same.
#[derive(Clone)]
pub(crate) struct Metrics {
    others: PrometheusHandle,
    histograms: Arc<Histograms>,
}

impl Metrics {
    /// All metrics as they are now, in Prometheus' text format (0.0.4).
    pub(crate) fn render(&self) -> String {
        let mut text = self.others.render();
        self.histograms.render(&mut text);
        text
    }
}

struct Recording {
    others: PrometheusRecorder,
    histograms: Arc<Histograms>,
}

impl Recorder for Recording {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.others.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.others.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.histograms.describe(name.as_str(), &help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.others.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.others.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.histograms.register(key))
    }
}

/// Installs the recorder behind `/metrics`.
pub(crate) fn install() -> Outcome<Metrics> {
    let others = PrometheusBuilder::new().build_recorder();
    let metrics = Metrics {
        others: others.handle(),
        histograms: Arc::default(),
    };
    let recording = Recording {
        others,
        histograms: Arc::clone(&metrics.histograms),
    };
    metrics::set_global_recorder(recording).map_err(|error| {
        Failure::Internal(format!("the metrics recorder cannot be installed: {error}"))
    })?;
    metrics::describe_gauge!("corkboard_build_info", "1, with the version as a label");
    metrics::gauge!("corkboard_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::describe_counter!(
        "corkboard_process_panics_total",
        "tasks that ended by a panic"
    );
    metrics::counter!("corkboard_process_panics_total").absolute(0);
    corkboard_fetch::describe_metrics();
    stores::describe_metrics();
    Ok(metrics)
}
