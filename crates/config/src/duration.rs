//! Times as people write them: `"250ms"`, `"30s"`, `"1h30m"`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serializer;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Whole numbers with units, one after the other. `None` when it is not that, or too long to count.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = rest.get(..unit_end)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
        rest = rest.get(unit_end..)?;
    }
    (!text.is_empty()).then_some(Duration::from_millis(total))
}

/// In the largest unit that keeps it whole.
pub(crate) fn print(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| millis != 0 && millis.is_multiple_of(*unit);
    let (name, unit) = UNITS.iter().find(fits).unwrap_or(&("s", 1_000));
    let mut text = String::new();
    let _infallible = write!(text, "{}{name}", millis / unit);
    text
}

pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&print(*duration))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_numbers_with_units() {
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        for not_a_time in [
            "",
            "30",
            "s",
            "30 s",
            "-1s",
            "1.5s",
            "1w",
            "1S",
            "99999999999999999999d",
        ] {
            assert_eq!(parse(not_a_time), None, "{not_a_time}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(millis in 0_u64..=u64::MAX / 2) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&print(duration)), Some(duration));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
