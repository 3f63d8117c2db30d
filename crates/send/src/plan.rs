//! What a dispatch will take: its shape, how many users and fetches, and how it is cut into chunks.

mod calls;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use corkboard_core::audience::Audience;
use corkboard_core::campaign::{Campaign, CampaignDefinition, Creation, Delivery};
use corkboard_core::dispatch::Shape;
use corkboard_core::id::WorkspaceId;
use corkboard_core::slot::{SLOT_COUNT, SlotRange};
use corkboard_store::control_store::ChunkWork;
use corkboard_template::personal::CompiledCampaign;

pub use self::calls::HostCalls;
use crate::error::Result;
use crate::sender::Sender;

/// Users that one chunk is meant to have: enough to be worth a lease, which costs a worker three
/// waits for a disk; few enough to spread.
const USERS_PER_CHUNK: RangeInclusive<u64> = 2_000..=16_000;
/// Chunks that a launch is cut into before they grow beyond the least.
const SPREAD: u64 = 64;
/// What stands for hosts that only the render knows.
const DYNAMIC_HOST: &str = "dynamic";

/// What a launch will do, as far as it can be known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub shape: Shape,
    /// Users in the audience now.
    pub audience_estimate: u64,
    /// Connected-content calls, caching aside. A URL without Liquid in it is called once.
    pub fetches_estimate: u64,
    /// Hosts that will be called; `dynamic` stands for those that depend on the user.
    pub hosts: Vec<String>,
    /// What each host will be asked, estimated on a sample; empty when nothing is fetched, or nobody is
    /// in the audience.
    pub calls: Vec<HostCalls>,
    /// How many users the sample has.
    pub sample: u64,
}

impl Sender {
    /// What launching the campaign now would do. Writes nothing.
    ///
    /// # Errors
    /// `Invalid` when a template does not compile; `Store` when the store fails.
    pub async fn plan(&self, workspace: WorkspaceId, campaign: &Campaign) -> Result<Plan> {
        let definition = &campaign.definition;
        let compiled = self.compiled(campaign.id, campaign.version, definition)?;
        let audience = self
            .cards()
            .count_users(workspace, &definition.audience, self.now())
            .await?;
        let mut plan = Plan::of(definition, &compiled, audience);
        if !plan.hosts.is_empty() {
            let sample = self.sample(campaign, &compiled).await?;
            plan.sample = sample.users;
            plan.calls = sample.of(audience, self.inner.options.host_per_second);
        }
        Ok(plan)
    }
}

impl Plan {
    pub(crate) fn of(
        definition: &CampaignDefinition,
        compiled: &CompiledCampaign,
        audience_estimate: u64,
    ) -> Self {
        let mut literal = 0;
        let mut hosts = BTreeSet::new();
        let mut per_user_share = 0;
        let total: u128 = definition
            .variants
            .iter()
            .map(|v| u128::from(v.weight))
            .sum();
        for (variant, sites) in definition.variants.iter().zip(compiled.fetch_sites()) {
            for site in sites {
                hosts.insert(site.host.clone().unwrap_or_else(|| DYNAMIC_HOST.to_owned()));
                if site.literal_url {
                    literal += 1;
                } else {
                    per_user_share += u128::from(variant.weight);
                }
            }
        }
        let dynamic = u128::from(audience_estimate) * per_user_share;
        let fetches = dynamic.div_ceil(total.max(1)) + literal;
        Self {
            shape: shape(definition, compiled.is_static()),
            audience_estimate,
            fetches_estimate: u64::try_from(fetches).unwrap_or(u64::MAX),
            hosts: hosts.into_iter().collect(),
            calls: Vec::new(),
            sample: 0,
        }
    }
}

/// The cheapest shape that is correct.
///
/// A broadcast is decided when a feed is read and leaves nothing per user, so it must be the same
/// for everybody, and it cannot keep what a campaign at first impression promises: that a stop ends
/// the giving of cards without taking any away.
pub(crate) fn shape(definition: &CampaignDefinition, is_static: bool) -> Shape {
    let same_for_everybody = matches!(definition.audience, Audience::Everyone)
        && definition.expiry.is_shared()
        && matches!(definition.variants.as_slice(), [only] if !only.is_control());
    let by_launch = matches!(definition.delivery, Delivery::Launch { .. })
        && definition.creation == Creation::AtLaunch;
    match is_static {
        true if same_for_everybody && by_launch => Shape::Broadcast,
        true => Shape::Pointer,
        false => Shape::Personal,
    }
}

/// The chunks of a launch to so many users: slot ranges of about the same size.
pub(crate) fn scan_chunks(audience: u64) -> Vec<ChunkWork> {
    let users = (audience / SPREAD).clamp(*USERS_PER_CHUNK.start(), *USERS_PER_CHUNK.end());
    let parts = audience.div_ceil(users).clamp(1, u64::from(SLOT_COUNT));
    let parts = u16::try_from(parts).unwrap_or(SLOT_COUNT);
    SlotRange::split(parts)
        .map(|slots| ChunkWork::Scan { slots })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
