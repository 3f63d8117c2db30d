//! Whether a balancer should send requests here: not while starting or draining, and not without
//! the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corkboard_store::ControlStore;
use serde::Serialize;

use crate::exit::story;

/// A store that takes longer than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shared by the admin listener, which asks, and the shutdown, which tells.
#[derive(Debug, Clone)]
pub(super) struct Readiness {
    control: Arc<dyn ControlStore>,
    serving: Arc<AtomicBool>,
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) ready: bool,
    /// `serving`, or `draining` (also before the start).
    state: &'static str,
    store: String,
}

impl Readiness {
    pub(super) fn new(control: Arc<dyn ControlStore>) -> Self {
        Self {
            control,
            serving: Arc::new(AtomicBool::new(false)),
        }
    }

    /// From now on requests are welcome, or not.
    pub(super) fn set(&self, serving: bool) {
        self.serving.store(serving, Ordering::Relaxed);
    }

    /// Looks at everything that serving needs.
    pub(super) async fn report(&self) -> Report {
        let serving = self.serving.load(Ordering::Relaxed);
        let store = match tokio::time::timeout(PATIENCE, self.control.describe()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(story(&error)),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        };
        Report {
            ready: serving && store.is_ok(),
            state: if serving { "serving" } else { "draining" },
            store: store.err().unwrap_or_else(|| "ok".to_owned()),
        }
    }
}
