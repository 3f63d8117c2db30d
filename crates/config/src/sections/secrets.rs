//! `[secrets]`: the keys that seal stored credentials.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::reader::Section;
use crate::tree::Value;

/// Where the keys are. Without any, credentials can be neither stored nor used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretsConfig {
    /// The newest first, each as `ID:KEY`.
    pub keys: Vec<SecretKey>,
    /// A file with further ones, one a line, which come after those in `keys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

/// A key as it is written, `ID:KEY`. Shown without the key.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub String);

impl SecretKey {
    fn id(&self) -> &str {
        self.0.split_once(':').map_or("", |(id, _)| id)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.id())
    }
}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:***", self.id()))
    }
}

impl SecretsConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        let key = |value: &Value| match value {
            Value::Text(text) => Some(SecretKey(text.clone())),
            _ => None,
        };
        let key_file = section.optional_text("key_file");
        Self {
            keys: section.list("keys", "keys such as \"2026-11:…\"", key),
            key_file: key_file.filter(|path| !path.is_empty()).map(PathBuf::from),
        }
    }
}
