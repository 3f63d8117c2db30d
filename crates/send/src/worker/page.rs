//! Reading the next users of a chunk: a page of the audience, or some of the recipients named.

use corkboard_core::dispatch::{Dispatch, Recipient, Shape};
use corkboard_core::slot::SlotRange;
use corkboard_core::user::{User, UserId};
use corkboard_store::StoreError;
use corkboard_store::card_store::{Eligibility, ScanDetail, ScanPosition, ScanRequest};
use corkboard_store::control_store::ChunkWork;

use super::candidate::{Candidate, Verdict, position_of, verdict};
use super::standing::look_up;
use super::walk::Walk;

/// Some users of a chunk, with what the rules say about each.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) candidates: Vec<(Candidate, Verdict)>,
    /// Where the next page begins; `None` after the last one.
    pub(super) next: Option<ScanPosition>,
}

impl Walk<'_> {
    /// The users after a position.
    pub(super) async fn read_page(&self, after: Option<ScanPosition>) -> Result<Page, StoreError> {
        let (candidates, next) = match &self.chunk.work {
            ChunkWork::Scan { slots } => self.scan(*slots, after).await?,
            ChunkWork::Recipients { recipients } => self.named(recipients, after).await?,
        };
        let (dispatch, cards) = (self.cards.dispatch, self.sender.cards());
        let standings = if self.is_repeated() || Eligibility::of(dispatch).keeps_receipts() {
            let users = candidates.iter().map(|candidate| candidate.user.id.clone());
            look_up(cards, dispatch, users.collect(), self.is_repeated()).await?
        } else {
            Default::default()
        };
        let now = self.sender.now();
        let candidates = candidates
            .into_iter()
            .map(|candidate| {
                let standing = standings.get(&candidate.user.id);
                let compiled = self.cards.compiled;
                let verdict = verdict(dispatch, compiled, &candidate, standing, now);
                (candidate, verdict)
            })
            .collect();
        Ok(Page { candidates, next })
    }

    async fn scan(
        &self,
        slots: SlotRange,
        after: Option<ScanPosition>,
    ) -> Result<(Vec<Candidate>, Option<ScanPosition>), StoreError> {
        let dispatch = self.cards.dispatch;
        let request = ScanRequest {
            workspace: dispatch.workspace,
            slots,
            after,
            audience: &dispatch.definition.audience,
            detail: detail(dispatch),
            now: dispatch.planned_at,
            limit: self.sender.inner.options.batch,
        };
        let page = self.sender.cards().scan_users(&request).await?;
        let found = |user: User| Candidate {
            user,
            properties: Default::default(),
            named: false,
        };
        Ok((page.users.into_iter().map(found).collect(), page.next))
    }

    async fn named(
        &self,
        recipients: &[Recipient],
        after: Option<ScanPosition>,
    ) -> Result<(Vec<Candidate>, Option<ScanPosition>), StoreError> {
        let dispatch = self.cards.dispatch;
        let done = after.map_or(0, |position| {
            let last = recipients
                .iter()
                .position(|recipient| recipient.user_id == position.user);
            last.map_or(0, |last| last + 1)
        });
        let left = &recipients[done..];
        let part = &left[..left.len().min(self.sender.inner.options.batch)];
        let ids: Vec<UserId> = part
            .iter()
            .map(|recipient| recipient.user_id.clone())
            .collect();
        let known = self
            .sender
            .cards()
            .find_users(dispatch.workspace, &ids)
            .await?;
        let next = match part.last() {
            Some(last) if part.len() < left.len() => Some(position_of(dispatch, &last.user_id)),
            _ => None,
        };
        let candidates = part.iter().zip(known).map(|(recipient, user)| Candidate {
            user: user
                .unwrap_or_else(|| User::unknown(recipient.user_id.clone(), dispatch.planned_at)),
            properties: recipient.properties.clone(),
            named: true,
        });
        Ok((candidates.collect(), next))
    }
}

/// Shared content and a shared expiry ask for nothing about a user but who it is: the audience is
/// compared by the database, and the variant follows from the id.
fn detail(dispatch: &Dispatch) -> ScanDetail {
    match dispatch.shape {
        Shape::Pointer if dispatch.definition.expiry.is_shared() => ScanDetail::Ids,
        _ => ScanDetail::Attributes,
    }
}
