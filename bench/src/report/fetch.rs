//! The part about connected content.

use std::path::Path;

use super::{Row, goal, number, plot, table};
use crate::failure::Result;
use crate::fetch::{Beside, FetchRows, OwnUrls, Sent, Shedding};
use crate::plot::Lines;
use crate::statistics::median;

pub(super) fn section(rows: &FetchRows, folder: &Path) -> Result<String> {
    let heads = [
        "launch",
        "recipients",
        "cards",
        "seconds",
        "calls",
        "answered",
        "refused",
        "in slots",
        "queued",
    ];
    let own = rows.own.iter().map(|one| measured("a URL each", &one.sent));
    let rest = [
        measured("one URL", &rows.shared),
        measured("a URL each, shedding", &rows.shedding.sent),
    ];
    let mut text = table(&heads, &own.chain(rest).collect::<Vec<_>>());
    text.push_str("\nIn slots and queued: the most that the endpoint had at a time.\n\n");
    text.push_str(&of_own_urls(rows));
    text.push_str(&of_one_url(&rows.shared));
    text.push_str(&of_shedding(&rows.shedding));
    text.push_str(&of_a_dead_endpoint(&rows.dead));
    let title = "Good answers of the endpoint, a URL for each user";
    let series = rows.own.iter().enumerate();
    let series =
        series.map(|(round, one)| (format!("round {}", round + 1), one.sent.seen.goodput()));
    text.push_str(&lines(folder, "fetch-own.svg", title, series.collect())?);
    let title = "Good answers of an endpoint that slows down and sheds";
    let series = vec![("goodput".to_owned(), rows.shedding.sent.seen.goodput())];
    text.push_str(&lines(folder, "fetch-shedding.svg", title, series)?);
    Ok(text)
}

fn lines(
    folder: &Path,
    name: &str,
    title: &str,
    series: Vec<(String, Vec<(f64, f64)>)>,
) -> Result<String> {
    let lines = Lines {
        title,
        unit: "answers/s",
        across: "seconds since the first call",
        series,
    };
    plot(folder, name, title, &lines.svg())
}

fn measured(what: &str, sent: &Sent) -> Row {
    let seen = &sent.seen;
    vec![
        what.to_owned(),
        sent.targeted.to_string(),
        sent.written.to_string(),
        number(sent.seconds),
        seen.calls.to_string(),
        seen.answered.to_string(),
        seen.refused.to_string(),
        seen.busiest.to_string(),
        seen.longest_queue.to_string(),
    ]
}

fn of_own_urls(rows: &FetchRows) -> String {
    let median_of = |of: fn(&OwnUrls) -> f64| median(&rows.own.iter().map(of).collect::<Vec<_>>());
    let seconds = median_of(|one| one.sent.seconds);
    let ideal = seconds / rows.ideal_seconds;
    let of_wrk = median_of(|one| one.sent.seconds / one.wrk_seconds);
    let mut text = goal(
        &format!(
            "a URL each takes at most 1.2 times the ideal: {} calls of {} ms in {} slots",
            rows.recipients, rows.latency_ms, rows.slots
        ),
        ideal <= 1.2,
        &format!(
            "{} s of {} s, {ideal:.2} times, from the launch request to the last card",
            number(seconds),
            number(rows.ideal_seconds)
        ),
    );
    text.push_str(&goal(
        &format!(
            "at most 1.1 times what wrk takes with {} connections",
            rows.slots
        ),
        of_wrk <= 1.1,
        &format!(
            "{of_wrk:.2} times its {} s",
            number(median_of(|one| one.wrk_seconds))
        ),
    ));
    text
}

fn of_one_url(shared: &Sent) -> String {
    goal(
        "one URL for all is called exactly once",
        shared.seen.calls == 1 && shared.written == shared.targeted,
        &format!("{} calls for {} cards", shared.seen.calls, shared.written),
    )
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn of_shedding(shedding: &Shedding) -> String {
    let part = shedding.goodput / shedding.peak;
    let sent = &shedding.sent;
    let each = sent.seen.calls as f64 / sent.targeted as f64;
    let mut text = goal(
        &format!(
            "an endpoint that becomes slow ({} ms after {} s) and refuses what finds none of {} slots keeps at least 90 % of \
             what it can answer",
            shedding.slow_latency_ms, shedding.slow_after_seconds, shedding.slots
        ),
        part >= 0.9,
        &format!(
            "{} of {} a second once it is slow, {:.0} %; {} in its worst second",
            number(shedding.goodput),
            number(shedding.peak),
            part * 100.0,
            number(shedding.worst)
        ),
    );
    text.push_str(&goal(
        "and gets at most 1.1 calls for each recipient, whose template says :retry",
        each <= 1.1,
        &format!(
            "{each:.3} calls, {} of them refused; {} of {} have a card",
            sent.seen.refused, sent.written, sent.targeted
        ),
    ));
    text
}

fn of_a_dead_endpoint(dead: &Beside) -> String {
    let (alone, beside) = (median(&dead.alone), median(&dead.beside));
    let ratios: Vec<f64> = dead
        .alone
        .iter()
        .zip(&dead.beside)
        .map(|(a, b)| 1.0 - b / a)
        .collect();
    let fall = median(&ratios);
    goal(
        "beside a launch to a dead endpoint, another campaign's rate falls by less than 5 %",
        fall < 0.05,
        &format!(
            "by {:.1} % (median of {} pairs), from {} to {} cards/s; the dead endpoint got {} calls",
            fall * 100.0,
            ratios.len(),
            number(alone),
            number(beside),
            dead.calls
        ),
    )
}
