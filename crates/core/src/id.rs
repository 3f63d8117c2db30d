//! Typed, prefixed identifiers: 128 bits, printed as `<prefix>_<26 characters of base 32>`.
//!
//! Random ids are UUID version 7 (time-ordered), so that rows written together lie together. Some
//! ids are derived instead (see [`crate::identity`]): a retry must arrive at the same id. The text
//! form is Crockford's base 32 in lower case, most significant digit first, so text order is byte
//! order. Parsing checks the prefix: a campaign id never passes for a card id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {kind}: expected '{prefix}_' and 26 characters of 0-9 a-z")]
pub struct ParseIdError {
    pub kind: &'static str,
    pub prefix: &'static str,
    /// The offending text, cut to a printable length.
    pub text: String,
}

/// What all id types share, so that storage code can be written once.
pub trait Id: Copy + Eq + Ord + fmt::Display + fmt::Debug + FromStr<Err = ParseIdError> {
    /// The part before the underscore.
    const PREFIX: &'static str;
    /// The 16 bytes as stored.
    fn to_bytes(self) -> [u8; 16];
    /// From the 16 bytes as stored.
    fn from_bytes(bytes: [u8; 16]) -> Self;
}

pub(crate) fn encode(prefix: &str, bytes: [u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let value = u128::from_be_bytes(bytes);
    let mut text = [0_u8; DIGITS];
    for (place, digit) in text.iter_mut().enumerate() {
        let shift = 5 * (DIGITS - 1 - place);
        *digit = ALPHABET[((value >> shift) & 31) as usize];
    }
    let digits = std::str::from_utf8(&text).map_err(|_| fmt::Error)?;
    write!(f, "{prefix}_{digits}")
}

pub(crate) fn decode(
    kind: &'static str,
    prefix: &'static str,
    text: &str,
) -> Result<[u8; 16], ParseIdError> {
    let refuse = || ParseIdError {
        kind,
        prefix,
        text: text.chars().take(64).collect(),
    };
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or_else(refuse)?;
    if digits.len() != DIGITS {
        return Err(refuse());
    }
    let mut value: u128 = 0;
    for (place, byte) in digits.bytes().enumerate() {
        let digit = ALPHABET
            .iter()
            .position(|known| *known == byte)
            .ok_or_else(refuse)?;
        // 26 digits hold 130 bits: the first one may only use its low three.
        if place == 0 && digit > 7 {
            return Err(refuse());
        }
        value = (value << 5) | digit as u128;
    }
    Ok(value.to_be_bytes())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new time-ordered id. Ids made in one millisecond differ in 74 random bits.
            #[must_use]
            pub fn generate(now: Timestamp) -> Self {
                let mut random = [0_u8; 10];
                // Without entropy there is no safe way on; the system source does not fail once
                // a process is up.
                getrandom::fill(&mut random).expect("the system's random source works");
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(*uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().as_bytes())
            }
        }

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            fn to_bytes(self) -> [u8; 16] { self.0 }
            fn from_bytes(bytes: [u8; 16]) -> Self { Self(bytes) }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { encode($prefix, self.0, f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { encode($prefix, self.0, f) }
        }
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> { decode($kind, $prefix, text).map(Self) }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A tenant. Everything else belongs to exactly one workspace.
    WorkspaceId = "ws", "workspace id";
    /// An app or site of a workspace; user tokens are issued for one app.
    AppId = "app", "app id";
    /// The public half of an API key.
    ApiKeyId = "key", "API key id";
    /// A campaign.
    CampaignId = "cmp", "campaign id";
    /// One frozen sending of a campaign: a launch, a trigger, or the answer to an event.
    DispatchId = "dsp", "dispatch id";
    /// One card of one user (or, for a broadcast, of everybody).
    CardId = "crd", "card id";
    /// One tracked user event, so that a repeated report counts once.
    EventId = "evt", "event id";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_keeps_byte_order() {
        let low = CardId::from_bytes([0; 16]);
        let high = CardId::from_bytes([0xff; 16]);
        assert_eq!(low.to_string(), "crd_00000000000000000000000000");
        assert_eq!(high.to_string(), "crd_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        for id in [low, high] {
            assert_eq!(id.to_string().parse::<CardId>(), Ok(id));
        }
        assert!(low.to_string() < high.to_string());
    }

    #[test]
    fn another_kind_of_id_is_refused() {
        let campaign = CampaignId::generate(Timestamp::from_millis(1_700_000_000_000));
        let error = campaign
            .to_string()
            .parse::<CardId>()
            .expect_err("prefix differs");
        assert!(error.to_string().contains("card id"), "{error}");
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in [
            "",
            "crd_",
            "crd",
            "crd_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "crd_0000000000000000000000000O",
            "CRD_00000000000000000000000000",
            "crd_000000000000000000000000000",
        ] {
            assert!(text.parse::<CardId>().is_err(), "{text}");
        }
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = DispatchId::generate(Timestamp::from_millis(1_000));
        let late = DispatchId::generate(Timestamp::from_millis(2_000));
        assert!(early < late);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_refused_or_comes_back_as_it_was(text in "(crd_)?[0-9a-z]{20,30}|\\PC{0,40}") {
            if let Ok(id) = text.parse::<CardId>() {
                proptest::prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
