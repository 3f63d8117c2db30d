//! One workspace's live set, made ready for reading: ids derived, shared parts shared, templates
//! compiled once.

use std::collections::BTreeSet;
use std::sync::Arc;

use corkboard_core::campaign::Creation;
use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::dispatch::{Dispatch, DispatchState, Shape};
use corkboard_core::id::CardId;
use corkboard_core::identity::{self, Occurrence};
use corkboard_core::time::Timestamp;
use corkboard_store::control_store::{LiveDispatch, LiveSet};
use corkboard_template::personal::CompiledCampaign;

use crate::options::FeedOptions;

/// Most broadcasts remembered after they have gone.
const MAX_PAST: usize = 1_000;
/// A cancelled campaign's broadcasts are known by number only; more than this were never launched
/// within one lifetime.
const LIKELY_OCCURRENCES: Occurrence = 8;

/// What is in force in a workspace.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) set: LiveSet,
    /// In force, or expired not long ago.
    pub(crate) broadcasts: Vec<Broadcast>,
    /// Broadcasts that were taken back: late events still count, cursors may still name them.
    pub(crate) past: Vec<Broadcast>,
    /// Dispatches that give cards when a feed is opened.
    pub(crate) first_impressions: Vec<FirstImpression>,
}

/// A broadcast's card: the same for everybody.
#[derive(Debug, Clone)]
pub(crate) struct Broadcast {
    pub(crate) id: CardId,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) presentation: Arc<Presentation>,
    pub(crate) content: Arc<CardContent>,
}

/// A dispatch that gives cards when a feed is opened.
#[derive(Debug, Clone)]
pub(crate) struct FirstImpression {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) compiled: Arc<CompiledCampaign>,
}

impl Live {
    /// Makes a set ready; what `old` has ready is taken over.
    pub(crate) fn new(
        set: LiveSet,
        old: Option<&Self>,
        now: Timestamp,
        options: &FeedOptions,
    ) -> Self {
        let in_force = || {
            set.dispatches
                .iter()
                .filter(|live| live.dispatch.state != DispatchState::Planned)
        };
        let broadcasts: Vec<Broadcast> = in_force()
            .filter(|live| live.dispatch.shape == Shape::Broadcast)
            .filter_map(|live| Broadcast::of(&live.dispatch, old, options))
            .collect();
        // Newest first: of a campaign that was launched again only the newest gives cards.
        let mut campaigns = BTreeSet::new();
        let first_impressions = in_force()
            .filter(|live| live.accepting && gives_at_first_impression(live))
            .filter(|live| campaigns.insert(live.dispatch.campaign))
            .filter_map(|live| FirstImpression::of(&live.dispatch, old, options))
            .collect();
        let still: BTreeSet<CardId> = broadcasts.iter().map(|card| card.id).collect();
        let past = old
            .into_iter()
            .flat_map(|old| old.broadcasts.iter().chain(&old.past))
            .filter(|card| {
                !still.contains(&card.id)
                    && card.dispatch.expires_at.plus(options.late_events) > now
            })
            .take(MAX_PAST)
            .cloned()
            .collect();
        Self {
            set,
            broadcasts,
            past,
            first_impressions,
        }
    }

    /// Every broadcast that events may still be about.
    pub(crate) fn countable(&self) -> impl Iterator<Item = &Broadcast> {
        self.broadcasts.iter().chain(&self.past)
    }

    /// Ids of all broadcasts that may have been in somebody's feed.
    pub(crate) fn known_ids(&self) -> impl Iterator<Item = CardId> {
        let cancelled = self.set.cancelled.iter().flat_map(|campaign| {
            (0..LIKELY_OCCURRENCES)
                .map(|occurrence| identity::broadcast_card_id(*campaign, occurrence))
        });
        self.countable().map(|card| card.id).chain(cancelled)
    }
}

fn gives_at_first_impression(live: &LiveDispatch) -> bool {
    live.dispatch.shape != Shape::Broadcast
        && live.dispatch.definition.creation == Creation::AtFirstImpression
}

impl Broadcast {
    fn of(dispatch: &Arc<Dispatch>, old: Option<&Live>, options: &FeedOptions) -> Option<Self> {
        let ready = old.and_then(|old| {
            old.broadcasts
                .iter()
                .find(|known| known.dispatch.id == dispatch.id)
        });
        if let Some(ready) = ready {
            return Some(Self {
                dispatch: Arc::clone(dispatch),
                ..ready.clone()
            });
        }
        // Static is what renders to the same text for everybody: it may have Liquid in it.
        let content = compile(dispatch, options)?.static_content(0)?;
        Some(Self {
            id: identity::broadcast_card_id(dispatch.campaign, dispatch.occurrence),
            presentation: Arc::new(dispatch.definition.presentation()),
            content: Arc::new(content),
            dispatch: Arc::clone(dispatch),
        })
    }
}

impl FirstImpression {
    fn of(dispatch: &Arc<Dispatch>, old: Option<&Live>, options: &FeedOptions) -> Option<Self> {
        let ready = old.and_then(|old| {
            old.first_impressions
                .iter()
                .find(|known| known.dispatch.id == dispatch.id)
        });
        let compiled = match ready {
            Some(ready) => Arc::clone(&ready.compiled),
            None => Arc::new(compile(dispatch, options)?),
        };
        Some(Self {
            dispatch: Arc::clone(dispatch),
            compiled,
        })
    }
}

/// A dispatch that does not compile (it did when it was launched) is absent from feeds, and logged.
fn compile(dispatch: &Dispatch, options: &FeedOptions) -> Option<CompiledCampaign> {
    match CompiledCampaign::compile(&dispatch.definition, &options.template_limits) {
        Ok(compiled) => Some(compiled),
        Err(problems) => {
            let (campaign, dispatch) = (dispatch.campaign, dispatch.id);
            tracing::error!(%campaign, %dispatch, ?problems, "a launched campaign does not compile");
            None
        }
    }
}
