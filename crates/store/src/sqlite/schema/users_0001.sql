-- users.db: users, what they did elsewhere, and what must outlive cards.
--
-- Ids are 16 bytes, times are microseconds since 1970, days are days since 1970. Keys of a user's
-- rows begin with the workspace and the user's slot, the order in which audiences are scanned.

CREATE TABLE user (
    workspace  BLOB NOT NULL,
    slot       INTEGER NOT NULL,
    user_id    TEXT NOT NULL,
    attributes TEXT NOT NULL,       -- a JSON object without nulls at its top level
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, slot, user_id)
) STRICT, WITHOUT ROWID;

-- Kept in step with `user` by every transaction, so that counting everyone reads one row.
CREATE TABLE user_count (
    workspace BLOB NOT NULL PRIMARY KEY,
    users     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is remembered of a user's events of one name.
CREATE TABLE user_event (
    workspace BLOB NOT NULL,
    slot      INTEGER NOT NULL,
    user_id   TEXT NOT NULL,
    name      TEXT NOT NULL,
    count     INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace, slot, user_id, name)
) STRICT, WITHOUT ROWID;

-- Ids of recent events: a repeated report counts once.
CREATE TABLE event_seen (
    event       BLOB NOT NULL PRIMARY KEY,
    recorded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX event_seen_age ON event_seen (recorded_at);

-- The latest card that a user was given of a campaign. Written before the card, and naming the
-- dispatch: the same dispatch, repeated after a crash, arrives at the same occurrence and thereby
-- at the same card id.
CREATE TABLE receipt (
    workspace  BLOB NOT NULL,
    slot       INTEGER NOT NULL,
    user_id    TEXT NOT NULL,
    campaign   BLOB NOT NULL,
    dispatch   BLOB NOT NULL,
    occurrence INTEGER NOT NULL,
    at         INTEGER NOT NULL,    -- planned_at of the dispatch
    PRIMARY KEY (workspace, slot, user_id, campaign)
) STRICT, WITHOUT ROWID;

-- Receipts that a later occurrence has replaced. A dispatch that was interrupted before its card
-- was written finds its own occurrence here, instead of being given another.
CREATE TABLE receipt_replaced (
    workspace   BLOB NOT NULL,
    slot        INTEGER NOT NULL,
    user_id     TEXT NOT NULL,
    campaign    BLOB NOT NULL,
    dispatch    BLOB NOT NULL,
    occurrence  INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, slot, user_id, campaign, dispatch)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_replaced_age ON receipt_replaced (replaced_at);

-- Users who were erased: a dispatch planned before gives them no card.
CREATE TABLE tombstone (
    workspace BLOB NOT NULL,
    slot      INTEGER NOT NULL,
    user_id   TEXT NOT NULL,
    erased_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, slot, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_age ON tombstone (erased_at);

-- Cohorts whose counts are below and whose files are gone or about to go. One row a day.
CREATE TABLE retired_cohort (
    cohort     INTEGER PRIMARY KEY,
    retired_at INTEGER NOT NULL
) STRICT;

-- Counts of retired cohorts. The cohort stays in the key: a reader that saw the cohort's own file
-- leaves its rows out here, and so counts nothing twice while it is being retired.
CREATE TABLE retired_count (
    workspace          BLOB NOT NULL,
    campaign           BLOB NOT NULL,
    cohort             INTEGER NOT NULL,
    variant            INTEGER NOT NULL,
    day                INTEGER NOT NULL,
    sent               INTEGER NOT NULL,
    impressions        INTEGER NOT NULL,
    unique_impressions INTEGER NOT NULL,
    clicks             INTEGER NOT NULL,
    unique_clicks      INTEGER NOT NULL,
    dismissals         INTEGER NOT NULL,
    unique_dismissals  INTEGER NOT NULL,
    PRIMARY KEY (workspace, campaign, cohort, variant, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE retired_dispatch (
    dispatch BLOB NOT NULL PRIMARY KEY,
    written  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
