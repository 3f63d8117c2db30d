//! The part about the spike: what each of its parts has measured.

mod crowd;
mod overload;
mod pair;

use std::path::Path;

use crate::failure::Result;
use crate::spike::Spike;

pub(super) fn section(spike: &Spike, folder: &Path) -> Result<String> {
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
    if let Some(part) = &spike.overload {
        text.push_str(&overload::section(part, folder)?);
    }
    if let Some(part) = &spike.crowd {
        text.push_str(&crowd::section(part, folder)?);
    }
    if let Some(part) = &spike.pair {
        text.push_str(&pair::section(part, folder)?);
    }
    Ok(text)
}
