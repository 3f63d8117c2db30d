//! What the least refusal costs: of a server that does nothing else, asked as often.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CONNECTIONS, LOAD_CPU};
use crate::Setting;
use crate::console::say;
use crate::failure::Result;
use crate::procfs;
use crate::spike::open::{Load, Profile};
use crate::spike::peer::Refusing;
use crate::statistics::rounded;

/// nginx's.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// A second.
    pub(crate) refused: f64,
    /// CPU time of each, in microseconds.
    pub(crate) micros: f64,
}

pub(super) async fn measure(
    setting: &Setting,
    requests: Arc<Vec<Vec<u8>>>,
    per_second: f64,
    lasts: Duration,
) -> Result<Floor> {
    let server = Refusing::start(setting).await?;
    let load = |lasts| {
        let profile = Profile::poisson(&[per_second], lasts);
        Load {
            connections: CONNECTIONS,
            cpu: Some(LOAD_CPU),
            ..Load::new(server.address(), Arc::clone(&requests), profile)
        }
    };
    // Opens nothing that the next one needs, but the server has met requests.
    load(lasts / 5).run().await?;
    let before = procfs::cpu_seconds(server.worker())?;
    let tally = load(lasts).run().await?;
    let used = procfs::cpu_seconds(server.worker())? - before;
    let step = &tally.steps[0];
    let floor = Floor {
        refused: rounded(step.refused as f64 / step.seconds),
        micros: rounded(used * 1e6 / (step.refused as f64).max(1.0)),
    };
    say(&format!(
        "  nginx refuses {:.0} a second at {} us of CPU each",
        floor.refused, floor.micros
    ));
    server.stop().await?;
    Ok(floor)
}
