//! The part about retiring cohorts.

use std::path::Path;

use super::{Row, bytes, goal, number, plot, table};
use crate::expiry::{Case, ExpiryRows, Retirement};
use crate::failure::Result;
use crate::plot::Bars;
use crate::statistics::median;

pub(super) fn section(rows: &ExpiryRows, folder: &Path) -> Result<String> {
    let mut text = "\nOne cohort is retired at a time, medians over the repeats. *Own* transaction ids and log are those that \
                    remain without what the load used in as long a time.\n"
        .to_owned();
    let heads = [
        "layout, cards",
        "seconds",
        "own xids",
        "own log",
        "rows left dead",
        "freed at once",
        "of",
        "locks held ms",
        "read p99 ms quiet",
        "during",
        "ratio",
    ];
    let listed: Vec<Row> = rows.cases.iter().map(measured).collect();
    text.push_str(&table(&heads, &listed));
    text.push('\n');
    text.push_str(&goals(rows));
    text.push_str(&vacuums(rows));
    text.push_str(
        "\n*Locks held* is how long a lock that keeps readers or writers of some table out was seen (looked at \
         every 4 ms, so short ones are rounded up or missed). With cohorts they are on tables of the cohort that is \
         over, which nobody reads any more.\n",
    );
    text.push_str(&statements(rows));
    text.push_str(&plots(rows, folder)?);
    Ok(text)
}

fn all(case: &Case, of: impl Fn(&Retirement) -> f64) -> Vec<f64> {
    case.retirements.iter().map(of).collect()
}

fn middle(case: &Case, of: impl Fn(&Retirement) -> f64) -> f64 {
    median(&all(case, of))
}

fn own_xids(one: &Retirement) -> f64 {
    one.xids.saturating_sub(one.xids_of_sends) as f64
}

fn own_log(one: &Retirement) -> f64 {
    one.wal_bytes.saturating_sub(one.wal_bytes_of_load) as f64
}

/// Of the statement that drops the cards, in milliseconds.
fn dropping(one: &Retirement) -> f64 {
    let mut drops = one
        .statements
        .iter()
        .filter(|known| known.kind == "DROP TABLE IF");
    drops.next().map_or(0.0, |known| known.total_ms)
}

/// The part of the retired tables' bytes that the file system has back when the call returns.
fn freed(one: &Retirement) -> f64 {
    if one.bytes_before == 0 {
        return 0.0;
    }
    one.bytes_before.saturating_sub(one.bytes_after) as f64 / one.bytes_before as f64
}

fn ratio(one: &Retirement) -> f64 {
    if one.reads_quiet.p99_ms > 0.0 {
        one.reads_during.p99_ms / one.reads_quiet.p99_ms
    } else {
        0.0
    }
}

fn measured(case: &Case) -> Row {
    let ratios = all(case, ratio);
    vec![
        format!("{}, {}", case.layout, case.cards),
        number(middle(case, |one| one.seconds)),
        number(middle(case, own_xids)),
        bytes(middle(case, own_log) as u64),
        number(middle(case, |one| one.dead_rows as f64)),
        format!("{} %", number(middle(case, freed) * 100.0)),
        bytes(middle(case, |one| one.bytes_before as f64) as u64),
        number(middle(case, |one| one.locks.strong_ms)),
        number(middle(case, |one| one.reads_quiet.p99_ms)),
        number(middle(case, |one| one.reads_during.p99_ms)),
        format!("{:.2}", median(&ratios)),
    ]
}

fn goals(rows: &ExpiryRows) -> String {
    let cases: Vec<&Case> = rows
        .cases
        .iter()
        .filter(|case| case.layout == "cohorts")
        .collect();
    let over = |of: &dyn Fn(&Case) -> f64| cases.iter().map(|case| of(case)).collect::<Vec<f64>>();
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let least = |values: &[f64]| values.iter().copied().fold(f64::MAX, f64::min);
    let worst = |of: &dyn Fn(&Retirement) -> f64| {
        let each = cases
            .iter()
            .flat_map(|case| case.retirements.iter().map(of));
        each.fold(0.0, f64::max)
    };
    let seconds = over(&|case| middle(case, |one| one.seconds));
    let held = worst(&|one| one.locks.strong_ms);
    let waiters = worst(&|one| one.locks.looks_with_waiters as f64 + one.locks.logged_waits as f64);
    let xids = worst(&own_xids);
    let unfreed = worst(&|one| 1.0 - freed(one));
    let ratios: Vec<f64> = cases.iter().flat_map(|case| all(case, ratio)).collect();
    let failures = worst(&|one| one.failures as f64);
    let mut text = "For the layout `cohorts`:\n\n".to_owned();
    text.push_str(&goal(
        "retiring takes the same time at every size",
        most(&seconds) <= 2.0 * least(&seconds).max(0.05),
        &format!(
            "medians by size: {} s, of it the DROP {} ms; what grows is the system's work of giving back the \
             files' pages, which follows when the locks are free again",
            listed(&seconds),
            listed(&over(&|case| middle(case, dropping)))
        ),
    ));
    text.push_str(&goal(
        "at most 50 ms of lock-holding, none of it blocking readers",
        held <= 50.0 && waiters == 0.0,
        &format!(
            "at most {} ms in any retirement, {} ms of it on tables that others need; somebody was seen waiting \
             for it {} times; {} requests failed",
            number(held),
            number(worst(&|one| one.locks.elsewhere_ms)),
            number(waiters),
            number(failures)
        ),
    ));
    text.push_str(&goal(
        "at most 20 transaction ids for a cohort of any size",
        xids <= 20.0,
        &format!(
            "at most {}, by median {}",
            number(xids),
            listed(&over(&|case| middle(case, own_xids)))
        ),
    ));
    text.push_str(&goal(
        "all of its bytes free at once",
        unfreed <= 0.0,
        &format!("{} % in the worst case", number((1.0 - unfreed) * 100.0)),
    ));
    text.push_str(&goal(
        "read p99 meanwhile within 1.1 of quiet",
        median(&ratios) <= 1.1,
        &format!(
            "median of all retirements {:.2}, single ones {:.2} to {:.2}",
            median(&ratios),
            least(&ratios),
            most(&ratios)
        ),
    ));
    text
}

fn listed(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(|value| number(*value)).collect();
    values.join(", ")
}

fn vacuums(rows: &ExpiryRows) -> String {
    let mut text = String::new();
    for case in &rows.cases {
        let Some(vacuum) = &case.vacuum else { continue };
        text.push_str(&format!(
            "\nAfter {} deleted rows the flat table's VACUUM took {} s and {} of log, and its files went from {} to {}.\n",
            case.cards,
            number(vacuum.seconds),
            bytes(vacuum.wal_bytes),
            bytes(vacuum.bytes_before),
            bytes(vacuum.bytes_after),
        ));
    }
    text
}

/// What the largest cohort's retirement consisted of.
fn statements(rows: &ExpiryRows) -> String {
    const SHOWN: usize = 8;
    let Some(case) = rows.cases.iter().rfind(|case| case.layout == "cohorts") else {
        return String::new();
    };
    let Some(one) = case.retirements.first() else {
        return String::new();
    };
    let mut text = format!(
        "\nThe longest statements of retiring {} cards in cohorts, as the server timed them:\n",
        case.cards
    );
    let listed: Vec<Row> = one
        .statements
        .iter()
        .take(SHOWN)
        .map(|statement| {
            vec![
                format!("`{}`", statement.kind),
                statement.count.to_string(),
                number(statement.total_ms),
            ]
        })
        .collect();
    text.push_str(&table(&["statement", "times", "ms in all"], &listed));
    text
}

fn plots(rows: &ExpiryRows, folder: &Path) -> Result<String> {
    let of = |layout: &str| {
        rows.cases
            .iter()
            .filter(move |case| case.layout == layout)
            .collect::<Vec<&Case>>()
    };
    let (flat, cohorts) = (of("flat"), of("cohorts"));
    let groups: Vec<String> = flat
        .iter()
        .map(|case| format!("{} cards", case.cards))
        .collect();
    let bars = |title, unit, of: &dyn Fn(&Retirement) -> f64| Bars {
        title,
        unit,
        groups: groups.clone(),
        series: vec![
            (
                "flat and DELETE",
                flat.iter().map(|case| middle(case, of)).collect(),
            ),
            (
                "cohorts and DROP",
                cohorts.iter().map(|case| middle(case, of)).collect(),
            ),
        ],
    };
    let mut text = String::new();
    for (name, title, unit, of) in [
        (
            "expiry-seconds.svg",
            "Time to retire a cohort",
            "s",
            (|one| one.seconds) as fn(&Retirement) -> f64,
        ),
        (
            "expiry-xids.svg",
            "Transaction ids to retire a cohort",
            "xids",
            own_xids,
        ),
        ("expiry-log.svg", "Log to retire a cohort", "MiB", |one| {
            own_log(one) / 1024.0 / 1024.0
        }),
    ] {
        text.push_str(&plot(folder, name, title, &bars(title, unit, &of).svg())?);
    }
    Ok(text)
}
