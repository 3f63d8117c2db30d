//! Ages and bounds of the response cache.

use corkboard_core::connected::FetchBody;
use proptest::prelude::*;

use super::*;

const FIVE_MINUTES: Duration = Duration::from_secs(300);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn key(number: u32) -> CacheKey {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_le_bytes());
    key
}

fn answer(length: usize) -> Answer {
    let body = FetchBody::Text("x".repeat(length).into());
    Answer::good(200, body, length as u64)
}

#[test]
fn an_answer_is_given_until_it_is_as_old_as_the_reader_accepts() {
    let mut cache = Cache::new(100_000);
    cache.put(key(1), answer(10), at(1_000));
    assert!(cache.get(&key(1), FIVE_MINUTES, at(1_299)).is_some());
    assert!(cache.get(&key(1), FIVE_MINUTES, at(1_300)).is_none());
    assert!(
        cache.get(&key(1), LONGEST_MAX_AGE, at(1_300)).is_some(),
        "another reader takes older"
    );
    assert!(
        cache
            .get(&key(1), LONGEST_MAX_AGE, at(1_000 + 14_400))
            .is_none()
    );
    assert!(
        cache
            .get(&key(1), Duration::MAX, at(1_000 + 14_400 + 86_400))
            .is_none()
    );
    assert_eq!(cache.weight(), 0, "too old for everybody is forgotten");
}

#[test]
fn what_is_not_there_is_known_for_ten_seconds_and_no_failure_at_all() {
    let mut cache = Cache::new(100_000);
    let status = |status| Answer {
        status,
        ..answer(0)
    };
    for gone in [404, 410] {
        cache.put(key(1), status(gone), at(0));
        assert!(cache.get(&key(1), FIVE_MINUTES, at(9)).is_some());
        assert!(cache.get(&key(1), FIVE_MINUTES, at(10)).is_none());
        assert!(cache.get_stale(&key(1), FIVE_MINUTES, at(9)).is_none());
    }
    for passing in [0, 301, 400, 401, 403, 408, 429, 500, 503, 529, 598, 599] {
        cache.put(key(2), status(passing), at(0));
        assert!(
            cache.get(&key(2), FIVE_MINUTES, at(0)).is_none(),
            "{passing}"
        );
    }
    cache.put(key(3), answer(1), at(0));
    cache.put(key(3), status(503), at(1));
    assert!(cache.get_stale(&key(3), FIVE_MINUTES, at(2)).is_some());
}

#[test]
fn a_clock_that_steps_back_forgets_instead_of_living_forever() {
    let mut cache = Cache::new(100_000);
    cache.put(key(1), answer(10), at(1_000));
    assert!(cache.get(&key(1), FIVE_MINUTES, at(999)).is_none());
    assert!(cache.get(&key(1), FIVE_MINUTES, at(1_001)).is_none());
}

#[test]
fn the_least_recently_used_goes_first() {
    let each = ENTRY_OVERHEAD + 100;
    let mut cache = Cache::new(each * 8);
    for number in 0..8 {
        cache.put(key(number), answer(100), at(0));
    }
    assert!(cache.get(&key(0), FIVE_MINUTES, at(1)).is_some());
    cache.put(key(8), answer(100), at(1));
    assert!(
        cache.get(&key(0), FIVE_MINUTES, at(1)).is_some(),
        "used a moment ago"
    );
    assert!(
        cache.get(&key(1), FIVE_MINUTES, at(1)).is_none(),
        "the oldest use"
    );
    assert_eq!(cache.weight(), each * 8);
}

#[test]
fn one_large_answer_does_not_push_out_all_others() {
    let mut cache = Cache::new(80_000);
    cache.put(key(1), answer(10), at(0));
    cache.put(key(2), answer(10_000), at(0));
    assert!(cache.get(&key(2), FIVE_MINUTES, at(0)).is_none());
    assert!(cache.get(&key(1), FIVE_MINUTES, at(0)).is_some());
    let mut none = Cache::new(0);
    none.put(key(1), answer(0), at(0));
    assert!(none.get(&key(1), FIVE_MINUTES, at(0)).is_none());
}

proptest! {
    #[test]
    fn the_bound_and_the_books_hold_under_any_use(
        uses in proptest::collection::vec((0_u32..20, 0_usize..3_000, any::<bool>()), 1..200)
    ) {
        let mut cache = Cache::new(20_000);
        for (time, (number, length, put)) in uses.into_iter().enumerate() {
            let now = at(i64::try_from(time).unwrap() * 10);
            if put {
                cache.put(key(number), answer(length), now);
            } else {
                let _ = cache.get(&key(number), FIVE_MINUTES, now);
            }
            prop_assert!(cache.weight() <= 20_000);
            prop_assert_eq!(cache.entries.len(), cache.by_use.len());
            let sum: usize = cache.entries.values().map(|entry| entry.weight).sum();
            prop_assert_eq!(cache.weight(), sum);
        }
    }
}
