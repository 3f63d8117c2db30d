//! User tokens: who reads a feed, vouched for by an app's key.
//!
//! A token is a JWT whose `aud` is one app's id, `sub` the user's id, and which has an `exp`. The
//! app's keys decide the algorithm; what the token's header says must be one of theirs. Apps are
//! remembered for a few seconds, so a replaced key is gone everywhere within [`super::apps::LIFETIME`], and
//! with it every [remembered](super::remembered) token that it had vouched for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use corkboard_core::id::{AppId, WorkspaceId};
use corkboard_core::tenancy::{App, MIN_SECRET_BYTES, TokenAlgorithm, TokenKey};
use corkboard_core::time::{SharedClock, Timestamp};
use corkboard_core::user::UserId;
use corkboard_store::{ControlStore, StoreError};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;

use super::apps::Apps;
use super::crypto;
use super::remembered::{Checked, Remembered, Vouched, fingerprint};

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The reader of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedUser {
    pub workspace: WorkspaceId,
    pub app: AppId,
    pub user: UserId,
}

/// Why a token was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("the token has expired; get a new one from the app's server")]
    Expired,
    #[error("the app's keys could not be read")]
    Store(#[source] StoreError),
}

/// Why a key cannot verify tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenKeyError {
    #[error(
        "not a public key in PEM form that tokens can be checked with: give one on P-256 (ES256), \
         Ed25519 (EdDSA), or RSA of 2048 to 8192 bits (RS256)"
    )]
    NotAKey(TokenAlgorithm),
    #[error("the secret has {0} bytes; it needs at least {MIN_SECRET_BYTES}")]
    SecretTooShort(usize),
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// `NumericDate`: seconds, possibly with a fraction.
    exp: f64,
    nbf: Option<f64>,
}

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

/// An app as it was when it was read. The same object as long as nothing about it changes.
pub(super) struct KnownApp {
    workspace: WorkspaceId,
    keys: Vec<(Algorithm, DecodingKey)>,
    /// What `keys` were made of.
    stored: Vec<TokenKey>,
}

/// From when and until when a token is good, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    pub(super) exp: f64,
    pub(super) nbf: Option<f64>,
}

/// Checks user tokens.
pub struct TokenVerifier {
    control: Arc<dyn ControlStore>,
    clock: SharedClock,
    leeway: Duration,
    apps: Apps<Arc<KnownApp>>,
    remembered: Remembered,
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("leeway", &self.leeway)
            .finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// `leeway` is how far the app's clock may be off; `memory` the bytes for checked tokens.
    #[must_use]
    pub fn new(
        control: Arc<dyn ControlStore>,
        clock: SharedClock,
        leeway: Duration,
        memory: usize,
    ) -> Self {
        crypto::install();
        Self {
            control,
            clock,
            leeway,
            apps: Apps::default(),
            remembered: Remembered::new(memory),
        }
    }

    /// The user that the token vouches for.
    pub async fn verify(&self, token: &str) -> Result<VerifiedUser, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid("the token is longer than 8 KiB"));
        }
        let fingerprint = fingerprint(token);
        if let Some(vouched) = self.remembered.get(&fingerprint) {
            let app = self.app(vouched.0.user.app).await?;
            if let Some(answer) = self.recall(&fingerprint, &vouched, app.as_ref()) {
                return answer;
            }
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| TokenError::Invalid("the token is not a JWT with a known algorithm"))?;
        // RFC 7515: an extension that must be understood and is not makes the token invalid.
        if header.crit.is_some() {
            return Err(TokenError::Invalid(
                "the token's header has 'crit': no extensions are understood",
            ));
        }
        let app_id = addressed_app(token)?;
        let app = self.app(app_id).await?;
        let app = app.ok_or(TokenError::Invalid("'aud' must be the id of an app"))?;
        self.check_all(token, &fingerprint, header.alg, app_id, &app)
    }

    /// The user of a token that was checked before and is good now, if nothing has to be asked or
    /// checked to say so.
    pub(crate) fn remembered(&self, token: &str) -> Option<Vouched> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let vouched = self.remembered.get(&fingerprint(token))?;
        let app = self.apps.at_hand(vouched.user().app)?;
        let good = Arc::ptr_eq(&app, &vouched.0.app) && self.check_times(vouched.0.times).is_ok();
        good.then_some(vouched)
    }

    /// What a remembered token is worth now; `None` when it has to be checked again.
    fn recall(
        &self,
        fingerprint: &[u8; 32],
        vouched: &Vouched,
        app: Option<&Arc<KnownApp>>,
    ) -> Option<Result<VerifiedUser, TokenError>> {
        let checked = &vouched.0;
        if !app.is_some_and(|app| Arc::ptr_eq(app, &checked.app)) {
            self.remembered.forget(fingerprint);
            return None;
        }
        let times = self.check_times(checked.times);
        Some(times.map(|()| checked.user.clone()))
    }

    /// Tries the app's keys, and remembers the token that one of them fits.
    fn check_all(
        &self,
        token: &str,
        fingerprint: &[u8; 32],
        algorithm: Algorithm,
        app_id: AppId,
        app: &Arc<KnownApp>,
    ) -> Result<VerifiedUser, TokenError> {
        let mut known = app
            .keys
            .iter()
            .filter(|(known, _)| *known == algorithm)
            .peekable();
        if known.peek().is_none() {
            return Err(TokenError::Invalid(
                "the app has no key for the token's algorithm",
            ));
        }
        let mut last = TokenError::Invalid("the signature does not match any of the app's keys");
        for (algorithm, key) in known {
            match self.check(token, app_id, *algorithm, key) {
                Ok((user, times)) => {
                    metrics::counter!("corkboard_api_tokens_checked_total").increment(1);
                    let user = VerifiedUser {
                        workspace: app.workspace,
                        app: app_id,
                        user,
                    };
                    let checked = Checked {
                        user: user.clone(),
                        times,
                        app: Arc::clone(app),
                    };
                    self.remembered.add(fingerprint, checked, self.left(times));
                    return Ok(user);
                }
                Err(Refusal::Signature) => {}
                Err(Refusal::Claims(error)) => last = error,
            }
        }
        Err(last)
    }

    fn check(
        &self,
        token: &str,
        app: AppId,
        algorithm: Algorithm,
        key: &DecodingKey,
    ) -> Result<(UserId, Times), Refusal> {
        let mut validation = Validation::new(algorithm);
        // Times are checked below, against the clock that everything else goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp", "sub", "aud"]);
        validation.set_audience(&[app]);
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|error| {
            use jsonwebtoken::errors::ErrorKind;
            match error.kind() {
                ErrorKind::InvalidSignature | ErrorKind::Provider(_) => Refusal::Signature,
                ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Refusal::Claims(
                    TokenError::Invalid("the token needs 'sub', 'exp' and 'aud'"),
                ),
                _ => Refusal::Claims(TokenError::Invalid("the token is malformed")),
            }
        })?;
        let Claims { sub, exp, nbf } = claims.claims;
        let times = Times { exp, nbf };
        self.check_times(times).map_err(Refusal::Claims)?;
        let user = UserId::parse(sub)
            .map_err(|_| Refusal::Claims(TokenError::Invalid("'sub' is not a valid user id")))?;
        Ok((user, times))
    }

    /// How long a token is good from now on.
    fn left(&self, times: Times) -> Duration {
        let left = times.exp + self.leeway.as_secs_f64() - self.now();
        Duration::try_from_secs_f64(left.max(0.0)).unwrap_or(Duration::MAX)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of this era are exact in a double"
    )]
    fn now(&self) -> f64 {
        self.clock.now().as_seconds() as f64
    }

    fn check_times(&self, times: Times) -> Result<(), TokenError> {
        let (leeway, now) = (self.leeway.as_secs_f64(), self.now());
        // NaN and infinities cannot come out of JSON; absurd values compare as they are.
        if times.exp + leeway <= now {
            return Err(TokenError::Expired);
        }
        match times.nbf {
            Some(from) if from - leeway > now => {
                Err(TokenError::Invalid("the token is not valid yet"))
            }
            _ => Ok(()),
        }
    }

    async fn app(&self, id: AppId) -> Result<Option<Arc<KnownApp>>, TokenError> {
        let read = async |known| {
            let found = self.control.find_app(id).await?;
            Ok(found.map(|app| KnownApp::renewed(known, &app)))
        };
        self.apps.get(id, read).await.map_err(TokenError::Store)
    }
}

enum Refusal {
    /// Another key may fit.
    Signature,
    /// The signature fits, the claims do not.
    Claims(TokenError),
}

impl From<&App> for KnownApp {
    fn from(app: &App) -> Self {
        // A key that cannot be read was refused when the app was created; here it fits nothing.
        let keys = app
            .keys
            .iter()
            .filter_map(|key| decoding_key(key).ok())
            .collect();
        Self {
            workspace: app.workspace,
            keys,
            stored: app.keys.clone(),
        }
    }
}

impl KnownApp {
    /// What was known, if the app is still that; else the app as it is now.
    fn renewed(known: Option<Arc<Self>>, app: &App) -> Arc<Self> {
        let same = |known: &Arc<Self>| known.workspace == app.workspace && known.stored == app.keys;
        known
            .filter(same)
            .unwrap_or_else(|| Arc::new(Self::from(app)))
    }
}

/// Whose keys to check with. Read before the signature, trusted only after it.
fn addressed_app(token: &str) -> Result<AppId, TokenError> {
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

fn decoding_key(key: &TokenKey) -> Result<(Algorithm, DecodingKey), TokenKeyError> {
    let not_a_key = |_| TokenKeyError::NotAKey(key.algorithm);
    Ok(match key.algorithm {
        TokenAlgorithm::Es256 => (
            Algorithm::ES256,
            DecodingKey::from_ec_pem(&key.material).map_err(not_a_key)?,
        ),
        TokenAlgorithm::EdDsa => (
            Algorithm::EdDSA,
            DecodingKey::from_ed_pem(&key.material).map_err(not_a_key)?,
        ),
        TokenAlgorithm::Rs256 => (
            Algorithm::RS256,
            DecodingKey::from_rsa_pem(&key.material).map_err(not_a_key)?,
        ),
        TokenAlgorithm::Hs256 => (Algorithm::HS256, DecodingKey::from_secret(&key.material)),
    })
}

/// The key that `material` holds: a public key in PEM form, whose kind says the algorithm.
///
/// Fails when it is none of the three kinds, of a size that is never accepted, or a private key by
/// mistake.
pub fn check_token_key(pem: &[u8]) -> Result<TokenKey, TokenKeyError> {
    let private = pem.windows(8).any(|window| window == b" PRIVATE");
    for algorithm in [
        TokenAlgorithm::Es256,
        TokenAlgorithm::EdDsa,
        TokenAlgorithm::Rs256,
    ] {
        let key = TokenKey {
            algorithm,
            material: pem.to_vec(),
        };
        if !private && decoding_key(&key).is_ok_and(|(_, key)| is_usable(algorithm, &key)) {
            return Ok(key);
        }
    }
    Err(TokenKeyError::NotAKey(TokenAlgorithm::Es256))
}

/// Whether signatures can be checked with a key of this size: a point of P-256, uncompressed; a
/// point of Ed25519; a modulus of 2048 to 8192 bits with its exponent and their DER headers.
fn is_usable(algorithm: TokenAlgorithm, key: &DecodingKey) -> bool {
    key.try_get_as_bytes().is_ok_and(|bytes| match algorithm {
        TokenAlgorithm::Es256 => bytes.len() == 65 && bytes.first() == Some(&4),
        TokenAlgorithm::EdDsa => bytes.len() == 32,
        TokenAlgorithm::Rs256 => (256 + 8..=1024 + 32).contains(&bytes.len()),
        TokenAlgorithm::Hs256 => true,
    })
}

/// Signs a token with an HS256 secret. Apps sign on their own servers; this is for the demo.
pub fn sign_hs256(
    secret: &[u8],
    app: AppId,
    user: &UserId,
    expires_at: Timestamp,
) -> Result<String, TokenKeyError> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(TokenKeyError::SecretTooShort(secret.len()));
    }
    crypto::install();
    let claims = serde_json::json!({ "sub": user, "aud": app, "exp": expires_at.as_seconds() });
    jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(secret),
    )
    .map_err(|_| TokenKeyError::SecretTooShort(secret.len()))
}

#[cfg(test)]
mod tests;
