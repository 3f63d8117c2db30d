//! What a campaign must satisfy beyond its shape; every problem is reported at once.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{CampaignDefinition, Creation, Delivery, Variant};
use crate::card::{CardContent, CardType};
use crate::time::Timestamp;
use crate::user::{are_storable, is_valid_name};

/// Most variants of one campaign, control groups included.
pub const MAX_VARIANTS: usize = 32;
const MAX_NAME: usize = 256;
const MAX_FEED: usize = 64;
const MAX_REMOVE_ON: usize = 32;
const MAX_EXTRAS: usize = 50;
const MAX_WEIGHT: u32 = 1_000_000;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invalid {
    /// JSON pointer into the campaign, such as `/variants/0/card/title`.
    pub path: String,
    pub message: String,
}

impl Invalid {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl CampaignDefinition {
    /// Everything that is wrong with the definition as of `now`, templates aside (their engine
    /// lives elsewhere).
    #[must_use]
    pub fn problems(&self, now: Timestamp) -> Vec<Invalid> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, path: &str, message: &str| {
            if !fine {
                problems.push(Invalid::new(path, message));
            }
        };
        check(
            is_text(&self.name, MAX_NAME),
            "/name",
            "must be 1 to 256 bytes without control characters",
        );
        check(
            is_text(&self.feed, MAX_FEED),
            "/feed",
            "must be 1 to 64 bytes without control characters",
        );
        check(
            self.remove_on.len() <= MAX_REMOVE_ON,
            "/remove_on",
            "has more than 32 events",
        );
        for (place, event) in self.remove_on.iter().enumerate() {
            check(
                is_valid_name(event),
                &format!("/remove_on/{place}"),
                "is not an event name",
            );
        }
        if let Some(event) = self.delivery.event() {
            check(
                is_valid_name(event),
                "/delivery/event",
                "is not an event name",
            );
        }
        check(
            self.creation == Creation::AtLaunch || matches!(self.delivery, Delivery::Launch { .. }),
            "/creation",
            "at_first_impression goes with delivery by launch only",
        );
        // Checked again for the actual time when the campaign is sent.
        let planned = match self.delivery {
            Delivery::Launch { at: Some(at) } => at.max(now),
            _ => now,
        };
        if let Some(problem) = self.expiry.problem(planned) {
            check(false, "/expiry", problem);
        }
        self.check_variants(&mut problems);
        problems
    }

    fn check_variants(&self, problems: &mut Vec<Invalid>) {
        if self.variants.is_empty() || self.variants.len() > MAX_VARIANTS {
            problems.push(Invalid::new("/variants", "must be 1 to 32 variants"));
        }
        if self
            .variants
            .iter()
            .map(|variant| u64::from(variant.weight))
            .sum::<u64>()
            == 0
        {
            problems.push(Invalid::new(
                "/variants",
                "must have at least one weight above 0",
            ));
        }
        let mut names = BTreeSet::new();
        for (place, variant) in self.variants.iter().enumerate() {
            let path = format!("/variants/{place}");
            if !names.insert(variant.name.as_str()) {
                problems.push(Invalid::new(
                    format!("{path}/name"),
                    "is used by another variant",
                ));
            }
            check_variant(variant, &path, problems);
        }
    }
}

fn is_text(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn check_variant(variant: &Variant, path: &str, problems: &mut Vec<Invalid>) {
    if !is_text(&variant.name, MAX_FEED) {
        problems.push(Invalid::new(
            format!("{path}/name"),
            "must be 1 to 64 bytes without control characters",
        ));
    }
    if variant.weight > MAX_WEIGHT {
        problems.push(Invalid::new(
            format!("{path}/weight"),
            "must be 0 to 1,000,000",
        ));
    }
    match (&variant.card, variant.is_control()) {
        (None, false) => problems.push(Invalid::new(
            format!("{path}/card"),
            "is missing; only a control variant has no card",
        )),
        (Some(card), false) => check_card(card, &format!("{path}/card"), problems),
        (Some(card), true) if card.payload_bytes() > 0 => {
            problems.push(Invalid::new(
                format!("{path}/card"),
                "must be empty: a control variant shows nothing",
            ));
        }
        (_, true) => {}
    }
}

/// What a card that is to be shown must have. Public for previews, which have no campaign.
pub(crate) fn check_card(card: &CardContent, path: &str, problems: &mut Vec<Invalid>) {
    let missing = |field: &Option<String>| field.as_ref().is_none_or(String::is_empty);
    let mut require = |field: &Option<String>, name: &str| {
        if missing(field) {
            let message = format!("is required for type {}", card.card_type.as_str());
            problems.push(Invalid::new(format!("{path}/{name}"), message));
        }
    };
    match card.card_type {
        CardType::Classic => {
            if missing(&card.description) {
                require(&card.title, "title");
            }
        }
        CardType::CaptionedImage => {
            require(&card.image_url, "image_url");
            if missing(&card.description) {
                require(&card.title, "title");
            }
        }
        CardType::ImageOnly => require(&card.image_url, "image_url"),
        CardType::Control => {}
    }
    for (name, text) in [
        ("title", &card.title),
        ("description", &card.description),
        ("image_url", &card.image_url),
        ("image_alt", &card.image_alt),
        ("url", &card.url),
        ("url_text", &card.url_text),
    ] {
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            problems.push(Invalid::new(
                format!("{path}/{name}"),
                "contains a NUL character",
            ));
        }
    }
    if !are_storable(&card.extras) {
        problems.push(Invalid::new(
            format!("{path}/extras"),
            "contains a NUL character",
        ));
    }
    if card.extras.len() > MAX_EXTRAS {
        problems.push(Invalid::new(
            format!("{path}/extras"),
            "has more than 50 entries",
        ));
    }
}

impl CardContent {
    /// What is wrong with a card on its own; paths begin with `base`.
    #[must_use]
    pub fn problems(&self, base: &str) -> Vec<Invalid> {
        let mut problems = Vec::new();
        check_card(self, base, &mut problems);
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn definition(value: Value) -> CampaignDefinition {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_documented_example_is_valid() {
        let definition = definition(
            json!({"name":"Winter offer","feed":"main","priority":0,"pinned":false,"dismissible":true,
            "audience":{"all":[{"attribute":"plan","op":"eq","value":"pro"},{"attribute":"age","op":"gte","value":18}]},
            "delivery":{"kind":"launch","at":null},"creation":"at_launch","expiry":{"ttl_seconds":604_800},
            "reeligible_after_seconds":null,"remove_on":["purchased"],
            "variants":[
              {"name":"A","weight":90,"card":{"type":"classic","title":"Hi {{ user.first_name }}","description":"…","image_url":"…","url":"…","url_text":"…","extras":{}}},
              {"name":"control","weight":10,"control":true}]}),
        );
        assert_eq!(definition.problems(Timestamp::EPOCH), []);
        assert!(definition.variants[1].is_control());
        let again: CampaignDefinition =
            serde_json::from_value(serde_json::to_value(&definition).unwrap()).unwrap();
        assert_eq!(again, definition);
    }

    #[test]
    fn texts_that_some_database_cannot_store_are_refused() {
        let definition = definition(json!({"name":"x","expiry":{"ttl_seconds":60},"variants":[
            {"name":"A","card":{"title":"a\u{0}b","url":"\u{0}","extras":{"k":["\u{0}"]}}}]}));
        let problems = definition.problems(Timestamp::EPOCH);
        let places: Vec<&str> = problems
            .iter()
            .map(|problem| problem.path.as_str())
            .collect();
        let card = "/variants/0/card";
        assert_eq!(
            places,
            [
                format!("{card}/title"),
                format!("{card}/url"),
                format!("{card}/extras")
            ]
        );
    }

    #[test]
    fn every_problem_is_reported_with_its_place() {
        let definition = definition(
            json!({"name":"","feed":"main","expiry":{"at":"1969-01-01T00:00:00Z"},
            "delivery":{"kind":"api"},"creation":"at_first_impression","remove_on":["a\"b"],
            "variants":[{"name":"A","weight":0,"card":{"type":"image_only"}},{"name":"A","weight":0},
              {"name":"c","weight":0,"control":true,"card":{"title":"x"}}]}),
        );
        let paths: Vec<String> = definition
            .problems(Timestamp::EPOCH)
            .into_iter()
            .map(|p| p.path)
            .collect();
        assert_eq!(
            paths,
            [
                "/name",
                "/remove_on/0",
                "/creation",
                "/expiry",
                "/variants",
                "/variants/0/card/image_url",
                "/variants/1/name",
                "/variants/1/card",
                "/variants/2/card"
            ]
        );
    }

    #[test]
    fn unknown_fields_are_refused() {
        let error = serde_json::from_value::<CampaignDefinition>(
            json!({"name":"x","expiry":{"ttl_seconds":1},"variants":[],"nmae":1}),
        );
        assert!(error.unwrap_err().to_string().contains("nmae"));
    }

    proptest! {
        /// Expiries, deliveries and times are read by hand: whatever stands there, no panic.
        #[test]
        fn arbitrary_texts_in_every_place_are_refused_or_checked(
            at in "\\PC{0,40}", near in "20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9])?(Z|[+-][0-9:]{2,5})?",
            local in any::<bool>(), ttl in any::<u64>(),
        ) {
            for text in [&at, &near] {
                let value = json!({"name": text, "feed": text, "delivery": {"kind": "launch", "at": text},
                    "expiry": {"at": text, "local_time": local}, "variants": []});
                if let Ok(definition) = serde_json::from_value::<CampaignDefinition>(value) {
                    prop_assert!(!definition.problems(Timestamp::EPOCH).is_empty());
                }
                let value = json!({"name": text, "expiry": {"ttl_seconds": ttl}, "variants": [{"name": text, "card": {"title": text}}]});
                if let Ok(definition) = serde_json::from_value::<CampaignDefinition>(value) {
                    let _ = definition.problems(Timestamp::from_micros(i64::MAX));
                }
            }
        }
    }
}
