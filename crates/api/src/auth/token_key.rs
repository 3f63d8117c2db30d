//! Keys that tokens are signed and checked with, and which of them will do.

use corkboard_core::id::AppId;
use corkboard_core::tenancy::{MIN_SECRET_BYTES, TokenAlgorithm, TokenKey};
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};

use super::crypto;

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

/// The key as signatures are checked with it, and for which algorithm.
pub(super) fn decoding_key(key: &TokenKey) -> Result<(Algorithm, DecodingKey), TokenKeyError> {
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
