//! The bounds of reading. Every one has a default; none can be switched off.

use std::time::Duration;

use corkboard_template::Limits;

/// How feeds are read, and how much memory and work that may take.
#[derive(Debug, Clone)]
pub struct FeedOptions {
    /// Most cards of one feed. Dismissed cards do not count.
    pub max_cards: usize,
    /// Most rows of one user that are looked at, newest first, dismissed ones included.
    pub max_rows: usize,
    /// What clients are told about when to read again.
    pub refresh_after: Duration,
    /// How often what is in force in a workspace is read again, to learn what other nodes did.
    pub live_poll: Duration,
    /// Longest wait for that.
    pub live_deadline: Duration,
    /// Most workspaces kept in memory; the least recently read one makes room.
    pub max_workspaces: usize,
    /// Largest card, in payload bytes after rendering.
    pub card_bytes: usize,
    pub template_limits: Limits,
    /// Longest that a read waits for cards made at first impression. What is not ready is in the
    /// next read.
    pub first_impression_deadline: Duration,
    /// Longest that making one user's cards at first impression may go on, read or no read.
    pub first_impression_limit: Duration,
    /// Most users whose first impressions are evaluated at a time; others wait, then go without.
    pub first_impression_users: usize,
    /// Most cards of one user made at a time.
    pub first_impression_cards: usize,
    /// How long a card that could not be made at first impression is not tried again.
    pub first_impression_retry: Duration,
    /// How long after a card's expiry (or disappearance) its events still count.
    pub late_events: Duration,
    /// Most live connections of this node.
    pub max_subscribers: usize,
    /// Most live connections of one user to this node.
    pub max_subscribers_per_user: usize,
    /// Most cursors computed at a time for live connections: a change for a whole workspace reaches
    /// them as fast as the store answers, not all at once.
    pub hint_concurrency: usize,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            max_cards: 250,
            max_rows: 1_000,
            refresh_after: Duration::from_secs(600),
            live_poll: Duration::from_secs(1),
            live_deadline: Duration::from_secs(5),
            max_workspaces: 1_024,
            card_bytes: 2_048,
            template_limits: Limits::default(),
            first_impression_deadline: Duration::from_millis(1_500),
            first_impression_limit: Duration::from_secs(30),
            first_impression_users: 256,
            first_impression_cards: 16,
            first_impression_retry: Duration::from_secs(60),
            late_events: Duration::from_secs(86_400),
            max_subscribers: 10_000,
            max_subscribers_per_user: 16,
            hint_concurrency: 16,
        }
    }
}
