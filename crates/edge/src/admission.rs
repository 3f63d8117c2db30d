//! Admission control: how much work the listener takes on, decided before any of it is done.
//!
//! Beyond what a node can do, every request more makes all of them later, and a late answer helps
//! nobody. So a request needs a place before it reaches the router: free at once as long as the
//! work keeps up; otherwise it waits a moment in line, important ones first, tenants in turn; and
//! what would wait too long is refused with 503 while refusing is still cheap. [`mod@core`] decides
//! and knows neither clock nor socket; [`door`] gives it both; [`limit`] finds how many places
//! there are; [`queue`] is the line.

mod core;
mod door;
mod limit;
mod options;
mod passport;
mod queue;
mod refusal;

pub(crate) use door::{Door, Entry, Parking, Ticket, Waiting};
pub use options::AdmissionOptions;
pub use passport::{Bearer, Inspect, Passport, Priority};
pub use refusal::retry_after;
