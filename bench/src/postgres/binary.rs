//! Rows as PostgreSQL's binary `COPY` takes them, in chunks: the fastest way in from outside.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// PostgreSQL counts microseconds from 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// One row being written.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    buffer: &'a mut BytesMut,
}

impl Row<'_> {
    pub(crate) fn int2(&mut self, value: i16) -> &mut Self {
        self.buffer.put_i32(2);
        self.buffer.put_i16(value);
        self
    }

    pub(crate) fn int4(&mut self, value: i32) -> &mut Self {
        self.buffer.put_i32(4);
        self.buffer.put_i32(value);
        self
    }

    /// Microseconds since 1970.
    pub(crate) fn time(&mut self, micros: i64) -> &mut Self {
        self.buffer.put_i32(8);
        self.buffer.put_i64(micros - EPOCH_MICROS);
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        // A value of 2 GiB or more is never written here.
        self.buffer
            .put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.buffer.put_slice(value);
        self
    }

    pub(crate) fn jsonb(&mut self, text: &str) -> &mut Self {
        let length = text.len() + 1;
        self.buffer
            .put_i32(i32::try_from(length).unwrap_or(i32::MAX));
        self.buffer.put_u8(1);
        self.buffer.put_slice(text.as_bytes());
        self
    }
}

/// An iterator of chunks that writes each item as a row.
#[derive(Debug)]
pub(crate) struct BinaryRows<I, W> {
    items: I,
    columns: i16,
    write: W,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Begin,
    Rows,
    Done,
}

impl<I, W> BinaryRows<I, W>
where
    I: Iterator,
    W: FnMut(&mut Row<'_>, I::Item),
{
    pub(crate) fn new(columns: i16, items: I, write: W) -> Self {
        Self {
            items,
            columns,
            write,
            state: State::Begin,
        }
    }
}

impl<I, W> Iterator for BinaryRows<I, W>
where
    I: Iterator,
    W: FnMut(&mut Row<'_>, I::Item),
{
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        const CHUNK: usize = 256 * 1024;
        if self.state == State::Done {
            return None;
        }
        let mut buffer = BytesMut::with_capacity(CHUNK + 4096);
        if self.state == State::Begin {
            buffer.put_slice(HEADER);
            self.state = State::Rows;
        }
        while buffer.len() < CHUNK {
            let Some(item) = self.items.next() else {
                buffer.put_i16(-1);
                self.state = State::Done;
                break;
            };
            buffer.put_i16(self.columns);
            (self.write)(
                &mut Row {
                    buffer: &mut buffer,
                },
                item,
            );
        }
        Some(buffer.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_are_as_the_protocol_says() {
        let rows = BinaryRows::new(2, [7_i16].into_iter(), |row, number| {
            row.int2(number).bytes(b"ab");
        });
        let all: Vec<u8> = rows.flatten().collect();
        let mut expected = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        expected.extend([0, 2, 0, 0, 0, 2, 0, 7, 0, 0, 0, 2, b'a', b'b', 0xff, 0xff]);
        assert_eq!(all, expected);
    }

    proptest! {
        #[test]
        fn every_row_is_written_once_whatever_the_chunks(count in 0_usize..60_000) {
            let rows = BinaryRows::new(1, 0..count, |row, _| { row.int4(1); });
            let bytes: usize = rows.map(|chunk| chunk.len()).sum();
            prop_assert_eq!(bytes, HEADER.len() + count * (2 + 4 + 4) + 2);
        }
    }
}
