//! Whose fault it is that an answer is late.
//!
//! A call is made by a node's own busy threads: under load its answer may lie there for longer than Redis
//! may take. So a late call asks the listening thread, which has nothing else to do, for a look of its
//! own. Where that is answered, Redis is there, and the call goes on waiting; where it is not,
//! Redis is late.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

/// Times that an answer may be late although Redis is there; beyond it the caller is told.
const MOST_TIMES: u32 = 20;
/// A look has so many times a call's time: the thread has to be woken first.
const LOOK_TIMES: u32 = 2;

/// The longest wait for an answer to a call that has `time`: what a connection may allow it.
pub(super) fn longest(time: Duration) -> Duration {
    time * (1 + LOOK_TIMES) * MOST_TIMES
}

/// What late calls and the listening thread tell each other.
#[derive(Debug)]
pub(super) struct Doubt {
    raised: Notify,
    /// When the last look that was answered had been sent.
    answered: watch::Sender<Option<Instant>>,
}

/// There was no answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late;

impl Doubt {
    pub(super) fn new() -> Self {
        Self {
            raised: Notify::new(),
            answered: watch::Sender::new(None),
        }
    }

    /// Somebody wants a look now.
    pub(super) async fn raised(&self) {
        self.raised.notified().await;
    }

    /// A look that was sent then has been answered.
    pub(super) fn settle(&self, sent: Instant) {
        self.answered.send_replace(Some(sent));
    }

    /// Waits for an answer for as long as it takes Redis, and `time`.
    pub(super) async fn wait<T>(
        &self,
        time: Duration,
        answer: impl Future<Output = T>,
    ) -> Result<T, Late> {
        let mut answer = pin!(answer);
        for _ in 0..MOST_TIMES {
            if let Ok(answer) = timeout(time, answer.as_mut()).await {
                return Ok(answer);
            }
            tokio::select! {
                biased;
                answer = answer.as_mut() => return Ok(answer),
                is_there = self.is_there(time * LOOK_TIMES) => {
                    if !is_there {
                        return Err(Late);
                    }
                }
            }
        }
        Err(Late)
    }

    async fn is_there(&self, within: Duration) -> bool {
        let asked = Instant::now();
        let mut answered = self.answered.subscribe();
        self.raised.notify_one();
        let look = answered.wait_for(|sent| sent.is_some_and(|sent| sent >= asked));
        timeout(within, look).await.is_ok_and(|look| look.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::time::sleep;

    use super::*;

    const TIME: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn without_a_look_a_late_answer_is_redis_fault() {
        let start = Instant::now();
        let late = Doubt::new().wait(TIME, pending::<()>()).await;
        assert_eq!((late, start.elapsed()), (Err(Late), TIME * 3));
    }

    #[tokio::test(start_paused = true)]
    async fn where_looks_are_answered_an_answer_is_waited_for() {
        let doubt = Arc::new(Doubt::new());
        let looks = {
            let doubt = Arc::clone(&doubt);
            async move {
                loop {
                    doubt.raised().await;
                    let sent = Instant::now();
                    sleep(Duration::from_millis(1)).await;
                    doubt.settle(sent);
                }
            }
        };
        let slow = async {
            sleep(TIME * 6).await;
            7
        };
        tokio::select! {
            answer = doubt.wait(TIME, slow) => assert_eq!(answer, Ok(7)),
            () = looks => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_from_before_says_nothing() {
        let doubt = Doubt::new();
        doubt.settle(Instant::now());
        assert_eq!(doubt.wait(TIME, pending::<()>()).await, Err(Late));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
        let doubt = Arc::new(Doubt::new());
        let looks = {
            let doubt = Arc::clone(&doubt);
            async move {
                loop {
                    doubt.raised().await;
                    doubt.settle(Instant::now());
                }
            }
        };
        tokio::select! {
            answer = doubt.wait(TIME, pending::<()>()) => assert_eq!(answer, Err(Late)),
            () = looks => {}
        }
    }
}
