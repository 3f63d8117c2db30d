//! Compiled campaigns, kept for as long as they are in use: one compile per version, not per page.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use corkboard_core::campaign::{CampaignDefinition, Invalid};
use corkboard_core::id::CampaignId;
use corkboard_template::Limits;
use corkboard_template::personal::CompiledCampaign;
use sha2::{Digest, Sha256};

/// What a definition is frozen under: the campaign's id and version, and the content blocks of the
/// time, which change without it.
type Key = (CampaignId, u32, Option<[u8; 32]>);

/// A bounded cache; when it is full the campaign used least recently goes.
#[derive(Debug)]
pub(crate) struct CompiledCache {
    entries: Mutex<Entries>,
    capacity: usize,
    limits: Limits,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, (Arc<CompiledCampaign>, u64)>,
    /// Counts uses, so that the least recent one is known.
    uses: u64,
}

impl CompiledCache {
    pub(crate) fn new(capacity: usize, limits: Limits) -> Self {
        Self {
            entries: Mutex::default(),
            capacity,
            limits,
        }
    }

    /// The compiled form of a version. Compiles outside the lock: two callers may both do it, and
    /// arrive at the same thing.
    pub(crate) fn get(
        &self,
        campaign: CampaignId,
        version: u32,
        definition: &CampaignDefinition,
    ) -> Result<Arc<CompiledCampaign>, Vec<Invalid>> {
        let key = (campaign, version, digest(&definition.content_blocks));
        if let Some(found) = self.find(key) {
            return Ok(found);
        }
        let compiled = Arc::new(CompiledCampaign::compile(definition, &self.limits)?);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.by_key.len() >= self.capacity {
            let oldest = entries.by_key.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                entries.by_key.remove(&oldest);
            }
        }
        entries.uses += 1;
        let used = entries.uses;
        entries.by_key.insert(key, (Arc::clone(&compiled), used));
        Ok(compiled)
    }

    fn find(&self, key: Key) -> Option<Arc<CompiledCampaign>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let now = entries.uses;
        let (found, used) = entries.by_key.get_mut(&key)?;
        *used = now;
        Some(Arc::clone(found))
    }
}

/// Tells sets of content blocks apart; most campaigns have none.
fn digest(blocks: &BTreeMap<String, String>) -> Option<[u8; 32]> {
    if blocks.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for text in blocks.iter().flat_map(|(name, source)| [name, source]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    Some(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::time::Timestamp;
    use serde_json::json;

    fn definition(title: &str) -> CampaignDefinition {
        serde_json::from_value(json!({
            "name": "n", "expiry": {"ttl_seconds": 60},
            "variants": [{"name": "A", "card": {"title": title}}],
        }))
        .unwrap()
    }

    #[test]
    fn a_version_is_compiled_once_and_the_least_recently_used_one_goes() {
        let cache = CompiledCache::new(2, Limits::default());
        let campaign = CampaignId::generate(Timestamp::EPOCH);
        let get = |version| cache.get(campaign, version, &definition("hi")).unwrap();
        let (first, second) = (get(1), get(2));
        assert!(Arc::ptr_eq(&first, &get(1)));
        get(3);
        assert!(Arc::ptr_eq(&first, &get(1)), "1 was used after 2");
        assert!(!Arc::ptr_eq(&second, &get(2)), "2 had to go");
    }

    #[test]
    fn what_does_not_compile_is_not_kept() {
        let cache = CompiledCache::new(2, Limits::default());
        let campaign = CampaignId::generate(Timestamp::EPOCH);
        assert!(cache.get(campaign, 1, &definition("{{ x")).is_err());
        assert!(cache.find((campaign, 1, None)).is_none());
    }

    #[test]
    fn versions_with_other_content_blocks_are_kept_apart() {
        let cache = CompiledCache::new(4, Limits::default());
        let campaign = CampaignId::generate(Timestamp::EPOCH);
        let get = |text: &str| {
            let mut definition = definition("{{ content_blocks.${a} }}");
            definition.content_blocks = BTreeMap::from([("a".to_owned(), text.to_owned())]);
            cache.get(campaign, 1, &definition).unwrap()
        };
        let (old, new) = (get("old"), get("new"));
        assert!(!Arc::ptr_eq(&old, &new));
        assert!(Arc::ptr_eq(&old, &get("old")) && Arc::ptr_eq(&new, &get("new")));
    }
}
