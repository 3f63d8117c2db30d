//! What can be said about a campaign's templates before any card is made.

use std::collections::BTreeSet;

use corkboard_core::connected::FetchRequest;

use super::{Card, CompiledCampaign, Job, Variant, fields};
use crate::card::CardTemplate;
use crate::lint::{AttributeRead, Warning};

impl CompiledCampaign {
    /// What an author should look at, with paths like `/variants/0/card/title`.
    #[must_use]
    pub fn warnings(&self) -> Vec<(String, Warning)> {
        let of_variant = |(place, variant): (usize, &Variant)| {
            let found = match &variant.card {
                Card::Fixed(_) => Vec::new(),
                Card::Rendered { template, .. } => template.warnings(),
            };
            let located = found.into_iter().map(move |(field, warning)| {
                let field = fields::pointer(&field);
                (format!("/variants/{place}/card/{field}"), warning)
            });
            located.collect::<Vec<_>>()
        };
        let variants = self.variants.iter().enumerate();
        variants.flat_map(of_variant).collect()
    }

    /// The names of the users' attributes that any text reads, sorted, each once. One that no user has
    /// is probably misspelt.
    #[must_use]
    pub fn user_attributes(&self) -> BTreeSet<&str> {
        let templates = self
            .variants
            .iter()
            .filter_map(|variant| match &variant.card {
                Card::Fixed(_) => None,
                Card::Rendered { template, .. } => Some(template.user_attributes()),
            });
        templates.flatten().collect()
    }

    /// Where the texts read attributes of the user, with paths like `/variants/0/card/title`.
    #[must_use]
    pub fn attribute_reads(&self) -> Vec<(String, AttributeRead)> {
        let of_variant = |(place, variant): (usize, &Variant)| {
            let found = variant.template().map(CardTemplate::attribute_reads);
            let located = found
                .unwrap_or_default()
                .into_iter()
                .map(move |(field, read)| {
                    let field = fields::pointer(&field);
                    (format!("/variants/{place}/card/{field}"), read)
                });
            located.collect::<Vec<_>>()
        };
        let variants = self.variants.iter().enumerate();
        variants.flat_map(of_variant).collect()
    }

    /// What each text of the job's variant fetches first. Nothing is fetched for it.
    #[must_use]
    pub fn first_fetches(&self, job: &Job<'_>) -> Vec<FetchRequest> {
        let variant = self.variants.get(usize::from(job.variant));
        let template = variant.and_then(Variant::template);
        let fetches = |template: &CardTemplate| {
            template.first_fetches(&job.scope(), &job.options(&self.limits))
        };
        template.map(fetches).unwrap_or_default()
    }
}

impl Variant {
    /// Its templates, if it has any that read something.
    fn template(&self) -> Option<&CardTemplate> {
        match &self.card {
            Card::Fixed(_) => None,
            Card::Rendered { template, .. } => Some(template),
        }
    }
}
