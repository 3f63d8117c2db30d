-- The control database, version 1: everything that is keyed by a workspace.
--
-- Ids are blobs of 16 bytes; times are microseconds since 1970 in UTC; documents are JSON text;
-- states and other enumerations are their names as in JSON. No foreign keys: what must exist is
-- checked by the statement that needs it, and nothing here is deleted in cascades.

-- --- tenancy

CREATE TABLE workspace (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE app (
    id         BLOB    NOT NULL PRIMARY KEY,
    workspace  BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    token_keys TEXT    NOT NULL,                -- the keys that verify user tokens
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX app_by_workspace ON app (workspace, created_at, id);

CREATE TABLE api_key (
    id          BLOB    NOT NULL PRIMARY KEY,
    workspace   BLOB    NOT NULL,
    secret_hash BLOB    NOT NULL,               -- SHA-256; the secret itself is nowhere
    scopes      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;
CREATE INDEX api_key_by_workspace ON api_key (workspace, created_at, id);

-- --- campaigns

CREATE TABLE campaign (
    id           BLOB    NOT NULL PRIMARY KEY,
    workspace    BLOB    NOT NULL,
    state        TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    cancelled_at INTEGER,
    heeds_events INTEGER NOT NULL,              -- 1: some event sets it off or takes its cards away
    cards_until  INTEGER,                       -- latest expiry of its dispatches; null: none yet
    definition   TEXT    NOT NULL               -- last, because it is long
) STRICT;
CREATE INDEX campaign_newest ON campaign (workspace, created_at, id);
-- Looked at for every user event, so it holds those campaigns only.
CREATE INDEX campaign_heeding_events ON campaign (workspace, state, cards_until)
    WHERE heeds_events = 1 AND state <> 'draft';
-- Looked at for every live set; campaigns fall out of the searched range when their cards expire.
CREATE INDEX campaign_cancelled ON campaign (workspace, cards_until) WHERE cancelled_at IS NOT NULL;

-- --- dispatches

-- A definition as dispatches froze it. Thousands of triggers of one version share one row.
CREATE TABLE frozen_definition (
    campaign   BLOB NOT NULL,
    digest     BLOB NOT NULL,                   -- SHA-256 of the text
    definition TEXT NOT NULL,
    PRIMARY KEY (campaign, digest)
) STRICT;

CREATE TABLE dispatch (
    id                BLOB    NOT NULL PRIMARY KEY,
    workspace         BLOB    NOT NULL,
    campaign          BLOB    NOT NULL,
    campaign_version  INTEGER NOT NULL,
    digest            BLOB    NOT NULL,         -- names the frozen_definition
    cause             TEXT    NOT NULL,
    shape             TEXT    NOT NULL,
    state             TEXT    NOT NULL,
    planned_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    cohort            INTEGER NOT NULL,
    occurrence        INTEGER NOT NULL,
    audience_estimate INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    started_at        INTEGER,
    finished_at       INTEGER,
    at_read           INTEGER NOT NULL,         -- 1: takes effect when a feed is read
    chunks            INTEGER NOT NULL,         -- cut in all
    chunks_left       INTEGER NOT NULL,         -- not finished
    targeted          INTEGER NOT NULL,         -- over all chunks, finished or not
    skipped           TEXT    NOT NULL,         -- {reason: count}, likewise
    properties        TEXT    NOT NULL          -- last, because it may be long
) STRICT;
CREATE INDEX dispatch_newest ON dispatch (workspace, campaign, created_at, id);
CREATE INDEX dispatch_due ON dispatch (planned_at, id) WHERE state = 'planned';
CREATE INDEX dispatch_open ON dispatch (workspace, campaign) WHERE state IN ('planned', 'running');
-- For forgetting: one row per trigger or event would grow for ever.
CREATE INDEX dispatch_over ON dispatch (expires_at) WHERE state IN ('done', 'stopped', 'failed');
CREATE INDEX dispatch_at_read ON dispatch (workspace, expires_at) WHERE at_read = 1;

-- --- chunks

-- The work that is left, of running dispatches only. A finished chunk's row is gone (its counts are
-- in the dispatch), and with it the recipients named there: the table is as long as the work.
CREATE TABLE chunk (
    dispatch   BLOB    NOT NULL,
    number     INTEGER NOT NULL,                -- within the dispatch, from 0
    lane       INTEGER NOT NULL,                -- 0: named recipients, 1: a scan
    queued_at  INTEGER NOT NULL,                -- when the dispatch was started
    ready      INTEGER NOT NULL,                -- 1: may be claimed; 0: not before free_at
    free_at    INTEGER NOT NULL,                -- when the lease lapses, or a retry is due
    token      INTEGER NOT NULL,                -- of the last claim; 0: nobody holds it
    worker     TEXT,                            -- who claimed it, for the operator's eyes
    touched_at INTEGER NOT NULL,                -- last claim or checkpoint
    attempt    INTEGER NOT NULL,                -- claims since the last progress
    position   TEXT,
    work       TEXT    NOT NULL,
    PRIMARY KEY (dispatch, number)
) STRICT;
CREATE INDEX chunk_ready ON chunk (lane, queued_at, dispatch, number) WHERE ready = 1;
CREATE INDEX chunk_waiting ON chunk (free_at) WHERE ready = 0;

-- The fencing token of the latest claim of any chunk.
CREATE TABLE fencing (
    only  INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    token INTEGER NOT NULL
) STRICT;
INSERT INTO fencing (only, token) VALUES (1, 0);

-- --- idempotency

CREATE TABLE idempotency (
    workspace    BLOB    NOT NULL,
    key          TEXT    NOT NULL,
    request_hash BLOB    NOT NULL,
    begun_at     INTEGER NOT NULL,              -- by the holder of the key
    expires_at   INTEGER NOT NULL,
    status       INTEGER,                       -- null: not answered yet
    content_type TEXT,
    body         BLOB,
    PRIMARY KEY (workspace, key)
) STRICT;
CREATE INDEX idempotency_expiring ON idempotency (expires_at);

-- --- the connected-content call log

CREATE TABLE call (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,  -- in the order of writing
    at         INTEGER NOT NULL,
    workspace  BLOB    NOT NULL,
    campaign   BLOB,
    method     TEXT    NOT NULL,
    host       TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    source     TEXT    NOT NULL,
    problem    TEXT,
    url        TEXT    NOT NULL
) STRICT;
CREATE INDEX call_by_age ON call (at);
-- One for each filter, so that a rare host or status is found without walking the log.
CREATE INDEX call_newest ON call (workspace, at);
CREATE INDEX call_of_host ON call (workspace, host, at);
CREATE INDEX call_of_status ON call (workspace, status, at);
CREATE INDEX call_of_campaign ON call (workspace, campaign, at) WHERE campaign IS NOT NULL;
