//! Keys that are let back into an empty Redis, a full one, and one that nobody asks.

use std::collections::HashSet;

use super::*;

const LONGEST: Duration = Duration::from_secs(15);
const MS: Duration = Duration::from_millis(1);
const KEYS: u64 = 20_000;

/// A Redis that is empty at first, and readers who ask for any of the keys in turn.
struct Scene {
    readmission: Readmission,
    held: HashSet<u64>,
    next: u64,
    /// Reads of all, and those of them that looked in vain.
    reads: u32,
    in_vain: u32,
}

impl Scene {
    fn new() -> Self {
        Self {
            readmission: Readmission::new(LONGEST),
            held: HashSet::new(),
            next: 0,
            reads: 0,
            in_vain: 0,
        }
    }

    /// So many reads in a millisecond.
    async fn read(&mut self, reads: u64) {
        let now = Instant::now();
        for _ in 0..reads {
            // A prime, so that keys come in no order of their hashes.
            self.next = (self.next + 12_347) % KEYS;
            self.reads += 1;
            if self.readmission.admits(self.next, now) {
                let found = !self.held.insert(self.next);
                self.readmission.note(found);
                self.in_vain += u32::from(!found);
            }
        }
        tokio::time::advance(MS).await;
    }

    fn admitted(&self) -> usize {
        let now = Instant::now();
        let admitted = (0..1_000).filter(|hash| self.readmission.admits(*hash, now));
        admitted.count()
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_let_back_as_fast_as_they_are_filled() {
    let mut scene = Scene::new();
    assert_eq!(scene.admitted(), 1_000);
    scene.readmission.begin(Instant::now());
    assert_eq!(scene.admitted(), 50);
    // Each key once a second. A tenth of the reads fill a tenth of the keys in it.
    for second in 0..14 {
        (scene.reads, scene.in_vain) = (0, 0);
        for _ in 0..1_000 {
            scene.read(20).await;
        }
        let part = f64::from(scene.in_vain) / f64::from(scene.reads);
        assert!(part < 0.11, "second {second}: {part}");
        assert!(second > 8 || part > 0.07, "second {second}: {part}");
    }
    assert_eq!(scene.admitted(), 1_000);
    assert!(Instant::now() - scene.readmission.start < LONGEST);
}

#[tokio::test(start_paused = true)]
async fn a_redis_that_has_kept_everything_has_everybody_back_within_a_second() {
    let mut scene = Scene::new();
    scene.held = (0..KEYS).collect();
    scene.readmission.begin(Instant::now());
    for _ in 0..900 {
        scene.read(10).await;
    }
    assert_eq!((scene.admitted(), scene.in_vain), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn without_load_everybody_is_back_within_a_second() {
    let scene = Scene::new();
    scene.readmission.begin(Instant::now());
    for _ in 0..20 {
        tokio::time::advance(MS * 50).await;
        scene.readmission.admits(999, Instant::now());
    }
    assert_eq!(scene.admitted(), 1_000);
    // Also when the first one comes later.
    scene.readmission.begin(Instant::now());
    tokio::time::advance(MS * 1_000).await;
    assert_eq!(scene.admitted(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn looks_so_few_that_they_are_no_load_keep_nobody_out() {
    let scene = Scene::new();
    scene.readmission.begin(Instant::now());
    for _ in 0..20 {
        (1..FEW).for_each(|_| scene.readmission.note(false));
        tokio::time::advance(WINDOW).await;
        scene.readmission.admits(999, Instant::now());
    }
    assert_eq!(scene.admitted(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_asked_for_twice_it_is_over_after_a_while_and_does_not_begin_again_at_once()
 {
    let scene = Scene::new();
    let vain = |_| {
        let _ = scene.readmission.admits(0, Instant::now());
        scene.readmission.note(false);
    };
    begin_by_itself(&scene.readmission);
    assert_eq!(scene.admitted(), 50);
    for _ in 0..149 {
        tokio::time::advance(MS * 100).await;
        (0..100).for_each(vain);
    }
    assert_eq!(scene.admitted(), 100, "a tenth of all reads");
    let mut admitted = vec![100];
    for _ in 0..200 {
        tokio::time::advance(MS * 100).await;
        (0..100).for_each(vain);
        admitted.push(scene.admitted());
    }
    assert!(admitted.windows(2).all(|pair| pair[1] < pair[0] + 30));
    assert_eq!(admitted.last(), Some(&1_000), "{admitted:?}");
    begin_by_itself(&scene.readmission);
    assert_eq!(scene.admitted(), 1_000);
    tokio::time::advance(LONGEST * REST).await;
    begin_by_itself(&scene.readmission);
    assert_eq!(scene.admitted(), 50);
}

/// If it will.
fn begin_by_itself(readmission: &Readmission) {
    readmission.doubt(Instant::now());
    (0..MANY).for_each(|_| readmission.note(false));
}

#[tokio::test(start_paused = true)]
async fn few_looks_in_vain_are_no_sign_of_an_empty_redis_under_load() {
    let scene = Scene::new();
    (0..MANY * 2).for_each(|_| scene.readmission.note(false));
    assert_eq!(scene.admitted(), 1_000, "it has not grown cold");
    scene.readmission.doubt(Instant::now());
    (1..MANY).for_each(|_| scene.readmission.note(false));
    tokio::time::advance(SOON + MS).await;
    (0..MANY * 2).for_each(|_| scene.readmission.note(false));
    assert_eq!(scene.admitted(), 1_000, "not within a second");
}
