//! Connections that only hold on, beside the rest.

use std::path::Path;

use super::super::{Row, goal, number, plot, table};
use crate::failure::Result;
use crate::plot::Bars;
use crate::spike::Crowd;

pub(super) fn section(part: &Crowd, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\n### A crowd that only holds on\n\n{} idle connections and {} in half a header, from two processes, which come again when the node closes them \
         ({} did); {} clients ask for feeds from memory, {} a second together. Crowd and clients share a CPU.\n",
        part.idle,
        part.half,
        part.replaced,
        part.clients,
        number(part.per_second)
    );
    let rows: Vec<Row> = part
        .stretches
        .iter()
        .map(|one| {
            vec![
                if one.beside_crowd { "with" } else { "without" }.to_owned(),
                one.offered.to_string(),
                one.ok.to_string(),
                number(one.p50_ms),
                number(one.p99_ms),
            ]
        })
        .collect();
    text.push_str(&table(
        &["crowd", "offered", "good", "p50 ms", "p99 ms"],
        &rows,
    ));
    text.push('\n');
    text.push_str(&goal(
        "the crowd leaves the clients' p99 within 1.2 times",
        part.p99_ratio <= 1.2,
        &format!(
            "{:.2} times: {} ms without, {} ms with",
            part.p99_ratio,
            number(part.p99_without_ms),
            number(part.p99_with_ms)
        ),
    ));
    text.push_str(&goal(
        "99.9 % of the clients' requests beside it are answered well",
        part.success_with >= 0.999,
        &format!("{:.3} %", part.success_with * 100.0),
    ));
    text.push_str(&goal(
        "an idle connection costs the node at most 12 KiB",
        part.memory.kib_each <= 12.0,
        &format!(
            "{:.2} KiB, growth of the resident set by {}",
            part.memory.kib_each, part.memory.connections
        ),
    ));
    let of = |beside| {
        let stretches = part.stretches.iter();
        let of = stretches.filter(move |one| one.beside_crowd == beside);
        of.map(|one| one.p99_ms).collect::<Vec<_>>()
    };
    let (without, with) = (of(false), of(true));
    let title = "p99 of clients beside a crowd";
    let bars = Bars {
        title,
        unit: "ms",
        groups: (1..=without.len()).map(|turn| turn.to_string()).collect(),
        series: vec![("without", without), ("with", with)],
    };
    text.push_str(&plot(folder, "spike-crowd.svg", title, &bars.svg())?);
    Ok(text)
}
