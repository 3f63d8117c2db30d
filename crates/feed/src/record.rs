//! What users did with cards: which reports count, for which card, at what time.

use std::collections::BTreeMap;

use corkboard_core::cohort::Cohort;
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{CampaignId, CardId, WorkspaceId};
use corkboard_core::state::EventKind;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_store::StoreError;
use corkboard_store::card_store::{CardEvent, UserCards};
use serde::{Deserialize, Serialize};

use crate::error::FeedError;
use crate::feeds::Feeds;
use crate::live::Live;

/// One thing a user did with a card, as a client reports it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedEvent {
    /// As the client has it. A text that is no card id at all is an unknown card, not an error: one
    /// bad entry must not make a client lose a batch.
    pub card_id: String,
    pub kind: EventKind,
    /// When it happened; now when absent.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Recorded {
    /// Events that are counted, now or by an earlier report of the same.
    pub accepted: u64,
    /// Cards that this user does not have, each once: not (or no longer) known, or no card ids.
    pub unknown: Vec<String>,
    /// Cards that cannot be dismissed and were, each once; nothing was recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// What there is to know about a card to count an event on it.
#[derive(Debug, Clone, Copy)]
struct Countable {
    campaign: CampaignId,
    variant: u8,
    cohort: Cohort,
    created_at: Timestamp,
    dismissible: bool,
}

impl Feeds {
    /// Records what a user did with cards. Durable when it returns; repeating is harmless: each
    /// (card, kind, time) counts once.
    ///
    /// A time that lies ahead is kept as now, though it tells repeats apart as it was reported, and
    /// one before the card existed is taken as the card's creation: clients' clocks are wrong, and
    /// days with counts must not be. Events on
    /// cards that expired, were dismissed or taken back within the last day count: the user saw
    /// what the user saw. A dismissal of a card that is not dismissible is refused.
    ///
    /// # Errors
    ///
    /// What a store says. Then nothing of the report may be taken as recorded.
    pub async fn record(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        events: Vec<ReportedEvent>,
    ) -> Result<Recorded, FeedError> {
        let now = self.deps().clock.now();
        let live = self.live().of(workspace).await?;
        let earlier = now.minus(self.options().late_events);
        let stored = self.rows(workspace, user, earlier).await?;
        let cards = countable(&stored, &live);
        let mut report = Report::default();
        for event in events {
            report.add(event, &cards, now);
        }
        if !report.events.is_empty() {
            let recorded = self.count(workspace, user, &mut report, now).await?;
            if recorded {
                self.hub()
                    .users_changed(workspace, std::slice::from_ref(user));
            }
        }
        metrics::counter!("corkboard_feed_events_total", "outcome" => "accepted")
            .increment(report.done.accepted);
        metrics::counter!("corkboard_feed_events_total", "outcome" => "unknown")
            .increment(report.done.unknown.len() as u64);
        Ok(report.done)
    }

    /// Records what is countable; whether any card looks different now.
    async fn count(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        report: &mut Report,
        now: Timestamp,
    ) -> Result<bool, FeedError> {
        loop {
            let events = report.events.clone();
            let cards = &self.deps().cards;
            match cards.record_card_events(workspace, user, events, now).await {
                Ok(recorded) => return Ok(recorded.changed),
                // Retired between looking and counting: those cards are gone, the others are not.
                Err(StoreError::NoSuchCohort(cohort))
                    if report.events.iter().any(|event| event.cohort == cohort) =>
                {
                    report.drop_cohort(cohort);
                    if report.events.is_empty() {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn countable(stored: &UserCards, live: &Live) -> BTreeMap<CardId, Countable> {
    let broadcasts = live.countable().map(|card| {
        let fact = Countable {
            campaign: card.dispatch.campaign,
            variant: 0,
            cohort: card.dispatch.cohort,
            created_at: card.dispatch.planned_at,
            dismissible: card.presentation.dismissible,
        };
        (card.id, fact)
    });
    let rows = stored.cards.iter().map(|card| {
        let fact = Countable {
            campaign: card.campaign,
            variant: card.variant,
            cohort: card.cohort,
            created_at: card.created_at,
            dismissible: card.presentation.dismissible,
        };
        (card.id, fact)
    });
    broadcasts.chain(rows).collect()
}

#[derive(Debug, Default)]
struct Report {
    done: Recorded,
    events: Vec<CardEvent>,
}

impl Report {
    fn add(&mut self, event: ReportedEvent, cards: &BTreeMap<CardId, Countable>, now: Timestamp) {
        let id = event.card_id.parse::<CardId>().ok();
        let Some((card, known)) = id.and_then(|id| Some((id, cards.get(&id)?))) else {
            return once(&mut self.done.unknown, event.card_id);
        };
        if event.kind == EventKind::Dismiss && !known.dismissible {
            return once(&mut self.done.refused, event.card_id);
        }
        let at = event.at.unwrap_or(now);
        self.done.accepted += 1;
        self.events.push(CardEvent {
            card,
            campaign: known.campaign,
            variant: known.variant,
            cohort: known.cohort,
            mark: event.kind.mark(),
            at: at.max(known.created_at),
        });
    }

    fn drop_cohort(&mut self, cohort: Cohort) {
        for event in self.events.extract_if(.., |event| event.cohort == cohort) {
            self.done.accepted -= 1;
            once(&mut self.done.unknown, event.card.to_string());
        }
    }
}

fn once(list: &mut Vec<String>, id: String) {
    if !list.contains(&id) {
        list.push(id);
    }
}
