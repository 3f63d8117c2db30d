//! What was written, as messages repeat it: short, on one line, and a URL not at all.

/// Longer values are cut in messages.
const SHOWN_CHARS: usize = 60;

/// In quotes.
pub(super) fn shown(text: &str) -> String {
    // A URL under the wrong key may hold a password as well.
    if text.contains("://") {
        return "what is written (a URL)".to_owned();
    }
    format!("\"{}\"", shown_bare(text))
}

/// Without quotes: for a key.
pub(super) fn shown_bare(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars
        .by_ref()
        .take(SHOWN_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
