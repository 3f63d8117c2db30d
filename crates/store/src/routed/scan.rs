//! One scan through several databases, in the order of slots.

use corkboard_core::slot::SlotRange;

use super::routes::Routes;
use crate::card_store::{ScanRequest, UserPage};
use crate::error::Result;

/// The next page: what is left of one database, then of the one after it, until the page is full.
pub(super) async fn page(routes: &Routes, request: &ScanRequest<'_>) -> Result<UserPage> {
    let begin = request
        .after
        .as_ref()
        .map_or(request.slots.first, |after| after.slot);
    let mut page = UserPage {
        users: Vec::new(),
        next: None,
    };
    for (slots, database) in routes.by_slots() {
        let first = slots.first.max(request.slots.first);
        let last = slots.last.min(request.slots.last);
        if last < begin || last < first {
            continue;
        }
        if page.users.len() >= request.limit {
            break;
        }
        let part = ScanRequest {
            slots: SlotRange { first, last },
            after: request
                .after
                .clone()
                .filter(|after| slots.contains(after.slot)),
            limit: request.limit - page.users.len(),
            ..*request
        };
        let found = database.scan_users(&part).await?;
        page.users.extend(found.users);
        page.next = found.next;
    }
    Ok(page)
}
