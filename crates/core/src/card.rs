//! Cards: what a user sees, as an author wrote it and as it was rendered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a card is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum CardType {
    /// Title and description, optionally with a small image.
    #[default]
    Classic,
    /// An image with title and description below it.
    CaptionedImage,
    /// Nothing but an image.
    ImageOnly,
    /// Not shown at all; its impression is counted for comparison.
    Control,
}

impl CardType {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::CaptionedImage => "captioned_image",
            Self::ImageOnly => "image_only",
            Self::Control => "control",
        }
    }
}

/// A card's own fields. In a campaign every text, and every text in `extras`, is a Liquid template;
/// in a stored card they are what the template rendered to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardContent {
    #[serde(rename = "type", default)]
    pub card_type: CardType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_alt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_text: Option<String>,
    #[serde(default)]
    pub extras: Map<String, Value>,
}

impl CardContent {
    /// What a member of the control group gets.
    #[must_use]
    pub fn control() -> Self {
        Self {
            card_type: CardType::Control,
            ..Self::default()
        }
    }

    /// Bytes that count towards the size limit: all texts, and the names and values of extras.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let texts = [
            &self.title,
            &self.description,
            &self.image_url,
            &self.image_alt,
            &self.url,
            &self.url_text,
        ];
        let own: usize = texts.into_iter().flatten().map(String::len).sum();
        let extras: usize = self
            .extras
            .iter()
            .map(|(key, value)| key.len() + value_bytes(value))
            .sum();
        own + extras
    }
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        other => other.to_string().len(),
    }
}

/// What a campaign says about all its cards, frozen with the dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presentation {
    /// The feed, inbox, carousel or banner slot that the cards belong to.
    pub feed: String,
    pub priority: i32,
    pub pinned: bool,
    pub dismissible: bool,
}
