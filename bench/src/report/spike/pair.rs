//! Two origins behind a balancer.

use std::path::Path;

use super::super::{Row, goal, number, plot, table};
use crate::failure::Result;
use crate::plot::Bars;
use crate::spike::{Capacity, Ending, Pair};

pub(super) fn section(part: &Pair, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\n### Two origins behind a TCP balancer\n\nnginx's stream module over {} connections. The origins and their Redis share one CPU, \
         balancer and generator the other, so the second origin adds no CPU; it adds that one may go.\n",
        part.connections
    );
    let capacity = |name: &str, of: &Capacity| -> Row {
        vec![
            name.to_owned(),
            number(of.per_second),
            number(of.p50_ms),
            number(of.p99_ms),
        ]
    };
    let rows = [capacity("one", &part.one), capacity("two", &part.two)];
    text.push_str(&table(
        &["origins", "requests/s", "p50 ms", "p99 ms"],
        &rows,
    ));
    text.push_str(&format!(
        "\nThe most of which 99 % were answered with a p99 below 100 ms. Two answer {:.2} times what one does.\n",
        part.second_adds
    ));
    let heads = [
        "one of two ends by",
        "offered",
        "good",
        "refused",
        "late",
        "other",
        "failed",
        "sent again",
        "p99 ms",
        "longest ms",
    ];
    let rows = [
        ending("SIGTERM", &part.drained),
        ending("SIGKILL", &part.killed),
    ];
    text.push_str(&table(&heads, &rows));
    let drained = &part.drained;
    text.push('\n');
    text.push_str(&goal(
        "no request fails when an origin is asked to end under load",
        drained.ok == drained.offered,
        &format!(
            "{} of {} at {} a second",
            drained.offered - drained.ok,
            drained.offered,
            number(part.per_second)
        ),
    ));
    let killed = &part.killed;
    text.push_str(&format!(
        "- Killed instead: {} of {} requests were not answered well.\n",
        killed.offered - killed.ok,
        killed.offered
    ));
    let title = "Requests a second behind a balancer";
    let bars = Bars {
        title,
        unit: "requests/s",
        groups: vec!["one origin".to_owned(), "two".to_owned()],
        series: vec![("good", vec![part.one.per_second, part.two.per_second])],
    };
    text.push_str(&plot(folder, "spike-pair.svg", title, &bars.svg())?);
    Ok(text)
}

fn ending(name: &str, of: &Ending) -> Row {
    let counts = [
        of.offered, of.ok, of.refused, of.late, of.other, of.failed, of.resent,
    ];
    let mut row = vec![name.to_owned()];
    row.extend(counts.iter().map(u64::to_string));
    row.extend([number(of.p99_ms), number(of.longest_ms)]);
    row
}
