//! The text form of API keys: `ck_`, the key's public id, and a secret.
//!
//! `ck_<26 characters of the id>_<43 characters of base64url>`. The secret is 32 random bytes and
//! is shown once; the store keeps its SHA-256. A fast hash is right for a random secret: there is
//! nothing to guess, and a slow one would let anybody exhaust the server.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use corkboard_core::id::{ApiKeyId, Id};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// A presented or freshly made key.
pub struct ApiKeySecret {
    id: ApiKeyId,
    secret: [u8; 32],
}

/// The text is not an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key looks like ck_<id>_<secret>")]
pub struct ParseApiKeyError;

impl ApiKeySecret {
    /// Makes the secret for a new key.
    #[must_use]
    pub fn generate(id: ApiKeyId) -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system's random source works");
        Self { id, secret }
    }

    /// Reads a presented key.
    pub fn parse(text: &str) -> Result<Self, ParseApiKeyError> {
        let (id, secret) = text
            .strip_prefix("ck_")
            .and_then(|rest| rest.split_once('_'))
            .ok_or(ParseApiKeyError)?;
        let id = format!("{}_{id}", ApiKeyId::PREFIX)
            .parse()
            .map_err(|_| ParseApiKeyError)?;
        let secret = URL_SAFE_NO_PAD
            .decode(secret)
            .map_err(|_| ParseApiKeyError)?;
        let secret = secret.try_into().map_err(|_| ParseApiKeyError)?;
        Ok(Self { id, secret })
    }

    /// The public half.
    #[must_use]
    pub fn id(&self) -> ApiKeyId {
        self.id
    }

    /// What the store keeps.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// Whether this is the key whose hash was stored, in constant time.
    #[must_use]
    pub fn matches(&self, stored: &[u8; 32]) -> bool {
        self.hash().ct_eq(stored).into()
    }

    /// The whole key, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        let id = self.id.to_string();
        let digits = id.trim_start_matches("key_");
        format!("ck_{digits}_{}", URL_SAFE_NO_PAD.encode(self.secret))
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ck_{}_[redacted]", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::time::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn a_revealed_key_parses_back_and_matches_its_hash() {
        let key = ApiKeySecret::generate(ApiKeyId::generate(Timestamp::EPOCH));
        let again = ApiKeySecret::parse(&key.reveal()).unwrap();
        assert_eq!(again.id(), key.id());
        assert!(again.matches(&key.hash()));
        let other = ApiKeySecret::generate(key.id());
        assert!(!other.matches(&key.hash()));
        assert!(!format!("{key:?}").contains(&key.reveal()[30..]));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,100}") {
            let _ = ApiKeySecret::parse(&text);
        }
        #[test]
        fn nearly_a_key_never_panics(id in "[0-9a-z]{20,30}", secret in "[A-Za-z0-9_-]{40,46}") {
            let _ = ApiKeySecret::parse(&format!("ck_{id}_{secret}"));
        }
    }
}
