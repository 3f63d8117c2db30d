//! Receipts as they are asked for: who has had a card of which campaign.

use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::user::UserId;
use tokio_postgres::Row;

use super::CardDatabase;
use super::numbers::CampaignNo;
use super::owner::Owner;
use crate::card_store::Receipt;
use crate::error::Result;
use crate::postgres::session::Params;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Uuid, get, id, time};

pub(super) const OF_USER: Statement = Statement::new(
    "receipts of user",
    "SELECT n.campaign, r.dispatch, r.occurrence, r.at FROM campaign_number n \
     JOIN receipt r ON r.slot = $1 AND r.owner = $2 AND r.campaign_no = n.campaign_no \
     AND r.quarter = n.quarter \
     WHERE n.workspace = $3 AND n.campaign = ANY ($4)",
);
pub(super) const OF_CAMPAIGN: Statement = Statement::new(
    "receipts of campaign",
    "SELECT k.n, r.dispatch, r.occurrence, r.at \
     FROM unnest($1::smallint[], $2::uuid[]) WITH ORDINALITY AS k(slot, owner, n) \
     JOIN receipt r ON r.slot = k.slot AND r.owner = k.owner AND r.campaign_no = $3 \
     AND r.quarter = $4",
);

fn read(row: &Row, campaign: CampaignId) -> Result<Receipt> {
    let occurrence: Option<i32> = get(row, "occurrence")?;
    Ok(Receipt {
        campaign,
        dispatch: id(row, "dispatch")?,
        occurrence: occurrence.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        at: time(row, "at")?,
    })
}

/// A user's receipts of some campaigns, in the order asked for.
pub(super) async fn of_user(
    store: &CardDatabase,
    workspace: WorkspaceId,
    user: &UserId,
    campaigns: &[CampaignId],
) -> Result<Vec<Receipt>> {
    let session = store.pool.session().await?;
    let owner = Owner::new(workspace, user);
    let wanted: Vec<Uuid> = campaigns
        .iter()
        .map(|campaign| Uuid::of(*campaign))
        .collect();
    let workspace = Uuid::of(workspace);
    let rows = session
        .all(&OF_USER, &[&owner.slot, &owner.key, &workspace, &wanted])
        .await?;
    let found: Result<Vec<_>> = rows
        .iter()
        .map(|row| read(row, id(row, "campaign")?))
        .collect();
    let mut found = found?;
    found.sort_by_key(|receipt| campaigns.iter().position(|one| *one == receipt.campaign));
    Ok(found)
}

/// For each user, in order: the receipt of one campaign, if any.
pub(super) async fn of_campaign(
    store: &CardDatabase,
    workspace: WorkspaceId,
    campaign: CampaignId,
    users: &[UserId],
) -> Result<Vec<Option<Receipt>>> {
    let session = store.pool.session().await?;
    let mut found = vec![None; users.len()];
    let number = store.numbers.known_campaign(&session, workspace, campaign);
    let Some(CampaignNo { no, quarter }) = number.await? else {
        return Ok(found);
    };
    let owners = users.iter().map(|user| Owner::new(workspace, user));
    let (slots, keys): (Vec<i16>, Vec<Uuid>) = owners.map(|owner| (owner.slot, owner.key)).unzip();
    let params: Params<'_> = &[&slots, &keys, &no, &quarter];
    for row in session.all(&OF_CAMPAIGN, params).await? {
        let place = usize::try_from(get::<i64>(&row, "n")? - 1).unwrap_or(usize::MAX);
        if let Some(place) = found.get_mut(place) {
            *place = Some(read(&row, campaign)?);
        }
    }
    Ok(found)
}
