//! Waiting for a condition instead of sleeping: level-triggered, with a deadline that says what
//! was last seen.

use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// The pause between two looks at the condition starts here and doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Asks `condition` again and again until it answers `Ok`, and returns that answer.
///
/// # Panics
///
/// After `deadline`, with `what` was awaited, where, and the last `Err` status.
#[track_caller]
pub fn wait_until<T, F, Fut>(
    deadline: Duration,
    what: &str,
    condition: F,
) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    poll(deadline, what.to_owned(), condition, Location::caller())
}

async fn poll<T, F, Fut>(
    deadline: Duration,
    what: String,
    mut condition: F,
    caller: &'static Location<'static>,
) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    let end = Instant::now() + deadline;
    let mut last = "the condition never answered".to_owned();
    let mut pause = FIRST_PAUSE;
    while let Ok(answer) = timeout_at(end, condition()).await {
        match answer {
            Ok(value) => return value,
            Err(status) => last = status,
        }
        if Instant::now() >= end {
            break;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    panic!("{caller}: waited {deadline:?} for {what}; last status: {last}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_the_value_as_soon_as_there_is_one() {
        let mut looks = 0;
        let value = wait_until(Duration::from_secs(5), "the third look", || {
            looks += 1;
            let answer = if looks == 3 {
                Ok(looks)
            } else {
                Err(format!("look {looks}"))
            };
            std::future::ready(answer)
        })
        .await;
        assert_eq!(value, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "for the impossible; last status: still no")]
    async fn panics_with_the_last_status() {
        let never = || std::future::ready(Err::<(), _>("still no".to_owned()));
        wait_until(Duration::from_millis(20), "the impossible", never).await;
    }

    #[tokio::test]
    #[should_panic(expected = "the condition never answered")]
    async fn a_condition_that_hangs_does_not_outlive_the_deadline() {
        let hang = std::future::pending::<Result<(), String>>;
        wait_until(Duration::from_millis(20), "a hanging look", hang).await;
    }
}
