//! One user's cards at first impression: which ones, rendered and written.

use std::time::Duration;

use corkboard_core::card::CardContent;
use corkboard_core::dispatch::{Dispatch, Shape};
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{User, UserId};
use corkboard_store::StoreError;
use corkboard_store::card_store::{
    CardBatch, Durability, Eligibility, NewCard, Receipt, RowOutcome, SharedContent, UserCards,
};
use corkboard_template::personal::{Job, NotRendered};
use futures_util::{StreamExt, stream};
use serde_json::Map;

use super::Inner;
use crate::live::{FirstImpression, Live};

/// What one user is to be given.
pub(super) struct Wanted<'a> {
    user: User,
    cards: Vec<&'a FirstImpression>,
}

impl Inner {
    /// What the user is to be given now, if anything; `rows` is what the user has. Who has had all
    /// of it costs no look at anything else.
    pub(super) async fn wanted<'a>(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        live: &'a Live,
        rows: &UserCards,
    ) -> Result<Option<Wanted<'a>>, StoreError> {
        let now = self.deps.clock.now();
        let mut cards: Vec<&FirstImpression> = live
            .first_impressions
            .iter()
            .filter(|first| {
                let dispatch = &first.dispatch;
                dispatch.expires_at > now
                    && !rows.cards.iter().any(|card| card.dispatch == dispatch.id)
                    && !self.given_up.holds(dispatch.id, user)
            })
            .collect();
        if cards.is_empty() {
            return Ok(None);
        }
        let with_receipts = cards
            .iter()
            .filter(|first| Eligibility::of(&first.dispatch).keeps_receipts());
        let campaigns: Vec<_> = with_receipts.map(|first| first.dispatch.campaign).collect();
        let receipts = if campaigns.is_empty() {
            Vec::new()
        } else {
            let receipts = self.deps.cards.receipts(workspace, user, &campaigns);
            receipts.await?
        };
        cards.retain(|first| {
            let receipt = receipts
                .iter()
                .find(|had| had.campaign == first.dispatch.campaign);
            may_have(receipt, &first.dispatch)
        });
        if cards.is_empty() {
            return Ok(None);
        }
        let known = self.deps.cards.find_user(workspace, user).await?;
        let user = known.unwrap_or_else(|| User::unknown(user.clone(), now));
        cards.retain(|first| {
            let definition = &first.dispatch.definition;
            definition.audience.matches(&user, now) && expiry(&first.dispatch, &user) > now
        });
        Ok((!cards.is_empty()).then_some(Wanted { user, cards }))
    }

    /// Makes all that is wanted, each card written as soon as it is ready.
    pub(super) async fn make_all(&self, workspace: WorkspaceId, user: &UserId, live: &Live) {
        let (cards, now, most) = (
            &self.deps.cards,
            self.deps.clock.now(),
            self.options.max_rows,
        );
        let wanted = async {
            let rows = cards.user_cards(workspace, user, now, most).await?;
            self.wanted(workspace, user, live, &rows).await
        };
        let wanted = match wanted.await {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%workspace, %error, "first impressions cannot be decided");
                return;
            }
        };
        let at_a_time = self.options.first_impression_cards.max(1);
        stream::iter(wanted.cards)
            .for_each_concurrent(at_a_time, |first| self.make(&wanted.user, first))
            .await;
    }

    async fn make(&self, user: &User, first: &FirstImpression) {
        let dispatch = &first.dispatch;
        let Some((variant, content)) = self.render(user, first).await else {
            self.given_up.add(dispatch.id, &user.id);
            metrics::counter!("corkboard_feed_first_impressions_total", "outcome" => "not_made")
                .increment(1);
            return;
        };
        match self.write(user, dispatch, variant, content).await {
            Ok(RowOutcome::Inserted(_)) => {
                metrics::counter!("corkboard_feed_first_impressions_total", "outcome" => "made")
                    .increment(1);
                let users = std::slice::from_ref(&user.id);
                self.deps.hub.users_changed(dispatch.workspace, users);
            }
            // Somebody else was quicker, or the store knows better: not again at the next read.
            Ok(_) => self.given_up.add(dispatch.id, &user.id),
            Err(error) => {
                let campaign = dispatch.campaign;
                tracing::warn!(%campaign, %error, "a card at first impression was not written");
            }
        }
    }

    /// The user's variant and its content; `None` when the user gets no card.
    async fn render(&self, user: &User, first: &FirstImpression) -> Option<(u8, CardContent)> {
        let dispatch = &first.dispatch;
        let variant = first.compiled.choose(dispatch.campaign, &user.id)?;
        let job = Job {
            workspace: dispatch.workspace,
            campaign: dispatch.campaign,
            campaign_name: &dispatch.definition.name,
            dispatch: Some(dispatch.id),
            variant,
            user,
            properties: &dispatch.properties,
            event_properties: &Map::new(),
            now: self.deps.clock.now(),
            card_bytes: self.options.card_bytes,
        };
        match first.compiled.personalise(&job, &*self.deps.fetcher).await {
            Ok(card) => Some((variant, card.content)),
            Err(NotRendered { reason, detail, .. }) => {
                let (campaign, user) = (dispatch.campaign, &user.id);
                tracing::info!(%campaign, %user, ?reason, detail, "no card at first impression");
                None
            }
        }
    }

    async fn write(
        &self,
        user: &User,
        dispatch: &Dispatch,
        variant: u8,
        content: CardContent,
    ) -> Result<RowOutcome, StoreError> {
        let (shared, own) = match dispatch.shape {
            Shape::Pointer => (Some(content), None),
            Shape::Personal | Shape::Broadcast => (None, Some(content)),
        };
        let presentation = dispatch.definition.presentation();
        let card = NewCard {
            user: user.id.clone(),
            variant,
            expires_at: expiry(dispatch, user),
            content: own,
        };
        let batch = CardBatch {
            workspace: dispatch.workspace,
            campaign: dispatch.campaign,
            dispatch: dispatch.id,
            cohort: dispatch.cohort,
            planned_at: dispatch.planned_at,
            eligibility: Eligibility::of(dispatch),
            fence: None,
            durability: Durability::Now,
            shared: vec![SharedContent {
                variant,
                presentation,
                content: shared,
            }],
            cards: vec![card],
        };
        self.deps.cards.ensure_cohort(dispatch.cohort).await?;
        let outcomes = self
            .deps
            .cards
            .write_cards(batch, self.deps.clock.now())
            .await?;
        // One outcome per card. Without one nothing is known to have been written.
        Ok(outcomes
            .first()
            .copied()
            .unwrap_or(RowOutcome::AlreadyReceived))
    }
}

/// Whether somebody with this receipt and no card of the dispatch may be given one. Only a look
/// ahead, to spare the rendering: the store decides when the card is written. A receipt of the very
/// dispatch without its card is the trace of a node that died between writing the two.
fn may_have(receipt: Option<&Receipt>, dispatch: &Dispatch) -> bool {
    let Some(receipt) = receipt else {
        return true;
    };
    let again = dispatch.definition.reeligible_after_seconds;
    receipt.dispatch == dispatch.id
        || again.is_some_and(|seconds| {
            receipt.at.plus(Duration::from_secs(seconds)) <= dispatch.planned_at
        })
}

fn expiry(dispatch: &Dispatch, user: &User) -> Timestamp {
    dispatch
        .definition
        .expiry
        .expires_at(dispatch.planned_at, &user.time_zone())
}
