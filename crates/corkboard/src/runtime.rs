//! The tokio runtime, built in one place.

use tokio::runtime::Builder;

use crate::exit::{Failure, Outcome};

/// Runs `work` on a runtime of its own, one thread for each core. What `work` leaves behind on
/// blocking threads is not waited for.
pub(crate) fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_name("corkboard")
        .build()
        .map_err(|error| Failure::Internal(format!("no threads for the runtime: {error}")))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}
