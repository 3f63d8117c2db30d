//! Tenants and their credentials: workspaces, apps, API keys, scopes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, AppId, WorkspaceId};
use crate::time::Timestamp;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    pub id: WorkspaceId,
    /// Unique per installation, 1 to 128 bytes.
    pub name: String,
    pub created_at: Timestamp,
}

/// Most keys an app may have at a time, so that keys can be rotated without a gap.
pub const MAX_APP_KEYS: usize = 3;
/// Shortest secret for HS256, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;

/// Signature algorithm of user tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TokenAlgorithm {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "HS256")]
    Hs256,
}

impl TokenAlgorithm {
    /// As a token's header names it (RFC 7518).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }
}

/// A key that verifies an app's user tokens. A key has one algorithm; the token does not choose.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKey {
    pub algorithm: TokenAlgorithm,
    /// Public key as PEM (SubjectPublicKeyInfo), or the secret's raw bytes for HS256.
    pub material: Vec<u8>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// An app or site whose users read feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub id: AppId,
    pub workspace: WorkspaceId,
    pub name: String,
    /// 1 to [`MAX_APP_KEYS`] keys, any of which may verify a token.
    pub keys: Vec<TokenKey>,
    pub created_at: Timestamp,
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What an API key may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Scope { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Scope {
            /// All scopes: what a key gets unless it is limited.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The scope's name, as given to `key create --scopes`.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}

scopes! {
    /// Track attributes and events; erase users.
    UsersWrite = "users:write",
    /// Read users and their cards.
    UsersRead = "users:read",
    /// Create, change and delete campaigns and content blocks; remove cards.
    CampaignsWrite = "campaigns:write",
    /// Read campaigns, content blocks, statistics, dispatches, explanations; preview.
    CampaignsRead = "campaigns:read",
    /// Launch and stop campaigns.
    CampaignsLaunch = "campaigns:launch",
    /// Trigger API campaigns.
    CampaignsTrigger = "campaigns:trigger",
    /// Read the connected-content call log.
    FetchesRead = "fetches:read",
    /// Store, replace and delete credentials of connected content.
    CredentialsWrite = "credentials:write",
    /// Read the names and hosts of credentials; nobody reads what is secret of them.
    CredentialsRead = "credentials:read",
}

/// The text names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a scope; known are users:write, users:read, campaigns:write, campaigns:read, campaigns:launch, campaigns:trigger, fetches:read, credentials:write, credentials:read"
)]
pub struct ParseScopeError(pub String);

impl FromStr for Scope {
    type Err = ParseScopeError;
    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| ParseScopeError(text.chars().take(64).collect()))
    }
}

/// An API key as stored: never the secret, only its hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub workspace: WorkspaceId,
    /// SHA-256 of the secret part. The secret has 256 random bits: a slow hash would add nothing
    /// but a way to exhaust the server.
    pub secret_hash: [u8; 32],
    pub scopes: Vec<Scope>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
