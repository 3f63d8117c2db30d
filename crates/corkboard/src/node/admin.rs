//! The admin listener: metrics, health, readiness, the log level. Not for the public.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, extract::DefaultBodyLimit};
use tracing::level_filters::LevelFilter;

use super::process;
use super::readiness::Readiness;
use crate::telemetry::LogControl;
use crate::telemetry::recorder::Metrics;

/// A level is one word.
const MAX_BODY: usize = 64;

#[derive(Clone)]
pub(super) struct Admin {
    pub(super) metrics: Metrics,
    pub(super) logs: LogControl,
    pub(super) readiness: Readiness,
}

/// The admin surface as a service for the edge.
pub(super) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/log/level", get(log_level).put(set_log_level))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(admin)
}

async fn show_metrics(State(admin): State<Admin>) -> Response {
    process::measure();
    let text = admin.metrics.render();
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let report = admin.readiness.report().await;
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report)).into_response()
}

async fn log_level(State(admin): State<Admin>) -> String {
    format!("{}\n", admin.logs.get())
}

/// The body is the level's name. In force until the process ends.
async fn set_log_level(State(admin): State<Admin>, body: String) -> Response {
    let wanted = body.trim().trim_matches('"');
    let level = match wanted {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => {
            let message = "send one of error, warn, info, debug, trace\n";
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
    };
    match admin.logs.set(level) {
        Ok(()) => {
            tracing::warn!(%level, "log level changed");
            format!("{level}\n").into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
