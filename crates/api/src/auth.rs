//! Who is asking: API keys of workspaces and tokens of users.

mod api_key;
mod apps;
mod crypto;
mod remembered;
mod token;

pub use api_key::{ApiKeySecret, ParseApiKeyError};
pub use token::{
    TokenError, TokenKeyError, TokenVerifier, VerifiedUser, check_token_key, sign_hs256,
};
