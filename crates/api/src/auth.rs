//! Who is asking: API keys of workspaces and tokens of users.

mod api_key;
mod apps;
mod claims;
mod crypto;
mod known_app;
mod remembered;
mod token;
mod token_key;

pub use api_key::{ApiKeySecret, ParseApiKeyError};
pub use token::{TokenError, TokenVerifier, VerifiedUser};
pub use token_key::{TokenKeyError, check_token_key, sign_hs256};
