//! A key of the tiers: bytes, near if they are few and shared otherwise.
//!
//! A map that is asked at the rate of a spike is not in any of the processor's caches, and every place of
//! memory that has to be fetched for a look costs more than the look's arithmetic. So a key of the length
//! that keys have lies in the map itself.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Longest key that lies where it is kept: a workspace's id and a user's, or the fingerprint of a token.
const NEAR: usize = 46;

/// What a value is found by. Cheap to clone.
#[derive(Clone)]
pub struct Key(Place);

#[derive(Clone)]
enum Place {
    Near { len: u8, bytes: [u8; NEAR] },
    Far(Arc<[u8]>),
}

impl Key {
    /// The bytes themselves.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Near { len, bytes } => &bytes[..usize::from(*len)],
            Place::Far(bytes) => bytes,
        }
    }

    /// One after the other, without a place of their own for both.
    #[must_use]
    pub fn joined(first: &[u8], second: &[u8]) -> Self {
        let len = first.len() + second.len();
        let mut bytes = [0; NEAR];
        let (Some(near), Ok(len)) = (bytes.get_mut(..len), u8::try_from(len)) else {
            return Self(Place::Far([first, second].concat().into()));
        };
        let (one, other) = near.split_at_mut(first.len());
        one.copy_from_slice(first);
        other.copy_from_slice(second);
        Self(Place::Near { len, bytes })
    }

    /// Bytes that it takes elsewhere.
    pub(crate) fn far_bytes(&self) -> usize {
        match &self.0 {
            Place::Near { .. } => 0,
            Place::Far(bytes) => bytes.len(),
        }
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self::joined(bytes, &[])
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

/// As its bytes are hashed, by which it is looked for.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// Keys hold users' ids: logs get their length only.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.as_bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn short_and_long_keys_are_found_by_their_bytes() {
        let bytes = |len: usize| (0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>();
        let mut map = HashMap::new();
        for len in 0..300_usize {
            let bytes = bytes(len);
            let key = Key::from(bytes.as_slice());
            assert_eq!(key.as_bytes(), bytes);
            let (first, second) = bytes.split_at(len / 3);
            assert_eq!(key, Key::joined(first, second));
            assert_eq!(key.far_bytes(), if len > NEAR { len } else { 0 });
            map.insert(key, len);
        }
        for len in 0..300 {
            assert_eq!(map.get(bytes(len).as_slice()), Some(&len));
        }
    }

    #[test]
    fn a_key_is_as_small_as_its_longest_near_bytes_allow() {
        assert_eq!(size_of::<Key>(), 48);
        assert_eq!(size_of::<Option<Key>>(), 48);
    }

    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let (short, long) = (Key::from(vec![1; 50]), Key::from(vec![2; 2]));
        assert!(short < long);
        assert_eq!(format!("{short:?}"), "Key(50 bytes)");
    }
}
