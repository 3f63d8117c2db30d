//! Explaining why there is no card: not sent, not to this user, not yet, or not again.

use corkboard_core::campaign::{CampaignState, Creation, Delivery};
use corkboard_core::dispatch::{Dispatch, DispatchState, SkipReason};
use corkboard_core::time::Timestamp;
use corkboard_store::control_store::DispatchProgress;

use super::{Explanation, Facts};

pub(super) fn explain(facts: &Facts) -> Explanation {
    let deciding = nothing_sent(facts)
        .or_else(|| not_for_this_user(facts))
        .or_else(|| had_before(facts))
        .or_else(|| not_yet(facts));
    let explanation = deciding.unwrap_or_else(|| not_in_that_sending(facts));
    let variant = facts.own_variant().map(|place| {
        let (name, control) = facts.variant(place);
        let kind = if control { "control group" } else { "variant" };
        format!("would be in {kind} '{name}'")
    });
    explanation.with(variant)
}

/// Nothing of the campaign has been sent to anybody, or no more is.
fn nothing_sent(facts: &Facts) -> Option<Explanation> {
    let campaign = &facts.campaign;
    if let Some(at) = campaign.cancelled_at {
        let reason = format!("the campaign was stopped and its cards taken back at {at}");
        return Some(Explanation::no(reason));
    }
    if campaign.state == CampaignState::Draft {
        return Some(Explanation::no(
            "the campaign is a draft: it has not been launched",
        ));
    }
    if facts.begun().is_some() {
        return None;
    }
    Some(Explanation::no(
        match (facts.dispatches.first(), &campaign.definition.delivery) {
            (Some(planned), _) => format!("the launch is scheduled for {}", planned.planned_at),
            (None, _) if campaign.state == CampaignState::Stopped => {
                "the campaign was stopped before anything was sent".to_owned()
            }
            (None, Delivery::Api) => "the campaign has not been triggered yet".to_owned(),
            (None, Delivery::Event { event }) => {
                format!("the event '{event}' has set nothing off yet")
            }
            (None, Delivery::Launch { .. }) => "the campaign has not been launched yet".to_owned(),
        },
    ))
}

fn not_for_this_user(facts: &Facts) -> Option<Explanation> {
    // The newest version is what the author is looking at, unless a launch has frozen another.
    let definition = facts
        .begun()
        .map_or(&facts.campaign.definition, |it| &it.definition);
    let mismatch = definition
        .audience
        .explain_mismatch(&facts.user, facts.now)?;
    Some(Explanation::no(format!("not in the audience: {mismatch}")))
}

fn had_before(facts: &Facts) -> Option<Explanation> {
    let receipt = facts.receipt?;
    let reason = format!("has had a card of {}, which has expired", receipt.at);
    Some(Explanation::no(reason).with(facts.eligibility()))
}

/// The card may still come.
fn not_yet(facts: &Facts) -> Option<Explanation> {
    let dispatch = facts.begun()?;
    if dispatch.expires_at <= facts.now {
        let reason = format!(
            "the cards of this campaign expired at {}",
            dispatch.expires_at
        );
        return Some(Explanation::no(reason));
    }
    if let Some(at) = over_for_this_user(facts, dispatch) {
        return Some(Explanation::no(format!(
            "the card would have expired at {at}, by the clock of the user's time zone"
        )));
    }
    if dispatch.state == DispatchState::Failed {
        return Some(Explanation::no(format!(
            "{} failed before it reached this user",
            dispatch.id
        )));
    }
    if facts.campaign.state == CampaignState::Stopped {
        return Some(Explanation::no(
            "the campaign was stopped before the user got a card",
        ));
    }
    if dispatch.definition.creation == Creation::AtFirstImpression {
        return Some(Explanation::no(
            "the card is made when the user next opens the feed",
        ));
    }
    (dispatch.state == DispatchState::Running)
        .then(|| Explanation::no(format!("{} is still being sent", dispatch.id)))
}

/// When the user's own card expired while those of users further west go on.
fn over_for_this_user(facts: &Facts, dispatch: &Dispatch) -> Option<Timestamp> {
    let expiry = &dispatch.definition.expiry;
    let own = expiry.expires_at(dispatch.planned_at, &facts.user.time_zone());
    (!expiry.is_shared() && own <= facts.now).then_some(own)
}

/// Everything has been sent, the user fits, and yet there was never a card.
fn not_in_that_sending(facts: &Facts) -> Explanation {
    let begun = facts.begun().map_or(facts.campaign.created_at, |dispatch| {
        dispatch.started_at.unwrap_or(dispatch.planned_at)
    });
    match &facts.campaign.definition.delivery {
        Delivery::Api => Explanation::no("no trigger has given this user a card"),
        Delivery::Event { event } => match facts.user.events.get(event) {
            None => Explanation::no(format!("the event '{event}' never happened to this user")),
            Some(summary) => Explanation::no(format!(
                "the event '{event}' last happened at {}, and gave no card",
                summary.last_at
            )),
        },
        Delivery::Launch { .. } if !facts.tracked || facts.user.created_at > begun => {
            Explanation::no(format!(
                "the user was not known when the campaign was sent at {begun}"
            ))
        }
        Delivery::Launch { .. } => Explanation::no(format!(
            "was skipped, or was not in the audience when the campaign was sent at {begun}"
        )),
    }
}

/// What the newest dispatch says about itself.
pub(super) fn add_progress(
    explanation: &mut Explanation,
    dispatch: &Dispatch,
    progress: &DispatchProgress,
) {
    if dispatch.state == DispatchState::Running && progress.chunks > 0 {
        let (left, all) = (progress.chunks_left, progress.chunks);
        explanation
            .details
            .push(format!("{left} of {all} parts of {} are left", dispatch.id));
    }
    for (reason, count) in &progress.tally.skipped {
        let why = match reason {
            SkipReason::AlreadyReceived => "had had a card already",
            SkipReason::NotYetReeligible => "had had a card too recently",
            SkipReason::NotInAudience => "were not in the audience",
            SkipReason::Aborted => "were left out by the template's abort_message",
            SkipReason::FetchFailed => "were left out because a fetch went on failing",
            SkipReason::RenderFailed => "were left out because the template failed",
            SkipReason::CardTooLarge => "were left out because their card was too large",
            SkipReason::Expired => "were left out because their card would have expired",
            SkipReason::Erased => "had been erased",
        };
        explanation
            .details
            .push(format!("{} users of {} {why}", count, dispatch.id));
    }
}
