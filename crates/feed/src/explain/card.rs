//! Explaining a card that is there, or was: shown, counted only, dismissed, taken back, expired.

use corkboard_core::state::Mark;

use super::{Explanation, Facts, Held};

pub(super) fn explain(facts: &Facts, held: &Held) -> Explanation {
    let (has_card, reason) = verdict(facts, held);
    let (variant, _) = facts.variant(usize::from(held.variant));
    let seen = held
        .state
        .first(Mark::Seen)
        .map(|at| format!("seen at {at}"));
    let clicked = held
        .state
        .first(Mark::Clicked)
        .map(|at| format!("clicked at {at}"));
    let explanation = Explanation {
        has_card,
        reason,
        details: vec![format!("variant '{variant}', expiry {}", held.expires_at)],
        card_id: Some(held.id),
    };
    let next = if has_card { None } else { facts.eligibility() };
    explanation.with(seen).with(clicked).with(next)
}

fn verdict(facts: &Facts, held: &Held) -> (bool, String) {
    let first = |mark| held.state.first(mark);
    if let Some(at) = facts.campaign.cancelled_at {
        return (
            false,
            format!("the campaign was stopped and its cards taken back at {at}"),
        );
    }
    if let Some(at) = first(Mark::Removed) {
        return (
            false,
            format!("taken back from this user at {at}, by an event or by hand"),
        );
    }
    if let Some(at) = first(Mark::Dismissed) {
        return (false, format!("dismissed by the user at {at}"));
    }
    if held.expires_at <= facts.now {
        return (false, format!("expired at {}", held.expires_at));
    }
    let (variant, control) = facts.variant(usize::from(held.variant));
    let reason = if control {
        format!("in the control group '{variant}': the card is counted and shows nothing")
    } else if held.broadcast {
        "a broadcast: everybody has the card".to_owned()
    } else {
        "the card is in the feed".to_owned()
    };
    (true, reason)
}
