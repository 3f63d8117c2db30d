//! How a name is made that lies in another name's slot of a Cluster.
//!
//! A Cluster places a name by its *tag*: what is between its first brace and the next closing one, if
//! that is something, else the whole name. The names of hashes are others' choice, so they may have
//! braces of their own.

/// A name beside `name`, in its slot. `None`: there is no such name.
pub(super) fn beside(start: &str, name: &[u8]) -> Option<Vec<u8>> {
    let (tag, rest) = match tag(name) {
        Some(tag) => (tag, name),
        // Its first closing brace would end the tag too early.
        None if name.contains(&b'}') => return None,
        None => (name, &[][..]),
    };
    Some([start.as_bytes(), b"{", tag, b"}", rest].concat())
}

/// By what a Cluster places this name; `None`: by all of it.
fn tag(name: &[u8]) -> Option<&[u8]> {
    let begin = name.iter().position(|byte| *byte == b'{')? + 1;
    let length = name[begin..].iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &name[begin..begin + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed_by(name: &[u8]) -> &[u8] {
        tag(name).unwrap_or(name)
    }

    #[test]
    fn what_lies_beside_a_name_is_placed_by_the_same_as_the_name() {
        let names = [
            "a:7", "a:{x}", "a:{x}y", "a:{", "a:{{", "a:{{x}}", "{x}{y}", "a:{x",
        ];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let beside = beside("lease:", name.as_bytes()).expect(name);
            assert_eq!(placed_by(&beside), placed_by(name.as_bytes()), "{name}");
            assert!(seen.insert(beside), "{name}");
        }
        for name in ["a:}", "a:{}", "a:}{x"] {
            assert_eq!(beside("lease:", name.as_bytes()), None, "{name}");
        }
    }
}
