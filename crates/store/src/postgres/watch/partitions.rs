//! Whether the right partitions are there: none half detached, no default, cohorts ahead and none
//! that should be gone, the same ones for cards, states and events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::{SECONDS_PER_DAY, Timestamp};

use super::finding::{Finding, or_ok, some_of};
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// The keeper works this far ahead of the longest lifetime; less than half of it means that it has
/// not worked for a week.
pub(super) const LEAST_HEADROOM_DAYS: u32 = 7;
/// Fewer than this, and the next long campaign is refused today or tomorrow.
const LAST_HEADROOM_DAYS: u32 = 2;
/// Longest headroom that is looked for.
const FARTHEST_DAYS: u32 = 60;
/// Retiring takes turns and backs off behind readers; after this it is stuck.
const RETIRING_LATE: Duration = Duration::from_secs(6 * 3_600);

/// Tables that are partitioned by cohort in lock step.
const IN_STEP: [&str; 3] = ["card", "card_state", "card_event"];

/// The partitioned tables of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partitions {
    /// Leaves by their table, in order of their names.
    pub leaves: BTreeMap<String, BTreeSet<String>>,
    /// Leaves whose `DETACH … CONCURRENTLY` was not finished.
    pub pending: Vec<String>,
    /// Default partitions.
    pub defaults: Vec<String>,
    /// Whether `card` is there, and partitioned.
    pub layout: Option<Layout>,
}

/// How `card` lies in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Cohorts,
    Flat,
}

impl Layout {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cohorts => "cohorts",
            Self::Flat => "flat",
        }
    }
}

const LEAVES: Statement = Statement::new(
    "read partitions",
    "SELECT p.relname::text AS parent, c.relname::text AS leaf,
            coalesce(i.inhdetachpending, false) AS pending,
            coalesce(c.oid = t.partdefid, false) AS is_default
     FROM pg_partitioned_table t
          JOIN pg_class p ON p.oid = t.partrelid
          LEFT JOIN pg_inherits i ON i.inhparent = p.oid
          LEFT JOIN pg_class c ON c.oid = i.inhrelid
     WHERE p.relnamespace = to_regnamespace(quote_ident(current_schema()))",
);
const LAYOUT: Statement = Statement::new(
    "read the layout",
    "SELECT relkind = 'p' AS partitioned FROM pg_class
     WHERE oid = to_regclass('card') AND relkind IN ('p', 'r')",
);

impl Partitions {
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let mut partitions = Self::default();
        for row in session.all(&LEAVES, &[]).await? {
            let leaves = partitions.leaves.entry(get(&row, "parent")?).or_default();
            let Some(leaf) = get::<Option<String>>(&row, "leaf")? else {
                continue;
            };
            if get(&row, "pending")? {
                partitions.pending.push(leaf.clone());
            }
            if get(&row, "is_default")? {
                partitions.defaults.push(leaf.clone());
            }
            leaves.insert(leaf);
        }
        if let Some(row) = session.first(&LAYOUT, &[]).await? {
            let partitioned: bool = get(&row, "partitioned")?;
            partitions.layout = Some(if partitioned {
                Layout::Cohorts
            } else {
                Layout::Flat
            });
        }
        Ok(partitions)
    }

    /// The most leaves that any table has.
    pub(super) fn most_leaves(&self) -> usize {
        self.leaves.values().map(BTreeSet::len).max().unwrap_or(0)
    }

    /// The cohorts that can take cards.
    #[must_use]
    pub fn cohorts(&self) -> BTreeSet<Cohort> {
        let mut cohorts = self.cohorts_of("card");
        for table in IN_STEP {
            let others = self.cohorts_of(table);
            cohorts.retain(|cohort| others.contains(cohort));
        }
        cohorts
    }

    fn cohorts_of(&self, table: &str) -> BTreeSet<Cohort> {
        let leaves = self.leaves.get(table).into_iter().flatten();
        leaves
            .filter(|leaf| !self.pending.contains(leaf))
            .filter_map(|leaf| leaf.strip_prefix(table)?.strip_prefix('_')?.parse().ok())
            .collect()
    }

    /// For how many more whole days every card of any lifetime finds its cohort, if none is made.
    #[must_use]
    pub fn headroom_days(&self, now: Timestamp) -> u32 {
        let cohorts = self.cohorts();
        let day = Duration::from_secs(SECONDS_PER_DAY.unsigned_abs());
        (0..FARTHEST_DAYS)
            .take_while(|ahead| Cohort::all_of(now.plus(day * *ahead)).is_subset(&cohorts))
            .count()
            .try_into()
            .unwrap_or(FARTHEST_DAYS)
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        const NAME: &str = "partitions";
        let mut wrong = Vec::new();
        if !self.pending.is_empty() {
            wrong.push(Finding::fail(
                NAME,
                format!(
                    "half detached: {}; no other can be detached until they are",
                    some_of(&self.pending)
                ),
                "run a node with the role keeper, or ALTER TABLE … DETACH PARTITION … FINALIZE",
            ));
        }
        if !self.defaults.is_empty() {
            wrong.push(Finding::fail(
                NAME,
                format!(
                    "default partition {}: it forbids detaching without blocking readers",
                    some_of(&self.defaults)
                ),
                "move its rows into partitions of their own and drop it",
            ));
        }
        or_ok(wrong, || {
            let tables = self.leaves.len();
            let leaves: usize = self.leaves.values().map(BTreeSet::len).sum();
            Finding::ok(NAME, format!("{leaves} of {tables} tables"))
        })
    }

    pub(super) fn judge_cohorts(&self, now: Timestamp, grace: Duration) -> Vec<Finding> {
        const NAME: &str = "cohorts";
        let mut wrong = self.out_of_step();
        let cohorts = self.cohorts_of("card");
        let late: Vec<String> = cohorts
            .iter()
            .filter(|cohort| cohort.is_past(now, grace.saturating_add(RETIRING_LATE)))
            .map(ToString::to_string)
            .collect();
        if !late.is_empty() {
            wrong.push(Finding::warn(
                NAME,
                format!("past their grace: {}", some_of(&late)),
                "run a node with the role keeper, or 'corkboard cohorts retire'; see its log and \
                 the finding 'horizon' if it does run",
            ));
        }
        let headroom = self.headroom_days(now);
        let ahead = format!("every card finds its cohort for {headroom} more days");
        let remedy = "run a node with the role keeper: it makes cohorts ahead; see its log";
        if headroom < LAST_HEADROOM_DAYS {
            wrong.push(Finding::fail(NAME, ahead.clone(), remedy));
        } else if headroom < LEAST_HEADROOM_DAYS {
            wrong.push(Finding::warn(NAME, ahead.clone(), remedy));
        }
        or_ok(wrong, || {
            Finding::ok(NAME, format!("{}, {ahead}", cohorts.len()))
        })
    }

    fn out_of_step(&self) -> Vec<Finding> {
        let cards = self.cohorts_of("card");
        let mut wrong = Vec::new();
        for table in IN_STEP {
            let others = self.cohorts_of(table);
            let apart: Vec<String> = cards
                .symmetric_difference(&others)
                .map(ToString::to_string)
                .collect();
            if !apart.is_empty() {
                wrong.push(Finding::fail(
                    "cohorts",
                    format!("card and {table} are out of step in {}", some_of(&apart)),
                    "run a node with the role keeper: it makes and drops them together",
                ));
            }
        }
        wrong
    }
}
