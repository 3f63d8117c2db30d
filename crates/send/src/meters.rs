//! The pipeline's numbers. Labels are enums: their values are bounded.

use std::time::Duration;

use corkboard_core::dispatch::{Shape, SkipReason, Tally};
use metrics::{counter, describe_counter, describe_histogram, histogram};

const CARDS: &str = "corkboard_send_cards_total";
const SKIPPED: &str = "corkboard_send_skipped_total";
const PAGE: &str = "corkboard_send_page_seconds";
const PUT_ASIDE: &str = "corkboard_send_put_aside_total";
const CHUNKS: &str = "corkboard_send_chunks_total";

/// How a worker and a chunk parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkOutcome {
    /// Every user of it has been dealt with.
    Finished,
    /// Another worker has claimed it meanwhile.
    Fenced,
    /// Its dispatch was stopped.
    Stopped,
    /// Given back, to be tried again.
    Retried,
    /// Given up, and its dispatch with it.
    Failed,
    /// Given back because this process is leaving.
    HandedBack,
    /// Given back until its cards' fetches may be tried again.
    PutAside,
}

impl ChunkOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Fenced => "fenced",
            Self::Stopped => "stopped",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::HandedBack => "handed_back",
            Self::PutAside => "put_aside",
        }
    }
}

pub(crate) fn describe() {
    describe_counter!(CARDS, "cards written, by shape");
    describe_counter!(SKIPPED, "targeted users who got no card, by reason");
    describe_histogram!(
        PAGE,
        metrics::Unit::Seconds,
        "time from reading a page to its checkpoint"
    );
    describe_counter!(
        PUT_ASIDE,
        "times that a card was put aside until a fetch may be tried again"
    );
    describe_counter!(CHUNKS, "chunks that workers are done with, by outcome");
}

pub(crate) fn cards(shape: Shape, inserted: u64) {
    counter!(CARDS, "shape" => shape.as_str()).increment(inserted);
}

/// Counts the skips of a tally that has been committed.
pub(crate) fn skipped(tally: &Tally) {
    for (reason, count) in &tally.skipped {
        counter!(SKIPPED, "reason" => reason_name(*reason)).increment(*count);
    }
}

/// As in the `skipped` of a dispatch.
fn reason_name(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::AlreadyReceived => "already_received",
        SkipReason::NotYetReeligible => "not_yet_reeligible",
        SkipReason::NotInAudience => "not_in_audience",
        SkipReason::Aborted => "aborted",
        SkipReason::FetchFailed => "fetch_failed",
        SkipReason::RenderFailed => "render_failed",
        SkipReason::CardTooLarge => "card_too_large",
        SkipReason::Expired => "expired",
        SkipReason::Erased => "erased",
    }
}

pub(crate) fn put_aside() {
    counter!(PUT_ASIDE).increment(1);
}

pub(crate) fn page(elapsed: Duration) {
    histogram!(PAGE).record(elapsed);
}

pub(crate) fn chunk(outcome: ChunkOutcome) {
    counter!(CHUNKS, "outcome" => outcome.as_str()).increment(1);
}
