//! What processes tell each other: a kind, the sender, and keys with their lengths or free bytes.

use crate::key::Key;

const QUIET: u8 = b'q';
const LOUD: u8 = b'l';
const TOLD: u8 = b't';
const EVERYTHING: u8 = b'e';
const HEAD: usize = 9;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    Voided { keys: Vec<Key>, loud: bool },
    Told(&'a [u8]),
    Everything,
}

fn head(kind: u8, from: u64, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + room);
    bytes.push(kind);
    bytes.extend_from_slice(&from.to_be_bytes());
    bytes
}

pub(super) fn voided(from: u64, keys: &[Key], loud: bool) -> Vec<u8> {
    let mut bytes = head(if loud { LOUD } else { QUIET }, from, keys.len() * 48);
    for key in keys {
        let key = key.as_bytes();
        bytes.extend_from_slice(&(key.len() as u32).to_be_bytes());
        bytes.extend_from_slice(key);
    }
    bytes
}

pub(super) fn told(from: u64, what: &[u8]) -> Vec<u8> {
    let mut bytes = head(TOLD, from, what.len());
    bytes.extend_from_slice(what);
    bytes
}

pub(super) fn everything(from: u64) -> Vec<u8> {
    head(EVERYTHING, from, 0)
}

/// The sender and what it says; `None` for what is no message of ours.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, Message<'_>)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (kind, from) = head.split_first()?;
    let from = u64::from_be_bytes(from.try_into().ok()?);
    let message = match *kind {
        TOLD => Message::Told(rest),
        EVERYTHING => Message::Everything,
        QUIET | LOUD => Message::Voided {
            keys: keys(rest)?,
            loud: *kind == LOUD,
        },
        _ => return None,
    };
    Some((from, message))
}

fn keys(mut bytes: &[u8]) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        keys.push(Key::from(key));
        bytes = rest;
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(names in proptest::collection::vec(any::<Vec<u8>>(), 0..5), loud: bool, from: u64) {
            let keys: Vec<Key> = names.into_iter().map(Key::from).collect();
            let bytes = voided(from, &keys, loud);
            prop_assert_eq!(read(&bytes), Some((from, Message::Voided { keys, loud })));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
