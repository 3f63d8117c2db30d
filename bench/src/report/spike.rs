//! The spike has a page of its own; the report has its goals and the ladder.

mod closed;
mod crowd;
mod outage;
mod overload;
mod pair;
mod story;

use std::path::Path;

use super::heading;
use crate::failure::{Result, While as _};
use crate::results::Results;
use crate::spike::Spike;

const PAGE: &str = "spike.md";

/// Writes the page, and gives what the report says of it.
pub(super) fn section(results: &Results<Spike>, folder: &Path) -> Result<String> {
    let details = details(&results.rows, folder)?;
    let page = format!(
        "# The spike\n\nEverybody asks at once: one machine under 500 to 15,000 connections, Corkboard beside what one would build \
         otherwise. How to read it is in [../README.md](../README.md).\n{}{details}",
        heading("How it was measured", results)
    );
    let path = folder.join(PAGE);
    std::fs::write(&path, page).at(&path)?;
    let mut text = heading("The spike", results);
    text.push_str(&format!("\nAll steps and plots: [{PAGE}]({PAGE}).\n\n"));
    let verdicts = details
        .lines()
        .filter(|line| line.starts_with("- Goal: ") || line.contains("was not measured**"));
    verdicts.for_each(|line| text.push_str(&format!("{line}\n")));
    if results.rows.closed.is_some() {
        text.push_str(&format!("\n![{}]({})\n", story::TITLE, story::FILE));
    }
    Ok(text)
}

fn details(spike: &Spike, folder: &Path) -> Result<String> {
    let mut text = format!(
        "\n{} keys; an answer of an origin has {} bytes, a feed {}.\n",
        spike.keys, spike.value_bytes, spike.feed_bytes
    );
    for failed in &spike.failed {
        text.push_str(&format!(
            "\n**{} was not measured**: {}\n",
            failed.part, failed.why
        ));
    }
    if let Some(part) = &spike.closed {
        text.push_str(&closed::section(part, folder)?);
    }
    if let Some(part) = &spike.overload {
        text.push_str(&overload::section(part, folder)?);
    }
    if let Some(part) = &spike.outage {
        text.push_str(&outage::section(part, folder)?);
    }
    if let Some(part) = &spike.crowd {
        text.push_str(&crowd::section(part, folder)?);
    }
    if let Some(part) = &spike.pair {
        text.push_str(&pair::section(part, folder)?);
    }
    Ok(text)
}
