//! From a verdict to a card: rendering, and making sure that it ends, whatever the template does.

use std::panic::AssertUnwindSafe;

use corkboard_core::card::CardContent;
use corkboard_core::dispatch::{Cause, Dispatch, Shape, SkipReason};
use corkboard_core::user::UserId;
use corkboard_store::card_store::{NewCard, SharedContent};
use corkboard_template::personal::{CompiledCampaign, Job, merged};
use futures_util::FutureExt;
use serde_json::Map;
use tokio::time::timeout;

use super::candidate::{Candidate, Verdict};
use crate::sender::Sender;

/// What became of one candidate.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) user: UserId,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Repeated,
    Skipped(SkipReason),
    Card(Box<NewCard>),
}

/// Makes the cards of one dispatch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cards<'a> {
    pub(super) sender: &'a Sender,
    pub(super) dispatch: &'a Dispatch,
    pub(super) compiled: &'a CompiledCampaign,
}

impl Cards<'_> {
    /// How many may be rendered at a time. Without fetches there is nothing to wait for.
    pub(super) fn at_once(&self) -> usize {
        let fetches = self.compiled.fetch_sites().any(|sites| !sites.is_empty());
        if fetches {
            self.sender.inner.options.fetch_concurrency
        } else {
            1
        }
    }

    pub(super) async fn decide(&self, candidate: Candidate, verdict: Verdict) -> Decided {
        let outcome = match verdict {
            Verdict::Repeat => Outcome::Repeated,
            Verdict::Skip(reason) => Outcome::Skipped(reason),
            Verdict::Give {
                variant,
                expires_at,
            } => {
                let user = candidate.user.id.clone();
                let content = match self.dispatch.shape {
                    Shape::Personal => self.render(&candidate, variant).await.map(Some),
                    Shape::Pointer | Shape::Broadcast => Ok(None),
                };
                match content {
                    Ok(content) => Outcome::Card(Box::new(NewCard {
                        user,
                        variant,
                        expires_at,
                        content,
                    })),
                    Err(reason) => Outcome::Skipped(reason),
                }
            }
        };
        Decided {
            user: candidate.user.id,
            outcome,
        }
    }

    async fn render(&self, candidate: &Candidate, variant: u8) -> Result<CardContent, SkipReason> {
        let Self {
            sender,
            dispatch,
            compiled,
        } = self;
        let options = &sender.inner.options;
        let none = Map::new();
        let properties = merged(&dispatch.properties, &candidate.properties);
        let is_event = dispatch.cause == Cause::Event;
        let job = Job {
            workspace: dispatch.workspace,
            campaign: dispatch.campaign,
            campaign_name: &dispatch.definition.name,
            dispatch: Some(dispatch.id),
            variant,
            user: &candidate.user,
            properties: &properties,
            event_properties: if is_event {
                &candidate.properties
            } else {
                &none
            },
            now: sender.now(),
            card_bytes: options.card_bytes,
        };
        // A defect in the engine costs one card, not the worker.
        let rendering = compiled.personalise(&job, &*sender.inner.deps.fetcher);
        let rendering = AssertUnwindSafe(rendering).catch_unwind();
        let (reason, detail) = match timeout(options.render_deadline, rendering).await {
            Ok(Ok(Ok(personalised))) => return Ok(personalised.content),
            Ok(Ok(Err(not))) => (not.reason, not.detail),
            Ok(Err(_)) => {
                tracing::error!(campaign = %dispatch.campaign, "rendering a card panicked");
                (
                    SkipReason::RenderFailed,
                    "the template engine failed".to_owned(),
                )
            }
            Err(_) => (
                SkipReason::RenderFailed,
                "its fetches took too long together".to_owned(),
            ),
        };
        tracing::debug!(
            dispatch = %dispatch.id, user = %candidate.user.id, ?reason, detail, "no card"
        );
        Err(reason)
    }

    /// What the cards of these variants have in common.
    pub(super) fn shared(&self, variants: impl Iterator<Item = u8>) -> Vec<SharedContent> {
        variants
            .map(|variant| SharedContent {
                variant,
                presentation: self.dispatch.definition.presentation(),
                content: match self.dispatch.shape {
                    Shape::Personal => None,
                    Shape::Pointer | Shape::Broadcast => self.compiled.static_content(variant),
                },
            })
            .collect()
    }
}
