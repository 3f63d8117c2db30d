//! Steps that could not be taken: said at once, kept in the results, and no reason to lose the others.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Server;
use crate::console::complain;
use crate::failure::Failure;

/// What is missing, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// All of a number of connections when there is none.
    pub(crate) server: Option<Server>,
    /// All of a server when there is none.
    pub(crate) connections: Option<usize>,
    pub(crate) why: String,
}

impl LeftOut {
    pub(super) fn step(server: Server, connections: usize, failure: &Failure) -> Self {
        let left_out = Self {
            server: Some(server),
            connections: Some(connections),
            why: failure.story(),
        };
        complain(&format!("spike: {left_out}"));
        left_out
    }

    pub(super) fn server(server: Server, failure: &Failure) -> Self {
        let left_out = Self {
            server: Some(server),
            connections: None,
            why: failure.story(),
        };
        complain(&format!("spike: {left_out}"));
        left_out
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.server, self.connections) {
            (Some(server), Some(count)) => write!(f, "{} at {count}", server.name()),
            (Some(server), None) => f.write_str(server.name()),
            (None, Some(count)) => write!(f, "{count} connections"),
            (None, None) => f.write_str("everything"),
        }?;
        write!(f, ": {}", self.why)
    }
}
