//! The time of a turn: read once for what an event loop does together.
//!
//! To ask for the time costs as much as a part of an answer does, and what needs it here (deadlines in
//! seconds, the `Date` header) does not need it to the microsecond. Elsewhere it is simply the time.

use std::cell::Cell;
use std::marker::PhantomData;

use tokio::time::Instant;

thread_local! {
    static TIME: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What time it is, or was when the turn that this thread is in began.
pub(crate) fn time() -> Instant {
    TIME.get().unwrap_or_else(Instant::now)
}

/// A turn of this thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// It belongs to its thread.
    _here: PhantomData<*const ()>,
}

impl Turn {
    pub(crate) fn begin() -> Self {
        let turn = Self { _here: PhantomData };
        turn.goes_on();
        turn
    }

    /// Time has passed since it began.
    pub(crate) fn goes_on(&self) {
        TIME.set(Some(Instant::now()));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TIME.set(None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_in_a_turn_until_it_goes_on() {
        let before = time();
        let turn = Turn::begin();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(time(), before);
        turn.goes_on();
        assert_eq!(time(), before + Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(turn);
        assert_eq!(time(), before + Duration::from_secs(2));
    }
}
