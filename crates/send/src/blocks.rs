//! Content blocks on their way into a dispatch: looked up when it is frozen, and carried by it.
//!
//! So every card of a dispatch has the same text, and a block that is replaced, or deleted, changes
//! what is sent from then on and nothing before. Looked up also when a campaign is stored, to say
//! then what would fail later.

use std::borrow::Cow;

use corkboard_core::campaign::{Campaign, CampaignDefinition, Invalid};
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_template::personal::CompiledCampaign;
use corkboard_template::{Partials, Template};

use crate::error::{Result, SendError};
use crate::sender::Sender;

/// Longest source of a content block, in bytes.
pub const MOST_BLOCK_BYTES: usize = 64 * 1024;

impl Sender {
    /// What is wrong with the content blocks that a definition names, which is otherwise without
    /// [problems](Self::check): those that do not exist, or no longer compile.
    ///
    /// # Errors
    /// `Store`.
    pub async fn check_blocks(
        &self,
        workspace: WorkspaceId,
        definition: &CampaignDefinition,
    ) -> Result<Vec<Invalid>> {
        if !definition.content_blocks.is_empty() {
            let message = "is not for authors: store a block at /v1/content_blocks and name it";
            return Ok(vec![Invalid::new("/content_blocks", message)]);
        }
        let limits = &self.inner.options.template_limits;
        let bare = match CompiledCampaign::compile(definition, limits) {
            Ok(bare) => bare,
            Err(problems) => return Ok(problems),
        };
        match self.filled(workspace, definition, &bare).await {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(filled)) => Ok(match CompiledCampaign::compile(&filled, limits) {
                Ok(compiled) => compiled.too_large(self.inner.options.card_bytes),
                Err(problems) => problems,
            }),
            Err(SendError::Invalid(problems)) => Ok(problems),
            Err(error) => Err(error),
        }
    }

    /// The campaign with the sources of the blocks that it names, as of now.
    ///
    /// # Errors
    /// `Invalid` when one does not exist any more.
    pub(crate) async fn with_blocks<'c>(
        &self,
        campaign: &'c Campaign,
    ) -> Result<Cow<'c, Campaign>> {
        let definition = &campaign.definition;
        let bare = self.compiled(campaign.id, campaign.version, definition)?;
        Ok(
            match self.filled(campaign.workspace, definition, &bare).await? {
                None => Cow::Borrowed(campaign),
                Some(definition) => Cow::Owned(Campaign {
                    definition,
                    ..campaign.clone()
                }),
            },
        )
    }

    /// `None` when the texts name no block.
    async fn filled(
        &self,
        workspace: WorkspaceId,
        definition: &CampaignDefinition,
        bare: &CompiledCampaign,
    ) -> Result<Option<CampaignDefinition>> {
        let names: Vec<String> = bare
            .content_blocks()
            .into_iter()
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Ok(None);
        }
        let named = self.control().named_content_blocks(workspace, &names);
        let named = named.await?;
        if let Some(known) = &named.known {
            let missing = bare.missing_blocks(&named.found, known);
            return Err(SendError::Invalid(missing));
        }
        Ok(Some(CampaignDefinition {
            content_blocks: named.found,
            ..definition.clone()
        }))
    }

    /// What is wrong with the source of a content block.
    #[must_use]
    pub fn check_block(&self, source: &str) -> Vec<Invalid> {
        let problem = |message: String| vec![Invalid::new("/source", message)];
        if source.len() > MOST_BLOCK_BYTES {
            let bytes = source.len();
            return problem(format!("has {bytes} bytes, more than {MOST_BLOCK_BYTES}"));
        }
        if source.contains('\0') {
            return problem("has a NUL character".to_owned());
        }
        let limits = &self.inner.options.template_limits;
        let template = match Template::compile_with(source, &Partials::default(), limits) {
            Ok(template) => template,
            Err(error) => return problem(error.to_string()),
        };
        match template.content_blocks().next() {
            Some(other) => problem(format!(
                "uses the content block '{other}': inside of a block, others print nothing"
            )),
            None => Vec::new(),
        }
    }

    /// The campaigns that would miss a block: those that name it and are not stopped.
    ///
    /// # Errors
    /// `Store`.
    pub async fn users_of_block(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Vec<CampaignId>> {
        let candidates = self
            .control()
            .campaigns_with_content_blocks(workspace)
            .await?;
        let limits = &self.inner.options.template_limits;
        let uses = |campaign: &Campaign| {
            let compiled = CompiledCampaign::compile(&campaign.definition, limits);
            compiled.is_ok_and(|compiled| compiled.content_blocks().contains(name))
        };
        Ok(candidates
            .into_iter()
            .filter(uses)
            .map(|campaign| campaign.id)
            .collect())
    }
}
