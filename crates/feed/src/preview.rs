//! A card as one user would get it, rendered by the same engine over the same fetches, and kept
//! nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::campaign::{CampaignDefinition, Creation, Delivery, Invalid, Variant};
use corkboard_core::card::CardContent;
use corkboard_core::connected::{ConnectedContent, FetchRequest, FetchResponse, FetchScope};
use corkboard_core::dispatch::SkipReason;
use corkboard_core::expiry::Expiry;
use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::user::{Attributes, User, UserId};
use corkboard_store::card_store::unseen_attributes;
use corkboard_template::personal::{CompiledCampaign, Job, Personalised};
use corkboard_template::{FetchTrace, Limits, Template};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::error::FeedError;
use crate::feeds::Feeds;

/// The user's id when only attributes were given, and none of them is `user_id`.
const SOMEBODY: &str = "preview";

/// Looking for an attribute among all users may take as long as there are users.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// What is to be rendered, and for whom.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewRequest {
    pub card: CardContent,
    pub user: PreviewUser,
    /// As a trigger or an event would bring them: templates read them under both names.
    pub properties: Map<String, Value>,
}

/// For whom a preview is rendered.
#[derive(Debug, Clone, PartialEq)]
pub enum PreviewUser {
    /// A user of the workspace. One that was never tracked has no attributes.
    Stored(UserId),
    /// Anybody with these attributes; `user_id` among them is the id.
    Given(Attributes),
}

/// A card that was rendered, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// Absent (`null`) when the template aborted or failed.
    pub card: Option<CardContent>,
    /// Every fetch, in the order they were made.
    pub trace: Vec<PreviewFetch>,
    /// Bytes that count towards the size of a card.
    pub size: usize,
    /// What the author should know although there is a card.
    pub warnings: Vec<String>,
    /// What the template gave `abort_message` as a reason: this user would get no card.
    pub aborted: Option<String>,
    /// How the template failed: this user would get no card.
    pub error: Option<String>,
}

/// One connected-content call. No headers and no bodies: they hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewFetch {
    /// The card's field whose template asked, such as `title` or `extras/key`.
    pub field: String,
    pub method: &'static str,
    pub url: String,
    /// HTTP status; 0 for a refused address, 599 for a connection error or time-out.
    pub status: u16,
    /// `network`, `shared`, `cache` or `refused`.
    pub source: &'static str,
    pub elapsed_ms: u64,
    pub bytes: u64,
    pub problem: Option<String>,
}

impl Feeds {
    /// Renders a card for one user. Fetches are real; nothing is stored.
    ///
    /// # Errors
    ///
    /// [`FeedError::InvalidCard`] with every problem, paths beginning with `/card`, when a campaign
    /// could not have this card; otherwise what a store says. A template that aborts or fails for
    /// this user is an answer.
    pub async fn preview(
        &self,
        workspace: WorkspaceId,
        request: PreviewRequest,
    ) -> Result<Preview, FeedError> {
        let options = self.options();
        let problems = request.card.problems("/card");
        if !problems.is_empty() {
            return Err(FeedError::InvalidCard(problems));
        }
        let compiled = self.compile(workspace, request.card.clone()).await?;
        let (user, tracked) = self.preview_user(workspace, request.user).await?;
        let job = Job {
            workspace,
            campaign: CampaignId::from_bytes([0; 16]),
            campaign_name: "preview",
            dispatch: None,
            variant: 0,
            user: &user,
            properties: &request.properties,
            event_properties: &request.properties,
            now: self.deps().clock.now(),
            // Too large a card is worth seeing: it is a warning here.
            card_bytes: usize::MAX,
        };
        let fetcher = ForNoCampaign(Arc::clone(&self.deps().fetcher));
        let mut warnings = Vec::new();
        if !tracked {
            warnings.push(format!("nothing is known about user '{}'", user.id));
        }
        warnings.extend(unset(&request.card, &user, &options.template_limits));
        warnings.extend(compiled.warnings().into_iter().map(|(path, warning)| {
            let path = path.strip_prefix("/variants/0").unwrap_or(&path);
            format!("{path}: {warning}")
        }));
        warnings.extend(self.unseen(workspace, &compiled).await);
        let rendered = compiled.personalise(&job, &fetcher).await;
        Ok(match rendered {
            Ok(Personalised {
                content,
                trace,
                warnings: more,
            }) => {
                let size = content.payload_bytes();
                warnings.extend(more);
                if size > options.card_bytes {
                    let most = options.card_bytes;
                    warnings.push(format!(
                        "the card has {size} bytes, more than the {most} of a card: nobody would get it"
                    ));
                }
                let trace = traced(trace);
                let card = Some(content);
                Preview {
                    card,
                    trace,
                    size,
                    warnings,
                    aborted: None,
                    error: None,
                }
            }
            Err(not) => {
                let aborted = not.reason == SkipReason::Aborted;
                Preview {
                    card: None,
                    trace: traced(not.trace),
                    size: 0,
                    warnings,
                    aborted: aborted.then(|| not.detail.clone()),
                    error: (!aborted).then_some(not.detail),
                }
            }
        })
    }

    /// The card, compiled with the content blocks that it names, as they are now.
    async fn compile(
        &self,
        workspace: WorkspaceId,
        card: CardContent,
    ) -> Result<CompiledCampaign, FeedError> {
        let limits = &self.options().template_limits;
        let mut definition = definition(card);
        let bare = CompiledCampaign::compile(&definition, limits).map_err(refused)?;
        let names: Vec<String> = bare
            .content_blocks()
            .into_iter()
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Ok(bare);
        }
        let control = &self.deps().control;
        let named = control.named_content_blocks(workspace, &names).await?;
        if let Some(known) = &named.known {
            return Err(refused(bare.missing_blocks(&named.found, known)));
        }
        definition.content_blocks = named.found;
        CompiledCampaign::compile(&definition, limits).map_err(refused)
    }

    /// A warning for each attribute that the card reads and no user has, as far as that can be found
    /// out in time.
    async fn unseen(&self, workspace: WorkspaceId, compiled: &CompiledCampaign) -> Vec<String> {
        let reads = compiled.attribute_reads();
        let names = reads.iter().map(|(_, read)| read.name.clone()).collect();
        let (cards, now) = (&*self.deps().cards, self.deps().clock.now());
        let unseen = unseen_attributes(cards, workspace, names, now);
        let Ok(Ok(unseen)) = timeout(LONGEST_LOOK, unseen).await else {
            return Vec::new();
        };
        let unknown = reads.iter().filter(|(_, read)| unseen.contains(&read.name));
        unknown
            .map(|(path, read)| {
                let path = path.strip_prefix("/variants/0").unwrap_or(path);
                format!("{path}: {}", read.unknown())
            })
            .collect()
    }

    /// The user, and whether it is one that is known (or given).
    async fn preview_user(
        &self,
        workspace: WorkspaceId,
        user: PreviewUser,
    ) -> Result<(User, bool), FeedError> {
        let now = self.deps().clock.now();
        match user {
            PreviewUser::Stored(id) => {
                let known = self.deps().cards.find_user(workspace, &id).await?;
                let tracked = known.is_some();
                Ok((known.unwrap_or_else(|| User::unknown(id, now)), tracked))
            }
            PreviewUser::Given(attributes) => {
                let name = attributes
                    .get("user_id")
                    .and_then(Value::as_str)
                    .unwrap_or(SOMEBODY);
                let id = UserId::parse(name).map_err(|error| {
                    FeedError::InvalidCard(vec![Invalid::new("/user/user_id", error.to_string())])
                })?;
                let user = User::unknown(id, now);
                Ok((User { attributes, ..user }, true))
            }
        }
    }
}

/// A card as a campaign's only variant.
fn definition(card: CardContent) -> CampaignDefinition {
    let variant = Variant {
        name: "preview".to_owned(),
        weight: 1,
        control: false,
        card: Some(card),
    };
    CampaignDefinition {
        name: "preview".to_owned(),
        feed: "main".to_owned(),
        priority: 0,
        pinned: false,
        dismissible: true,
        audience: Audience::Everyone,
        delivery: Delivery::default(),
        creation: Creation::AtLaunch,
        expiry: Expiry::Ttl(Duration::from_secs(1)),
        reeligible_after_seconds: None,
        remove_on: Vec::new(),
        variants: vec![variant],
        content_blocks: BTreeMap::new(),
    }
}

/// Problems of the definition, with the paths of the request.
fn refused(problems: Vec<Invalid>) -> FeedError {
    let here = |problem: Invalid| {
        let path = problem
            .path
            .strip_prefix("/variants/0")
            .unwrap_or(&problem.path);
        Invalid::new(path, problem.message)
    };
    FeedError::InvalidCard(problems.into_iter().map(here).collect())
}

/// A warning for each attribute that the card reads and the user has not.
fn unset(card: &CardContent, user: &User, limits: &Limits) -> Vec<String> {
    let own = [
        &card.title,
        &card.description,
        &card.image_url,
        &card.image_alt,
        &card.url,
        &card.url_text,
    ];
    let extras = card.extras.values().filter_map(Value::as_str);
    let texts = own.into_iter().flatten().map(String::as_str).chain(extras);
    let templates = texts.filter_map(|text| Template::compile(text, limits).ok());
    let mut missing = BTreeSet::new();
    for template in templates {
        for path in template.variables() {
            let attribute = path
                .strip_prefix("user.")
                .or_else(|| path.strip_prefix("custom_attribute."));
            let name = attribute.and_then(|rest| rest.split('.').next());
            let is_set = |name: &str| {
                name == "user_id"
                    || user
                        .attributes
                        .get(name)
                        .is_some_and(|value| !value.is_null())
            };
            if let Some(name) = name.filter(|name| !name.is_empty() && !is_set(name)) {
                missing.insert(name.to_owned());
            }
        }
    }
    missing
        .into_iter()
        .map(|name| format!("the user has no attribute '{name}': it reads as nothing"))
        .collect()
}

fn traced(trace: Vec<FetchTrace>) -> Vec<PreviewFetch> {
    let shown = |fetch: FetchTrace| PreviewFetch {
        field: fetch.field,
        method: fetch.method.as_str(),
        url: fetch.url,
        status: fetch.status,
        source: fetch.source.as_str(),
        elapsed_ms: u64::try_from(fetch.elapsed.as_millis()).unwrap_or(u64::MAX),
        bytes: fetch.bytes,
        problem: fetch.problem,
    };
    trace.into_iter().map(shown).collect()
}

/// Makes fetches on behalf of the workspace alone: a preview belongs to no campaign.
#[derive(Debug)]
struct ForNoCampaign(Arc<dyn ConnectedContent>);

#[async_trait]
impl ConnectedContent for ForNoCampaign {
    async fn fetch(&self, scope: FetchScope, request: FetchRequest) -> FetchResponse {
        self.0
            .fetch(
                FetchScope {
                    campaign: None,
                    ..scope
                },
                request,
            )
            .await
    }
}
