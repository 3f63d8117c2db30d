//! The part about reports of impressions, clicks and dismissals.

use super::{Row, bytes, number, table};
use crate::events::{Case, EventRows};

pub(super) fn section(rows: &EventRows) -> String {
    let heads = [
        "reporters at once",
        "reports/s",
        "spread",
        "xids for 1,000",
        "log for 1,000",
        "p50 ms",
        "p99 ms",
    ];
    let mut text = table(&heads, &rows.cases.iter().map(measured).collect::<Vec<_>>());
    let repeats = &rows.repeats;
    text.push_str(&format!(
        "\nReports that had been recorded before, sent again: {} at {} a second took {} transaction ids and were \
         counted {} times.\n",
        repeats.reports,
        number(repeats.per_second),
        repeats.xids,
        repeats.new_events,
    ));
    text
}

fn measured(case: &Case) -> Row {
    vec![
        case.reporters.to_string(),
        number(case.per_second),
        format!("{} %", number(case.spread * 100.0)),
        number(case.xids_per_1000),
        bytes((case.wal_bytes_each * 1e3) as u64),
        number(case.p50_ms),
        number(case.p99_ms),
    ]
}
