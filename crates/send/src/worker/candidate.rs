//! One user who may get a card, and what the rules say before anything is rendered.
//!
//! The order of the rules is what keeps the counts exact when a page is repeated: a user who has
//! this dispatch's card already is counted as that and nothing else, even if by now the user has
//! left the audience, the card has expired or the template would fail.

use corkboard_core::dispatch::{Dispatch, SkipReason};
use corkboard_core::slot::Slot;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{User, UserId};
use corkboard_store::card_store::{Eligibility, ScanPosition};
use corkboard_template::personal::CompiledCampaign;
use serde_json::{Map, Value};

use super::standing::Standing;

/// A user whom a chunk is about.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) user: User,
    /// Named with the user; empty for a scan.
    pub(super) properties: Map<String, Value>,
    /// Whether the user was named, instead of found by the audience.
    pub(super) named: bool,
}

/// What the rules say.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Has the card from an earlier attempt.
    Repeat,
    Skip(SkipReason),
    Give {
        variant: u8,
        expires_at: Timestamp,
    },
}

/// Where the scan stands after this user.
pub(super) fn position_of(dispatch: &Dispatch, user: &UserId) -> ScanPosition {
    ScanPosition {
        slot: Slot::of(dispatch.workspace, user),
        user: user.clone(),
    }
}

/// What to do about a candidate who stands like this to the campaign, as of `now`.
pub(super) fn verdict(
    dispatch: &Dispatch,
    compiled: &CompiledCampaign,
    candidate: &Candidate,
    standing: Option<&Standing>,
    now: Timestamp,
) -> Verdict {
    let user = &candidate.user;
    if standing.is_some_and(|standing| standing.has_card) {
        return Verdict::Repeat;
    }
    let audience = &dispatch.definition.audience;
    if candidate.named && !audience.matches(user, dispatch.planned_at) {
        return Verdict::Skip(SkipReason::NotInAudience);
    }
    // A receipt of this dispatch without a card: an earlier attempt ended in between.
    let other = standing
        .and_then(|standing| standing.receipt)
        .filter(|of| of.dispatch != dispatch.id);
    match (other, Eligibility::of(dispatch)) {
        (Some(_), Eligibility::Once) => return Verdict::Skip(SkipReason::AlreadyReceived),
        // Without a wait every dispatch gives a card, also one that is overtaken by a later one.
        (Some(receipt), Eligibility::After(after))
            if !after.is_zero() && receipt.at.plus(after) > dispatch.planned_at =>
        {
            return Verdict::Skip(SkipReason::NotYetReeligible);
        }
        _ => {}
    }
    let expiry = &dispatch.definition.expiry;
    let expires_at = if expiry.is_shared() {
        dispatch.expires_at
    } else {
        expiry.expires_at(dispatch.planned_at, &user.time_zone())
    };
    if expires_at <= now {
        return Verdict::Skip(SkipReason::Expired);
    }
    match compiled.choose(dispatch.campaign, &user.id) {
        Some(variant) => Verdict::Give {
            variant,
            expires_at,
        },
        // Weights that sum to zero are refused when a campaign is stored.
        None => Verdict::Skip(SkipReason::RenderFailed),
    }
}

#[cfg(test)]
mod tests;
