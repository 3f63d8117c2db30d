//! The tokio runtime, built in one place.

use tokio::runtime::Builder;

use crate::exit::{Failure, Outcome};

/// Tasks that a thread runs before it looks for news of sockets and timers, if it has so many. Looking
/// after 61, tokio's own number, brings in those connections that were just answered and have asked
/// again, and they go before the ones that overflowed into the queue shared by all threads: of ten thousand
/// clients that always have a request under way, some hundreds get nearly everything.
const TASKS_BEFORE_NEWS: u32 = 1_024;
/// One task in so many is taken from the shared queue while a thread's own holds some.
const SHARED_EVERY: u32 = 8;

/// Runs `work` on a runtime of its own, one thread for each core. What `work` leaves behind on
/// blocking threads is not waited for.
pub(crate) fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_name("corkboard")
        .event_interval(TASKS_BEFORE_NEWS)
        .global_queue_interval(SHARED_EVERY)
        .build()
        .map_err(|error| Failure::Internal(format!("no threads for the runtime: {error}")))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}
