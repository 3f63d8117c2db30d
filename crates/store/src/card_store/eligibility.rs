//! How often a user may have a card of a campaign, as far as a dispatch has to know.

use std::time::Duration;

use corkboard_core::campaign::Delivery;
use corkboard_core::dispatch::{Cause, Dispatch};

/// What keeps a campaign from giving a user more cards than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eligibility {
    /// The campaign never has another dispatch. What this one has written is all there is to look
    /// at, and when its cohort is gone nothing can be written: no receipts are kept.
    OneDispatch,
    /// One card per user for ever, whichever dispatch gives it. Needs receipts.
    Once,
    /// Another one this long after the last one was planned; zero: with every dispatch. Needs
    /// receipts.
    After(Duration),
}

impl Eligibility {
    /// As the dispatch's definition has it. A campaign that was launched cannot be changed, and
    /// without re-eligibility not be launched again: so its dispatch is the only one.
    #[must_use]
    pub fn of(dispatch: &Dispatch) -> Self {
        let definition = &dispatch.definition;
        match definition.reeligible_after_seconds {
            Some(seconds) => Self::After(Duration::from_secs(seconds)),
            None if dispatch.cause == Cause::Launch
                && matches!(definition.delivery, Delivery::Launch { .. }) =>
            {
                Self::OneDispatch
            }
            None => Self::Once,
        }
    }

    /// Whether what users were given is written down apart from the cards.
    #[must_use]
    pub fn keeps_receipts(self) -> bool {
        self != Self::OneDispatch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::campaign::CampaignDefinition;
    use corkboard_core::cohort::Cohort;
    use corkboard_core::dispatch::{DispatchState, Shape};
    use corkboard_core::id::{CampaignId, DispatchId, Id, WorkspaceId};
    use corkboard_core::time::Timestamp;
    use serde_json::json;

    fn of(delivery: &serde_json::Value, again: Option<u64>, cause: Cause) -> Eligibility {
        let definition: CampaignDefinition = serde_json::from_value(json!({
            "name": "n", "expiry": {"ttl_seconds": 60}, "delivery": delivery,
            "reeligible_after_seconds": again,
            "variants": [{"name": "A", "card": {"title": "hi"}}],
        }))
        .unwrap();
        let at = Timestamp::EPOCH;
        Eligibility::of(&Dispatch {
            id: DispatchId::from_bytes([1; 16]),
            workspace: WorkspaceId::from_bytes([1; 16]),
            campaign: CampaignId::from_bytes([1; 16]),
            campaign_version: 1,
            definition,
            cause,
            shape: Shape::Pointer,
            state: DispatchState::Running,
            planned_at: at,
            expires_at: at,
            cohort: Cohort::of(at, at),
            occurrence: 0,
            audience_estimate: 0,
            properties: serde_json::Map::new(),
            created_at: at,
            started_at: None,
            finished_at: None,
        })
    }

    #[test]
    fn only_a_launch_that_is_never_repeated_does_without_receipts() {
        let (launch, api) = (json!({"kind": "launch"}), json!({"kind": "api"}));
        let cases = [
            (&launch, None, Cause::Launch, Eligibility::OneDispatch),
            (
                &launch,
                Some(0),
                Cause::Launch,
                Eligibility::After(Duration::ZERO),
            ),
            (&api, None, Cause::Trigger, Eligibility::Once),
            (&api, None, Cause::Launch, Eligibility::Once),
        ];
        for (delivery, again, cause, expected) in cases {
            assert_eq!(of(delivery, again, cause), expected, "{delivery} {again:?}");
            assert_eq!(
                expected.keeps_receipts(),
                expected != Eligibility::OneDispatch
            );
        }
    }
}
