//! A card's texts as the engine takes them, and back.

use std::collections::BTreeMap;

use corkboard_core::card::CardContent;
use serde_json::Value;

use crate::card::{CardSource, RenderedFields};

/// Every text that is a template. Of the extras that is the texts at the top.
pub(super) fn source(content: &CardContent) -> CardSource {
    let extras: BTreeMap<String, String> = content
        .extras
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    CardSource {
        title: content.title.clone(),
        description: content.description.clone(),
        image_url: content.image_url.clone(),
        image_alt: content.image_alt.clone(),
        url: content.url.clone(),
        url_text: content.url_text.clone(),
        extras,
    }
}

/// The card with its templates replaced by what they rendered to, and what `message_extras` noted
/// among its extras. Extras that the card has itself stay what they are.
pub(super) fn filled(
    content: &CardContent,
    mut rendered: RenderedFields,
    noted: BTreeMap<String, String>,
) -> CardContent {
    let own = content.extras.iter().map(|(key, value)| {
        let text = rendered.extras.remove(key);
        (
            key.clone(),
            text.map_or_else(|| value.clone(), Value::String),
        )
    });
    let noted = noted.into_iter();
    let noted = noted
        .filter(|(key, _)| !content.extras.contains_key(key))
        .map(|(key, value)| (key, Value::String(value)));
    let extras = own.chain(noted);
    CardContent {
        card_type: content.card_type,
        extras: extras.collect(),
        title: rendered.title,
        description: rendered.description,
        image_url: rendered.image_url,
        image_alt: rendered.image_alt,
        url: rendered.url,
        url_text: rendered.url_text,
    }
}

/// Whether every database can store the card.
pub(super) fn is_storable(content: &CardContent) -> bool {
    let texts = [
        &content.title,
        &content.description,
        &content.image_url,
        &content.image_alt,
        &content.url,
        &content.url_text,
    ];
    texts.into_iter().flatten().all(|text| !text.contains('\0'))
        && content
            .extras
            .iter()
            .all(|(key, value)| !key.contains('\0') && corkboard_core::user::is_storable(value))
}

/// `title` and `extras/key` as the end of a JSON pointer: keys may have slashes and tildes.
pub(super) fn pointer(field: &str) -> String {
    match field.strip_prefix("extras/") {
        Some(key) => format!("extras/{}", key.replace('~', "~0").replace('/', "~1")),
        None => field.to_owned(),
    }
}
