//! The cards that one dispatch has written for some users.

use std::collections::BTreeMap;

use corkboard_core::cohort::Cohort;
use corkboard_core::id::{DispatchId, WorkspaceId};
use corkboard_core::identity::Occurrence;
use corkboard_core::user::UserId;

use super::CardDatabase;
use super::attempt::{self, Attempt, Attempts, Stop};
use super::cohorts::State;
use super::owner::Owner;
use super::tables::Tables;
use crate::error::Result;
use crate::postgres::session::{Params, Session};
use crate::postgres::values::{Uuid, get};

pub(super) const OWN: &str = "SELECT c.slot, c.owner, c.occurrence \
     FROM unnest($1::smallint[], $2::uuid[]) AS k(slot, owner) \
     JOIN card@ c ON c.slot = k.slot AND c.owner = k.owner AND c.content_no = ANY ( \
     ARRAY(SELECT content_no FROM card_content@ WHERE dispatch = $3))";

/// Those of the owners whom the dispatch has given a card, of whichever variant.
pub(super) async fn find(
    session: &Session,
    tables: &Tables,
    dispatch: DispatchId,
    owners: impl Iterator<Item = Owner>,
) -> Attempt<BTreeMap<Owner, Occurrence>> {
    let (slots, keys): (Vec<i16>, Vec<Uuid>) = owners.map(|owner| (owner.slot, owner.key)).unzip();
    let dispatch = Uuid::of(dispatch);
    let params: Params<'_> = &[&slots, &keys, &dispatch];
    let mut own = BTreeMap::new();
    for row in attempt::all(session, "look for own cards", &tables.sql(OWN), params).await? {
        let owner = Owner {
            slot: get(&row, "slot")?,
            key: get(&row, "owner")?,
        };
        own.insert(owner, occurrence(get(&row, "occurrence")?));
    }
    Ok(own)
}

/// For each user, in order: whether the dispatch has written a card for them.
pub(super) async fn have(
    store: &CardDatabase,
    workspace: WorkspaceId,
    dispatch: DispatchId,
    cohort: Cohort,
    users: &[UserId],
) -> Result<Vec<bool>> {
    let session = store.pool.session().await?;
    let owners: Vec<Owner> = users
        .iter()
        .map(|user| Owner::new(workspace, user))
        .collect();
    let mut known = store.cohorts.known();
    let mut attempts = Attempts::default();
    loop {
        if known.all.get(&cohort) != Some(&State::Used) {
            known = store.cohorts.look(&session).await?;
        }
        if known.all.get(&cohort) != Some(&State::Used) {
            return Ok(vec![false; users.len()]);
        }
        let tables = store.cohorts.tables(cohort);
        match find(&session, &tables, dispatch, owners.iter().copied()).await {
            Ok(own) => return Ok(owners.iter().map(|owner| own.contains_key(owner)).collect()),
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => attempts.pause().await?,
        }
        known = store.cohorts.look(&session).await?;
    }
}

pub(super) fn occurrence(stored: Option<i32>) -> Occurrence {
    stored
        .and_then(|n| Occurrence::try_from(n).ok())
        .unwrap_or(0)
}
