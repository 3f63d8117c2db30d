//! What the cards of a dispatch's variant have in common: stored once, parsed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attempt::{self, Attempt};
use super::tables::Tables;
use crate::card_store::SharedContent;
use crate::error::{Result, StoreError};
use crate::postgres::session::Session;
use crate::postgres::values::{Uuid, get, id};

/// Most contents remembered, and most numbers; then all are forgotten and asked for again.
const MOST: usize = 4_096;

pub(super) const READ: &str = "SELECT content_no, n.campaign, dispatch, variant, presentation, content \
     FROM card_content@ JOIN campaign_number n USING (campaign_no) WHERE content_no = ANY ($1)";
pub(super) const OF_DISPATCH: &str =
    "SELECT content_no, variant FROM card_content@ WHERE dispatch = $1";
const SHARE: &str = "INSERT INTO card_content@ \
     (campaign_no, cohort_no, variant, dispatch, presentation, content) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (dispatch, variant) DO NOTHING RETURNING content_no";

/// A shared content as read.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) campaign: CampaignId,
    pub(super) dispatch: DispatchId,
    pub(super) variant: u8,
    pub(super) presentation: Arc<Presentation>,
    pub(super) content: Option<Arc<CardContent>>,
}

/// The contents that this process has seen. They never change once written.
#[derive(Debug, Default)]
pub(super) struct Contents {
    read: Mutex<HashMap<(Cohort, i32), Shared>>,
    numbers: Mutex<HashMap<(DispatchId, u8), i32>>,
}

impl Contents {
    /// A content, if it has been read before.
    pub(super) fn known(&self, cohort: Cohort, content_no: i32) -> Option<Shared> {
        lock(&self.read).get(&(cohort, content_no)).cloned()
    }

    /// Reads contents of one cohort.
    pub(super) async fn read(
        &self,
        session: &Session,
        tables: &Tables,
        cohort: Cohort,
        numbers: &[i32],
    ) -> Attempt<()> {
        let sql = tables.sql(READ);
        for row in attempt::all(session, "read contents", &sql, &[&numbers]).await? {
            let content: Option<&str> = get(&row, "content")?;
            let content: Option<CardContent> = content.map(parse).transpose()?;
            let shared = Shared {
                campaign: id(&row, "campaign")?,
                dispatch: id(&row, "dispatch")?,
                variant: u8::try_from(get::<i16>(&row, "variant")?).unwrap_or(0),
                presentation: Arc::new(parse(get(&row, "presentation")?)?),
                content: content.map(Arc::new),
            };
            remember(&self.read, (cohort, get(&row, "content_no")?), shared);
        }
        Ok(())
    }

    /// The numbers of these contents by variant, if all of them are stored as far as this process
    /// knows.
    pub(super) fn known_numbers(
        &self,
        dispatch: DispatchId,
        shared: &[SharedContent],
    ) -> Option<Vec<(u8, i32)>> {
        let known = lock(&self.numbers);
        let number = |one: &SharedContent| {
            let number = known.get(&(dispatch, one.variant))?;
            Some((one.variant, *number))
        };
        shared.iter().map(number).collect()
    }

    /// The numbers of a dispatch's contents by variant, stored now as far as they are missing. What
    /// is new is remembered by [`Contents::stored`], when the transaction is durable.
    pub(super) async fn numbers(
        &self,
        session: &Session,
        tables: &Tables,
        place: &Place,
        shared: &[&SharedContent],
    ) -> Attempt<Vec<(u8, i32)>> {
        let mut numbers = Vec::with_capacity(shared.len());
        for one in shared {
            let known = lock(&self.numbers)
                .get(&(place.dispatch, one.variant))
                .copied();
            let number = match known {
                Some(number) => number,
                None => store(session, tables, place, one).await?,
            };
            numbers.push((one.variant, number));
        }
        Ok(numbers)
    }

    /// The numbers are durable.
    pub(super) fn stored(&self, dispatch: DispatchId, numbers: &[(u8, i32)]) {
        for (variant, number) in numbers {
            remember(&self.numbers, (dispatch, *variant), *number);
        }
    }
}

/// What a stored content belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) campaign_no: i32,
    pub(super) cohort_no: i16,
    pub(super) dispatch: DispatchId,
}

async fn store(
    session: &Session,
    tables: &Tables,
    place: &Place,
    shared: &SharedContent,
) -> Attempt<i32> {
    let (dispatch, variant) = (Uuid::of(place.dispatch), i16::from(shared.variant));
    let presentation = json(&shared.presentation)?;
    let content = shared.content.as_ref().map(json).transpose()?;
    // Looked for first: a conflict would use up a number.
    let of_dispatch = tables.sql(OF_DISPATCH);
    for _ in 0..2 {
        for row in attempt::all(session, "contents of dispatch", &of_dispatch, &[&dispatch]).await?
        {
            if get::<i16>(&row, "variant")? == variant {
                return Ok(get(&row, "content_no")?);
            }
        }
        let params: crate::postgres::session::Params<'_> = &[
            &place.campaign_no,
            &place.cohort_no,
            &variant,
            &dispatch,
            &presentation,
            &content,
        ];
        let stored = attempt::all(session, "store content", &tables.sql(SHARE), params).await?;
        if let Some(row) = stored.first() {
            return Ok(get(row, "content_no")?);
        }
    }
    Err(attempt::Stop::Again)
}

pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
        what: "card",
        source: error.into(),
    })
}

pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt {
        what: "card on its way in",
        source: error.into(),
    })
}

fn remember<K: std::hash::Hash + Eq, V>(known: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut known = lock(known);
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(key, value);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A map is whole whatever the holder did.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
