//! Signature checks for user tokens by `ring`, in the form that `jsonwebtoken` asks for.
//!
//! `jsonwebtoken` reads tokens and leaves the arithmetic to a provider. Its own two are not for us:
//! one compiles a second C library, the other has an open timing advisory in its RSA. Only the
//! four algorithms that apps may use are here, and no JWK functions: nothing calls them.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::{hmac, signature as rings};
use signature::{Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the provider known to `jsonwebtoken`; may be called any number of times.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // A failure means that somebody installed one before; the checks then still work, with theirs.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let bytes = key.try_get_as_bytes()?;
    let public = |check: &'static dyn rings::VerificationAlgorithm| -> Box<dyn JwtVerifier> {
        let key = rings::UnparsedPublicKey::new(check, bytes.to_vec());
        Box::new(PublicKey {
            algorithm: *algorithm,
            key,
        })
    };
    Ok(match algorithm {
        Algorithm::ES256 => public(&rings::ECDSA_P256_SHA256_FIXED),
        Algorithm::EdDSA => public(&rings::ED25519),
        Algorithm::RS256 => public(&rings::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::HS256 => Box::new(Secret(hmac::Key::new(hmac::HMAC_SHA256, bytes))),
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    })
}

/// Only HS256 is signed here: the demo makes tokens, everybody else signs on their own server.
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Secret(hmac::Key::new(
            hmac::HMAC_SHA256,
            key.as_bytes(),
        )))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct PublicKey {
    algorithm: Algorithm,
    key: rings::UnparsedPublicKey<Vec<u8>>,
}

impl Verifier<Vec<u8>> for PublicKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.key
            .verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for PublicKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

struct Secret(hmac::Key);

impl Verifier<Vec<u8>> for Secret {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Secret {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Signer<Vec<u8>> for Secret {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Secret {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
