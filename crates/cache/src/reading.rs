//! One reads for all who want the same thing, where it is kept elsewhere and always needed.
//!
//! [`crate::Memory`] has flights for values by the million; this is for the few that every request goes by.

use std::pin::pin;

use tokio::sync::{Mutex, MutexGuard, Notify};

/// Of one thing, who reads it.
#[derive(Debug, Default)]
pub struct Reading {
    /// Held by the reader.
    reader: Mutex<()>,
    /// Wakes all who wait at once. Handing the lock from one to the next takes thousands of turns.
    over: Notify,
}

/// The right to read. Whoever drops it, with or without having read, leaves it to the next.
#[derive(Debug)]
pub struct Reader<'r> {
    held: Option<MutexGuard<'r, ()>>,
    over: &'r Notify,
}

/// What waiting led to.
#[derive(Debug)]
pub enum Awaited<'r, T> {
    /// It is known.
    Known(T),
    /// It is this one's turn to read.
    Reads(Reader<'r>),
}

impl Reading {
    /// Whether somebody reads.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.reader.try_lock().is_err()
    }

    /// The right to read, unless somebody else has it.
    #[must_use]
    pub fn begin(&self) -> Option<Reader<'_>> {
        Some(Reader {
            held: Some(self.reader.try_lock().ok()?),
            over: &self.over,
        })
    }

    /// Waits until it is known, or nobody reads. For how long is the caller's affair.
    pub async fn wait<T>(&self, mut known: impl FnMut() -> Option<T>) -> Awaited<'_, T> {
        loop {
            // Before the look, so that no end of a reading falls between the two.
            let mut over = pin!(self.over.notified());
            over.as_mut().enable();
            if let Some(known) = known() {
                return Awaited::Known(known);
            }
            if let Some(reader) = self.begin() {
                return Awaited::Reads(reader);
            }
            over.await;
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // Whoever is woken may find that it is his turn to read.
        self.held = None;
        self.over.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_told_at_once() {
        let (reading, known) = (Reading::default(), OnceLock::new());
        let reader = reading.begin().unwrap();
        let mut crowd: Vec<_> = (0..100)
            .map(|_| Box::pin(reading.wait(|| known.get().copied())))
            .collect();
        for one in &mut crowd {
            assert!(one.as_mut().now_or_never().is_none());
        }
        known.set(7).unwrap();
        drop(reader);
        // The last of the line first.
        for one in crowd.iter_mut().rev() {
            let told = one.as_mut().now_or_never();
            assert!(matches!(told, Some(Awaited::Known(7))));
        }
    }

    #[tokio::test]
    async fn a_reader_who_leaves_without_having_read_leaves_it_to_one_other() {
        let reading = Reading::default();
        let leaving = reading.begin().unwrap();
        let mut first = Box::pin(reading.wait(|| None::<()>));
        let mut second = Box::pin(reading.wait(|| None::<()>));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        drop(leaving);
        let next = first.as_mut().now_or_never();
        assert!(matches!(next, Some(Awaited::Reads(_))));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(reading.is_held());
        drop(next);
        let next = second.as_mut().now_or_never();
        assert!(matches!(next, Some(Awaited::Reads(_))));
    }
}
