//! Whether a client has what it asks for already: `If-None-Match`, read the same way by every role and on
//! both ways.

/// Whether the lists of one or more header lines name the entity tag, quotes included. Weak comparison, as
/// RFC 9110 has it for reading.
pub fn names_tag<'v>(lists: impl IntoIterator<Item = &'v [u8]>, etag: &str) -> bool {
    lists.into_iter().any(|list| {
        list.split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_listed_tag_or_a_star_matches() {
        let names = |lists: &[&'static [u8]]| names_tag(lists.iter().copied(), "\"b\"");
        assert!(names(&[b"\"a\", W/\"b\""]));
        assert!(names(&[b"\"a\"", b"\"b\""]));
        assert!(names(&[b"*"]));
        assert!(!names(&[b"\"a\""]));
        assert!(!names(&[b"b"]));
        assert!(!names(&[]));
    }
}
