//! The server API: what a brand's own systems call, with an API key of their workspace.

pub(crate) mod call_export;
pub(crate) mod calls;
pub(crate) mod campaigns;
pub(crate) mod content_blocks;
pub(crate) mod credentials;
pub(crate) mod dispatches;
pub(crate) mod launches;
mod names;
pub(crate) mod preview;
pub(crate) mod stats;
pub(crate) mod track;
pub(crate) mod user_cards;
pub(crate) mod users;

use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::identity;
use corkboard_core::time::Timestamp;
use corkboard_store::page::Page;
use serde::Serialize;

use crate::idempotency::RequestKey;

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

impl<T, D: From<T>> From<Page<T>> for List<D> {
    fn from(page: Page<T>) -> Self {
        Self {
            data: page.items.into_iter().map(Into::into).collect(),
            next_cursor: page.next,
        }
    }
}

/// The id of what a request creates: derived from its idempotency key, so that a repeat finds the
/// same object; random when it has none.
pub(crate) fn new_id<T: Id>(
    workspace: WorkspaceId,
    operation: &str,
    key: Option<&RequestKey>,
    generate: impl FnOnce(Timestamp) -> T,
    now: Timestamp,
) -> T {
    match key {
        Some(RequestKey(key)) => identity::from_request(workspace, operation, key),
        None => generate(now),
    }
}
