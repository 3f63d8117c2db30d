//! Sealing secrets before they are stored: AES-256-GCM, under a key that the database does not have.
//!
//! What is sealed is bound to its workspace, its name and its hosts. So whoever can write to the
//! database, but has no key, cannot move a secret into another workspace, and cannot have it sent to
//! a host of their own.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use corkboard_core::id::{Id as _, WorkspaceId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::Secret;

/// Changes with what is authenticated beside the secret.
const PURPOSE: &[u8] = b"corkboard credential 1";
const KEY_BYTES: usize = 32;
const LONGEST_ID: usize = 64;

/// Why something is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("there is no key; write ID:KEY, where KEY is 32 random bytes in base64")]
    None,
    #[error("key {0} is not of the form ID:KEY")]
    Form(usize),
    #[error("the id of key {0} is not 1 to 64 letters, digits, '-', '_' or '.'")]
    Id(usize),
    #[error("key '{0}' is not 32 bytes in base64")]
    Bytes(String),
    #[error("there are two keys '{0}'")]
    Twice(String),
}

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("the credential was sealed with the key '{0}', which is not configured")]
    UnknownKey(String),
    #[error("the credential cannot be opened: it was changed, or sealed with another key '{0}'")]
    Refused(String),
    #[error("the system gives no random numbers")]
    NoRandom,
}

/// A secret as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key.
    pub key: String,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({})", self.key)
    }
}

/// The keys of an installation. The first one seals, any of them opens.
pub struct Vault {
    newest: Key,
    older: Vec<Key>,
}

struct Key {
    id: String,
    key: LessSafeKey,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.keys().map(|key| key.id.as_str());
        f.debug_list().entries(ids).finish()
    }
}

impl Vault {
    /// From entries like `2026-11:<32 bytes in base64>`, the newest first.
    ///
    /// # Errors
    /// Without repeating anything that may be part of a key.
    pub fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::with_capacity(entries.len());
        for (number, entry) in (1..).zip(entries) {
            let key = Key::read(entry.as_ref().trim(), number)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(KeyError::Twice(key.id));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let newest = keys.next().ok_or(KeyError::None)?;
        Ok(Self {
            newest,
            older: keys.collect(),
        })
    }

    /// An entry with a key that nobody else has.
    ///
    /// # Errors
    /// `NoRandom`.
    pub fn generate(id: &str) -> Result<String, VaultError> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| VaultError::NoRandom)?;
        Ok(format!("{id}:{}", STANDARD.encode(bytes)))
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn newest(&self) -> &str {
        &self.newest.id
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// Seals a secret of this workspace, name and hosts.
    ///
    /// # Errors
    /// `NoRandom`.
    pub fn seal(
        &self,
        workspace: WorkspaceId,
        name: &str,
        hosts: &[String],
        secret: &Secret,
    ) -> Result<Sealed, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::NoRandom)?;
        let Key { id, key } = &self.newest;
        let refused = || VaultError::Refused(id.clone());
        let mut content = serde_json::to_vec(secret).map_err(|_| refused())?;
        let bound = Aad::from(bound(workspace, name, hosts));
        let number = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(number, bound, &mut content)
            .map_err(|_| refused())?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut content);
        Ok(Sealed {
            key: id.clone(),
            bytes,
        })
    }

    /// Opens what was sealed for this workspace, name and hosts.
    ///
    /// # Errors
    /// `UnknownKey`, or `Refused` for anything else than what was sealed.
    pub fn open(
        &self,
        workspace: WorkspaceId,
        name: &str,
        hosts: &[String],
        sealed: &Sealed,
    ) -> Result<Secret, VaultError> {
        let found = self.keys().find(|key| key.id == sealed.key);
        let Key { id, key } = found.ok_or_else(|| VaultError::UnknownKey(sealed.key.clone()))?;
        let refused = || VaultError::Refused(id.clone());
        let (nonce, content) = sealed
            .bytes
            .split_first_chunk::<NONCE_LEN>()
            .ok_or_else(refused)?;
        let mut content = content.to_vec();
        let bound = Aad::from(bound(workspace, name, hosts));
        let number = Nonce::assume_unique_for_key(*nonce);
        let opened = key.open_in_place(number, bound, &mut content);
        serde_json::from_slice(opened.map_err(|_| refused())?).map_err(|_| refused())
    }
}

impl Key {
    fn read(entry: &str, number: usize) -> Result<Self, KeyError> {
        let (id, key) = entry.split_once(':').ok_or(KeyError::Form(number))?;
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_fine) {
            return Err(KeyError::Id(number));
        }
        let alphabets = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
        let bytes = alphabets.iter().find_map(|base64| base64.decode(key).ok());
        let wrong = || KeyError::Bytes(id.to_owned());
        let key = UnboundKey::new(&AES_256_GCM, &bytes.ok_or_else(wrong)?);
        Ok(Self {
            id: id.to_owned(),
            key: LessSafeKey::new(key.map_err(|_| wrong())?),
        })
    }
}

/// What a secret is bound to. Every part says how long it is, so that none can be read as another.
fn bound(workspace: WorkspaceId, name: &str, hosts: &[String]) -> Vec<u8> {
    let mut bytes = [PURPOSE, &workspace.to_bytes()].concat();
    for part in std::iter::once(name).chain(hosts.iter().map(String::as_str)) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
