//! What an author should look at in a campaign that is otherwise fine.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use corkboard_core::campaign::CampaignDefinition;
use corkboard_core::id::WorkspaceId;
use corkboard_store::card_store::unseen_attributes;
use corkboard_template::lint::Warning;
use corkboard_template::personal::CompiledCampaign;
use tokio::time::timeout;

use crate::sender::Sender;

/// Looking for a name among all users may take as long as there are users.
const LONGEST: Duration = Duration::from_secs(1);

/// A warning and the field that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateWarning {
    /// `/variants/0/card/title`.
    pub path: String,
    pub warning: Warning,
}

impl Sender {
    /// What an author should look at, in the order of the definition: fetches that nobody checks,
    /// values that go into URLs as they are, attributes that no user has. A warning stops nothing, so
    /// what cannot be found out in time is left out.
    pub async fn warnings(
        &self,
        workspace: WorkspaceId,
        definition: &CampaignDefinition,
    ) -> Vec<TemplateWarning> {
        let limits = &self.inner.options.template_limits;
        let Ok(compiled) = CompiledCampaign::compile(definition, limits) else {
            return Vec::new();
        };
        let mut found = compiled.warnings();
        let reads = compiled.attribute_reads();
        let names: BTreeSet<String> = reads.iter().map(|(_, read)| read.name.clone()).collect();
        let unseen = unseen_attributes(self.cards(), workspace, names, self.now());
        match timeout(LONGEST, unseen).await {
            Ok(Ok(unseen)) => found.extend(
                reads
                    .into_iter()
                    .filter(|(_, read)| unseen.contains(&read.name))
                    .map(|(path, read)| (path, read.unknown())),
            ),
            Ok(Err(error)) => {
                let error: &dyn Error = &error;
                tracing::debug!(error, "the attributes of users could not be looked at");
            }
            Err(_) => tracing::debug!("looking at the attributes of users took too long"),
        }
        found.sort_by(|(a, x), (b, y)| (a, x.line, x.column).cmp(&(b, y.line, y.column)));
        found
            .into_iter()
            .map(|(path, warning)| TemplateWarning { path, warning })
            .collect()
    }
}
