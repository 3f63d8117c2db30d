//! The part about sending on PostgreSQL.

use std::path::Path;

use crate::failure::Result;
use crate::plot::{Bars, Lines};
use crate::report::{Row, goal, number, plot, table};
use crate::send::{Grown, OnPostgres, Shape};
use crate::statistics::{median, spread};

/// Shape of card, and the part of `\copy`'s rate that is wanted.
const WANTED: [(&str, f64); 2] = [("pointer", 0.8), ("personal", 0.6)];
/// A peak that follows the audience would grow by the size of a user or a card, hundreds of bytes.
const FLAT_BYTES: f64 = 10.0;

pub(super) fn section(rows: &OnPostgres, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\n### On PostgreSQL\n\n- server: {}\n- users: copied straight into tracked_user (and user_total) in the order \
         of the key; launches from the request until the dispatch says that it is done, each to a cohort of its own, \
         default configuration but for the number of workers\n- yardstick: psql's binary `\\copy` of the rows that the \
         launch just before had written (exported in the order in which they lie), into an empty table with the same \
         columns and indexes, by one client and by two with half of the slots each; in turn with the launches\n",
        rows.settings
    );
    text.push_str(&format!(
        "\n{} users, medians of the rounds, cards a second:\n",
        rows.users
    ));
    let heads = [
        "shape",
        "1 process, 2 workers",
        "spread",
        "2 processes, 1 worker each",
        "spread",
        "\\copy, 1 client",
        "2 clients",
        "part of 1 client",
        "part of 2",
        "CPU µs/card",
        "xids for 1,000",
        "log bytes/card",
    ];
    text.push_str(&table(
        &heads,
        &rows.shapes.iter().map(rates).collect::<Vec<_>>(),
    ));
    text.push('\n');
    for (name, wanted) in WANTED {
        let Some(shape) = rows.shapes.iter().find(|shape| shape.shape == name) else {
            continue;
        };
        let (one, two) = shape.ratios();
        text.push_str(&goal(
            &format!("{name} cards end to end at {wanted} or more of the raw limit"),
            one >= wanted && two >= wanted,
            &format!(
                "{one:.2} of \\copy by one client, {two:.2} by two, with the better set of workers"
            ),
        ));
    }
    text.push_str(&growth(rows));
    text.push_str(&plots(rows, folder)?);
    Ok(text)
}

fn rates(shape: &Shape) -> Row {
    let (one, two) = (shape.rates(0), shape.rates(1));
    let raw = |of: &dyn Fn(&crate::send::Raw) -> f64| {
        median(
            &shape
                .rounds
                .iter()
                .map(|round| of(&round.raw))
                .collect::<Vec<f64>>(),
        )
    };
    let launch = |of: &dyn Fn(&crate::send::PgLaunch) -> f64| {
        let firsts = shape
            .rounds
            .iter()
            .filter_map(|round| round.launches.first());
        median(&firsts.map(of).collect::<Vec<f64>>())
    };
    let (of_one, of_two) = shape.ratios();
    vec![
        shape.shape.clone(),
        number(median(&one)),
        format!("{:.0} %", spread(&one) * 100.0),
        number(median(&two)),
        format!("{:.0} %", spread(&two) * 100.0),
        number(raw(&|raw| raw.one_client_per_second)),
        number(raw(&|raw| raw.two_clients_per_second)),
        format!("{of_one:.2}"),
        format!("{of_two:.2}"),
        number(launch(&|one| one.cpu_micros_each)),
        number(launch(&|one| one.xids_per_1000)),
        number(launch(&|one| one.wal_bytes_each)),
    ]
}

fn growth(rows: &OnPostgres) -> String {
    let heads = [
        "users",
        "personal cards/s",
        "seconds",
        "MiB before",
        "MiB peak",
        "anonymous peak",
        "rows of a broadcast",
        "visible ms",
        "answered ms",
    ];
    let grown = |one: &Grown| {
        let (launch, memory) = (&one.personal.launch, &one.personal.memory);
        vec![
            one.users.to_string(),
            number(launch.cards_per_second),
            number(launch.seconds),
            number(memory.before_mib),
            number(memory.peak_mib),
            number(memory.anonymous_peak_mib),
            one.broadcast_rows.values().sum::<u64>().to_string(),
            number(one.visible_ms),
            number(one.answered_ms),
        ]
    };
    let mut text =
        "\nBy audience, one process with two workers, fresh databases for each:\n".to_owned();
    text.push_str(&table(
        &heads,
        &rows.growth.iter().map(grown).collect::<Vec<_>>(),
    ));
    text.push('\n');
    text.push_str(&goal(
        "memory flat in the audience (under 10 bytes for each further user)",
        rows.peak_bytes_per_user <= FLAT_BYTES,
        &format!(
            "the peak grows by {} bytes for each further user",
            number(rows.peak_bytes_per_user)
        ),
    ));
    let (Some(first), Some(last)) = (rows.growth.first(), rows.growth.last()) else {
        return text;
    };
    let sum = |one: &Grown| one.broadcast_rows.values().sum::<u64>();
    let worst = last.visible_ms_all.iter().copied().fold(0.0, f64::max);
    text.push_str(&goal(
        "a broadcast writes the same rows for any audience and is in a feed in under a second",
        sum(last) <= sum(first) + 2 && worst < 1_000.0,
        &format!(
            "{} rows for {} users, {} for {}; visible after {} ms by median, {} at worst",
            sum(first),
            first.users,
            sum(last),
            last.users,
            number(last.visible_ms),
            number(worst)
        ),
    ));
    let listed = last
        .broadcast_rows
        .iter()
        .map(|(table, rows)| format!("{table} {rows}"));
    text.push_str(&format!(
        "\nRows inserted around the broadcast to {} users: {}.\n",
        last.users,
        listed.collect::<Vec<_>>().join(", ")
    ));
    text
}

fn plots(rows: &OnPostgres, folder: &Path) -> Result<String> {
    let title = "Cards a second on PostgreSQL beside \\copy of the same rows";
    let all = |of: &dyn Fn(&Shape) -> f64| rows.shapes.iter().map(of).collect::<Vec<f64>>();
    let raw = |of: fn(&crate::send::Raw) -> f64| {
        all(&|shape| {
            median(
                &shape
                    .rounds
                    .iter()
                    .map(|round| of(&round.raw))
                    .collect::<Vec<f64>>(),
            )
        })
    };
    let bars = Bars {
        title,
        unit: "cards/s",
        groups: rows
            .shapes
            .iter()
            .map(|shape| shape.shape.clone())
            .collect(),
        series: vec![
            ("1 process", all(&|shape| median(&shape.rates(0)))),
            ("2 processes", all(&|shape| median(&shape.rates(1)))),
            ("copy, 1 client", raw(|raw| raw.one_client_per_second)),
            ("copy, 2 clients", raw(|raw| raw.two_clients_per_second)),
        ],
    };
    let mut text = plot(folder, "send-postgres-rate.svg", title, &bars.svg())?;
    let title = "Resident memory of the node during a personal launch on PostgreSQL";
    let series = rows.growth.iter().map(|one| {
        (
            format!("{} users", one.users),
            one.personal.memory.samples.clone(),
        )
    });
    let memory = Lines {
        title,
        unit: "MiB",
        across: "seconds since the launch",
        series: series.collect(),
    };
    text.push_str(&plot(
        folder,
        "send-postgres-memory.svg",
        title,
        &memory.svg(),
    )?);
    Ok(text)
}
