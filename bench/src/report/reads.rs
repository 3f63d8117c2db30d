//! The part about reading a user's cards from the database.

use std::path::Path;

use super::{Row, goal, number, plot, table};
use crate::failure::Result;
use crate::plot::Bars;
use crate::reads::{Case, ReadRows};

pub(super) fn section(rows: &ReadRows, folder: &Path) -> Result<String> {
    let heads = [
        "live cohorts",
        "other cards",
        "p50 ms",
        "p99 ms",
        "pages",
        "execution ms",
        "planning ms",
        "planned",
        "of reads",
        "from disk p50 ms",
        "p99 ms",
    ];
    let mut text = table(&heads, &rows.cases.iter().map(measured).collect::<Vec<_>>());
    text.push('\n');
    text.push_str(&goals(rows));
    for growth in &rows.growth {
        text.push_str(&format!(
            "- With {} other cards, each further live cohort adds {} µs to the median read, {} pages, and {} µs to \
             planning the statement (which a connection does a few times in its life, not for each read).\n",
            growth.other_cards,
            number(growth.p50_micros),
            number(growth.buffers),
            number(growth.planning_micros),
        ));
    }
    let title = "Median read of one user's three cards";
    let fills: Vec<(String, usize)> = rows
        .growth
        .iter()
        .map(|growth| {
            (
                format!("{} other cards", number(growth.other_cards as f64)),
                growth.other_cards,
            )
        })
        .collect();
    let of = |fill: usize| {
        let same = rows
            .cases
            .iter()
            .filter(move |case| case.other_cards == fill);
        same.map(|case| case.reads.p50_ms).collect::<Vec<f64>>()
    };
    let alone = rows.cases.iter().filter(|case| case.other_cards == 0);
    let bars = Bars {
        title,
        unit: "ms",
        groups: alone
            .map(|case| format!("{} cohorts", case.live_cohorts))
            .collect(),
        series: fills
            .iter()
            .map(|(name, fill)| (name.as_str(), of(*fill)))
            .collect(),
    };
    text.push_str(&plot(folder, "reads.svg", title, &bars.svg())?);
    Ok(text)
}

fn measured(case: &Case) -> Row {
    vec![
        case.live_cohorts.to_string(),
        case.other_cards.to_string(),
        number(case.reads.p50_ms),
        number(case.reads.p99_ms),
        number(case.buffers),
        number(case.execution_ms),
        number(case.planning_ms),
        case.plannings.to_string(),
        case.executions.to_string(),
        number(case.from_disk.p50_ms),
        number(case.from_disk.p99_ms),
    ]
}

fn goals(rows: &ReadRows) -> String {
    const FLAT: f64 = 1.25;
    let most = rows
        .cases
        .iter()
        .map(|case| case.other_cards)
        .max()
        .unwrap_or_default();
    let full = || rows.cases.iter().filter(|case| case.other_cards == most);
    let beside = |fill: usize| {
        let pairs = full().filter_map(move |full| {
            let of_fill =
                |case: &&Case| case.live_cohorts == full.live_cohorts && case.other_cards == fill;
            rows.cases.iter().find(of_fill).map(|other| (full, other))
        });
        pairs.collect::<Vec<(&Case, &Case)>>()
    };
    let told = |pairs: &[(&Case, &Case)]| {
        let each = pairs.iter().map(|(full, other)| {
            let (time, pages) = (
                full.reads.p50_ms / other.reads.p50_ms,
                full.buffers / other.buffers,
            );
            format!(
                "at {} cohorts {time:.2} of the time, {pages:.2} of the pages",
                full.live_cohorts
            )
        });
        each.collect::<Vec<String>>().join("; ")
    };
    let tenth = beside(most / 10);
    let is_flat = tenth
        .iter()
        .all(|(full, other)| full.reads.p50_ms <= FLAT * other.reads.p50_ms);
    let mut text = goal(
        "a read takes the same time whatever the number of other users (median within 1.25)",
        is_flat && !tenth.is_empty(),
        &format!(
            "with {most} other cards, beside {} of them: {}",
            most / 10,
            told(&tenth)
        ),
    );
    text.push_str(&format!(
        "- Beside no other cards at all, where the indexes are a page each and those of states are empty: {}.\n",
        told(&beside(0))
    ));
    text
}
