//! How a connection whose answer has come calls its event loop.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// The bells of one loop.
#[derive(Debug, Default)]
pub(super) struct Bells {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Each bell at most once.
    rung: Vec<usize>,
    /// The loop, when it is to be woken by the first ring.
    sleeper: Option<Waker>,
}

/// The bell of one connection.
#[derive(Debug)]
pub(super) struct Bell {
    key: usize,
    rung: AtomicBool,
    bells: Arc<Bells>,
}

impl Bells {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can be left half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has rung goes into `rung`, which must be empty. When nobody has, the next one wakes the loop.
    pub(super) fn poll(&self, cx: &Context<'_>, rung: &mut Vec<usize>) {
        let mut inner = self.inner();
        if inner.rung.is_empty() {
            let known = inner.sleeper.as_ref();
            if !known.is_some_and(|known| known.will_wake(cx.waker())) {
                inner.sleeper = Some(cx.waker().clone());
            }
        } else {
            mem::swap(&mut inner.rung, rung);
        }
    }

    fn ring(&self, key: usize) {
        let sleeper = {
            let mut inner = self.inner();
            inner.rung.push(key);
            // The others find the loop awake.
            inner.sleeper.take()
        };
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }
}

impl Bell {
    /// Of the connection with the number `key`. Should a connection go and another get its number, a
    /// late ring of the old one makes the new one look up for nothing.
    pub(super) fn new(bells: &Arc<Bells>, key: usize) -> Arc<Self> {
        Arc::new(Self {
            key,
            rung: AtomicBool::new(false),
            bells: Arc::clone(bells),
        })
    }

    /// It has been heard: before the connection goes on, so that whatever comes then rings again.
    pub(super) fn heard(&self) {
        if self.rung.load(Ordering::Relaxed) {
            self.rung.swap(false, Ordering::AcqRel);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bells.ring(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_loop_is_woken_once_and_finds_everybody_who_rang() {
        let woken = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        let bells = Arc::new(Bells::default());
        let mut rung = Vec::new();
        bells.poll(&cx, &mut rung);
        assert!(rung.is_empty());
        let (first, second) = (Bell::new(&bells, 7), Bell::new(&bells, 8));
        for bell in [&first, &second, &first] {
            bell.wake_by_ref();
        }
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        bells.poll(&cx, &mut rung);
        assert_eq!(rung, [7, 8]);

        // Heard, it can ring again.
        rung.clear();
        first.heard();
        bells.poll(&cx, &mut rung);
        first.wake_by_ref();
        second.wake_by_ref();
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        bells.poll(&cx, &mut rung);
        assert_eq!(rung, [7]);
    }
}
