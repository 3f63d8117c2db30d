//! What a card is rendered for, and the names that its templates can read.

use std::borrow::Cow;
use std::future::Future;
use std::iter::once;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use corkboard_core::connected::{ConnectedContent, FetchRequest, FetchResponse, FetchScope};
use corkboard_core::id::{CampaignId, DispatchId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::User;
use serde::de::Deserialize;
use serde::de::value::MapDeserializer;
use serde_json::{Map, Value};

use crate::card::{CardTemplate, RenderedFields};
use crate::data::Data;
use crate::limits::Limits;
use crate::render::{RenderError, RenderOptions};
use crate::scope::Scope;

/// One card to be rendered.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub workspace: WorkspaceId,
    pub campaign: CampaignId,
    pub campaign_name: &'a str,
    /// Absent for a preview.
    pub dispatch: Option<DispatchId>,
    /// Index into the definition's variants; see [`super::CompiledCampaign::choose`].
    pub variant: u8,
    pub user: &'a User,
    /// Properties of the trigger; see [`merged`].
    pub properties: &'a Map<String, Value>,
    /// Properties of the event that set the campaign off; empty for other causes.
    pub event_properties: &'a Map<String, Value>,
    /// What `now` means to the templates.
    pub now: Timestamp,
    /// Largest card, in bytes of its texts.
    pub card_bytes: usize,
}

/// The properties of one recipient: those of the trigger, overlaid with the recipient's own.
#[must_use]
pub fn merged<'a>(
    of_all: &'a Map<String, Value>,
    own: &'a Map<String, Value>,
) -> Cow<'a, Map<String, Value>> {
    match (of_all.is_empty(), own.is_empty()) {
        (_, true) => Cow::Borrowed(of_all),
        (true, false) => Cow::Borrowed(own),
        (false, false) => {
            let both = of_all.iter().chain(own);
            Cow::Owned(
                both.map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            )
        }
    }
}

impl Job<'_> {
    pub(super) fn options(&self, limits: &Limits) -> RenderOptions {
        let fetch_scope = FetchScope {
            workspace: self.workspace,
            campaign: Some(self.campaign),
        };
        RenderOptions {
            now: self.now,
            limits: *limits,
            fetch_scope,
        }
    }

    /// The names: `user`, `campaign`, `properties` (also as `api_trigger_properties`) and
    /// `event_properties`. `custom_attribute` and `${…}` mean the user; the engine knows that.
    pub(super) fn scope(&self) -> Scope {
        let id = Value::from(self.user.id.as_str());
        // The user's own name comes first, so that no attribute can pass for it.
        let attributes = self
            .user
            .attributes
            .iter()
            .filter(|(key, _)| *key != "user_id");
        let user = object(once(("user_id", &id)).chain(attributes.map(|(k, v)| (k.as_str(), v))));
        let (name, campaign) = (
            Value::from(self.campaign_name),
            Value::from(self.campaign.to_string()),
        );
        let dispatch = self
            .dispatch
            .map_or(Value::Null, |dispatch| dispatch.to_string().into());
        let campaign = [
            ("name", &name),
            ("id", &campaign),
            ("api_id", &campaign),
            ("dispatch_id", &dispatch),
        ];
        let properties = members(self.properties);
        Scope::new()
            .with("user", user)
            .with("campaign", object(campaign.into_iter()))
            .with("properties", properties.clone())
            .with("api_trigger_properties", properties)
            .with("event_properties", members(self.event_properties))
    }
}

fn members(map: &Map<String, Value>) -> Data {
    if map.is_empty() {
        return Data::default();
    }
    object(map.iter().map(|(key, value)| (key.as_str(), value)))
}

/// Copies members into render data, without an object in between. What is larger than the engine's
/// 4 GiB (which no caller admits) reads as an empty object.
fn object<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>) -> Data {
    let members: MapDeserializer<'_, _, serde_json::Error> = MapDeserializer::new(members);
    Data::deserialize(members).unwrap_or_default()
}

/// Renders a card that reads nothing. Such a render never waits, so it is over when first asked.
/// The error says which field failed, and how.
pub(super) fn render_without_data(
    template: &CardTemplate,
    limits: &Limits,
) -> Result<RenderedFields, (String, String)> {
    let nowhere = WorkspaceId::from_bytes([0; 16]);
    let options = RenderOptions {
        now: Timestamp::EPOCH,
        limits: *limits,
        fetch_scope: FetchScope {
            workspace: nowhere,
            campaign: None,
        },
    };
    let rendering = pin!(template.render(Scope::new(), &options, &NoFetches));
    match rendering.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(rendered)) => Ok(rendered.fields),
        Poll::Ready(Err(RenderError::Template { field, error, .. })) => {
            Err((field, error.to_string()))
        }
        Poll::Ready(Err(_)) | Poll::Pending => {
            Err((String::new(), "cannot be rendered without data".to_owned()))
        }
    }
}

/// For templates that have no fetches.
#[derive(Debug)]
struct NoFetches;

#[async_trait]
impl ConnectedContent for NoFetches {
    async fn fetch(&self, _: FetchScope, _: FetchRequest) -> FetchResponse {
        FetchResponse::default()
    }
}
