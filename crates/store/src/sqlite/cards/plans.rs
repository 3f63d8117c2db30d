//! How SQLite runs the statements that are run often.

use rusqlite::Connection;

use super::{card_events, counts, erase, read, receipts, scan, states, users, write};
use crate::card_store::ScanDetail;
use crate::error::Result;
use crate::sqlite::plan::{Plan, explain};

/// Of `users.db`: statements whose cost must not grow with what has been stored.
pub(super) fn of_users(connection: &Connection) -> Result<Vec<Plan>> {
    let [events, receipts_of, replaced_of] = erase::DELETE_ABOUT_USER;
    let [(ids, _), (replaced, _), (tombstones, _)] = erase::FORGET;
    let page = scan::page_sql(ScanDetail::Attributes, "1");
    let hot = [
        ("find user", users::FIND),
        ("find user: events", users::EVENTS),
        ("change attributes: read", users::ATTRIBUTES),
        ("change attributes: write", users::UPDATE),
        ("scan users", page.as_str()),
        ("count everyone", scan::COUNT_EVERYONE),
        ("claim receipt: tombstone", receipts::ERASED),
        ("claim receipt: latest", receipts::LATEST),
        ("claim receipt: replaced", receipts::REPLACED),
        ("claim receipt: replace", receipts::REPLACE),
        ("kept counts", counts::RETIRED_OF_CAMPAIGN),
        ("kept written", counts::RETIRED_WRITTEN),
        ("erase user: events", events),
        ("erase user: receipts", receipts_of),
        ("erase user: replaced receipts", replaced_of),
        ("prune event ids", ids),
        ("prune replaced receipts", replaced),
        ("prune tombstones", tombstones),
    ];
    explain(connection, &hot)
}

/// Of a cohort's file.
pub(super) fn of_cohort(connection: &Connection) -> Result<Vec<Plan>> {
    let [cards, card_states] = erase::DELETE_CARDS;
    let hot = [
        ("insert cards: fence", write::FENCE),
        ("insert cards: tombstone", write::ERASED),
        ("read cards", read::CARDS),
        ("read cards: shared content", read::SHARED),
        ("read cards: is a card", read::IS_CARD),
        ("look for own cards", read::OF_DISPATCH),
        ("read states", states::OF_USER),
        ("join state", states::OF_CARD),
        ("look for cards to remove", card_events::TO_REMOVE),
        ("counts", counts::OF_CAMPAIGN),
        ("written", counts::WRITTEN),
        ("erase cards", cards),
        ("erase states", card_states),
        ("erase card events", erase::DELETE_CARD_EVENTS),
    ];
    explain(connection, &hot)
}
