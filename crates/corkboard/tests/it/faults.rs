//! What users and operators see of nodes on PostgreSQL while something around them breaks.

mod full_disk;
mod hanging_database;
mod paused_worker;
mod slow_database;
