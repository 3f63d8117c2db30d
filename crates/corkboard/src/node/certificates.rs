//! The listener's certificate, kept fresh: whoever renews it replaces the files, and nothing restarts.

use std::time::Duration;

use corkboard_config::Config;
use corkboard_core::story::story;
use corkboard_edge::Certificates;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::exit::{Failure, Outcome};

/// How often the files are looked at without being told to.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What is configured, loaded; a mistake is one of the configuration.
pub(super) fn load(config: &Config) -> Outcome<Option<Certificates>> {
    config
        .edge
        .tls()
        .map(|(certificate, key)| Certificates::load(certificate, key))
        .transpose()
        .map_err(|error| Failure::usage(story(&error)))
}

/// Loads changed files again, once a minute and at SIGHUP, until `end`. The signal is heard from this
/// call on, not from the first poll: before, it would end the process.
pub(super) fn keep_fresh(
    certificates: Certificates,
    end: CancellationToken,
) -> impl Future<Output = ()> + Send {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be heard; certificates are looked at once a minute");
            None
        }
    };
    let looking = async move {
        loop {
            let told = async {
                match &mut hangup {
                    Some(hangup) => _ = hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = told => {}
                () = sleep(LOOK_EVERY) => {}
            }
            match certificates.reload() {
                Ok(true) => tracing::info!("certificate loaded again"),
                Ok(false) => {}
                Err(error) => tracing::error!(
                    error = story(&error),
                    "the certificate cannot be loaded again; the old one stays in use"
                ),
            }
        }
    };
    async move {
        end.run_until_cancelled(looking).await;
    }
}
