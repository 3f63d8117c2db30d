//! What memory keeps, what it lets go, and what it never takes.

use super::*;
use futures_util::FutureExt as _;

const HOUR: Duration = Duration::from_secs(3_600);

impl Weigh for usize {
    fn weight(&self) -> usize {
        100
    }
}

type Numbers = Memory<usize, &'static str>;

fn key(number: usize) -> Key {
    Key::from(number.to_string().as_bytes())
}

fn lead(memory: &Arc<Numbers>, at: &Key) -> Lead<usize, &'static str> {
    match memory.join(at, true) {
        Joined::Leads(lead) => lead,
        other => panic!("{other:?}"),
    }
}

fn passenger(memory: &Arc<Numbers>, at: &Key) -> Passenger<usize, &'static str> {
    match memory.join(at, true) {
        Joined::Flying(passenger) => passenger,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_stays_for_its_lifetime_and_not_longer() {
    let memory = Arc::new(Numbers::new(1 << 20));
    assert_eq!(lead(&memory, &key(1)).land(Ok(7), HOUR), Landed::Kept);
    assert_eq!(memory.get(b"1"), Some(7));
    tokio::time::advance(HOUR).await;
    assert_eq!((memory.get(b"1"), memory.len()), (None, 0));
}

#[tokio::test]
async fn whoever_waits_for_a_flight_gets_what_it_brings() {
    let memory = Arc::new(Numbers::new(1 << 20));
    let (first, second) = (lead(&memory, &key(1)), passenger(&memory, &key(1)));
    first.land(Ok(7), HOUR);
    assert_eq!(second.wait().await, Ok(7));
    let (first, second) = (lead(&memory, &key(2)), passenger(&memory, &key(2)));
    first.land(Err("no"), HOUR);
    assert_eq!(second.wait().await, Err(Missed::Failed("no")));
    let (first, second) = (lead(&memory, &key(3)), passenger(&memory, &key(3)));
    drop(first);
    assert_eq!(second.wait().await, Err(Missed::Abandoned));
    let _ = lead(&memory, &key(3));
}

#[tokio::test]
async fn what_was_read_before_a_void_is_never_kept() {
    let memory = Arc::new(Numbers::new(1 << 20));
    let (slow, joined) = (lead(&memory, &key(1)), passenger(&memory, &key(1)));
    memory.void(b"1");
    let fresh = lead(&memory, &key(1));
    assert_eq!(slow.land(Ok(1), HOUR), Landed::Voided);
    assert_eq!(memory.get(b"1"), None);
    assert_eq!(fresh.land(Ok(2), HOUR), Landed::Kept);
    assert_eq!(memory.get(b"1"), Some(2));
    assert_eq!(
        joined.wait().now_or_never(),
        Some(Ok(1)),
        "who came before the write"
    );
    let slow = lead(&memory, &key(2));
    memory.flush();
    assert_eq!(slow.land(Ok(1), HOUR), Landed::Voided);
    assert!(memory.is_empty());
}

fn mark(memory: &Arc<Numbers>, at: &Key) -> Mark {
    match memory.see(at.as_bytes(), true) {
        Seen::Nothing(mark) => mark,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_found_before_a_void_is_not_kept_either() {
    let memory = Arc::new(Numbers::new(1 << 20));
    let before = mark(&memory, &key(1));
    assert!(memory.keep(&key(1), 7, HOUR, before));
    assert!(matches!(memory.see(b"1", true), Seen::Here(7)));
    let slow = mark(&memory, &key(2));
    memory.void(b"2");
    assert!(!memory.keep(&key(2), 1, HOUR, slow));
    assert_eq!(memory.get(b"2"), None);
    let fresh = mark(&memory, &key(2));
    assert!(memory.keep(&key(2), 2, HOUR, fresh));
    memory.flush();
    assert!(!memory.keep(&key(2), 2, HOUR, fresh));
    assert!(memory.is_empty());
}

#[tokio::test]
async fn whoever_looks_while_a_flight_is_under_way_boards_it() {
    let memory = Arc::new(Numbers::new(1 << 20));
    let flight = lead(&memory, &key(1));
    let Seen::Flying(passenger) = memory.see(b"1", true) else {
        panic!("somebody is on the way");
    };
    flight.land(Ok(7), HOUR);
    assert_eq!(passenger.wait().await, Ok(7));
}

#[test]
fn memory_stays_within_its_bytes_whatever_comes_and_goes() {
    let memory = Arc::new(Numbers::new(64 * 4_096));
    for number in 0..20_000 {
        memory.insert(key(number), number, HOUR);
        memory.void(key(number / 2).as_bytes());
        assert!(number % 1_000 != 0 || memory.bytes() <= 64 * 4_096);
    }
    assert!(memory.bytes() <= 64 * 4_096);
    for segment in &memory.segments {
        let segment = lock(segment);
        assert!(
            segment.places() <= 4 * segment.len() + 256,
            "places of nobody pile up"
        );
    }
}

#[test]
fn keys_read_often_survive_a_crowd_that_comes_once() {
    let memory = Numbers::new(64 * 16_384);
    let often = 0..500;
    for number in often.clone() {
        memory.insert(key(number), number, HOUR);
    }
    for newcomer in 1_000..50_000 {
        memory.insert(key(newcomer), newcomer, HOUR);
        let _ = memory.get(key(newcomer % 500).as_bytes());
    }
    let kept = often
        .filter(|number| memory.get(key(*number).as_bytes()).is_some())
        .count();
    assert!(kept > 450, "{kept} of 500");
}
