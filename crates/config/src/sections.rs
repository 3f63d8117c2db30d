//! The topics of the schema, one file each: a struct, and how it is read.

pub(crate) mod auth;
pub(crate) mod cache;
pub(crate) mod edge;
pub(crate) mod feed;
pub(crate) mod fetch;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod origin;
pub(crate) mod secrets;
pub(crate) mod send;
pub(crate) mod store;
pub(crate) mod template;
