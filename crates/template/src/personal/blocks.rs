//! The content blocks that a campaign's texts name, and what to say of those that do not exist.
//!
//! Which ones are named is known when the texts are compiled without any: then they read as
//! variables. Whoever has a store looks them up and compiles again.

use std::collections::{BTreeMap, BTreeSet};

use corkboard_core::campaign::Invalid;

use super::{Card, CompiledCampaign, fields};
use crate::near::near_to;

impl CompiledCampaign {
    /// The names of the content blocks that any text reads, sorted, each once. None when they were
    /// compiled in.
    #[must_use]
    pub fn content_blocks(&self) -> BTreeSet<&str> {
        let named = self.named_blocks();
        named.map(|(_, block)| block).collect()
    }

    /// One problem for each text that names a block that is not among `found`, with the names in
    /// `known` that look like it.
    #[must_use]
    pub fn missing_blocks(
        &self,
        found: &BTreeMap<String, String>,
        known: &[String],
    ) -> Vec<Invalid> {
        let missing = |(path, block): (String, &str)| {
            if found.contains_key(block) {
                return None;
            }
            let near = near_to(block, known.iter().map(String::as_str));
            let shown: String = block.chars().take(100).collect();
            let message = format!("there is no content block '{shown}'{near}");
            Some(Invalid::new(path, message))
        };
        self.named_blocks().filter_map(missing).collect()
    }

    fn named_blocks(&self) -> impl Iterator<Item = (String, &str)> {
        let variants = self.variants.iter().enumerate();
        variants
            .filter_map(|(place, variant)| match &variant.card {
                Card::Fixed(_) => None,
                Card::Rendered { template, .. } => Some((place, template)),
            })
            .flat_map(|(place, template)| {
                template.content_blocks().map(move |(field, block)| {
                    let field = fields::pointer(&field);
                    (format!("/variants/{place}/card/{field}"), block)
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::limits::Limits;

    fn compiled(blocks: &[(&str, &str)]) -> Result<CompiledCampaign, Vec<Invalid>> {
        let mut definition = serde_json::from_value(json!({
            "name": "n", "expiry": {"ttl_seconds": 60}, "variants": [
                {"name": "A", "card": {
                    "title": "{{ content_blocks.${header} }}",
                    "description": "{% if content_blocks.foot-er == '' %}{% endif %}",
                    "extras": {"a/b": "{{content_blocks.${header}}} {{ user.name }}"},
                }},
                {"name": "control", "control": true},
            ],
        }));
        if let Ok(definition) = &mut definition {
            set(definition, blocks);
        }
        CompiledCampaign::compile(&definition.expect("a definition"), &Limits::default())
    }

    fn set(definition: &mut corkboard_core::campaign::CampaignDefinition, blocks: &[(&str, &str)]) {
        let blocks = blocks.iter();
        definition.content_blocks = blocks
            .map(|(name, source)| ((*name).to_owned(), (*source).to_owned()))
            .collect();
    }

    #[test]
    fn named_blocks_are_known_before_there_are_any() {
        let bare = compiled(&[]).expect("it compiles");
        let named: Vec<&str> = bare.content_blocks().into_iter().collect();
        assert_eq!(named, ["foot-er", "header"]);
        let found = BTreeMap::from([("foot-er".to_owned(), String::new())]);
        let known = ["foot-er", "haeder", "legal"].map(str::to_owned);
        let message = "there is no content block 'header'; did you mean 'haeder'?";
        let expected = ["/variants/0/card/title", "/variants/0/card/extras/a~1b"]
            .map(|path| Invalid::new(path, message));
        assert_eq!(bare.missing_blocks(&found, &known), expected);
    }

    #[test]
    fn blocks_of_the_definition_are_compiled_in() {
        let whole = compiled(&[("header", "Hi {{ user.name }}"), ("foot-er", "")]);
        let whole = whole.expect("it compiles");
        assert!(whole.content_blocks().is_empty());
        let broken = compiled(&[("header", "Hi\n{{ user.name }"), ("foot-er", "")]);
        let problems = broken.expect_err("a broken block");
        let broken = &problems[0];
        assert_eq!(broken.path, "/variants/0/card/title");
        assert!(broken.message.contains("header"), "{broken:?}");
    }
}
