//! What a token claims: read before its signature to find the app, trusted only after it.

use std::time::Duration;

use corkboard_core::id::AppId;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::token::TokenError;

#[derive(Deserialize)]
struct Unverified {
    aud: Audience,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Whose keys to check with.
pub(super) fn addressed_app(token: &str) -> Result<AppId, TokenError> {
    let claims: Unverified = jsonwebtoken::dangerous::insecure_decode_claims(token)
        .map_err(|_| TokenError::Invalid("the token needs 'sub', 'exp' and 'aud'"))?;
    let audience = match claims.aud {
        Audience::One(one) => one,
        Audience::Several(mut several) if several.len() == 1 => several.remove(0),
        Audience::Several(_) => return Err(TokenError::Invalid("'aud' must name one app")),
    };
    audience
        .parse()
        .map_err(|_| TokenError::Invalid("'aud' must be the id of an app"))
}

/// What the app's key vouches for. Whether it is so at this time is to be looked at.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    /// `NumericDate`: seconds, possibly with a fraction.
    exp: f64,
    nbf: Option<f64>,
}

/// Why a key does not vouch for a token.
pub(super) enum Refusal {
    /// Another key may fit.
    Signature,
    /// The signature fits, the claims do not.
    Claims(TokenError),
}

impl Claims {
    /// Those of a token that the key has signed for the app.
    pub(super) fn signed(
        token: &str,
        app: AppId,
        algorithm: Algorithm,
        key: &DecodingKey,
    ) -> Result<Self, Refusal> {
        let mut validation = Validation::new(algorithm);
        // Times are checked against the clock that everything else goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp", "sub", "aud"]);
        validation.set_audience(&[app]);
        let decoded = jsonwebtoken::decode::<Self>(token, key, &validation);
        let decoded = decoded.map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature | ErrorKind::Provider(_) => Refusal::Signature,
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Refusal::Claims(
                TokenError::Invalid("the token needs 'sub', 'exp' and 'aud'"),
            ),
            _ => Refusal::Claims(TokenError::Invalid("the token is malformed")),
        })?;
        Ok(decoded.claims)
    }

    pub(super) fn times(&self) -> Times {
        Times {
            exp: self.exp,
            nbf: self.nbf,
        }
    }
}

/// From when and until when a token is good, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    pub(super) exp: f64,
    pub(super) nbf: Option<f64>,
}

impl Times {
    /// Whether it is good `now`, in seconds; the app's clock may be off by `leeway`.
    pub(super) fn check(self, now: f64, leeway: Duration) -> Result<(), TokenError> {
        let leeway = leeway.as_secs_f64();
        // NaN and infinities cannot come out of JSON; absurd values compare as they are.
        if self.exp + leeway <= now {
            return Err(TokenError::Expired);
        }
        match self.nbf {
            Some(from) if from - leeway > now => {
                Err(TokenError::Invalid("the token is not valid yet"))
            }
            _ => Ok(()),
        }
    }

    /// How long it is good from `now` on.
    pub(super) fn left(self, now: f64, leeway: Duration) -> Duration {
        let left = self.exp + leeway.as_secs_f64() - now;
        Duration::try_from_secs_f64(left.max(0.0)).unwrap_or(Duration::MAX)
    }
}
