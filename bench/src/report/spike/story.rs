//! The ladder beside the figures of the story that it is taken from.

use std::path::Path;

use crate::failure::Result;
use crate::plot::Rungs;
use crate::report::plot;
use crate::spike::{Closed, Server};

/// What was told: 15,000 users for five minutes, 255,000 requests. On other machines, over a network,
/// by users who think between requests; so it is drawn, and nothing is divided by it.
const TOLD: (&str, f64) = ("the story: 15,000 users", 255_000.0 / 300.0);
const KINDS: [&str; 4] = ["told", "the ladder", "nginx", "corkboard"];
pub(super) const FILE: &str = "spike-ladder.svg";
pub(super) const TITLE: &str = "The ladder at the most connections";

pub(super) fn drawn(closed: &Closed, folder: &Path) -> Result<String> {
    let most = closed.steps.iter().map(|step| step.connections).max();
    let most = most.unwrap_or_default();
    let mut rungs = vec![(TOLD.0.to_owned(), TOLD.1, 0)];
    for server in Server::ALL {
        let mut steps = closed.steps.iter();
        let step = steps.find(|step| step.server == server && step.connections == most);
        if let Some(step) = step {
            rungs.push((server.name().to_owned(), step.per_second, kind(server)));
        }
    }
    let drawing = Rungs {
        title: &format!("{TITLE}: {most}"),
        unit: "answers/s",
        kinds: KINDS.to_vec(),
        rungs,
    };
    let mut text = plot(folder, FILE, TITLE, &drawing.svg())?;
    text.push_str(
        "\nThe story told: an endpoint that failed with 600 ms an answer, then ran out of database connections; with Redis behind a \
         well-chosen server, 10,000 users at 34 ms on average, and 15,000 users for five minutes: 255,000 requests (850 a second) \
         at 1.4 s on average. Its users think between requests, its machines were others: these figures are drawn beside ours, \
         no ratio is taken.\n",
    );
    Ok(text)
}

fn kind(server: Server) -> usize {
    match server {
        _ if Server::LADDER.contains(&server) => 1,
        _ if server.is_ours() => 3,
        _ => 2,
    }
}
