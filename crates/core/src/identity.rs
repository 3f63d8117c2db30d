//! Derived ids: the same facts always give the same id, so a retry cannot make a second thing.
//!
//! Every derived id is the first 128 bits of SHA-256 over a domain label and length-prefixed parts.
//! A card's id follows from (campaign, user, occurrence): "exactly once" is a primary key.

use sha2::{Digest, Sha256};

use crate::id::{CampaignId, CardId, DispatchId, EventId, Id, WorkspaceId};
use crate::user::UserId;

/// Which card of a campaign this is for a user: 0 for the first, one more for each time the user
/// became eligible again.
pub type Occurrence = u32;

/// Length-prefixed hashing, so that ("ab", "c") and ("a", "bc") differ.
fn derive(label: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in std::iter::once(&label.as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

/// The id of the card that `user` has of `campaign` for the `occurrence`-th time.
#[must_use]
pub fn card_id(campaign: CampaignId, user: &UserId, occurrence: Occurrence) -> CardId {
    let parts: [&[u8]; 3] = [
        &campaign.to_bytes(),
        user.as_str().as_bytes(),
        &occurrence.to_be_bytes(),
    ];
    CardId::from_bytes(derive("corkboard.card.1", &parts))
}

/// The id of a broadcast's card, the same for every user: nothing is written per user.
#[must_use]
pub fn broadcast_card_id(campaign: CampaignId, occurrence: Occurrence) -> CardId {
    let parts: [&[u8]; 2] = [&campaign.to_bytes(), &occurrence.to_be_bytes()];
    CardId::from_bytes(derive("corkboard.broadcast.1", &parts))
}

/// The id of a thing created by a request that carried an idempotency key, so that a repeat after
/// a crash finds it instead of making another.
#[must_use]
pub fn from_request<T: Id>(workspace: WorkspaceId, operation: &str, key: &str) -> T {
    let parts: [&[u8]; 4] = [
        &workspace.to_bytes(),
        T::PREFIX.as_bytes(),
        operation.as_bytes(),
        key.as_bytes(),
    ];
    T::from_bytes(derive("corkboard.request.1", &parts))
}

/// The id of an event report. With an idempotency key it follows from the key and the report's
/// place in the request; otherwise from its content, where `at_micros` makes it particular.
#[must_use]
pub fn event_id(workspace: WorkspaceId, user: &UserId, name: &str, particular: &[u8]) -> EventId {
    let parts: [&[u8]; 4] = [
        &workspace.to_bytes(),
        user.as_str().as_bytes(),
        name.as_bytes(),
        particular,
    ];
    EventId::from_bytes(derive("corkboard.event.1", &parts))
}

/// The dispatch that answers one request's events for one campaign.
#[must_use]
pub fn event_dispatch_id(campaign: CampaignId, events: &[EventId]) -> DispatchId {
    let bytes: Vec<u8> = events.iter().flat_map(|event| event.to_bytes()).collect();
    DispatchId::from_bytes(derive(
        "corkboard.event-dispatch.1",
        &[&campaign.to_bytes(), &bytes],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_ids_equal_the_published_vectors() {
        let campaign = CampaignId::from_bytes(*b"corkboard-cards!");
        let user = UserId::parse("u-1").unwrap();
        // SHA-256 over the parts as described above, computed with Python's hashlib.
        assert_eq!(
            hex(card_id(campaign, &user, 0)),
            "718927b8c760f88a1d20f6ae6d29e70b"
        );
        assert_eq!(
            hex(card_id(campaign, &user, 1)),
            "c30de7aa79ede090ddbcd4534b8c9c8a"
        );
        assert_eq!(
            hex(broadcast_card_id(campaign, 0)),
            "efb7722b4c3985ebf01c8f3d692ea9b1"
        );
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(derive("x", &[b"ab", b"c"]), derive("x", &[b"a", b"bc"]));
    }

    fn hex(id: CardId) -> String {
        id.to_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
