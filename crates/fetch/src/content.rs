//! The body of a response while it arrives: counted, bounded, and unpacked where it is packed.
//!
//! The bound holds for what arrives and for what comes out of it. A packed body may also not be more
//! than a hundred times what arrived, so that a bomb is noticed long before the bound.

use std::io::{self, Write};

use flate2::write::GzDecoder;

/// Honest texts can be packed very tightly while they are short.
const FREE: usize = 64 * 1024;
const MOST_TIMES: u64 = 100;

/// Why a body cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoiled {
    TooLong,
    /// Grows too much when unpacked.
    Bomb,
    /// Is not what it says it is.
    Unreadable,
}

/// What came out so far.
#[derive(Debug)]
struct Bounded {
    content: Vec<u8>,
    limit: usize,
    arrived: u64,
    spoiled: Option<Spoiled>,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let length = self.content.len() + piece.len();
        self.spoiled = if length > self.limit {
            Some(Spoiled::TooLong)
        } else if length > FREE && length as u64 > MOST_TIMES * self.arrived {
            Some(Spoiled::Bomb)
        } else {
            None
        };
        if self.spoiled.is_some() {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.content.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
enum Form {
    Plain(Bounded),
    Gzip(Box<GzDecoder<Bounded>>),
}

#[derive(Debug)]
pub(crate) struct Content {
    form: Form,
    arrived: u64,
    limit: usize,
}

impl Content {
    /// A body of at most `limit` bytes, arriving as it is or packed with gzip.
    pub(crate) fn new(gzip: bool, limit: usize) -> Self {
        let bounded = Bounded {
            content: Vec::new(),
            limit,
            arrived: 0,
            spoiled: None,
        };
        let form = if gzip {
            Form::Gzip(Box::new(GzDecoder::new(bounded)))
        } else {
            Form::Plain(bounded)
        };
        Self {
            form,
            arrived: 0,
            limit,
        }
    }

    pub(crate) fn take(&mut self, data: &[u8]) -> Result<(), Spoiled> {
        self.arrived += data.len() as u64;
        if self.arrived > self.limit as u64 {
            return Err(Spoiled::TooLong);
        }
        match &mut self.form {
            Form::Plain(bounded) => bounded.content.extend_from_slice(data),
            Form::Gzip(decoder) => {
                decoder.get_mut().arrived = self.arrived;
                let unpacked = decoder.write_all(data);
                unpacked.map_err(|_| reason(decoder.get_ref()))?;
            }
        }
        Ok(())
    }

    /// All of it, when it has ended.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Spoiled> {
        match self.form {
            Form::Plain(bounded) => Ok(bounded.content),
            // Nothing at all is nothing, however it was to be packed.
            Form::Gzip(_) if self.arrived == 0 => Ok(Vec::new()),
            Form::Gzip(mut decoder) => {
                let ended = decoder.try_finish();
                ended.map_err(|_| reason(decoder.get_ref()))?;
                Ok(std::mem::take(&mut decoder.get_mut().content))
            }
        }
    }
}

fn reason(bounded: &Bounded) -> Spoiled {
    bounded.spoiled.unwrap_or(Spoiled::Unreadable)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1024 * 1024;

    fn pack(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: &[u8], piece: usize) -> Result<Vec<u8>, Spoiled> {
        let mut content = Content::new(true, LIMIT);
        for part in packed.chunks(piece) {
            content.take(part)?;
        }
        content.finish()
    }

    #[test]
    fn a_bomb_is_noticed_before_it_goes_off() {
        let bomb = pack(&vec![b'0'; 24 * LIMIT]);
        for piece in [1, 7, 4_096, usize::MAX] {
            let mut content = Content::new(true, LIMIT);
            let spoiled = bomb.chunks(piece).find_map(|part| content.take(part).err());
            // In one piece so much arrives at once that the bound comes first.
            let expected = if piece == usize::MAX {
                Spoiled::TooLong
            } else {
                Spoiled::Bomb
            };
            assert_eq!(spoiled, Some(expected), "{piece}");
            let Form::Gzip(decoder) = &content.form else {
                panic!("packed")
            };
            assert!(decoder.get_ref().content.capacity() <= 2 * LIMIT);
        }
    }

    #[test]
    fn honest_bodies_pass_up_to_the_limit() {
        let short = vec![b'a'; FREE];
        assert_eq!(unpack(&pack(&short), 10).unwrap(), short);
        // Digits in no order pack about two to one.
        let mut state = 1_u32;
        let text: Vec<u8> = (0..LIMIT)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b'0' + (state >> 24) as u8 % 10
            })
            .collect();
        assert_eq!(unpack(&pack(&text), 1_000).unwrap(), text);
        let long = [text.as_slice(), b"x"].concat();
        assert_eq!(unpack(&pack(&long), 1_000), Err(Spoiled::TooLong));
        assert_eq!(unpack(&[], 1).unwrap(), b"");
    }

    #[test]
    fn what_is_cut_damaged_or_followed_by_more_is_unreadable() {
        let good = pack(b"{\"a\":1}");
        for length in 1..good.len() {
            assert_eq!(
                unpack(&good[..length], 3),
                Err(Spoiled::Unreadable),
                "{length}"
            );
        }
        let mut damaged = good.clone();
        let crc = damaged.len() - 6;
        damaged[crc] ^= 1;
        assert_eq!(unpack(&damaged, 100), Err(Spoiled::Unreadable));
        let twice = [good.clone(), good].concat();
        assert_eq!(unpack(&twice, 100), Err(Spoiled::Unreadable));
        assert_eq!(unpack(b"plain text", 100), Err(Spoiled::Unreadable));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_none_pass_the_limit(
            packed in proptest::collection::vec(any::<u8>(), 0..500),
            piece in 1_usize..100,
        ) {
            if let Ok(content) = unpack(&packed, piece) {
                prop_assert!(content.len() <= LIMIT);
            }
            let mut behind_a_head = pack(b"")[..10].to_vec();
            behind_a_head.extend_from_slice(&packed);
            let _ = unpack(&behind_a_head, piece);
        }

        #[test]
        fn what_was_packed_comes_out(content in proptest::collection::vec(any::<u8>(), 0..5_000), piece in 1_usize..200) {
            prop_assert_eq!(unpack(&pack(&content), piece), Ok(content));
        }
    }
}
