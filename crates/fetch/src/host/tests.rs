//! Leave to call: order, room, pauses, halts, and callers that leave.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use tokio::task::JoinSet;
use tokio::time::advance;

use super::*;

pub(super) fn rules() -> HostRules {
    HostRules {
        max_concurrent: 2,
        max_waiting: 3,
        per_second: 0,
        halt_failures: 3,
        halt_time: Duration::from_secs(60),
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
    }
}

fn host(rules: HostRules) -> Arc<Host> {
    Arc::new(Host::new(Arc::new(rules), HostMeter::default()))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn places_are_given_in_the_order_of_asking_and_never_to_those_who_left() {
    let host = host(rules());
    let first = host.enter(false, soon()).await.unwrap();
    let second = host.enter(false, soon()).await.unwrap();
    let mut third = pin!(host.enter(false, soon()));
    let mut fifth = pin!(host.enter(false, soon()));
    assert!(poll(third.as_mut()).is_pending());
    {
        let mut fourth = pin!(host.enter(false, soon()));
        assert!(poll(fourth.as_mut()).is_pending());
    }
    assert!(poll(fifth.as_mut()).is_pending());
    first.end(Sign::Fine, None);
    assert!(poll(fifth.as_mut()).is_pending(), "not its turn");
    let Poll::Ready(Ok(third)) = poll(third.as_mut()) else {
        panic!("its turn")
    };
    drop(second);
    let Poll::Ready(Ok(fifth)) = poll(fifth.as_mut()) else {
        panic!("the fourth has left")
    };
    drop((third, fifth));
    assert_eq!(host.state().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_given_to_one_who_leaves_goes_to_the_next() {
    let host = host(HostRules {
        max_concurrent: 1,
        ..rules()
    });
    let first = host.enter(false, soon()).await.unwrap();
    let mut third = pin!(host.enter(false, soon()));
    {
        let mut second = pin!(host.enter(false, soon()));
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());
        drop(first);
        // The second has been given the place and leaves before it looks.
    }
    assert!(poll(third.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_waiting_ends() {
    let host = host(rules());
    let _held = [
        host.enter(false, soon()).await.unwrap(),
        host.enter(false, soon()).await.unwrap(),
    ];
    let mut waiting: Vec<_> = (0..3)
        .map(|_| Box::pin(host.enter(false, soon())))
        .collect();
    for one in &mut waiting {
        assert!(poll(one.as_mut()).is_pending());
    }
    assert_eq!(
        host.enter(false, soon()).await.unwrap_err(),
        Problem::QueueFull
    );
    drop(waiting.pop());
    let late = host.enter(false, soon()).await;
    assert_eq!(
        late.unwrap_err(),
        Problem::NoTurn,
        "a place in the queue came free"
    );
}

#[tokio::test(start_paused = true)]
async fn a_halt_answers_those_who_wait_and_those_who_come_until_probes_pass() {
    let host = host(rules());
    let held = host.enter(false, soon()).await.unwrap();
    let other = host.enter(false, soon()).await.unwrap();
    let mut waiting = pin!(host.enter(false, soon()));
    assert!(poll(waiting.as_mut()).is_pending());
    {
        let mut state = host.state();
        let now = Instant::now();
        (0..3).for_each(|_| assert!(!state.halt.failed(false, now)));
    }
    held.end(Sign::Failed, None);
    // The place that came free went to the one who waited, or the halt did.
    let told = waiting.await;
    assert!(matches!(told, Err(Problem::Halted(_))), "{told:?}");
    let refused = host.enter(false, soon()).await;
    assert!(matches!(refused, Err(Problem::Halted(_))), "{refused:?}");
    other.end(Sign::Fine, None);
    advance(Duration::from_secs(61)).await;
    for _ in 0..5 {
        let probe = host.enter(false, soon()).await.unwrap();
        assert!(probe.probe);
        probe.end(Sign::Fine, None);
    }
    assert!(!host.enter(false, soon()).await.unwrap().probe);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_comes_to_nothing_leaves_its_place_to_another() {
    let host = host(rules());
    for _ in 0..4 {
        let pass = host.enter(false, soon()).await.unwrap();
        pass.end(Sign::Failed, None);
    }
    (0..10).for_each(|_| assert!(host.state().budget.retry(Instant::now())));
    assert!(!host.state().halt.is_open());
    advance(Duration::from_secs(61)).await;
    // Six tokens have come in the meantime.
    (0..6).for_each(|_| assert!(host.state().budget.retry(Instant::now())));
    for _ in 0..10 {
        let refused = host.enter(true, soon()).await.unwrap_err();
        assert_eq!(refused, Problem::NoRetry);
    }
    for number in 0..20 {
        let probe = host.enter(false, soon()).await.unwrap();
        assert!(probe.probe);
        if number % 2 == 0 {
            probe.end(Sign::Nothing, None);
        }
    }
    assert!(!host.is_forgettable(Duration::ZERO), "it is not back");
}

#[tokio::test(start_paused = true)]
async fn retry_after_stops_a_host_that_only_refuses_and_those_who_wait_go_on_afterwards() {
    let host = host(rules());
    let pause = Duration::from_secs(3);
    let first = host.enter(false, soon()).await.unwrap();
    first.end(Sign::Shed, Some(pause));
    let impatient = Instant::now() + Duration::from_secs(1);
    let refused = host.enter(false, impatient).await.unwrap_err();
    assert_eq!(refused, Problem::Paused(pause));
    let begun = Instant::now();
    assert!(host.enter(false, soon()).await.is_ok());
    assert_eq!(begun.elapsed(), pause);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_nothing_but_fail_is_asked_ever_more_slowly() {
    let host = host(HostRules {
        halt_failures: 1_000,
        ..rules()
    });
    let fail = async |times: usize| {
        let begun = Instant::now();
        for _ in 0..times {
            host.enter(false, soon())
                .await
                .unwrap()
                .end(Sign::Failed, None);
        }
        begun.elapsed()
    };
    assert_eq!(fail(10).await, Duration::ZERO, "at first it may be chance");
    assert!(fail(10).await >= Duration::from_secs(1));
    assert!(fail(10).await >= Duration::from_secs(9), "one a second");
    host.enter(false, soon())
        .await
        .unwrap()
        .end(Sign::Fine, None);
    let begun = Instant::now();
    host.enter(false, soon()).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO, "it is back");
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_a_few_refusals_stops_nothing() {
    let host = host(rules());
    for _ in 0..10 {
        let fine = host.enter(false, soon()).await.unwrap();
        fine.end(Sign::Fine, None);
    }
    let shed = host.enter(false, soon()).await.unwrap();
    shed.end(Sign::Shed, Some(Duration::from_secs(30)));
    assert!(host.enter(false, soon()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cap_spreads_calls_and_a_retry_needs_a_token() {
    let capped = host(HostRules {
        per_second: 10,
        max_concurrent: 100,
        ..rules()
    });
    let begun = Instant::now();
    for _ in 0..12 {
        capped.enter(false, soon()).await.unwrap();
    }
    let took = begun.elapsed();
    assert!((900..=1_200).contains(&took.as_millis()), "{took:?}");

    let host = host(rules());
    for _ in 0..10 {
        host.enter(true, soon()).await.unwrap();
    }
    assert_eq!(
        host.enter(true, soon()).await.unwrap_err(),
        Problem::NoRetry
    );
    assert!(host.enter(false, soon()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_place_is_lost_or_given_twice_whoever_leaves_when() {
    let host = host(HostRules {
        max_concurrent: 4,
        max_waiting: 10_000,
        ..rules()
    });
    let present = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    let mut handles = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    for number in 0..2_000 {
        let (host, present) = (Arc::clone(&host), Arc::clone(&present));
        handles.push(callers.spawn(async move {
            let pass = host.enter(false, deadline).await.unwrap();
            let together = present.fetch_add(1, SeqCst) + 1;
            let leaving = Leaving(present);
            assert!(together <= 4, "{together}");
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            drop(leaving);
            match number % 3 {
                0 => drop(pass),
                _ => pass.end(Sign::Fine, None),
            }
        }));
        if number % 5 == 0 {
            handles[number / 2].abort();
        }
    }
    while let Some(done) = callers.join_next().await {
        assert!(done.is_ok() || done.is_err_and(|it| it.is_cancelled()));
    }
    let state = host.state();
    assert_eq!((state.in_flight, state.waiting.len()), (0, 0));
}

/// Counts a caller out before its place is given to the next.
struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
