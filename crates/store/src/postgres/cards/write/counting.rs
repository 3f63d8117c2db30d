//! The end of a batch: its cards are counted, the fence is raised, all of it is committed.

use std::collections::BTreeMap;

use futures_util::future::OptionFuture;
use futures_util::join;
use tokio_postgres::Statement;

use super::commit::{Commit, must_write};
use super::{Writing, hold};
use crate::card_store::Durability;
use crate::postgres::cards::attempt::{self, Attempt};
use crate::postgres::cards::counts::SENT;
use crate::postgres::cards::tables::Tables;
use crate::postgres::session::{Params, Session};
use crate::postgres::values::{Uuid, stored};

const RAISE_FENCE: &str = "INSERT INTO card_fence@ (token, dispatch, chunk, cohort_no) \
     VALUES ($3, $1, $2, $4) ON CONFLICT (dispatch, chunk) DO UPDATE SET token = excluded.token";

/// The statements that end a batch, ready before it begins: while rows are being copied nothing can
/// be prepared.
pub(super) struct Ending {
    count: Statement,
    raise: Statement,
}

impl Ending {
    pub(super) async fn prepare(session: &Session, tables: &Tables) -> Attempt<Self> {
        Ok(Self {
            count: attempt::prepare(session, "count cards", &tables.sql(SENT)).await?,
            raise: attempt::prepare(session, "raise fence", &tables.sql(RAISE_FENCE)).await?,
        })
    }
}

/// What counting needs to know.
pub(super) struct Counting<'a> {
    pub(super) writing: &'a Writing<'a>,
    pub(super) session: &'a Session,
    pub(super) ending: &'a Ending,
    pub(super) campaign_no: i32,
    pub(super) lane: i16,
    pub(super) raise_fence: bool,
    pub(super) commit: Commit,
}

impl Counting<'_> {
    /// One round trip. Whatever fails makes the commit undo everything.
    pub(super) async fn and_commit(&self, inserted: &[usize]) -> Attempt<()> {
        let (writing, session) = (self.writing, self.session);
        let mut by_variant: BTreeMap<i16, i64> = BTreeMap::new();
        for wanted in inserted.iter().filter_map(|at| writing.wanted.get(*at)) {
            *by_variant.entry(wanted.card.variant.into()).or_default() += 1;
        }
        let (variants, sent): (Vec<i16>, Vec<i64>) = by_variant.into_iter().unzip();
        let count = async {
            let dispatch = Uuid::of(writing.batch.dispatch);
            let written: i64 = sent.iter().sum();
            let params: Params<'_> = &[
                &dispatch,
                &writing.cohort_no,
                &self.lane,
                &written,
                &self.campaign_no,
                &writing.now.day().number(),
                &variants,
                &sent,
            ];
            attempt::execute(session, "count cards", &self.ending.count, params).await
        };
        let raise = async |fence| {
            let (dispatch, chunk) = hold::key(writing, fence);
            let token = stored(fence.token);
            let params: Params<'_> = &[&dispatch, &chunk, &token, &writing.cohort_no];
            attempt::execute(session, "raise fence", &self.ending.raise, params).await
        };
        let writes_nothing = inserted.is_empty() && must_write(&writing.batch.durability);
        let raise_fence = self.raise_fence || writes_nothing;
        let (counted, raised, committed) = join!(
            OptionFuture::from((!inserted.is_empty()).then_some(count)),
            OptionFuture::from(writing.batch.fence.filter(|_| raise_fence).map(raise)),
            self.commit.run(session)
        );
        counted.transpose()?;
        raised.transpose()?;
        committed?;
        if let Durability::Ends(series) = &writing.batch.durability {
            series.settle();
        }
        Ok(())
    }
}
