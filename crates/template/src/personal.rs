//! One user's card out of a campaign: choosing the variant, naming the data, rendering every text.
//!
//! Whoever makes cards goes through here (the pipeline, a feed at first impression, a preview), so
//! that all of them arrive at the same card.

mod blocks;
mod fields;
mod inspect;
mod job;

use std::collections::BTreeMap;
use std::time::Duration;

use corkboard_core::campaign::{CampaignDefinition, Invalid};
use corkboard_core::card::CardContent;
use corkboard_core::connected::ConnectedContent;
use corkboard_core::dispatch::SkipReason;
use corkboard_core::id::CampaignId;
use corkboard_core::user::UserId;
use corkboard_core::variant::choose_variant;

pub use job::{Job, merged};

use crate::asking::Answers;
use crate::card::{CardTemplate, FieldError, Rendered};
use crate::limits::Limits;
use crate::partials::Partials;
use crate::program::FetchSite;
use crate::render::{FetchTrace, RenderError};

/// A campaign's variants, compiled. Made once for each version, shared by all of its cards.
#[derive(Debug)]
pub struct CompiledCampaign {
    variants: Vec<Variant>,
    limits: Limits,
}

#[derive(Debug)]
struct Variant {
    weight: u32,
    card: Card,
}

#[derive(Debug)]
enum Card {
    /// The same for everybody, a control group's card among them.
    Fixed(CardContent),
    /// `source` has what is not a template: the type, and extras that are not texts.
    Rendered {
        template: CardTemplate,
        source: CardContent,
    },
}

/// A card for one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Personalised {
    pub content: CardContent,
    /// Every fetch, in the order they were made.
    pub trace: Vec<FetchTrace>,
    /// What an author should know although there is a card.
    pub warnings: Vec<String>,
}

/// What came of an attempt at a card.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    Made(Box<Personalised>),
    /// A fetch is to be tried again, not before this time has passed.
    Waits {
        after: Duration,
    },
}

impl Attempt {
    fn made(card: Personalised) -> Self {
        Self::Made(Box::new(card))
    }
}

/// Why a user gets no card.
#[derive(Debug, Clone, PartialEq)]
pub struct NotRendered {
    /// `Aborted`, `FetchFailed`, `RenderFailed` or `CardTooLarge`.
    pub reason: SkipReason,
    /// In words for the template's author.
    pub detail: String,
    /// What had been fetched until then.
    pub trace: Vec<FetchTrace>,
}

impl CompiledCampaign {
    /// Compiles every text of every variant, with the content blocks that the definition carries.
    ///
    /// # Errors
    /// Everything that does not compile, with paths like `/variants/0/card/title`, and line and
    /// column in the message.
    pub fn compile(definition: &CampaignDefinition, limits: &Limits) -> Result<Self, Vec<Invalid>> {
        let partials = Partials {
            content_blocks: definition.content_blocks.clone(),
            ..Partials::default()
        };
        Self::compile_with(definition, &partials, limits)
    }

    /// Like [`Self::compile`], with the content blocks and partials that the texts may use.
    ///
    /// # Errors
    /// As [`Self::compile`]; also when a text names what is not among them.
    pub fn compile_with(
        definition: &CampaignDefinition,
        partials: &Partials,
        limits: &Limits,
    ) -> Result<Self, Vec<Invalid>> {
        let mut variants = Vec::with_capacity(definition.variants.len());
        let mut problems = Vec::new();
        for (place, variant) in definition.variants.iter().enumerate() {
            let path = format!("/variants/{place}/card");
            let card = match (&variant.card, variant.is_control()) {
                (_, true) => Ok(Card::Fixed(CardContent::control())),
                (Some(content), false) => compile_card(content, partials, limits, &path),
                (None, false) => {
                    let message = "is missing; only a control variant has no card";
                    Err(vec![Invalid::new(path, message)])
                }
            };
            match card {
                Ok(card) => variants.push(Variant {
                    weight: variant.weight,
                    card,
                }),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() {
            Ok(Self {
                variants,
                limits: *limits,
            })
        } else {
            Err(problems)
        }
    }

    /// Whether every member of a variant gets the same card.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.variants
            .iter()
            .all(|variant| matches!(variant.card, Card::Fixed(_)))
    }

    /// The card of a variant, if it is the same for everybody.
    #[must_use]
    pub fn static_content(&self, variant: u8) -> Option<CardContent> {
        match &self.variants.get(usize::from(variant))?.card {
            Card::Fixed(content) => Some(content.clone()),
            Card::Rendered { .. } => None,
        }
    }

    /// For each variant, in order: its `connected_content` tags.
    pub fn fetch_sites(&self) -> impl Iterator<Item = &[FetchSite]> {
        self.variants.iter().map(|variant| match &variant.card {
            Card::Fixed(_) => &[],
            Card::Rendered { template, .. } => template.fetches(),
        })
    }

    /// One problem for each variant whose card is larger than `card_bytes` for everybody. How large
    /// the others get is known for each user.
    #[must_use]
    pub fn too_large(&self, card_bytes: usize) -> Vec<Invalid> {
        let places = self.variants.iter().enumerate();
        places
            .filter_map(|(place, variant)| match &variant.card {
                Card::Fixed(content) => {
                    let detail = excess(content, card_bytes)?;
                    Some(Invalid::new(format!("/variants/{place}/card"), detail))
                }
                Card::Rendered { .. } => None,
            })
            .collect()
    }

    /// The index of the variant that the user gets; `None` when no variant has any weight.
    #[must_use]
    pub fn choose(&self, campaign: CampaignId, user: &UserId) -> Option<u8> {
        let weights = self.variants.iter().map(|variant| variant.weight);
        choose_variant(campaign, user, weights).and_then(|index| u8::try_from(index).ok())
    }

    /// The card of one user: the content of `job.variant`, rendered. Waits through the retries of
    /// its fetches.
    ///
    /// # Errors
    /// When the template aborts or fails, or the card has more than `job.card_bytes`.
    pub async fn personalise(
        &self,
        job: &Job<'_>,
        fetcher: &dyn ConnectedContent,
    ) -> Result<Personalised, NotRendered> {
        let rendered = match self.card(job)? {
            Card::Fixed(content) => return finished(content.clone(), job),
            Card::Rendered { template, source } => {
                let options = job.options(&self.limits);
                let rendered = template.render(job.scope(), &options, fetcher).await?;
                (source, rendered)
            }
        };
        filled(rendered, job)
    }

    /// The card of one user, each fetch tried once. A card that waits is to be asked for again with
    /// the same job and what is in `answers` then.
    ///
    /// # Errors
    /// As [`Self::personalise`].
    pub async fn attempt(
        &self,
        job: &Job<'_>,
        fetcher: &dyn ConnectedContent,
        answers: &mut Answers,
    ) -> Result<Attempt, NotRendered> {
        let (template, source) = match self.card(job)? {
            Card::Fixed(content) => return finished(content.clone(), job).map(Attempt::made),
            Card::Rendered { template, source } => (template, source),
        };
        let options = job.options(&self.limits);
        let rendering = template.attempt(job.scope(), &options, fetcher, answers);
        match rendering.await {
            Ok(rendered) => filled((source, rendered), job).map(Attempt::made),
            Err(RenderError::Waits { after, .. }) => Ok(Attempt::Waits { after }),
            Err(error) => Err(error.into()),
        }
    }

    fn card(&self, job: &Job<'_>) -> Result<&Card, NotRendered> {
        let variant = self.variants.get(usize::from(job.variant));
        let missing = || not_rendered(format!("there is no variant {}", job.variant), Vec::new());
        variant.map(|variant| &variant.card).ok_or_else(missing)
    }
}

fn filled(
    (source, rendered): (&CardContent, Rendered),
    job: &Job<'_>,
) -> Result<Personalised, NotRendered> {
    let mut made = Personalised {
        content: fields::filled(source, rendered.fields, rendered.message_extras),
        trace: rendered.trace,
        warnings: rendered.warnings,
    };
    check(&mut made, job)?;
    Ok(made)
}

fn finished(content: CardContent, job: &Job<'_>) -> Result<Personalised, NotRendered> {
    let mut made = Personalised {
        content,
        trace: Vec::new(),
        warnings: Vec::new(),
    };
    check(&mut made, job)?;
    Ok(made)
}

/// Refuses a card that cannot be one, and adds warnings about one that can.
fn check(made: &mut Personalised, job: &Job<'_>) -> Result<(), NotRendered> {
    if let Some(detail) = excess(&made.content, job.card_bytes) {
        return Err(NotRendered {
            reason: SkipReason::CardTooLarge,
            detail,
            trace: std::mem::take(&mut made.trace),
        });
    }
    if !fields::is_storable(&made.content) {
        let trace = std::mem::take(&mut made.trace);
        return Err(not_rendered(
            "the card has a NUL character".to_owned(),
            trace,
        ));
    }
    let empty = made.content.problems("").into_iter();
    made.warnings
        .extend(empty.map(|problem| format!("{}: {}", problem.path, problem.message)));
    Ok(())
}

fn compile_card(
    content: &CardContent,
    partials: &Partials,
    limits: &Limits,
    path: &str,
) -> Result<Card, Vec<Invalid>> {
    let source = fields::source(content);
    let located = |FieldError { path: field, error }: FieldError| {
        let excerpt = source.text(&field).map(|text| error.excerpt(text));
        let message = match excerpt.filter(|excerpt| !excerpt.is_empty()) {
            Some(excerpt) => format!("{error}\n{excerpt}"),
            None => error.to_string(),
        };
        Invalid::new(format!("{path}/{}", fields::pointer(&field)), message)
    };
    let template = CardTemplate::compile_with(&source, partials, limits)
        .map_err(|errors| errors.into_iter().map(located).collect::<Vec<_>>())?;
    if !template.is_static() {
        return Ok(Card::Rendered {
            template,
            source: content.clone(),
        });
    }
    // What reads no data needs none: rendered here, once for all.
    match job::render_without_data(&template, limits) {
        Ok(rendered) => Ok(Card::Fixed(fields::filled(
            content,
            rendered,
            BTreeMap::new(),
        ))),
        Err((field, message)) => Err(vec![Invalid::new(
            format!("{path}/{}", fields::pointer(&field)),
            message,
        )]),
    }
}

/// How a card is too large, if it is.
fn excess(content: &CardContent, card_bytes: usize) -> Option<String> {
    let bytes = content.payload_bytes();
    (bytes > card_bytes).then(|| format!("has {bytes} bytes, more than the {card_bytes} of a card"))
}

fn not_rendered(detail: String, trace: Vec<FetchTrace>) -> NotRendered {
    NotRendered {
        reason: SkipReason::RenderFailed,
        detail,
        trace,
    }
}

impl From<RenderError> for NotRendered {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Aborted { reason, trace } => {
                let detail = reason.unwrap_or_else(|| "abort_message".to_owned());
                Self {
                    reason: SkipReason::Aborted,
                    detail,
                    trace,
                }
            }
            RenderError::GaveUp { problem, trace } => Self {
                reason: SkipReason::FetchFailed,
                detail: format!("a fetch was given up: {problem}"),
                trace,
            },
            RenderError::Waits { trace, .. } => not_rendered("a fetch waits".to_owned(), trace),
            RenderError::Template {
                field,
                error,
                trace,
            } => not_rendered(format!("{field}: {error}"), trace),
        }
    }
}

#[cfg(test)]
mod tests;
