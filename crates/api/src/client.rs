//! The client API: what apps and sites call on behalf of one user.

pub(crate) mod events;
pub(crate) mod feed;
pub(crate) mod live;
