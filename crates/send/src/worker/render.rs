//! From a verdict to a card: rendering, and making sure that it ends, whatever the template does.
//!
//! A card whose fetch is to be tried again later is put aside: it holds no slot while it waits.

use std::panic::AssertUnwindSafe;

use corkboard_core::card::CardContent;
use corkboard_core::dispatch::{Cause, Dispatch, Shape, SkipReason};
use corkboard_core::user::UserId;
use corkboard_store::card_store::{NewCard, SharedContent};
use corkboard_template::Answers;
use corkboard_template::personal::{Attempt, CompiledCampaign, Job, merged};
use futures_util::FutureExt;
use serde_json::Map;
use tokio::time::timeout;

use super::candidate::{Candidate, Verdict};
use crate::meters;
use crate::sender::Sender;
use crate::waiting::Kept;

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
    /// To be decided again when it is due.
    Waits(Box<Case>),
}

/// A candidate to be decided about.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) candidate: Candidate,
    pub(super) verdict: Verdict,
    /// What is known of a card that was put aside.
    pub(super) kept: Option<Kept>,
}

/// What came of rendering.
enum Rendered {
    Content(Box<CardContent>),
    Skip(SkipReason),
    Waits(Kept),
}

/// Makes the cards of one dispatch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cards<'a> {
    pub(super) sender: &'a Sender,
    pub(super) dispatch: &'a Dispatch,
    pub(super) compiled: &'a CompiledCampaign,
}

/// Whether a template of the campaign may call for content.
pub(super) fn fetches(compiled: &CompiledCampaign) -> bool {
    compiled.fetch_sites().any(|sites| !sites.is_empty())
}

impl Cards<'_> {
    pub(super) fn fetches(&self) -> bool {
        fetches(self.compiled)
    }

    /// How many may be rendered at a time. Without fetches there is nothing to wait for.
    pub(super) fn at_once(&self) -> usize {
        if self.fetches() {
            self.sender.inner.options.fetch_concurrency
        } else {
            1
        }
    }

    pub(super) async fn decide(&self, case: Case) -> Decided {
        let user = case.candidate.user.id.clone();
        let is_early = |kept: &Kept| kept.due > self.sender.now();
        if matches!(case.verdict, Verdict::Give { .. }) && case.kept.as_ref().is_some_and(is_early)
        {
            let outcome = Outcome::Waits(Box::new(case));
            return Decided { user, outcome };
        }
        let outcome = match case.verdict {
            Verdict::Repeat => Outcome::Repeated,
            Verdict::Skip(reason) => Outcome::Skipped(reason),
            Verdict::Give {
                variant,
                expires_at,
            } => {
                let card = |content| {
                    Outcome::Card(Box::new(NewCard {
                        user: user.clone(),
                        variant,
                        expires_at,
                        content,
                    }))
                };
                match self.dispatch.shape {
                    Shape::Pointer | Shape::Broadcast => card(None),
                    Shape::Personal => {
                        let Case {
                            candidate,
                            verdict,
                            kept,
                        } = case;
                        match self.render(&candidate, variant, kept).await {
                            Rendered::Content(content) => card(Some(*content)),
                            Rendered::Skip(reason) => Outcome::Skipped(reason),
                            Rendered::Waits(kept) => Outcome::Waits(Box::new(Case {
                                candidate,
                                verdict,
                                kept: Some(kept),
                            })),
                        }
                    }
                }
            }
        };
        Decided { user, outcome }
    }

    async fn render(&self, candidate: &Candidate, variant: u8, kept: Option<Kept>) -> Rendered {
        let Self {
            sender,
            dispatch,
            compiled,
        } = self;
        let options = &sender.inner.options;
        let now = sender.now();
        let mut kept = kept.unwrap_or_else(|| Kept {
            answers: Answers::default(),
            now,
            due: now,
            until: now.plus(options.patience),
        });
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
            now: kept.now,
            card_bytes: options.card_bytes,
        };
        // A defect in the engine costs one card, not the worker.
        let attempt = compiled.attempt(&job, &*sender.inner.deps.fetcher, &mut kept.answers);
        let attempt = AssertUnwindSafe(attempt).catch_unwind();
        let (reason, detail) = match timeout(options.render_deadline, attempt).await {
            Ok(Ok(Ok(Attempt::Made(made)))) => return Rendered::Content(Box::new(made.content)),
            Ok(Ok(Ok(Attempt::Waits { after }))) => {
                kept.due = sender.now().plus(after);
                if kept.due <= kept.until {
                    meters::put_aside();
                    return Rendered::Waits(kept);
                }
                let detail = "its fetches would have to wait too long".to_owned();
                (SkipReason::FetchFailed, detail)
            }
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
        Rendered::Skip(reason)
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
