//! Attributes as `jsonb` and back, without a number changing on the way.
//!
//! `jsonb` keeps numbers as decimals and forgets how they were written: 1e18 would come back as an
//! integer, and be compared as another number than the double that it was. So doubles are written
//! out: whole ones with all their digits and `.0`, the others as short as they can be.

use std::io;

use corkboard_core::user::Attributes;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::error::{Result, StoreError};

/// A double as a decimal that compares with others, and with integers, as the double does.
pub(super) fn decimal(number: f64) -> String {
    if number.fract() == 0.0 {
        format!("{number:.1}")
    } else {
        // The shortest decimal that reads back as this double lies between the same neighbours.
        format!("{number}")
    }
}

struct Exact;

impl Formatter for Exact {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(decimal(value).as_bytes())
    }
}

/// As they are stored.
pub(super) fn write(attributes: &Attributes) -> Result<String> {
    let mut text = Vec::with_capacity(256);
    let mut serializer = Serializer::with_formatter(&mut text, Exact);
    let refuse = |source: crate::error::BoxError| StoreError::Corrupt {
        what: "user on its way in",
        source,
    };
    attributes
        .serialize(&mut serializer)
        .map_err(|error| refuse(error.into()))?;
    String::from_utf8(text).map_err(|error| refuse(error.into()))
}

/// From what is stored.
pub(super) fn read(text: &str) -> Result<Attributes> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
        what: "user",
        source: error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn doubles_are_told_from_integers() {
        let cases = [
            (1.0, "1.0"),
            (1e18, "1000000000000000000.0"),
            (0.1, "0.1"),
            (-2.5e-7, "-0.00000025"),
            (9_223_372_036_854_774_784.0, "9223372036854774784.0"),
        ];
        for (number, expected) in cases {
            assert_eq!(decimal(number), expected);
        }
    }

    proptest! {
        #[test]
        fn every_double_reads_back_as_itself(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            let mut attributes = Attributes::new();
            attributes.insert("a".to_owned(), Value::from(number));
            prop_assert_eq!(read(&write(&attributes).unwrap()).unwrap(), attributes);
        }
    }
}
