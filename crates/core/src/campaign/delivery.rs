//! What sets a campaign off: a launch, an API call, or an event.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::time::Timestamp;

/// What sets a campaign off. JSON: `{"kind": "launch", "at": …}`, `{"kind": "api"}`,
/// `{"kind": "event", "event": "name"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "DeliveryForm")]
pub enum Delivery {
    /// A launch, at once or at a time.
    Launch { at: Option<Timestamp> },
    /// Only calls that name the recipients.
    Api,
    /// A user's event of this name, for that user.
    Event { event: String },
}

impl Default for Delivery {
    fn default() -> Self {
        Self::Launch { at: None }
    }
}

impl Delivery {
    /// The event that sets the campaign off, if one does.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::Event { event } => Some(event),
            Self::Launch { .. } | Self::Api => None,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Launch,
    Api,
    Event,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliveryForm {
    kind: Kind,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(default)]
    event: Option<String>,
}

impl TryFrom<DeliveryForm> for Delivery {
    type Error = String;

    fn try_from(form: DeliveryForm) -> Result<Self, String> {
        match (form.kind, form.at, form.event) {
            (Kind::Launch, at, None) => Ok(Self::Launch { at }),
            (Kind::Api, None, None) => Ok(Self::Api),
            (Kind::Event, None, Some(event)) => Ok(Self::Event { event }),
            (Kind::Event, _, None) => {
                Err("kind 'event' needs 'event', the event's name".to_owned())
            }
            (Kind::Launch | Kind::Api, _, Some(_)) => {
                Err("'event' goes with kind 'event' only".to_owned())
            }
            (Kind::Api | Kind::Event, Some(_), _) => {
                Err("'at' goes with kind 'launch' only".to_owned())
            }
        }
    }
}

impl Serialize for Delivery {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Launch { at } => {
                map.serialize_entry("kind", "launch")?;
                map.serialize_entry("at", at)?;
            }
            Self::Api => map.serialize_entry("kind", "api")?,
            Self::Event { event } => {
                map.serialize_entry("kind", "event")?;
                map.serialize_entry("event", event)?;
            }
        }
        map.end()
    }
}
