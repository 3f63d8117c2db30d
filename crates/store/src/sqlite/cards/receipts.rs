//! Receipts: who has had a card of which campaign, and which occurrence a dispatch gives.
//!
//! A receipt is claimed, durably, before the card is written, and names the dispatch. A crash in
//! between is healed by the retry: it finds the receipt of its own dispatch, arrives at the same
//! occurrence, and so at the same card id.

use corkboard_core::id::{CampaignId, DispatchId, Id};
use corkboard_core::identity::Occurrence;
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::owner::Owner;
use crate::card_store::{Eligibility, Receipt};
use crate::error::Result;

pub(super) const ERASED: &str =
    "SELECT erased_at FROM tombstone WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3";
pub(super) const LATEST: &str = "SELECT campaign, dispatch, occurrence, at FROM receipt \
                      WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3 AND campaign = ?4";
pub(super) const REPLACED: &str = "SELECT occurrence FROM receipt_replaced WHERE workspace = ?1 \
                        AND slot = ?2 AND user_id = ?3 AND campaign = ?4 AND dispatch = ?5";
const CLAIM: &str = "INSERT INTO receipt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                     ON CONFLICT DO UPDATE SET dispatch = excluded.dispatch, \
                     occurrence = excluded.occurrence, at = excluded.at";
pub(super) const REPLACE: &str = "INSERT INTO receipt_replaced \
                       SELECT workspace, slot, user_id, campaign, dispatch, occurrence, ?5 \
                       FROM receipt WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3 \
                       AND campaign = ?4 ON CONFLICT DO NOTHING";

/// What a claim depends on besides the user.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) campaign: CampaignId,
    pub(super) dispatch: DispatchId,
    pub(super) planned_at: Timestamp,
    pub(super) eligibility: Eligibility,
    pub(super) now: Timestamp,
}

/// What a user may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Card(Occurrence),
    AlreadyReceived,
    NotYetReeligible,
    Erased,
}

/// Whether the user was erased after a dispatch was planned.
pub(super) fn is_erased(
    connection: &Connection,
    owner: &Owner,
    planned_at: Timestamp,
) -> Result<bool> {
    let place = params![owner.workspace, owner.slot, owner.user()];
    let erased: Option<i64> = connection
        .prepare_cached(ERASED)?
        .query_row(place, |row| row.get(0))
        .optional()?;
    Ok(erased.is_some_and(|at| planned_at < Timestamp::from_micros(at)))
}

/// Decides for one user and records the decision.
pub(super) fn claim(connection: &Connection, owner: &Owner, terms: &Terms) -> Result<Claim> {
    if is_erased(connection, owner, terms.planned_at)? {
        return Ok(Claim::Erased);
    }
    let occurrence = match latest(connection, owner, terms.campaign)? {
        None => 0,
        Some(receipt) if receipt.dispatch == terms.dispatch => {
            return Ok(Claim::Card(receipt.occurrence));
        }
        Some(receipt) => {
            if let Some(occurrence) = replaced(connection, owner, terms)? {
                return Ok(Claim::Card(occurrence));
            }
            let Eligibility::After(after) = terms.eligibility else {
                return Ok(Claim::AlreadyReceived);
            };
            // Without a wait every dispatch gives a card, also one that is overtaken by a later one.
            if !after.is_zero() && receipt.at.plus(after) > terms.planned_at {
                return Ok(Claim::NotYetReeligible);
            }
            connection.prepare_cached(REPLACE)?.execute(params![
                owner.workspace,
                owner.slot,
                owner.user(),
                terms.campaign.to_bytes(),
                terms.now.as_micros()
            ])?;
            receipt.occurrence.saturating_add(1)
        }
    };
    connection.prepare_cached(CLAIM)?.execute(params![
        owner.workspace,
        owner.slot,
        owner.user(),
        terms.campaign.to_bytes(),
        terms.dispatch.to_bytes(),
        occurrence,
        terms.planned_at.as_micros()
    ])?;
    Ok(Claim::Card(occurrence))
}

/// The occurrence that this dispatch gave before another one gave a later one.
fn replaced(connection: &Connection, owner: &Owner, terms: &Terms) -> Result<Option<Occurrence>> {
    let occurrence = connection
        .prepare_cached(REPLACED)?
        .query_row(
            params![
                owner.workspace,
                owner.slot,
                owner.user(),
                terms.campaign.to_bytes(),
                terms.dispatch.to_bytes()
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(occurrence)
}

/// The latest receipt of a user for a campaign.
pub(super) fn latest(
    connection: &Connection,
    owner: &Owner,
    campaign: CampaignId,
) -> Result<Option<Receipt>> {
    let receipt = connection
        .prepare_cached(LATEST)?
        .query_row(
            params![
                owner.workspace,
                owner.slot,
                owner.user(),
                campaign.to_bytes()
            ],
            read,
        )
        .optional()?;
    Ok(receipt)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Receipt> {
    Ok(Receipt {
        campaign: CampaignId::from_bytes(row.get(0)?),
        dispatch: DispatchId::from_bytes(row.get(1)?),
        occurrence: row.get(2)?,
        at: Timestamp::from_micros(row.get(3)?),
    })
}
