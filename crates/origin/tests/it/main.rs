//! The origin over real sockets, a real PostgreSQL and a real Redis.

mod appliers;
mod coalescing;
mod encryption;
mod hooks;
mod lane;
mod reading;
mod redis;
mod redis_faults;
mod stale;
mod upkeep;
mod values;
mod world;
