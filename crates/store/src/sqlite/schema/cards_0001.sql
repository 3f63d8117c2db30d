-- cards-<cohort>.db: the cards that expire in one period, and all that goes with them.
--
-- The file is unlinked as a whole when the period is over. Keys of a user's rows begin with the
-- slot, so that a feed reads neighbouring rows and a slot can be moved as a range.

-- What the cards of a dispatch's variant have in common.
CREATE TABLE shared_content (
    dispatch     BLOB NOT NULL,
    variant      INTEGER NOT NULL,
    presentation TEXT NOT NULL,     -- JSON
    content      TEXT,              -- JSON; absent when each card carries its own
    PRIMARY KEY (dispatch, variant)
) STRICT, WITHOUT ROWID;

-- Written once, never changed. The id follows from campaign, user and occurrence.
CREATE TABLE card (
    slot       INTEGER NOT NULL,
    workspace  BLOB NOT NULL,
    user_id    TEXT NOT NULL,
    card       BLOB NOT NULL,
    campaign   BLOB NOT NULL,
    dispatch   BLOB NOT NULL,
    variant    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    content    TEXT,                -- JSON; absent for a pointer card
    PRIMARY KEY (slot, workspace, user_id, card)
) STRICT, WITHOUT ROWID;

-- What users did with cards; only touched cards have a row. Broadcasts have states without cards.
-- Each time is when the mark was first set; absent: not set.
CREATE TABLE card_state (
    slot         INTEGER NOT NULL,
    workspace    BLOB NOT NULL,
    user_id      TEXT NOT NULL,
    card         BLOB NOT NULL,
    seen_at      INTEGER,
    clicked_at   INTEGER,
    dismissed_at INTEGER,
    removed_at   INTEGER,
    PRIMARY KEY (slot, workspace, user_id, card)
) STRICT, WITHOUT ROWID;

-- Every event that was counted, so that a repeat is not.
CREATE TABLE card_event (
    slot      INTEGER NOT NULL,
    workspace BLOB NOT NULL,
    user_id   TEXT NOT NULL,
    card      BLOB NOT NULL,
    mark      INTEGER NOT NULL,     -- 1 seen, 2 clicked, 4 dismissed
    at        INTEGER NOT NULL,
    PRIMARY KEY (slot, workspace, user_id, card, mark, at)
) STRICT, WITHOUT ROWID;

-- Exact counts, changed in the transaction that inserts what they count.
CREATE TABLE count (
    workspace          BLOB NOT NULL,
    campaign           BLOB NOT NULL,
    variant            INTEGER NOT NULL,
    day                INTEGER NOT NULL,
    sent               INTEGER NOT NULL DEFAULT 0,
    impressions        INTEGER NOT NULL DEFAULT 0,
    unique_impressions INTEGER NOT NULL DEFAULT 0,
    clicks             INTEGER NOT NULL DEFAULT 0,
    unique_clicks      INTEGER NOT NULL DEFAULT 0,
    dismissals         INTEGER NOT NULL DEFAULT 0,
    unique_dismissals  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, campaign, variant, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE dispatch_count (
    dispatch BLOB NOT NULL PRIMARY KEY,
    written  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The latest lease that wrote for a chunk; an older one is refused.
CREATE TABLE chunk_fence (
    dispatch BLOB NOT NULL,
    chunk    INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    PRIMARY KEY (dispatch, chunk)
) STRICT, WITHOUT ROWID;

-- Users who were erased while this file existed. Checked in the transaction that inserts cards: a
-- writer that looked before the erasure cannot insert after it.
CREATE TABLE tombstone (
    slot      INTEGER NOT NULL,
    workspace BLOB NOT NULL,
    user_id   TEXT NOT NULL,
    erased_at INTEGER NOT NULL,
    PRIMARY KEY (slot, workspace, user_id)
) STRICT, WITHOUT ROWID;

-- Cards and states together, so that listing cohorts counts nothing.
CREATE TABLE total (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    rows INTEGER NOT NULL
) STRICT;
INSERT INTO total VALUES (1, 0);
