//! The part about reading feeds.

use std::path::Path;

use super::{Row, number, percent, plot, table};
use crate::failure::Result;
use crate::feed::{Comparison, FeedRows};
use crate::plot::Bars;

pub(super) fn section(rows: &FeedRows, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\nA feed has {} cards, {} bytes; nginx returns the same bytes from a file.\n",
        rows.cards_per_feed,
        number(bytes(rows.body_bytes as u64))
    );
    let errors: u64 = rows
        .comparisons
        .iter()
        .map(|one| one.nginx.errors + one.corkboard.errors)
        .sum();
    text.push_str(&format!(
        "Errors in all steps together (sockets, time-outs, statuses): {errors}.\n"
    ));
    let heads = [
        "case",
        "connections",
        "nginx /s",
        "spread",
        "corkboard /s",
        "spread",
        "ratio",
        "± ratio",
        "CPU ratio",
        "p50 ms",
        "p99 ms",
        "nginx p99",
        "CPU µs",
        "nginx CPU µs",
        "busy",
        "nginx busy",
    ];
    text.push_str(&table(
        &heads,
        &rows.comparisons.iter().map(row).collect::<Vec<_>>(),
    ));
    for (case, name) in [
        ("one user", "feed-one-user.svg"),
        ("many users", "feed-many-users.svg"),
    ] {
        let found: Vec<&Comparison> = rows
            .comparisons
            .iter()
            .filter(|one| one.case == case)
            .collect();
        let title = format!("Feed reads, {case}, by connections");
        let bars = Bars {
            title: &title,
            unit: "requests/s",
            groups: found
                .iter()
                .map(|one| one.connections.to_string())
                .collect(),
            series: vec![
                (
                    "nginx, same bytes",
                    found.iter().map(|one| one.nginx.per_second).collect(),
                ),
                (
                    "corkboard",
                    found.iter().map(|one| one.corkboard.per_second).collect(),
                ),
            ],
        };
        text.push_str(&plot(folder, name, &title, &bars.svg())?);
    }
    text.push_str(&latency(rows, folder)?);
    text.push_str(&cold(rows));
    Ok(text)
}

fn row(one: &Comparison) -> Row {
    let (nginx, corkboard) = (&one.nginx, &one.corkboard);
    vec![
        one.case.clone(),
        one.connections.to_string(),
        number(nginx.per_second),
        percent(nginx.spread),
        number(corkboard.per_second),
        percent(corkboard.spread),
        format!("{:.3}", one.ratio),
        percent(one.ratio_spread),
        format!("{:.3}", one.cpu_ratio),
        number(corkboard.p50_ms),
        number(corkboard.p99_ms),
        number(nginx.p99_ms),
        number(corkboard.cpu_micros_each),
        number(nginx.cpu_micros_each),
        percent(corkboard.busy),
        percent(nginx.busy),
    ]
}

fn latency(rows: &FeedRows, folder: &Path) -> Result<String> {
    let found: Vec<&Comparison> = rows
        .comparisons
        .iter()
        .filter(|one| one.case == "many users")
        .collect();
    let title = "Feed reads, many users, latency under full load";
    let bars = Bars {
        title,
        unit: "ms",
        groups: found
            .iter()
            .map(|one| one.connections.to_string())
            .collect(),
        series: vec![
            (
                "nginx p99",
                found.iter().map(|one| one.nginx.p99_ms).collect(),
            ),
            (
                "corkboard p50",
                found.iter().map(|one| one.corkboard.p50_ms).collect(),
            ),
            (
                "corkboard p99",
                found.iter().map(|one| one.corkboard.p99_ms).collect(),
            ),
        ],
    };
    plot(folder, "feed-latency.svg", title, &bars.svg())
}

/// How cold the cold rounds were.
fn cold(rows: &FeedRows) -> String {
    let mut text =
        "\nThe cold rounds: a new process, its files evicted from the system's cache (the host \
                    of a virtual machine may still have them), the users in turn. Reads beyond \
                    the number of users are second ones.\n"
            .to_owned();
    let lines = rows.cold.iter().enumerate().map(|(round, one)| {
        let cached = one
            .cached_bytes
            .map_or_else(|| "unknown".to_owned(), |count| number(bytes(count)));
        vec![
            (round + 1).to_string(),
            number(bytes(one.store_bytes)),
            cached,
            number(bytes(one.disk_bytes)),
            number(bytes(one.requests)),
            number(bytes(one.users as u64)),
        ]
    });
    let heads = [
        "round",
        "store bytes",
        "cached at start",
        "read from disk",
        "reads",
        "users",
    ];
    text.push_str(&table(&heads, &lines.collect::<Vec<_>>()));
    text
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with fewer digits than a double has"
)]
fn bytes(count: u64) -> f64 {
    count as f64
}
