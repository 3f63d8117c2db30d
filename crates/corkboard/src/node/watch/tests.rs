//! What the task exports and remembers, with real databases behind it.

use std::sync::Arc;

use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_store::postgres::watch::Expected;
use corkboard_testkit::{HeldClock, PgServer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::*;

const CARDS: Expected = Expected {
    purpose: Purpose::Cards(Layout::Cohorts),
    connections: 16,
    grace: Duration::from_secs(3_600),
};

#[track_caller]
fn value(metrics: &PrometheusHandle, series: &str) -> f64 {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    let line = line.unwrap_or_else(|| panic!("{series} is not in {text}"));
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn a_look_exports_figures_and_findings_under_the_configured_name() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let database = PgServer::shared().await.database().await;
    let clock = HeldClock::at(SystemClock.now());
    let mut watch =
        DatabaseWatch::new("cards-0", database.url(), CARDS, Arc::new(clock.clone())).unwrap();
    let mut wrong = Wrong::new();
    look(&mut watch, &mut wrong).await;
    database
        .sql("CREATE TABLE card (cohort_no int) PARTITION BY LIST (cohort_no)")
        .await;
    clock.advance(Duration::from_secs(60));
    look(&mut watch, &mut wrong).await;

    for name in ["xid_age", "xid_burn_per_second", "xid_runway_days"] {
        let of = format!("corkboard_store_{name}{{database=\"cards-0\"}}");
        assert!(value(&metrics, &of) > 0.0, "{name}");
    }
    let of = |name: &str| {
        value(
            &metrics,
            &format!("corkboard_store_{name}{{database=\"cards-0\"}}"),
        )
    };
    assert_eq!(of("cohort_headroom_days"), 0.0);
    assert_eq!(of("pending_detaches"), 0.0);
    assert_eq!(of("watch_up"), 1.0);
    assert!((of("clock_ahead_seconds") + 60.0).abs() < 30.0);
    let finding = |check: &str| {
        let labels = format!("{{database=\"cards-0\",check=\"{check}\"}}");
        value(&metrics, &format!("corkboard_store_finding{labels}"))
    };
    assert_eq!(finding("cohorts"), 2.0);
    assert_eq!(finding("version"), 0.0);
    assert_eq!(wrong["cohorts"], Severity::Fail);
    watch.close();
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_down_and_up_again_afterwards() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let server = PgServer::shared().await;
    let database = server.database().await;
    let url = database.url();
    let mut watch = DatabaseWatch::new("cards-0", url, CARDS, Arc::new(SystemClock)).unwrap();
    let name = database.name().to_owned();
    let allow = |allowed: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
    let mut wrong = Wrong::new();
    let aside = server.database().await;
    for (allowed, up) in [(false, 0.0), (true, 1.0)] {
        aside.sql(&allow(allowed)).await;
        look(&mut watch, &mut wrong).await;
        assert_eq!(
            value(&metrics, "corkboard_store_watch_up{database=\"cards-0\"}"),
            up
        );
        assert_eq!(wrong["connection"] == Severity::Ok, allowed);
    }
    watch.close();
}

#[tokio::test]
async fn the_task_ends_when_it_is_told_to_even_while_it_looks() {
    let server = PgServer::start(corkboard_testkit::PgSettings::quick()).await;
    server.freeze();
    let url = server.url("postgres");
    let watch = DatabaseWatch::new("cards-0", &url, CARDS, Arc::new(SystemClock)).unwrap();
    let shutdown = CancellationToken::new();
    let running = Box::pin(run(watch, shutdown.clone()));
    let ended = timeout(Duration::from_secs(2), async {
        tokio::join!(running, async {
            tokio::task::yield_now().await;
            shutdown.cancel();
        });
    });
    ended.await.unwrap();
    server.thaw();
}
