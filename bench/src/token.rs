//! User tokens, signed here as an app's own server would: HS256 with the app's secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use corkboard_core::time::{Clock as _, SystemClock};
use ring::hmac;
use serde_json::json;

/// Longer than any run.
const LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// Signs tokens for the users of one app.
#[derive(Debug)]
pub(crate) struct Signer {
    key: hmac::Key,
    app: String,
    expires_at: i64,
}

impl Signer {
    pub(crate) fn new(secret: &[u8], app: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            app: app.to_owned(),
            expires_at: SystemClock.now().as_seconds() + LIFETIME_SECONDS,
        }
    }

    /// A token for this user.
    pub(crate) fn token(&self, user: &str) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        // The user first, which is what differs: near the middle of a request (see `wrk::script`).
        let claims = format!(
            r#"{{"sub":{},"aud":{},"exp":{}}}"#,
            json!(user),
            json!(self.app),
            self.expires_at
        );
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let signed = format!("{header}.{claims}");
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_over_its_header_and_claims() {
        let secret = [7_u8; 32];
        let token = Signer::new(&secret, "app_1").token("ada");
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(hmac::verify(&key, signed.as_bytes(), &signature).is_ok());
        let claims = URL_SAFE_NO_PAD
            .decode(signed.split('.').nth(1).unwrap())
            .unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (claims["sub"].as_str(), claims["aud"].as_str()),
            (Some("ada"), Some("app_1"))
        );
    }
}
