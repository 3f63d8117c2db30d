//! The way to users' cards: a line before a few readers.
//!
//! A reader that is free takes all who wait, up to a bound, and asks for them in one statement: who
//! comes alone waits for nobody, and in a spike a statement serves dozens. There is no timer. One who
//! leaves meanwhile disturbs no others, and neither does one whose rows cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corkboard_postgres::{Entrance, Front, LineBounds, Waits, line};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::CardDatabase;
use super::read::{self, Answer, Question};
use crate::error::StoreError;
use crate::postgres::options::PgOptions;

/// Most users of one statement.
const TOGETHER: usize = 64;

/// Reads users' cards, a few statements at a time. The readers end after this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    entrance: Entrance<Waiting>,
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

impl Waits for Waiting {
    fn is_left(&self) -> bool {
        self.answer.is_closed()
    }

    fn refuse(self) {
        let _ = self.answer.send(Err(StoreError::Overloaded));
    }
}

impl Readers {
    pub(super) fn start(store: &Arc<CardDatabase>, options: &PgOptions) -> Self {
        let (entrance, front) = line(LineBounds {
            most: options.read_line,
            patience: options.read_wait,
            // How many come is admission control's affair, and without it everybody is to be served
            // who can be.
            target: None,
            takers: options.reads,
        });
        let front = Arc::new(front);
        let tasks = TaskTracker::new();
        for _ in 0..options.reads.clamp(1, options.connections.max(1)) {
            tasks.spawn(run(Arc::clone(store), Arc::clone(&front)));
        }
        tasks.close();
        Self {
            entrance,
            longest: options.read_wait,
        }
    }

    /// A user's cards. Fails as `Overloaded` when too many wait, or a reader would not be, or is not,
    /// free in time.
    pub(super) async fn read(&self, question: Question) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let waiting = || Waiting {
            question,
            answer,
            begun: Arc::clone(&begun),
        };
        let entered = self.entrance.enter(waiting);
        entered.map_err(|_| StoreError::Overloaded)?;
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
async fn run(store: Arc<CardDatabase>, front: Arc<Front<Waiting>>) {
    let mut taken = Vec::with_capacity(TOGETHER);
    while front.take(&mut taken, TOGETHER).await {
        // In a spike that begins, connections have still to be opened, by a server that has much to do.
        let session = store.pool.session_for_many().await;
        let here = taken.drain(..).filter(|one| !one.is_left());
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
        let found = read::answer(&store, session, &questions).await;
        for (answer, found) in answers.into_iter().zip(found) {
            let _ = answer.send(found);
        }
    }
}
