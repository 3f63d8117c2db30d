//! Crowds and floods before a source of a known pace, in virtual time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;

const MS: Duration = Duration::from_millis(1);
const BOUNDS: LineBounds = LineBounds {
    most: 20_000,
    patience: Duration::from_secs(2),
    target: Some(Duration::from_millis(20)),
    takers: 2,
};

#[derive(Debug)]
struct One {
    since: Instant,
    refused: Arc<AtomicUsize>,
}

impl Waits for One {
    fn is_left(&self) -> bool {
        false
    }
    fn refuse(self) {
        self.refused.fetch_add(1, Relaxed);
    }
}

/// A line, and what takes some of it every 10 ms.
struct Scene {
    entrance: Entrance<One>,
    front: Front<One>,
    /// In line.
    refused: Arc<AtomicUsize>,
    turned_away: usize,
    /// Waits of those who were served.
    waits: Vec<Duration>,
}

impl Scene {
    fn new(bounds: LineBounds) -> Self {
        let (entrance, front) = line(bounds);
        Self {
            entrance,
            front,
            refused: Arc::new(AtomicUsize::new(0)),
            turned_away: 0,
            waits: Vec::new(),
        }
    }

    fn come(&mut self, count: usize) {
        for _ in 0..count {
            let one = || One {
                since: Instant::now(),
                refused: Arc::clone(&self.refused),
            };
            if self.entrance.enter(one).is_err() {
                self.turned_away += 1;
            }
        }
    }

    /// 10 ms in which so many are served; how many were.
    async fn serve(&mut self, most: usize) -> usize {
        let mut taken = Vec::new();
        // Nobody may be there.
        let _ = tokio::time::timeout(MS, self.front.take(&mut taken, most)).await;
        self.waits
            .extend(taken.iter().map(|one| one.since.elapsed()));
        tokio::time::advance(MS * 10).await;
        taken.len()
    }

    /// So many times 10 ms in which so many come and ten are served.
    async fn turns(&mut self, turns: usize, come: usize) {
        for _ in 0..turns {
            self.come(come);
            self.serve(10).await;
        }
    }

    fn refused(&self) -> usize {
        self.refused.load(Relaxed) + self.turned_away
    }

    fn longest_of_last(&self, count: usize) -> Duration {
        let from = self.waits.len().saturating_sub(count);
        self.waits[from..].iter().copied().max().unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_asks_again_when_it_is_answered_is_served_in_turn() {
    // All at once, and over a second; 10 ms bring 150 of 15,000, and the last waits 1 s.
    for newcomers_a_turn in [15_000, 150] {
        let mut scene = Scene::new(BOUNDS);
        let (mut outside, mut served) = (15_000_usize, VecDeque::new());
        for _ in 0..1_000 {
            let newcomers = outside.min(newcomers_a_turn);
            outside -= newcomers;
            // Who was served asks again a turn later.
            let again = served.pop_front().unwrap_or(0);
            scene.come(newcomers + again);
            served.push_back(scene.serve(150).await);
        }
        assert_eq!(scene.refused(), 0, "{newcomers_a_turn}");
        assert!(scene.waits.len() > 148_000, "{}", scene.waits.len());
        assert!(scene.longest_of_last(50_000) <= BOUNDS.patience);
    }
}

#[tokio::test(start_paused = true)]
async fn at_ten_times_what_can_be_served_as_much_is_served_and_soon() {
    let mut scene = Scene::new(BOUNDS);
    scene.turns(100, 8).await;
    assert_eq!(scene.refused(), 0, "four fifths of it");
    let before = scene.waits.len();
    scene.turns(1_000, 100).await;
    assert!(scene.waits.len() - before >= 9_990);
    assert!(
        scene.longest_of_last(6_000) <= MS * 20,
        "after four seconds"
    );
    scene.turns(20, 8).await;
    let refused = scene.refused();
    scene.turns(100, 8).await;
    assert_eq!(scene.refused(), refused, "it is over");
}

#[tokio::test(start_paused = true)]
async fn at_twice_what_can_be_served_nobody_is_served_later_than_in_a_second() {
    let mut scene = Scene::new(BOUNDS);
    scene.turns(100, 8).await;
    assert_eq!(scene.refused(), 0, "four fifths of it");
    let before = scene.waits.len();
    scene.turns(1_000, 20).await;
    assert!(scene.waits.len() - before >= 9_990);
    assert!(scene.longest_of_last(20_000) < MS * 980, "{scene:?}");
    assert!(scene.longest_of_last(8_000) <= MS * 20);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_is_served_in_waves_is_served_in_turn() {
    // 900 of 9,000 every tenth of a second, who ask again all at once.
    let mut scene = Scene::new(BOUNDS);
    scene.come(9_000);
    tokio::time::advance(MS * 30).await;
    for _ in 0..100 {
        let mut served = 0;
        for _ in 0..3 {
            served += scene.serve(300).await;
        }
        tokio::time::advance(MS * 70).await;
        scene.come(served);
    }
    assert_eq!(scene.refused(), 0);
    assert!(scene.longest_of_last(9_000) > MS * 850, "{scene:?}");
}

#[tokio::test(start_paused = true)]
async fn what_piled_up_while_a_server_stood_still_is_served() {
    // 1.2 s; then it is itself again, with a fifth more than it needs.
    let mut scene = Scene::new(BOUNDS);
    for turn in 0..1_000 {
        scene.come(8);
        if (100..220).contains(&turn) {
            tokio::time::advance(MS * 10).await;
        } else {
            scene.serve(10).await;
        }
    }
    assert_eq!(scene.refused(), 0);
    assert!(scene.longest_of_last(10_000) > MS * 1_100, "{scene:?}");
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_too_many_come_is_turned_away_at_once_and_only_then() {
    let mut scene = Scene::new(BOUNDS);
    scene.come(1_000);
    assert_eq!(scene.turned_away, 0);
    scene.turns(500, 100).await;
    let (refused, turned_away) = (scene.refused(), scene.turned_away);
    scene.turns(100, 100).await;
    // As many wait as two take next.
    assert_eq!(scene.refused() - refused, 9_000);
    assert_eq!(scene.turned_away - turned_away, 9_000);
    for _ in 0..20 {
        scene.serve(10).await;
    }
    scene.come(1_000);
    assert_eq!(scene.turned_away - turned_away, 9_000, "it is over");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_stands_for_longer_than_anybody_likes_is_cut() {
    // 2,000 ask again and again, and 10 ms bring 10: everybody would wait for two seconds.
    let mut scene = Scene::new(BOUNDS);
    let (mut served, mut refused) = (2_000, 0);
    for turn in 0..1_000 {
        scene.come(served + std::mem::take(&mut refused));
        let before = scene.refused();
        served = scene.serve(10).await;
        refused = scene.refused() - before;
        assert!(turn < 100 || served == 10, "{turn}: {served}");
    }
    assert!(scene.longest_of_last(8_000) <= MS * 20);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_only_grows_a_little_is_cut_before_its_wait_is_long() {
    let mut scene = Scene::new(BOUNDS);
    scene.turns(1_000, 13).await;
    assert!(scene.longest_of_last(10_000) < MS * 1_400);
    assert!(scene.longest_of_last(5_000) <= MS * 20);
    assert!(scene.waits.len() >= 9_990);
}

#[tokio::test(start_paused = true)]
async fn without_a_target_everybody_waits_for_as_long_as_the_patience_lasts() {
    let bounds = LineBounds {
        target: None,
        ..BOUNDS
    };
    let mut scene = Scene::new(bounds);
    scene.turns(1_000, 20).await;
    assert_eq!(scene.turned_away, 0);
    assert!(
        scene.waits.len() >= 9_990 && scene.refused() > 5_000,
        "{scene:?}"
    );
    assert!(scene.longest_of_last(10_000) <= BOUNDS.patience);
}

#[tokio::test(start_paused = true)]
async fn a_burst_after_a_quiet_time_is_not_judged_by_the_quiet_time() {
    let mut scene = Scene::new(BOUNDS);
    scene.turns(100, 1).await;
    scene.come(1_500);
    for _ in 0..160 {
        scene.serve(10).await;
    }
    assert_eq!((scene.waits.len(), scene.refused()), (1_600, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_for_a_server_that_hung_is_refused_and_the_next_is_served() {
    let mut scene = Scene::new(BOUNDS);
    scene.come(500);
    tokio::time::advance(BOUNDS.patience + MS).await;
    scene.come(1);
    scene.serve(10).await;
    assert_eq!((scene.waits.len(), scene.refused()), (1, 500));
}

#[tokio::test(start_paused = true)]
async fn a_line_has_an_end() {
    let mut scene = Scene::new(LineBounds { most: 3, ..BOUNDS });
    scene.come(5);
    assert_eq!(scene.turned_away, 2);
    scene.serve(2).await;
    scene.come(5);
    assert_eq!(scene.turned_away, 5);
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} served, {} turned away, {} refused in line",
            self.waits.len(),
            self.turned_away,
            self.refused.load(Relaxed)
        )
    }
}
