//! Cards for the benches that drive the card store itself: dispatches written by the product, and
//! cards by the million copied straight into its tables.

use std::time::Duration;

use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, Id as _, WorkspaceId};
use corkboard_core::slot::Slot;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_store::CardStore as _;
use corkboard_store::card_store::{
    CardBatch, Durability, Eligibility, NewCard, RowOutcome, SharedContent,
};
use corkboard_store::postgres::{CardLayout, PgCardStore};
use ring::digest;

use crate::failure::{Failure, Result};
use crate::postgres::{BinaryRows, Database};
use crate::users;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The one workspace of these benches.
pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([7; 16])
}

/// The user of this number, as in the other benches.
pub(crate) fn user(number: usize) -> Result<UserId> {
    UserId::parse(users::id(number)).map_err(Failure::unexpected)
}

/// Where a user's rows are: the slot, and 16 bytes of a hash of workspace and user id. The benches
/// compute it themselves; every one of them reads back what it has copied through the product, and
/// fails when that finds nothing.
pub(crate) fn owner(user: &UserId) -> (i16, [u8; 16]) {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&workspace().to_bytes());
    hash.update(user.as_str().as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finish().as_ref()[..16]);
    // Slots are below 4,096.
    let slot = i16::try_from(Slot::of(workspace(), user).number()).unwrap_or(i16::MAX);
    (slot, key)
}

/// One dispatch of a campaign of its own, to one cohort, without content of each card.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) campaign: CampaignId,
    pub(crate) dispatch: DispatchId,
    pub(crate) planned_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) cohort: Cohort,
}

impl Dispatch {
    /// A new one, whose cards expire with the cohort.
    pub(crate) fn to(cohort: Cohort) -> Self {
        let expires_at = cohort.ends_at();
        let planned_at =
            Timestamp::from_micros(expires_at.as_micros() - 2 * DAY.as_micros() as i64);
        Self {
            campaign: CampaignId::generate(planned_at),
            dispatch: DispatchId::generate(planned_at),
            planned_at,
            expires_at,
            cohort,
        }
    }

    /// Pointer cards for these users.
    pub(crate) fn batch(&self, users: Vec<UserId>) -> CardBatch {
        let card = |user| NewCard {
            user,
            variant: 0,
            expires_at: self.expires_at,
            content: None,
        };
        CardBatch {
            workspace: workspace(),
            campaign: self.campaign,
            dispatch: self.dispatch,
            cohort: self.cohort,
            planned_at: self.planned_at,
            eligibility: Eligibility::OneDispatch,
            fence: None,
            durability: Durability::Now,
            shared: vec![SharedContent {
                variant: 0,
                presentation: presentation(),
                content: Some(content()),
            }],
            cards: users.into_iter().map(card).collect(),
        }
    }

    /// Writes cards through the product; all of them must be new.
    pub(crate) async fn write(&self, store: &PgCardStore, users: Vec<UserId>) -> Result<()> {
        let wanted = users.len();
        let outcomes = store
            .write_cards(self.batch(users), self.planned_at)
            .await?;
        let new = |outcome: &&RowOutcome| matches!(outcome, RowOutcome::Inserted(_));
        let written = outcomes.iter().filter(new).count();
        if written == wanted {
            return Ok(());
        }
        let what = format!("{written} of {wanted} cards were written");
        Err(Failure::unexpected(what))
    }

    /// Copies a pointer card for each of these users straight into the table, in the order of keys,
    /// as a dispatch writes them. The product has written to the cohort before.
    pub(crate) async fn copy(
        &self,
        database: &Database,
        layout: CardLayout,
        numbers: impl IntoIterator<Item = usize>,
    ) -> Result<u64> {
        let suffix = self.suffix(layout);
        let (content_no, cohort_no) = self.numbers(database, &suffix).await?;
        let owners = sorted_owners(numbers)?;
        let (created_at, expires_at) = (self.planned_at.as_micros(), self.expires_at.as_micros());
        let rows = BinaryRows::new(6, owners.into_iter(), move |row, (slot, key)| {
            row.time(created_at)
                .time(expires_at)
                .bytes(&key)
                .int4(content_no)
                .int2(cohort_no)
                .int2(slot);
        });
        let columns = "created_at, expires_at, owner, content_no, cohort_no, slot";
        let sql = format!("COPY card{suffix} ({columns}) FROM STDIN BINARY");
        database.copy_in(&sql, Box::new(rows)).await
    }

    /// Copies a state for each of these users: of a card that no feed asks for.
    pub(crate) async fn copy_states(
        &self,
        database: &Database,
        layout: CardLayout,
        numbers: impl IntoIterator<Item = usize>,
    ) -> Result<u64> {
        let suffix = self.suffix(layout);
        let (_, cohort_no) = self.numbers(database, &suffix).await?;
        let (owners, seen_at) = (sorted_owners(numbers)?, self.planned_at.as_micros());
        let rows = BinaryRows::new(5, owners.into_iter(), move |row, (slot, key)| {
            row.time(seen_at)
                .bytes(&key)
                .bytes(&key)
                .int2(cohort_no)
                .int2(slot);
        });
        let columns = "seen_at, owner, card, cohort_no, slot";
        let sql = format!("COPY card_state{suffix} ({columns}) FROM STDIN BINARY");
        database.copy_in(&sql, Box::new(rows)).await
    }

    /// What the names of the cohort's tables end with.
    pub(crate) fn suffix(&self, layout: CardLayout) -> String {
        match layout {
            CardLayout::Cohorts => format!("_{}", self.cohort),
            CardLayout::Flat => String::new(),
        }
    }

    /// The numbers that the product has given to the dispatch's content and to the cohort.
    async fn numbers(&self, database: &Database, suffix: &str) -> Result<(i32, i16)> {
        let dispatch: String = self
            .dispatch
            .to_bytes()
            .map(|byte| format!("{byte:02x}"))
            .concat();
        let of_content = |column: &str| {
            format!("SELECT {column} FROM card_content{suffix} WHERE dispatch = '{dispatch}'")
        };
        let content_no = number(&database.text(&of_content("content_no")).await?)?;
        let cohort_no = i16::try_from(number(&database.text(&of_content("cohort_no")).await?)?);
        Ok((content_no, cohort_no.map_err(Failure::unexpected)?))
    }
}

fn sorted_owners(numbers: impl IntoIterator<Item = usize>) -> Result<Vec<(i16, [u8; 16])>> {
    let owners = numbers.into_iter().map(|number| Ok(owner(&user(number)?)));
    let mut owners = owners.collect::<Result<Vec<_>>>()?;
    owners.sort_unstable();
    Ok(owners)
}

fn number(text: &str) -> Result<i32> {
    text.parse()
        .map_err(|_| Failure::unexpected(format!("no number of a content: '{text}'")))
}

fn presentation() -> Presentation {
    Presentation {
        feed: "main".to_owned(),
        priority: 0,
        pinned: false,
        dismissible: true,
    }
}

fn content() -> CardContent {
    CardContent {
        title: Some("New opening hours".to_owned()),
        description: Some("From Monday to Saturday, in every shop and online.".to_owned()),
        url: Some("https://shop.example/news".to_owned()),
        ..CardContent::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_those_of_the_product() {
        let text = users::id(1);
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&[7; 16]);
        hash.update(text.as_bytes());
        let (slot, key) = owner(&user(1).unwrap());
        assert_eq!(key, hash.finish().as_ref()[..16]);
        assert!((0..4_096).contains(&slot));
    }

    #[test]
    fn a_dispatch_writes_to_its_own_cohort() {
        let day: Cohort = "d20261122".parse().unwrap();
        let dispatch = Dispatch::to(day);
        assert_eq!(Cohort::of(dispatch.planned_at, dispatch.expires_at), day);
        let batch = dispatch.batch(vec![user(1).unwrap(), user(2).unwrap()]);
        assert_eq!((batch.cohort, batch.cards.len()), (day, 2));
    }
}
