//! Places that must not be lost, and lines that must be looked at.

use super::*;

const MS: Duration = Duration::from_millis(1);

fn read() -> Passport {
    Passport::new(Priority::Read, b"")
}

/// One place, and a line for two.
fn door() -> Arc<Door> {
    let options = AdmissionOptions {
        min_in_flight: 1,
        max_in_flight: 1,
        max_waiting: 2,
        ..AdmissionOptions::new(|_| read())
    };
    Door::new(&options, "test")
}

fn admitted(door: &Arc<Door>) -> Ticket {
    match door.enter(read()) {
        Entry::Admitted(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn waiting(door: &Arc<Door>) -> Waiting {
    match door.enter(read()) {
        Entry::Waiting(waiting) => waiting,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_place_of_one_who_leaves_the_line_goes_to_the_next() {
    let door = door();
    let ticket = admitted(&door);
    let (gone, mut next) = (waiting(&door), waiting(&door));
    drop(gone);
    drop(ticket);
    assert!(matches!(next.verdict.try_recv(), Ok(Verdict::Admitted)));
    assert_eq!(door.core().in_flight(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_place_of_one_who_leaves_when_admitted_is_free() {
    let door = door();
    let ticket = admitted(&door);
    let gone = waiting(&door);
    drop(ticket);
    assert_eq!(door.core().in_flight(), 1, "it was admitted");
    drop(gone);
    assert_eq!(door.core().in_flight(), 0);
    drop(admitted(&door));
}

#[tokio::test(start_paused = true)]
async fn who_comes_sees_to_it_that_the_late_are_refused() {
    let door = door();
    let ticket = admitted(&door);
    let mut late = waiting(&door);
    tokio::time::advance(MS * 150).await;
    let newcomer = door.enter(read());
    assert!(matches!(late.verdict.try_recv(), Ok(Verdict::Refused)));
    drop((ticket, newcomer));
    assert_eq!(door.core().in_flight(), 0);
}
