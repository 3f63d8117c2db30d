//! The closed loop: every step, the ratios, and how rates and waits go with the connections.

use std::collections::BTreeSet;
use std::path::Path;

use super::story;
use crate::failure::Result;
use crate::plot::Lines;
use crate::report::{Row, goal, number, percent, plot, table};
use crate::spike::{Closed, Compared, Ratio, Server, Step};

/// Drawn together: what serves the same bytes from comparable places.
const VALUES: [Server; 6] = [
    Server::FixedValue,
    Server::OriginMemory,
    Server::LuaRedis,
    Server::OriginRedis,
    Server::OriginCold,
    Server::WaitressRedis,
];
const FEEDS: [Server; 5] = [
    Server::FixedFeed,
    Server::FeedMemory,
    Server::FeedFirstSeen,
    Server::FeedRedis,
    Server::FeedCold,
];

pub(super) fn section(closed: &Closed, folder: &Path) -> Result<String> {
    let mut text = "\n### Closed loop\n\n".to_owned();
    for one in &closed.goals {
        text.push_str(&goal(&one.wanted, one.is_reached, &one.measured));
    }
    text.push_str(&story::drawn(closed, folder)?);
    text.push_str(&ratios(closed));
    text.push_str(&steps(closed));
    for one in &closed.left_out {
        text.push_str(&format!("\nLeft out: {one}\n"));
    }
    for (servers, what, name) in [
        (&VALUES[..], "140-byte values", "spike-values"),
        (&FEEDS[..], "feeds of 2 KiB", "spike-feeds"),
    ] {
        let title = format!("Answers a second, {what}, by connections");
        let rate = lines(closed, servers, &title, "requests/s", |step| {
            step.per_second
        });
        text.push_str(&plot(folder, &format!("{name}.svg"), &title, &rate)?);
        let title = format!("p99, {what}, by connections");
        let p99 = lines(closed, servers, &title, "ms", |step| step.p99_ms);
        text.push_str(&plot(folder, &format!("{name}-p99.svg"), &title, &p99)?);
    }
    Ok(text)
}

/// Steps in the order in which people compare them.
fn in_order(closed: &Closed) -> impl Iterator<Item = &Step> {
    Server::ALL.iter().flat_map(|server| {
        closed
            .steps
            .iter()
            .filter(move |step| step.server == *server)
    })
}

fn steps(closed: &Closed) -> String {
    let heads = [
        "server",
        "connections",
        "answers/s",
        "spread",
        "p50 ms",
        "p99 ms",
        "mean ms",
        "CPU µs",
        "Redis µs",
        "PostgreSQL µs",
        "busy",
        "KiB a connection",
        "refused",
        "time-outs",
        "sockets",
    ];
    let rows: Vec<Row> = in_order(closed).map(row).collect();
    let mut text = table(&heads, &rows);
    text.push_str(
        "\nMean: connections divided by the rate (Little's law), which counts those, too, who were not answered before the \
         step's end; p50 and p99 are of answers only. KiB: growth of the server's resident memory during the step, which is \
         less than a connection takes where memory of an earlier step is used again.\n",
    );
    text
}

fn row(step: &Step) -> Row {
    let errors = &step.errors;
    let shown = |value: f64| {
        if step.per_second > 0.0 {
            number(value)
        } else {
            "–".to_owned()
        }
    };
    vec![
        step.server.name().to_owned(),
        step.connections.to_string(),
        number(step.per_second),
        percent(step.spread),
        shown(step.p50_ms),
        shown(step.p99_ms),
        shown(step.mean_ms),
        shown(step.cpu_micros_each),
        shown(step.redis_micros_each),
        shown(step.postgres_micros_each),
        percent(step.busy),
        number(step.kib_each_connection),
        errors.status.to_string(),
        errors.timeout.to_string(),
        (errors.connect + errors.read + errors.write).to_string(),
    ]
}

/// A row for each comparison, a column for each number of connections.
fn ratios(closed: &Closed) -> String {
    let places: BTreeSet<usize> = closed.ratios.iter().map(|one| one.connections).collect();
    let mut kinds: Vec<(Compared, Server, Server)> = Vec::new();
    for one in &closed.ratios {
        let kind = (one.compared, one.server, one.than);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let found = |kind: (Compared, Server, Server), place: usize| {
        closed
            .ratios
            .iter()
            .find(|one| (one.compared, one.server, one.than) == kind && one.connections == place)
    };
    let rows = kinds.iter().map(|(compared, server, than)| {
        let what = match compared {
            Compared::Rate => "rate",
            Compared::P99 => "p99",
            Compared::Cpu => "CPU",
        };
        let mut row = vec![format!("{what}: {} ÷ {}", server.name(), than.name())];
        row.extend(places.iter().map(|place| {
            found((*compared, *server, *than), *place).map_or_else(|| "–".to_owned(), shown)
        }));
        row
    });
    let labels: Vec<String> = places.iter().map(usize::to_string).collect();
    let mut heads = vec!["ratio at connections"];
    heads.extend(labels.iter().map(String::as_str));
    let mut text = table(&heads, &rows.collect::<Vec<_>>());
    text.push_str(
        "\nMedians over rounds of the ratio within a round; in parentheses how far the rounds lie apart. CPU: the other's CPU time \
         for a request divided by ours, with Redis and PostgreSQL; more is better, and the generator is not in it.\n",
    );
    text
}

fn shown(one: &Ratio) -> String {
    match one.compared {
        Compared::Cpu => format!("{:.2}", one.ratio),
        Compared::Rate | Compared::P99 => {
            format!("{:.2} ({})", one.ratio, percent(one.spread))
        }
    }
}

fn lines(
    closed: &Closed,
    servers: &[Server],
    title: &str,
    unit: &str,
    of: fn(&Step) -> f64,
) -> String {
    let series = servers.iter().map(|server| {
        let steps = closed.steps.iter().filter(|step| step.server == *server);
        let points = steps.map(|step| (step.connections as f64, of(step)));
        (server.name().to_owned(), points.collect())
    });
    let lines = Lines {
        title,
        unit,
        across: "connections",
        series: series.collect(),
    };
    lines.svg()
}
