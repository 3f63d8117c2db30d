//! Requests that wait for their turn: by priority, then tenant by tenant, then by age.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Passport, Priority};

/// Waiting requests. `T` is whatever wakes one up. The owner keeps the bound.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    lines: [Line<T>; 4],
    len: usize,
}

/// The requests of one priority. Tenants take turns, so that a long queue of one keeps nobody else
/// waiting for longer than a turn.
#[derive(Debug)]
struct Line<T> {
    /// Only tenants with requests waiting; the first is next. Never more than 256.
    turns: VecDeque<Turn<T>>,
}

#[derive(Debug)]
struct Turn<T> {
    tenant: u8,
    /// The oldest first.
    waiting: VecDeque<(Duration, T)>,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            lines: Priority::ALL.map(|_| Line {
                turns: VecDeque::new(),
            }),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, now: Duration, passport: Passport, waiter: T) {
        let turns = &mut self.lines[passport.priority as usize].turns;
        self.len += 1;
        match turns.iter_mut().find(|turn| turn.tenant == passport.tenant) {
            Some(turn) => turn.waiting.push_back((now, waiter)),
            None => turns.push_back(Turn {
                tenant: passport.tenant,
                waiting: VecDeque::from([(now, waiter)]),
            }),
        }
    }

    /// The next of this priority: of the tenant whose turn it is the oldest, or the newest when
    /// the oldest came before `late` and will hardly be in time.
    pub(crate) fn take(&mut self, priority: Priority, late: Duration) -> Option<T> {
        let turns = &mut self.lines[priority as usize].turns;
        let mut turn = turns.pop_front()?;
        let next = if turn.waiting.front().is_some_and(|(at, _)| *at < late) {
            turn.waiting.pop_back()
        } else {
            turn.waiting.pop_front()
        };
        if !turn.waiting.is_empty() {
            turns.push_back(turn);
        }
        let (_, waiter) = next?;
        self.len -= 1;
        Some(waiter)
    }

    /// One that has waited since before `late`, if there is one; of a tenant that waits for much
    /// less than the others do, since before `very_late`: it is not its requests that are too many.
    pub(crate) fn take_older(
        &mut self,
        late: Duration,
        very_late: Duration,
    ) -> Option<(Priority, T)> {
        for (priority, line) in Priority::ALL.into_iter().zip(&mut self.lines) {
            let tenants = line.turns.len();
            let all: usize = line.turns.iter().map(|turn| turn.waiting.len()).sum();
            let expired = |turn: &Turn<T>| {
                let modest = turn.waiting.len() * tenants * 2 <= all;
                let bound = if modest { very_late } else { late };
                turn.waiting.front().is_some_and(|(at, _)| *at < bound)
            };
            if let Some(place) = line.turns.iter().position(expired) {
                let waiter = line.take_oldest_of(place)?;
                self.len -= 1;
                return Some((priority, waiter));
            }
        }
        None
    }

    /// The one to refuse so that `newcomer` can wait: the oldest of the tenant that waits most in
    /// the least important line. `None` when the newcomer itself is the one to refuse.
    pub(crate) fn make_room_for(&mut self, newcomer: Passport) -> Option<(Priority, T)> {
        let lines = Priority::ALL.into_iter().zip(&mut self.lines).rev();
        let (priority, line) = lines.into_iter().find(|(_, line)| !line.turns.is_empty())?;
        if priority < newcomer.priority {
            return None;
        }
        let (place, longest) = line
            .turns
            .iter()
            .map(|turn| turn.waiting.len())
            .enumerate()
            .max_by_key(|(_, len)| *len)?;
        if priority == newcomer.priority {
            let own = line
                .turns
                .iter()
                .find(|turn| turn.tenant == newcomer.tenant);
            if own.map_or(0, |turn| turn.waiting.len()) + 1 >= longest {
                return None;
            }
        }
        let waiter = line.take_oldest_of(place)?;
        self.len -= 1;
        Some((priority, waiter))
    }
}

impl<T> Line<T> {
    fn take_oldest_of(&mut self, place: usize) -> Option<T> {
        let turn = self.turns.get_mut(place)?;
        let (_, waiter) = turn.waiting.pop_front()?;
        if turn.waiting.is_empty() {
            self.turns.remove(place);
        }
        Some(waiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn of(priority: Priority, tenant: u8) -> Passport {
        Passport { priority, tenant }
    }

    #[test]
    fn tenants_take_turns_however_many_requests_one_has() {
        let mut queue = Queue::new();
        for number in 0..100 {
            queue.push(NOW, of(Priority::Read, 1), ("many", number));
        }
        queue.push(NOW, of(Priority::Read, 2), ("few", 0));
        let first: Vec<_> = (0..2)
            .filter_map(|_| queue.take(Priority::Read, NOW))
            .collect();
        assert_eq!(first, [("many", 0), ("few", 0)]);
        let late = Duration::from_millis(1);
        assert_eq!(queue.take(Priority::Read, late), Some(("many", 99)));
        assert_eq!(queue.len(), 98);
    }

    #[test]
    fn room_is_made_by_the_least_important_and_then_by_who_waits_most() {
        let mut queue = Queue::new();
        queue.push(NOW, of(Priority::Read, 1), "r1");
        queue.push(NOW, of(Priority::Read, 1), "r2");
        queue.push(NOW, of(Priority::Read, 1), "r3");
        queue.push(NOW, of(Priority::Batch, 1), "b1");
        let read = of(Priority::Read, 2);
        assert_eq!(queue.make_room_for(read), Some((Priority::Batch, "b1")));
        assert_eq!(queue.make_room_for(of(Priority::Batch, 9)), None);
        assert_eq!(
            queue.make_room_for(of(Priority::Read, 1)),
            None,
            "its own line is the longest"
        );
        assert_eq!(queue.make_room_for(read), Some((Priority::Read, "r1")));
    }

    #[test]
    fn those_that_waited_too_long_are_found_wherever_they_wait() {
        let mut queue = Queue::new();
        for (second, priority) in [
            (1, Priority::Batch),
            (2, Priority::Read),
            (9, Priority::Read),
        ] {
            queue.push(Duration::from_secs(second), of(priority, 7), second);
        }
        let late = Duration::from_secs(5);
        assert_eq!(queue.take_older(late, late), Some((Priority::Read, 2)));
        assert_eq!(queue.take_older(late, late), Some((Priority::Batch, 1)));
        assert_eq!(queue.take_older(late, late), None);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn who_waits_for_little_may_wait_longer_than_who_waits_for_much() {
        let mut queue = Queue::new();
        let second = Duration::from_secs(1);
        queue.push(second, of(Priority::Read, 1), "few");
        for _ in 0..9 {
            queue.push(second * 2, of(Priority::Read, 2), "many");
        }
        assert_eq!(
            queue.take_older(second * 5, NOW),
            Some((Priority::Read, "many"))
        );
        let first = queue.take_older(second * 5, second * 5);
        assert_eq!(first, Some((Priority::Read, "few")));
    }

    #[test]
    fn who_waits_for_half_of_a_fair_share_waits_for_little() {
        let second = Duration::from_secs(1);
        let oldest_expired = |of_another: u32| {
            let mut queue = Queue::new();
            queue.push(NOW, of(Priority::Read, 1), "few");
            for _ in 0..of_another {
                queue.push(second * 2, of(Priority::Read, 2), "many");
            }
            queue.take_older(second, NOW)
        };
        // Two tenants: one of four requests is half of a share, one of three is more.
        assert_eq!(oldest_expired(3), None);
        assert_eq!(oldest_expired(2), Some((Priority::Read, "few")));
    }

    #[test]
    fn room_is_not_made_for_one_who_would_then_wait_for_as_much() {
        let newcomer = of(Priority::Read, 1);
        let made_room = |own: u32, of_another: u32| {
            let mut queue = Queue::new();
            for (tenant, count) in [(1, own), (2, of_another)] {
                for _ in 0..count {
                    queue.push(NOW, of(Priority::Read, tenant), tenant);
                }
            }
            queue.make_room_for(newcomer).is_some()
        };
        assert!(!made_room(0, 1), "they would only change places");
        assert!(made_room(0, 2));
        assert!(!made_room(1, 2));
        assert!(made_room(1, 3));
    }
}
