//! Load at a fixed pace, whatever the answers do: each request is due at its time, and a late answer
//! delays no other. What waits in front of a stalled server is therefore seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::failure::{Failure, Result};
use crate::statistics::Latency;

/// Requests under way; what is due beyond them counts as failed.
const MOST_UNDER_WAY: usize = 2_000;
/// The timer's own resolution: waking this late is nobody's fault.
const TIMER: Duration = Duration::from_millis(3);

/// One request that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) due: Instant,
    pub(crate) took: Duration,
    pub(crate) is_ok: bool,
}

/// Requests of one kind, sent for as long as this lives.
#[derive(Debug)]
pub(crate) struct Traffic {
    answers: Arc<Mutex<Answers>>,
    _task: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Answers {
    ended: Vec<Answer>,
    /// Of the first that failed.
    complaint: Option<String>,
}

impl Traffic {
    /// Sends `request(number)` so many times a second.
    pub(crate) fn start<F, Fut>(per_second: u32, request: F) -> Self
    where
        F: Fn(usize) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let (ended, mut task) = (Arc::clone(&answers), JoinSet::new());
        task.spawn(async move {
            let every = Duration::from_secs(1) / per_second;
            let begin = Instant::now();
            let mut under_way: JoinSet<()> = JoinSet::new();
            for number in 0_u32.. {
                let due = begin + every * number;
                sleep_until(due).await;
                while under_way.try_join_next().is_some() {}
                if under_way.len() >= MOST_UNDER_WAY {
                    let refused = Failure::unexpected("too many requests were under way");
                    note(&ended, due, Err(refused));
                    continue;
                }
                let woke = Instant::now();
                let due = if woke.duration_since(due) <= TIMER {
                    woke
                } else {
                    due
                };
                let (ended, answer) = (Arc::clone(&ended), request(number as usize));
                under_way.spawn(async move {
                    let answer = answer.await;
                    note(&ended, due, answer);
                });
            }
        });
        Self {
            answers,
            _task: task,
        }
    }

    /// All answers so far.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        lock(&self.answers).ended.clone()
    }

    /// How many have ended well.
    pub(crate) fn done(&self) -> u64 {
        let answers = lock(&self.answers);
        answers.ended.iter().filter(|answer| answer.is_ok).count() as u64
    }

    /// How many failed, and what the first one said.
    pub(crate) fn failures(&self) -> (u64, Option<String>) {
        let answers = lock(&self.answers);
        let failed = answers.ended.iter().filter(|answer| !answer.is_ok).count();
        (failed as u64, answers.complaint.clone())
    }
}

/// Those that were due within a window.
pub(crate) fn due_within(answers: &[Answer], from: Instant, until: Instant) -> Latency {
    let within = answers
        .iter()
        .filter(|one| from <= one.due && one.due < until);
    Latency::of(within.map(|one| one.took))
}

/// Those that were under way at any time of a window.
pub(crate) fn overlapping(answers: &[Answer], from: Instant, until: Instant) -> Latency {
    let within = answers
        .iter()
        .filter(|one| one.due <= until && one.due + one.took >= from);
    Latency::of(within.map(|one| one.took))
}

fn note(answers: &Mutex<Answers>, due: Instant, answer: Result<()>) {
    let took = due.elapsed();
    let mut answers = lock(answers);
    answers.ended.push(Answer {
        due,
        took,
        is_ok: answer.is_ok(),
    });
    if let (Err(failure), None) = (answer, &answers.complaint) {
        answers.complaint = Some(failure.story());
    }
}

fn lock(answers: &Mutex<Answers>) -> std::sync::MutexGuard<'_, Answers> {
    // A list of answers is whole whatever the holder did.
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stalled_answer_delays_no_other() {
        let traffic = Traffic::start(100, |number| async move {
            let takes = if number == 3 { 700 } else { 1 };
            tokio::time::sleep(Duration::from_millis(takes)).await;
            Ok(())
        });
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_millis(995)).await;
        let answers = traffic.answers();
        assert_eq!((answers.len(), traffic.failures().0), (100, 0));
        let all = due_within(&answers, begin, Instant::now());
        assert!(all.max_ms >= 700.0 && all.p50_ms < 10.0, "{all:?}");
        let late = begin + Duration::from_millis(600);
        assert_eq!(overlapping(&answers, late, late).count, 1 + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_counted_and_the_first_is_told() {
        let traffic = Traffic::start(100, |number| async move {
            Err(Failure::unexpected(format!("number {number}")))
        });
        tokio::time::sleep(Duration::from_millis(95)).await;
        let (failed, complaint) = traffic.failures();
        assert_eq!((failed, complaint.as_deref()), (10, Some("number 0")));
        assert_eq!(traffic.done(), 0);
    }
}
