//! Offered load beyond what can be done.

use std::path::Path;

use super::super::{Row, goal, number, percent, plot, table};
use crate::failure::Result;
use crate::plot::Lines;
use crate::spike::{Overload, Point, Surface};

pub(super) fn section(part: &Overload, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\n### Offered more than can be done\n\nOpen loop over {} connections, one generator on a CPU of its own; latency from the \
         time a request was due. Good: 200 within a second. Refused: 503 with Retry-After. The card database is \
         {} ms away and read by one statement at a time.\n",
        part.connections, part.distance_ms
    );
    for (place, surface) in part.surfaces.iter().enumerate() {
        text.push_str(&of_surface(surface));
        text.push_str(&plots(surface, place, folder)?);
    }
    if let Some(floor) = part.floor {
        text.push_str(&format!(
            "\nThe least that a refusal costs here: nginx that does nothing else, asked as often, takes {} us of CPU for each of {} \
             refusals a second.\n",
            number(floor.micros),
            number(floor.refused)
        ));
    }
    Ok(text)
}

fn of_surface(surface: &Surface) -> String {
    let heads = [
        "times the peak",
        "offered/s",
        "good/s",
        "refused/s",
        "late",
        "other",
        "failed",
        "p50 ms",
        "p99 ms",
        "refused p99 ms",
        "sent p99 ms",
        "generator",
    ];
    let rows: Vec<Row> = surface.steps.iter().map(row).collect();
    let factor = surface.highest_factor;
    let name = &surface.name;
    let mut text = format!("\n**{name}**, peak {} a second\n", number(surface.peak));
    text.push_str(&table(&heads, &rows));
    text.push('\n');
    if factor < 9.9 {
        text.push_str(&format!(
            "- Ten times cannot be offered from one CPU: {factor:.1} times was the most.\n"
        ));
    }
    text.push_str(&goal(
        &format!("{name}: goodput at 10 times the peak is at least 90 % of it"),
        surface.goodput_share >= 0.9 && factor >= 9.9,
        &format!("{} at {factor:.1} times", percent(surface.goodput_share)),
    ));
    text.push_str(&goal(
        &format!("{name}: p99 of what is accepted there is at most twice that at 80 %"),
        surface.p99_ratio <= 2.0,
        &format!("{:.2} times", surface.p99_ratio),
    ));
    let recovery = surface.recovery_seconds;
    text.push_str(&goal(
        &format!("{name}: within 5 s after it, 99 % of the former goodput"),
        recovery.is_some_and(|seconds| seconds <= 5.0),
        &recovery.map_or("not seen".to_owned(), |seconds| format!("{seconds:.2} s")),
    ));
    if let Some(costs) = surface.costs {
        text.push_str(&goal(
            &format!("{name}: a refusal costs at most 5 % of the CPU that a served request does"),
            costs.refusal_share() <= 0.05,
            &format!(
                "{} of {} us, of which {} are the node's and {} the database's",
                number(costs.refused),
                number(costs.served + costs.source),
                number(costs.served),
                number(costs.source)
            ),
        ));
    }
    text.push_str(&goal(
        &format!("{name}: nothing but good answers and orderly refusals"),
        surface.disorderly == 0,
        &format!("{} others", surface.disorderly),
    ));
    text
}

fn row(point: &Point) -> Row {
    vec![
        format!("{:.1}", point.factor),
        number(point.offered),
        number(point.goodput),
        number(point.refused),
        point.late.to_string(),
        point.other.to_string(),
        point.failed.to_string(),
        number(point.p50_ms),
        number(point.p99_ms),
        number(point.refusal_p99_ms),
        number(point.sending_p99_ms),
        percent(point.generator_busy),
    ]
}

fn plots(surface: &Surface, place: usize, folder: &Path) -> Result<String> {
    let points = || surface.search.iter().chain(&surface.steps);
    // In order of what was offered, the last step is at 80 % again.
    let mut across: Vec<&Point> = points().collect();
    across.sort_by(|left, right| left.offered.total_cmp(&right.offered));
    let over = |of: fn(&Point) -> f64| across.iter().map(|one| (one.offered, of(one))).collect();
    let goodput = Lines {
        title: &format!("Goodput over offered load: {}", surface.name),
        unit: "requests/s",
        across: "offered a second",
        series: vec![
            ("good".to_owned(), over(|point| point.goodput)),
            ("refused".to_owned(), over(|point| point.refused)),
        ],
    };
    let p99 = Lines {
        title: &format!(
            "p99 of what is accepted over offered load: {}",
            surface.name
        ),
        unit: "ms",
        across: "offered a second",
        series: vec![("p99".to_owned(), over(|point| point.p99_ms))],
    };
    let timeline = Lines {
        title: &format!("80 %, the multiples, 80 %: {}", surface.name),
        unit: "good requests/s",
        across: "seconds",
        series: vec![(
            "good".to_owned(),
            surface
                .timeline
                .iter()
                .map(|moment| (moment.at, moment.goodput))
                .collect(),
        )],
    };
    let mut text = String::new();
    for (what, lines) in [("goodput", goodput), ("p99", p99), ("time", timeline)] {
        let name = format!("spike-overload-{}-{what}.svg", place + 1);
        text.push_str(&plot(folder, &name, lines.title, &lines.svg())?);
    }
    Ok(text)
}
