//! A value as the machine handles it: 16 bytes, copied freely, owning nothing.
//!
//! Strings, lists and maps are coordinates into an [`Arena`](crate::arena::Arena): the template's
//! constants, the render's own heap, or the data of the render. So nothing is cloned to be read, a
//! paused machine borrows from nobody, and dropping any of it never recurses.
//!
//! Values are copied all the time, so their parts are words of 32 bits: with a tag of a byte, or a store of
//! 16 bits, the compiler copies them in odd pieces, and the processor waits for each to be put together.

/// Which arena a coordinate points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Store(pub(crate) u32);

impl Store {
    /// Constants of the template, beginning with its source.
    pub(crate) const TEMPLATE: Self = Self(0);
    /// Values computed by this render.
    pub(crate) const HEAP: Self = Self(1);
    /// The first layer of data; in arenas that are shared, also "the arena this value lies in".
    pub(crate) const DATA: Self = Self(2);

    /// Whether values that lie in it say for themselves where they point; those of shared arenas point
    /// into their own.
    #[inline]
    pub(crate) fn is_absolute(self) -> bool {
        self == Self::HEAP || self == Self::TEMPLATE
    }
}

/// A string: bytes `start..start + len` of an arena's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) store: Store,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Text {
    pub(crate) const EMPTY: Self = Self {
        store: Store::TEMPLATE,
        start: 0,
        len: 0,
    };
}

/// A run of list items or map entries of an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seq {
    pub(crate) store: Store,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Seq {
    pub(crate) const EMPTY: Self = Self {
        store: Store::TEMPLATE,
        start: 0,
        len: 0,
    };
}

/// A running `for` loop as `forloop` sees it. The serial tells a finished loop from its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoopRef {
    pub(crate) depth: u32,
    pub(crate) serial: u32,
}

#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text),
    List(Seq),
    Map(Seq),
    /// Index into the heap's ranges; never expanded unless a filter asks for a list.
    Range(u32),
    /// The literal `empty`.
    Empty,
    /// The literal `blank`.
    Blank,
    Loop(LoopRef),
}

impl Value {
    /// Only `nil` and `false` are not true.
    pub(crate) fn is_truthy(self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// A value read out of a shared arena, seen from outside of it.
    #[inline]
    pub(crate) fn seen_from(&self, store: Store) -> Self {
        match *self {
            Self::Text(text) => Self::Text(Text { store, ..text }),
            Self::List(seq) => Self::List(Seq { store, ..seq }),
            Self::Map(seq) => Self::Map(Seq { store, ..seq }),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_two_words() {
        assert_eq!(size_of::<Value>(), 16);
        assert_eq!(size_of::<Option<Value>>(), 16);
    }
}
