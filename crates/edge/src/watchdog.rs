//! One timer for all of a connection's deadlines.
//!
//! A deadline that moves away (the common case: another request, another response) is not re-armed;
//! the timer fires at the old time, sees that there is time left, and goes on. So a busy connection
//! touches the timer wheel once in a time-out, not once in a request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Debug)]
pub(crate) struct Watchdog<'a> {
    sleep: Pin<&'a mut Sleep>,
    armed: Instant,
}

impl<'a> Watchdog<'a> {
    /// A timer for [`Watchdog::new`] to borrow, so that it lives in the caller's future.
    pub(crate) fn timer(first: Instant) -> Sleep {
        sleep_until(first)
    }

    pub(crate) fn new(sleep: Pin<&'a mut Sleep>) -> Self {
        let armed = sleep.deadline();
        Self { sleep, armed }
    }

    /// Ready once `at` has passed. To be asked again whenever the deadline may have moved.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if at < self.armed {
            self.arm(at);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            self.arm(at);
        }
    }

    fn arm(&mut self, at: Instant) {
        self.armed = at;
        self.sleep.as_mut().reset(at);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moved_is_met_exactly() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let timer = pin!(Watchdog::timer(after(10)));
        let mut watchdog = Watchdog::new(timer);

        poll_fn(|cx| watchdog.poll_until(cx, after(30))).await;
        assert_eq!(start.elapsed().as_secs(), 30, "later than armed");

        poll_fn(|cx| {
            assert!(watchdog.poll_until(cx, after(90)).is_pending());
            Poll::Ready(())
        })
        .await;
        poll_fn(|cx| watchdog.poll_until(cx, after(40))).await;
        assert_eq!(start.elapsed().as_secs(), 40, "earlier than armed");
    }
}
