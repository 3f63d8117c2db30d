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
use corkboard_core::time::SharedClock;
use corkboard_core::user::UserId;
use corkboard_store::{ControlStore, StoreError};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::time::Instant;

use super::apps::Apps;
use super::claims::{Claims, Refusal, Times, addressed_app};
use super::crypto;
use super::known_app::KnownApp;
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
        if let Some(vouched) = self.remembered.get(&fingerprint, Instant::now()) {
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
    pub(crate) fn remembered(&self, token: &str, now: Instant) -> Option<Vouched> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let vouched = self.remembered.get(&fingerprint(token), now)?;
        let app = self.apps.at_hand(vouched.user().app, now)?;
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
                    let left = times.left(self.now(), self.leeway);
                    self.remembered.add(fingerprint, checked, left);
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
        let claims = Claims::signed(token, app, algorithm, key)?;
        let times = claims.times();
        self.check_times(times).map_err(Refusal::Claims)?;
        let user = UserId::parse(claims.sub)
            .map_err(|_| Refusal::Claims(TokenError::Invalid("'sub' is not a valid user id")))?;
        Ok((user, times))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of this era are exact in a double"
    )]
    fn now(&self) -> f64 {
        self.clock.now().as_seconds() as f64
    }

    fn check_times(&self, times: Times) -> Result<(), TokenError> {
        times.check(self.now(), self.leeway)
    }

    async fn app(&self, id: AppId) -> Result<Option<Arc<KnownApp>>, TokenError> {
        let read = async |known| {
            let found = self.control.find_app(id).await?;
            Ok(found.map(|app| KnownApp::renewed(known, &app)))
        };
        self.apps.get(id, read).await.map_err(TokenError::Store)
    }
}

#[cfg(test)]
mod tests;
