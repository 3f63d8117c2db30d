//! Sizes as people write them: `"2KiB"`, `"1MiB"`.

use serde::Serializer;

const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// A whole number with a unit of 1024's powers. `None` when it is not that.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = text.get(digits..)?;
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*bytes)
}

/// In the largest unit that keeps it whole.
pub(crate) fn print(bytes: u64) -> String {
    let fits = |(_, unit): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*unit);
    let (name, unit) = UNITS.iter().find(fits).unwrap_or(&("B", 1));
    format!("{}{name}", bytes / unit)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&print(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        assert_eq!(parse("2KiB"), Some(2_048));
        assert_eq!(parse("0B"), Some(0));
        for not_a_size in [
            "",
            "5",
            "MiB",
            "1 MiB",
            "1MB",
            "1.5MiB",
            "-1B",
            "99999999999GiB",
        ] {
            assert_eq!(parse(not_a_size), None, "{not_a_size}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(bytes in any::<u64>()) {
            prop_assert_eq!(parse(&print(bytes)), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
