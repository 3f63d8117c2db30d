//! When a campaign's cards expire: after a time, at a time, or at a wall-clock time of each user.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Longest life of a card. Keeps the number of live cohorts bounded.
pub const MAX_LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// The zones of the world lie within 14 hours of UTC; a wall-clock time is over everywhere then.
const WIDEST_OFFSET: Duration = Duration::from_secs(14 * 3_600);
/// From when a dispatch is planned until the last of its cards expires, at most: 90 days by any
/// user's clock.
pub const LONGEST: Duration = Duration::from_secs(MAX_LIFETIME.as_secs() + WIDEST_OFFSET.as_secs());

/// The rule that gives each card its expiry. Frozen in the dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ExpiryForm", into = "ExpiryForm")]
pub enum Expiry {
    /// So long after the dispatch was planned.
    Ttl(Duration),
    /// At one instant for everybody.
    At(Timestamp),
    /// When clocks in the user's zone (IANA name in the `time_zone` attribute, otherwise UTC) show
    /// this date and time.
    AtLocal(DateTime),
}

/// The JSON form: `{"ttl_seconds": n}` or `{"at": "…", "local_time": true}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpiryForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local_time: Option<bool>,
}

impl TryFrom<ExpiryForm> for Expiry {
    type Error = String;

    fn try_from(form: ExpiryForm) -> Result<Self, String> {
        match (form.ttl_seconds, form.at, form.local_time.unwrap_or(false)) {
            (Some(seconds), None, false) => {
                if seconds == 0 || seconds > MAX_LIFETIME.as_secs() {
                    return Err(format!(
                        "ttl_seconds must be 1 to {}",
                        MAX_LIFETIME.as_secs()
                    ));
                }
                Ok(Self::Ttl(Duration::from_secs(seconds)))
            }
            (None, Some(at), false) => at.parse().map(Self::At).map_err(|error| format!("{error}")),
            (None, Some(at), true) => civil(&at)
                .map(Self::AtLocal)
                .ok_or_else(|| format!("'{at}' is not a date and time like 2026-12-24T18:00:00")),
            _ => Err("expected either ttl_seconds, or at with an optional local_time".to_owned()),
        }
    }
}

/// The clock reading of a date and time; an offset behind it is allowed and does not count.
fn civil(text: &str) -> Option<DateTime> {
    let time_starts = text.find(['T', 't', ' '])?;
    let offset = text[time_starts..]
        .find(['Z', 'z', '+', '-'])
        .map(|place| time_starts + place);
    if offset.is_some() {
        text.parse::<jiff::Timestamp>().ok()?;
    }
    text[..offset.unwrap_or(text.len())].parse().ok()
}

impl From<Expiry> for ExpiryForm {
    fn from(expiry: Expiry) -> Self {
        let none = Self {
            ttl_seconds: None,
            at: None,
            local_time: None,
        };
        match expiry {
            Expiry::Ttl(ttl) => Self {
                ttl_seconds: Some(ttl.as_secs()),
                ..none
            },
            Expiry::At(at) => Self {
                at: Some(at.to_string()),
                ..none
            },
            Expiry::AtLocal(at) => Self {
                at: Some(at.to_string()),
                local_time: Some(true),
                ..none
            },
        }
    }
}

impl Expiry {
    /// When the card of a user in `zone` expires, for a dispatch planned at `planned_at`.
    #[must_use]
    pub fn expires_at(&self, planned_at: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Ttl(ttl) => planned_at.plus(*ttl),
            Self::At(at) => *at,
            Self::AtLocal(at) => local(*at, zone),
        }
    }

    /// The latest expiry that any user's card of the dispatch can have.
    #[must_use]
    pub fn latest(&self, planned_at: Timestamp) -> Timestamp {
        match self {
            Self::Ttl(_) | Self::At(_) => self.expires_at(planned_at, &TimeZone::UTC),
            Self::AtLocal(at) => local(*at, &TimeZone::UTC).plus(WIDEST_OFFSET),
        }
    }

    /// Whether every user's card expires at the same instant.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self, Self::AtLocal(_))
    }

    /// Why a dispatch planned at `planned_at` cannot use this rule, if so.
    #[must_use]
    pub fn problem(&self, planned_at: Timestamp) -> Option<&'static str> {
        let latest = self.latest(planned_at);
        if latest <= planned_at {
            Some("lies in the past")
        } else if latest > planned_at.plus(LONGEST) {
            Some("lies more than 90 days ahead")
        } else {
            None
        }
    }
}

/// The instant at which a clock in `zone` shows `at`. In a gap the later reading counts, in a fold
/// the earlier, as RFC 5545 has it.
fn local(at: DateTime, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_timestamp(at)
        .compatible()
        .map_or(Timestamp::from_micros(i64::MAX), Timestamp::from_jiff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: serde_json::Value) -> Result<Expiry, serde_json::Error> {
        serde_json::from_value(value)
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_ttl_counts_from_the_dispatch() {
        let expiry = parse(json!({"ttl_seconds": 60})).unwrap();
        let planned = time("2026-11-21T10:00:00Z");
        assert_eq!(expiry.latest(planned), time("2026-11-21T10:01:00Z"));
    }

    #[test]
    fn local_time_follows_the_users_zone() {
        for at in [
            "2026-12-24T18:00:00Z",
            "2026-12-24T18:00:00",
            "2026-12-24T18:00:00-05:00",
        ] {
            let expiry = parse(json!({"at": at, "local_time": true})).unwrap();
            let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
            assert_eq!(
                expiry.expires_at(Timestamp::EPOCH, &tokyo),
                time("2026-12-24T09:00:00Z")
            );
            for zone in ["Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"] {
                let zone = TimeZone::get(zone).unwrap();
                assert!(
                    expiry.expires_at(Timestamp::EPOCH, &zone) <= expiry.latest(Timestamp::EPOCH)
                );
            }
        }
    }

    #[test]
    fn half_given_or_doubled_rules_are_refused() {
        for value in [
            json!({}),
            json!({"ttl_seconds": 0}),
            json!({"ttl_seconds": 1, "at": "2026-12-24T18:00:00Z"}),
            json!({"at": "tomorrow"}),
            json!({"at": "2026-12-24T18:00:00"}),
            json!({"ttl_seconds": 7_776_001}),
            json!({"ttl_seconds": 5, "local_time": true}),
            json!({"at": "2026-12-24T99:00:00", "local_time": true}),
        ] {
            assert!(parse(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn the_json_form_survives_a_round_trip() {
        for value in [
            json!({"ttl_seconds": 60}),
            json!({"at": "2026-12-24T18:00:00Z"}),
            json!({"at": "2026-12-24T18:00:00", "local_time": true}),
        ] {
            assert_eq!(
                serde_json::to_value(parse(value.clone()).unwrap()).unwrap(),
                value
            );
        }
    }
}
