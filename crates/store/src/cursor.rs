//! Where a page of a list ended: the time and the id of its last item, as opaque text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use corkboard_core::time::Timestamp;

use crate::error::{Result, StoreError};
use crate::page::{MAX_PAGE, Page, PageRequest};

/// The key that newest-first lists are ordered by. `N` bytes of id break ties of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<const N: usize> {
    pub(crate) at: Timestamp,
    pub(crate) id: [u8; N],
}

impl<const N: usize> Place<N> {
    /// Later than every item: where the first page begins.
    const START: Self = Self {
        at: Timestamp::EPOCH,
        id: [u8::MAX; N],
    };

    /// Where the wanted page begins, exclusively.
    pub(crate) fn before(page: &PageRequest) -> Result<Self> {
        let Some(text) = &page.after else {
            return Ok(Self {
                at: Timestamp::from_micros(i64::MAX),
                ..Self::START
            });
        };
        Self::decode(text).ok_or(StoreError::BadCursor)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (at, id) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            at: Timestamp::from_micros(i64::from_be_bytes(*at)),
            id: id.try_into().ok()?,
        })
    }

    fn encode(self) -> String {
        let bytes = [&self.at.as_micros().to_be_bytes(), self.id.as_slice()].concat();
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// How many rows to ask for: one more than the page holds tells whether there is another.
pub(crate) fn rows_wanted(page: &PageRequest) -> i64 {
    i64::from(page.limit.clamp(1, MAX_PAGE)) + 1
}

/// Of a list in the order of names: the name behind which the wanted page begins; empty for the
/// first one, and names are not.
pub(crate) fn name_before(page: &PageRequest) -> Result<String> {
    let Some(text) = &page.after else {
        return Ok(String::new());
    };
    let name = URL_SAFE_NO_PAD.decode(text).ok();
    name.and_then(|name| String::from_utf8(name).ok())
        .filter(|name| !name.is_empty() && !name.contains('\0'))
        .ok_or(StoreError::BadCursor)
}

/// [`cut`] for a list in the order of names.
pub(crate) fn cut_by_name<T>(
    items: Vec<T>,
    page: &PageRequest,
    name: impl Fn(&T) -> &str,
) -> Page<T> {
    keep(items, page, |item| URL_SAFE_NO_PAD.encode(name(item)))
}

/// [`cut`] for rows that are told apart by a number beside the item.
pub(crate) fn cut_numbered<T>(
    rows: Vec<(i64, T)>,
    page: &PageRequest,
    at: impl Fn(&T) -> Timestamp,
) -> Page<T> {
    let page = cut(rows, page, |(number, item)| Place {
        at: at(item),
        id: number.to_be_bytes(),
    });
    Page {
        items: page.items.into_iter().map(|(_, item)| item).collect(),
        next: page.next,
    }
}

/// Cuts what was read to the page's size; the last item kept says where the next page begins.
pub(crate) fn cut<T, const N: usize>(
    items: Vec<T>,
    page: &PageRequest,
    place: impl Fn(&T) -> Place<N>,
) -> Page<T> {
    keep(items, page, |item| place(item).encode())
}

fn keep<T>(mut items: Vec<T>, page: &PageRequest, cursor: impl Fn(&T) -> String) -> Page<T> {
    let limit = page.limit.clamp(1, MAX_PAGE) as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text_form() {
        let place = Place {
            at: Timestamp::from_seconds(1_795_255_200),
            id: *b"0123456789abcdef",
        };
        assert_eq!(Place::decode(&place.encode()), Some(place));
    }

    #[test]
    fn unreadable_and_foreign_texts_are_refused() {
        let short = Place {
            at: Timestamp::EPOCH,
            id: [0; 8],
        };
        for text in ["", "!", "AAAA", &short.encode()] {
            let page = PageRequest {
                limit: 1,
                after: Some(text.to_owned()),
            };
            let refused = Place::<16>::before(&page);
            assert!(matches!(refused, Err(StoreError::BadCursor)), "{text}");
        }
    }
}
