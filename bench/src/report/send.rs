//! The part about launching.

mod postgres;

use std::collections::BTreeMap;
use std::path::Path;

use super::{Row, number, plot, table};
use crate::failure::Result;
use crate::plot::{Bars, Lines};
use crate::send::{Audience, SendRows};
use crate::statistics::slope;

pub(super) fn section(rows: &SendRows, folder: &Path) -> Result<String> {
    let mut text = String::new();
    let heads = [
        "users",
        "personal cards/s",
        "seconds",
        "CPU µs/card",
        "MiB before",
        "MiB peak",
        "anonymous peak",
        "bytes/card",
        "pointer cards/s",
        "pointer bytes/card",
        "users tracked/s",
    ];
    text.push_str(&table(
        &heads,
        &rows.audiences.iter().map(rates).collect::<Vec<_>>(),
    ));
    text.push_str(&format!(
        "\nPeak memory grows by {} bytes for each further user over all audiences{}. Small audiences do \
         not fill the store's page caches, whose size is fixed.\n",
        number(rows.peak_bytes_per_user),
        last_growth(&rows.audiences).unwrap_or_default()
    ));
    text.push_str(&plots(rows, folder)?);

    text.push_str(
        "\nRows that a launch writes, in all tables of all files, counted from outside:\n",
    );
    let heads = [
        "users",
        "personal",
        "pointer",
        "broadcast",
        "broadcast visible ms",
        "answered ms",
    ];
    text.push_str(&table(
        &heads,
        &rows.audiences.iter().map(written).collect::<Vec<_>>(),
    ));
    if let Some(last) = rows.audiences.last() {
        for (shape, by_table) in [
            ("personal", &last.personal.written.by_table),
            ("pointer", &last.pointer.written.by_table),
            ("broadcast", &last.broadcast.written.by_table),
        ] {
            text.push_str(&format!(
                "\n- {shape}, {} users: {}",
                last.users,
                listed(by_table)
            ));
        }
        text.push('\n');
    }
    let connected = &rows.connected;
    let outcomes: Vec<String> = connected
        .outcomes
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    text.push_str(&format!(
        "\nFor information, connected content: {} users, one call each to an endpoint that takes {} ms, 100 at a time: \
         {} cards/s ({} s), peak {} MiB; {} requests reached the endpoint, outcomes: {}. The endpoint shares \
         the machine.\n",
        connected.users, connected.endpoint_delay_ms, number(connected.cards_per_second),
        number(connected.seconds),
        number(connected.peak_mib),
        connected.calls,
        outcomes.join(", "),
    ));
    if let Some(on_postgres) = &rows.postgres {
        text.push_str(&postgres::section(on_postgres, folder)?);
    }
    Ok(text)
}

fn rates(one: &Audience) -> Row {
    let (personal, pointer) = (&one.personal, &one.pointer);
    vec![
        one.users.to_string(),
        number(personal.cards_per_second),
        number(personal.seconds),
        number(personal.cpu_micros_each),
        number(personal.memory.before_mib),
        number(personal.memory.peak_mib),
        number(personal.memory.anonymous_peak_mib),
        number(personal.store_bytes_each),
        number(pointer.cards_per_second),
        number(pointer.store_bytes_each),
        number(one.tracked_per_second),
    ]
}

/// Growth between the two largest audiences, where all caches are full.
#[expect(clippy::cast_precision_loss, reason = "audiences are small numbers")]
fn last_growth(audiences: &[Audience]) -> Option<String> {
    let [.., before, last] = audiences else {
        return None;
    };
    let point = |one: &Audience| {
        (
            one.users as f64,
            one.personal.memory.peak_mib * 1024.0 * 1024.0,
        )
    };
    let growth = number(slope(&[point(before), point(last)]));
    Some(format!(
        ", by {growth} from {} to {} users",
        before.users, last.users
    ))
}

fn written(one: &Audience) -> Row {
    vec![
        one.users.to_string(),
        one.personal.written.rows.to_string(),
        one.pointer.written.rows.to_string(),
        one.broadcast.written.rows.to_string(),
        number(one.broadcast.visible_ms),
        number(one.broadcast.answered_ms),
    ]
}

fn listed(by_table: &BTreeMap<String, i64>) -> String {
    let parts = by_table
        .iter()
        .map(|(table, rows)| format!("{table} {rows:+}"));
    parts.collect::<Vec<_>>().join(", ")
}

fn plots(rows: &SendRows, folder: &Path) -> Result<String> {
    let title = "Launch rate by audience";
    let rate = Bars {
        title,
        unit: "cards/s",
        groups: rows
            .audiences
            .iter()
            .map(|one| one.users.to_string())
            .collect(),
        series: vec![
            (
                "personal",
                rows.audiences
                    .iter()
                    .map(|one| one.personal.cards_per_second)
                    .collect(),
            ),
            (
                "pointer",
                rows.audiences
                    .iter()
                    .map(|one| one.pointer.cards_per_second)
                    .collect(),
            ),
        ],
    };
    let mut text = plot(folder, "send-rate.svg", title, &rate.svg())?;
    let title = "Resident memory of the node during a personal launch";
    let memory = Lines {
        title,
        unit: "MiB",
        across: "seconds since the launch",
        series: rows
            .audiences
            .iter()
            .map(|one| {
                (
                    format!("{} users", one.users),
                    one.personal.memory.samples.clone(),
                )
            })
            .collect(),
    };
    text.push_str(&plot(folder, "send-memory.svg", title, &memory.svg())?);
    Ok(text)
}
