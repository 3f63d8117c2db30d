//! What it costs to retire a cohort of cards: deleting its rows from one flat table beside dropping
//! its tables, at several sizes, while feeds are read and cards are sent at a fixed pace.

mod field;
mod retirement;

use serde::{Deserialize, Serialize};

use corkboard_store::postgres::CardLayout;

use crate::Setting;
use crate::console::say;
use crate::failure::Result;
use crate::postgres::Postgres;
use crate::results::{Measured, settings};

use field::Field;
pub(crate) use retirement::Retirement;

const SIZES: [usize; 3] = [1_000_000, 5_000_000, 10_000_000];
const QUICK_SIZES: [usize; 2] = [100_000, 500_000];
/// Cohorts of one size that are dropped one after the other; the flat table loses one.
const DROPS: usize = 3;
const READS_PER_SECOND: u32 = 400;
const BATCHES_PER_SECOND: u32 = 4;
/// Cards of a batch.
const BATCH: usize = 250;
/// Users who are read, with three live cards each.
const READERS: usize = 100_000;
const QUICK_READERS: usize = 20_000;

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ExpiryRows {
    pub(crate) cases: Vec<Case>,
}

/// One layout at one size.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    /// `flat` or `cohorts`.
    pub(crate) layout: String,
    /// Cards of each retired cohort.
    pub(crate) cards: usize,
    pub(crate) retirements: Vec<Retirement>,
    /// Of the flat table, after everything: the VACUUM that makes the space usable again.
    pub(crate) vacuum: Option<Vacuum>,
}

/// What a VACUUM after the DELETEs took and gave back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Vacuum {
    pub(crate) seconds: f64,
    pub(crate) wal_bytes: u64,
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
}

pub(crate) async fn run(setting: &Setting) -> Result<Measured<ExpiryRows>> {
    let postgres = Postgres::start(setting).await?;
    postgres.make_logged_role().await?;
    let sizes: &[usize] = if setting.is_quick {
        &QUICK_SIZES
    } else {
        &SIZES
    };
    let mut cases = Vec::new();
    for cards in sizes {
        for layout in [CardLayout::Flat, CardLayout::Cohorts] {
            cases.push(case(setting, &postgres, layout, *cards).await?);
        }
    }
    let settings = settings([
        ("server", Postgres::settings()),
        (
            "load",
            format!(
                "the same for both layouts, paced, a late answer delays no other: {READS_PER_SECOND} reads of a \
                 random user's three live cards and {BATCHES_PER_SECOND} batches of {BATCH} new cards a second, \
                 through the card store, in the bench's process"
            ),
        ),
        (
            "cards",
            "pointer cards of 40 bytes of data, one for each user; loaded by binary COPY straight into the \
             product's tables in the order of keys, then VACUUM (ANALYZE) and CHECKPOINT; what is measured is \
             the product's own retire_cohorts on a connection pool of its own"
                .to_owned(),
        ),
        (
            "windows",
            "quiet: the seconds before each retirement; during: the window of the same length in which it falls, \
             or as long as it takes; locks are looked at every 4 ms, lock waits above 20 ms are in the server's log"
                .to_owned(),
        ),
    ]);
    Ok(Measured {
        settings,
        rows: ExpiryRows { cases },
    })
}

async fn case(
    setting: &Setting,
    postgres: &Postgres,
    layout: CardLayout,
    cards: usize,
) -> Result<Case> {
    let name = name(layout);
    let drops = if layout == CardLayout::Cohorts {
        DROPS
    } else {
        1
    };
    let readers = if setting.is_quick {
        QUICK_READERS
    } else {
        READERS
    };
    say(&format!(
        "expiry: {name}, {cards} cards: loading {drops} of such cohorts"
    ));
    let field = Field::load(postgres, layout, (cards, drops), readers).await?;
    say(&format!("expiry: {name}, {cards} cards: retiring"));
    let retirements = retirement::run(setting, postgres, &field).await?;
    let vacuum = match layout {
        CardLayout::Flat => Some(field.vacuum().await?),
        CardLayout::Cohorts => None,
    };
    Ok(Case {
        layout: name.to_owned(),
        cards,
        retirements,
        vacuum,
    })
}

fn name(layout: CardLayout) -> &'static str {
    match layout {
        CardLayout::Flat => "flat",
        CardLayout::Cohorts => "cohorts",
    }
}
