//! The way to users' cards: a queue with a bound in front of a few readers.
//!
//! A reader that is free takes all who wait, up to a bound, and asks for them in one statement: who
//! comes alone waits for nobody, and in a spike a statement serves dozens. There is no timer. One who
//! leaves meanwhile disturbs no others, and neither does one whose rows cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::CardDatabase;
use super::read::{self, Answer, Question};
use crate::error::StoreError;
use crate::postgres::options::PgOptions;

/// Most users of one statement.
const TOGETHER: usize = 64;
/// Most users that wait; the next one is refused.
const WAITING: usize = 4_096;

/// Reads users' cards, a few statements at a time. The readers end after this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    queue: mpsc::Sender<Waiting>,
    longest: Duration,
}

/// Somebody who waits for a reader, or for its answer.
#[derive(Debug)]
struct Waiting {
    question: Question,
    answer: oneshot::Sender<Answer>,
    /// A reader has begun.
    begun: Arc<AtomicBool>,
}

impl Readers {
    pub(super) fn start(store: &Arc<CardDatabase>, options: &PgOptions) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let tasks = TaskTracker::new();
        for _ in 0..options.reads.clamp(1, options.connections.max(1)) {
            tasks.spawn(run(Arc::clone(store), Arc::clone(&waiting)));
        }
        tasks.close();
        Self {
            queue,
            longest: options.read_wait,
        }
    }

    /// A user's cards. Fails as `Overloaded` when too many wait, or a reader is not free in time.
    pub(super) async fn read(&self, question: Question) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let waiting = Waiting {
            question,
            answer,
            begun: Arc::clone(&begun),
        };
        self.queue
            .try_send(waiting)
            .map_err(|_| StoreError::Overloaded)?;
        let in_time = timeout(self.longest, &mut answered).await;
        let answer = match in_time {
            Ok(answer) => answer,
            // Its statement has time-outs of its own.
            Err(_) if begun.load(Ordering::Acquire) => answered.await,
            Err(_) => return Err(StoreError::Overloaded),
        };
        answer.unwrap_or(Err(StoreError::Overloaded))
    }
}

/// One reader.
async fn run(store: Arc<CardDatabase>, waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    let mut taken = Vec::with_capacity(TOGETHER);
    loop {
        // One of those that are free listens, the others wait behind it.
        let count = waiting.lock().await.recv_many(&mut taken, TOGETHER).await;
        if count == 0 {
            return;
        }
        let here = taken.drain(..).filter(|one| !one.answer.is_closed());
        let (questions, answers): (Vec<_>, Vec<_>) = here
            .map(|one| {
                one.begun.store(true, Ordering::Release);
                (one.question, one.answer)
            })
            .unzip();
        if questions.is_empty() {
            continue;
        }
        metrics::histogram!("corkboard_store_users_per_read").record(questions.len() as f64);
        let found = read::answer(&store, &questions).await;
        for (answer, found) in answers.into_iter().zip(found) {
            let _ = answer.send(found);
        }
    }
}
