//! Which attribute names no user has: what a template that reads them has probably misspelt.

use std::collections::BTreeSet;

use corkboard_core::audience::{AttributeTest, Audience, Condition};
use corkboard_core::id::WorkspaceId;
use corkboard_core::slot::SlotRange;
use corkboard_core::time::Timestamp;

use super::{CardStore, ScanDetail, ScanRequest};
use crate::error::Result;

/// Users whose attributes are looked at before any is looked for.
const SAMPLE: usize = 200;
/// Most names that are looked for one by one.
const MOST_NAMES: usize = 8;

/// Of these names, those that no user of the workspace has as an attribute. Common names are
/// found in a sample; up to 8 others are each looked for among all users, which may take as long as
/// a scan: callers give it a time-out. Without any users nothing is known about names.
///
/// # Errors
/// What the store says.
pub async fn unseen_attributes(
    cards: &dyn CardStore,
    workspace: WorkspaceId,
    names: BTreeSet<String>,
    now: Timestamp,
) -> Result<BTreeSet<String>> {
    let mut rest = names;
    if rest.is_empty() {
        return Ok(rest);
    }
    let request = ScanRequest {
        workspace,
        slots: SlotRange::ALL,
        after: None,
        audience: &Audience::Everyone,
        detail: ScanDetail::Attributes,
        now,
        limit: SAMPLE,
    };
    let sample = cards.scan_users(&request).await?.users;
    if sample.is_empty() {
        return Ok(BTreeSet::new());
    }
    rest.retain(|name| !sample.iter().any(|user| user.attributes.contains_key(name)));
    let mut unseen = BTreeSet::new();
    for name in rest.into_iter().take(MOST_NAMES) {
        let audience = Audience::Matching(Condition::Attribute {
            name: name.clone(),
            test: AttributeTest::Exists(true),
        });
        let one = ScanRequest {
            audience: &audience,
            detail: ScanDetail::Ids,
            limit: 1,
            ..request.clone()
        };
        if cards.scan_users(&one).await?.users.is_empty() {
            unseen.insert(name);
        }
    }
    Ok(unseen)
}
