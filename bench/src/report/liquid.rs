//! The part about rendering.

use std::path::Path;

use super::{Row, goal, number, plot, table};
use crate::failure::Result;
use crate::liquid::{EngineRow, Figure, HAND_TUNED, HAND_WRITTEN, LiquidRows, OURS};
use crate::plot::Bars;

pub(super) fn section(rows: &LiquidRows, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\nA card of {} bytes out of {} stored bytes of a user, for {} users; means.\n",
        number(rows.output_bytes),
        number(rows.stored_bytes),
        rows.users
    );
    let heads = [
        "engine",
        "render µs",
        "spread",
        "of hand-written",
        "of ours",
        "allocations",
        "from bytes µs",
        "of ours",
        "allocations",
        "compile µs",
    ];
    let hand = named(rows, HAND_WRITTEN).and_then(|one| one.render.as_ref());
    let each = rows.engines.iter().map(|engine| measured(engine, hand));
    text.push_str(&table(&heads, &each.collect::<Vec<_>>()));
    for peer in &rows.left_out {
        text.push_str(&format!("\n{} is left out: {}\n", peer.name, peer.why));
    }
    text.push('\n');
    text.push_str(&goals(rows));
    let title = "A card of one user, the fastest engines";
    let fast: Vec<&EngineRow> = rows.engines.iter().filter(|one| is_fast(one)).collect();
    let micros = |of: fn(&EngineRow) -> Option<&Figure>| {
        let each = fast
            .iter()
            .map(move |one| of(one).map_or(0.0, |figure| figure.ns / 1e3));
        each.collect::<Vec<f64>>()
    };
    let bars = Bars {
        title,
        unit: "µs",
        groups: fast.iter().map(|one| one.name.clone()).collect(),
        series: vec![
            ("render", micros(|one| one.render.as_ref())),
            ("from stored bytes", micros(|one| one.from_bytes.as_ref())),
        ],
    };
    text.push_str(&plot(folder, "liquid.svg", title, &bars.svg())?);
    Ok(text)
}

/// Whether its bar leaves something to be seen of the others'.
fn is_fast(engine: &EngineRow) -> bool {
    const MOST_NS: f64 = 30_000.0;
    engine
        .render
        .as_ref()
        .is_some_and(|figure| figure.ns < MOST_NS)
}

fn named<'a>(rows: &'a LiquidRows, name: &str) -> Option<&'a EngineRow> {
    rows.engines.iter().find(|one| one.name == name)
}

fn measured(engine: &EngineRow, hand: Option<&Figure>) -> Row {
    let micros = |figure: &Option<Figure>| {
        figure
            .as_ref()
            .map_or_else(|| "-".to_owned(), |one| format!("{:.2}", one.ns / 1e3))
    };
    let ratio =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let allocations =
        |figure: &Option<Figure>| ratio(figure.as_ref().and_then(|one| one.allocations));
    let of_ours = |figure: &Option<Figure>| ratio(figure.as_ref().map(|one| one.times_ours));
    let of_hand = engine
        .render
        .as_ref()
        .zip(hand)
        .map(|(one, hand)| one.times_ours / hand.times_ours);
    vec![
        format!("{} {}", engine.name, engine.version)
            .trim()
            .to_owned(),
        micros(&engine.render),
        ratio(engine.render.as_ref().map(|one| one.spread)),
        ratio(of_hand),
        of_ours(&engine.render),
        allocations(&engine.render),
        micros(&engine.from_bytes),
        of_ours(&engine.from_bytes),
        allocations(&engine.from_bytes),
        micros(&engine.compile),
    ]
}

fn goals(rows: &LiquidRows) -> String {
    let mut text = String::new();
    let ours = named(rows, OURS);
    let hand = named(rows, HAND_WRITTEN).and_then(|one| one.render.as_ref());
    if let Some(render) = ours.and_then(|one| one.render.as_ref()) {
        let micros = render.ns / 1e3;
        let wanted = "a render takes at most 2 µs";
        text.push_str(&goal(wanted, micros <= 2.0, &format!("{micros:.2} µs")));
        if let Some(made) = render.allocations {
            let wanted = "a render allocates at most twice";
            text.push_str(&goal(wanted, made <= 2.0, &format!("{made:.2} times")));
        }
    }
    if let Some(bytes) = ours.and_then(|one| one.from_bytes.as_ref()) {
        let micros = bytes.ns / 1e3;
        let wanted = "from the stored user's bytes to the card in at most 3 µs";
        text.push_str(&goal(wanted, micros <= 3.0, &format!("{micros:.2} µs")));
    }
    if let Some(hand) = hand {
        let times = 1.0 / hand.times_ours;
        let wanted = "within 6 times of hand-written code";
        text.push_str(&goal(wanted, times <= 6.0, &format!("{times:.2} times")));
    }
    if let Some((next, times)) = next(rows, true) {
        let wanted = "at least 5 times as fast as the next Liquid engine";
        text.push_str(&goal(
            wanted,
            times >= 5.0,
            &format!("{times:.2} times as fast as {next}"),
        ));
    }
    if let Some((next, times)) = next(rows, false) {
        text.push_str(&format!(
            "- For information: {times:.2} times as fast as {next}, which is another language and cannot wait for a fetch.\n"
        ));
    }
    if let Some(compile) = ours.and_then(|one| one.compile.as_ref()) {
        let micros = compile.ns / 1e3;
        let wanted = "compiling takes at most 15 µs";
        text.push_str(&goal(wanted, micros <= 15.0, &format!("{micros:.2} µs")));
    }
    text.push_str(&goal(
        "a fetch adds at most 300 ns to a render: building the request, leaving the machine, coming back with a small \
         JSON answer",
        rows.suspension_ns <= 300.0,
        &format!(
            "{} ns (the rounds lie {:.0} % apart)",
            number(rows.suspension_ns),
            rows.suspension_spread * 100.0
        ),
    ));
    let waiting = &rows.waiting;
    text.push_str(&goal(
        "10,000 renders that wait for fetches hold at most 64 MiB, their users' data included",
        waiting.mib <= 64.0,
        &format!(
            "{} renders hold {} MiB",
            waiting.renders,
            number(waiting.mib)
        ),
    ));
    text
}

/// The fastest of the others, of this language or of another one, and how many times our time it takes.
fn next(rows: &LiquidRows, is_liquid: bool) -> Option<(&str, f64)> {
    let others = rows.engines.iter().filter(|one| {
        one.is_liquid == is_liquid && ![OURS, HAND_WRITTEN, HAND_TUNED].contains(&one.name.as_str())
    });
    let times = others.filter_map(|one| Some((one.name.as_str(), one.render.as_ref()?.times_ours)));
    times.min_by(|a, b| a.1.total_cmp(&b.1))
}
