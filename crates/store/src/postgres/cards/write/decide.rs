//! What a user is given, from what is known of them.

use corkboard_core::id::DispatchId;
use corkboard_core::identity::Occurrence;
use corkboard_core::time::Timestamp;

use crate::card_store::Eligibility;

/// What is decided for one user of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The first card of the campaign: the receipt is new.
    New,
    /// A further card: the receipt, last given by `from`, passes on.
    Renewed {
        occurrence: Occurrence,
        from: DispatchId,
    },
    /// This dispatch has the receipt; only the card is missing.
    Claimed(Occurrence),
    /// This dispatch has given its card.
    Repeated(Occurrence),
    AlreadyReceived,
    NotYetReeligible,
    Erased,
}

impl Decision {
    /// The occurrence of the card that is to be inserted.
    pub(super) fn occurrence(self) -> Option<Occurrence> {
        match self {
            Self::New => Some(0),
            Self::Renewed { occurrence, .. } | Self::Claimed(occurrence) => Some(occurrence),
            _ => None,
        }
    }
}

/// What the transaction has found about a user.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) erased_at: Option<Timestamp>,
    /// The latest receipt: its dispatch, occurrence, and `planned_at`.
    pub(super) receipt: Option<(DispatchId, Occurrence, Timestamp)>,
    /// The occurrence of the card that this dispatch has given already.
    pub(super) own: Option<Occurrence>,
}

/// What decides besides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) dispatch: DispatchId,
    pub(super) planned_at: Timestamp,
    pub(super) eligibility: Eligibility,
}

pub(super) fn decide(terms: &Terms, facts: &Facts) -> Decision {
    if facts.erased_at.is_some_and(|at| terms.planned_at < at) {
        return Decision::Erased;
    }
    // Also when a later dispatch has the receipt by now.
    if let Some(own) = facts.own {
        return Decision::Repeated(own);
    }
    let Some((from, occurrence, at)) = facts.receipt else {
        return Decision::New;
    };
    if from == terms.dispatch {
        return Decision::Claimed(occurrence);
    }
    match terms.eligibility {
        Eligibility::OneDispatch | Eligibility::Once => Decision::AlreadyReceived,
        // Without a wait every dispatch gives a card, also one that is overtaken by a later one.
        Eligibility::After(after) if !after.is_zero() && at.plus(after) > terms.planned_at => {
            Decision::NotYetReeligible
        }
        Eligibility::After(_) => Decision::Renewed {
            occurrence: occurrence.saturating_add(1),
            from,
        },
    }
}
