-- The control database, version 1: everything that is keyed by a workspace.
--
-- Ids are uuid; times are timestamptz, which holds microseconds; documents are json, which keeps
-- them letter by letter (jsonb would change numbers); states and other enumerations are their names
-- as in JSON. No foreign keys: what must exist is checked by the statement that needs it.
--
-- Whoever locks rows of several of these tables locks in this order: campaign, dispatch, chunk.

-- --- tenancy

CREATE TABLE workspace (
    id         uuid        NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL,
    name       text        NOT NULL UNIQUE
);

CREATE TABLE app (
    id         uuid        NOT NULL PRIMARY KEY,
    workspace  uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    name       text        NOT NULL,
    token_keys json        NOT NULL             -- the keys that verify user tokens
);
CREATE INDEX app_by_workspace ON app (workspace, created_at, id);

CREATE TABLE api_key (
    id          uuid        NOT NULL PRIMARY KEY,
    workspace   uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    secret_hash bytea       NOT NULL,           -- SHA-256; the secret itself is nowhere
    scopes      json        NOT NULL
);
CREATE INDEX api_key_by_workspace ON api_key (workspace, created_at, id);

-- --- campaigns

CREATE TABLE campaign (
    id           uuid        NOT NULL PRIMARY KEY,
    workspace    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    cancelled_at timestamptz,
    -- Set when it is stopped, which is when it is needed: the latest expiry of its dispatches.
    -- Kept up to date before, it would be written by every trigger.
    cards_until  timestamptz,
    version      integer     NOT NULL,
    heeds_events boolean     NOT NULL,          -- some event sets it off or takes its cards away
    dispatched   boolean     NOT NULL,          -- has ever had a dispatch
    state        text        NOT NULL CHECK (state IN ('draft', 'active', 'stopped')),
    definition   json        NOT NULL
);
CREATE INDEX campaign_newest ON campaign (workspace, created_at, id);
-- Looked at for every user event, so it holds those campaigns only; the stopped ones fall out of
-- the searched range when their cards expire.
CREATE INDEX campaign_heeding_events ON campaign (workspace, state, cards_until)
    WHERE heeds_events AND state <> 'draft';
CREATE INDEX campaign_cancelled ON campaign (workspace, cards_until) WHERE cancelled_at IS NOT NULL;

-- --- dispatches

-- Dispatches and their definitions lie in partitions by month: that of the dispatch's expiry, which
-- is frozen, or, when that is more than a year after its creation ("far"), of a year after it. A
-- month is dropped whole when all in it is over. The name of a partition is its table's, followed
-- by the year and the month.

-- A definition as dispatches froze it. Thousands of triggers of one version share a row in a month.
CREATE TABLE frozen_definition (
    campaign   uuid  NOT NULL,
    month      date  NOT NULL,                  -- its first day
    digest     bytea NOT NULL,                  -- SHA-256 of the text
    definition json  NOT NULL,
    PRIMARY KEY (campaign, digest, month)
) PARTITION BY RANGE (month);

-- That an id is there once, in whatever month, is for an advisory lock to see to.
CREATE TABLE dispatch (
    id                uuid        NOT NULL,
    workspace         uuid        NOT NULL,
    campaign          uuid        NOT NULL,
    planned_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    created_at        timestamptz NOT NULL,
    started_at        timestamptz,
    finished_at       timestamptz,
    audience_estimate bigint      NOT NULL,
    targeted          bigint      NOT NULL,     -- of the chunks that are over; the others have their own
    month             date        NOT NULL,     -- its first day
    campaign_version  integer     NOT NULL,
    cohort            integer     NOT NULL,
    occurrence        integer     NOT NULL,
    chunks            integer     NOT NULL,     -- cut in all
    chunks_left       integer     NOT NULL,     -- not finished
    at_read           boolean     NOT NULL,     -- takes effect when a feed is read
    far               boolean     NOT NULL,     -- expires after its month
    digest            bytea       NOT NULL,     -- names the frozen_definition
    cause             text        NOT NULL,
    shape             text        NOT NULL,
    state             text        NOT NULL,
    skipped           jsonb       NOT NULL,     -- {reason: count}, as for targeted
    properties        json        NOT NULL,
    PRIMARY KEY (id, month)
) PARTITION BY RANGE (month);
CREATE INDEX dispatch_newest ON dispatch (workspace, campaign, created_at, id);
CREATE INDEX dispatch_latest ON dispatch (campaign, expires_at);
CREATE INDEX dispatch_due ON dispatch (planned_at, id) WHERE state = 'planned';
CREATE INDEX dispatch_open ON dispatch (campaign, id) WHERE state IN ('planned', 'running');
CREATE INDEX dispatch_at_read ON dispatch (workspace, expires_at) WHERE at_read;
CREATE INDEX dispatch_far ON dispatch (expires_at) WHERE far;

-- --- chunks

-- The work of dispatches that were started, in partitions by the day (of UTC) on which they were. A
-- day is dropped whole when no chunk of it is open. Every worker counts in the row of its own chunk,
-- so that none waits for another. What changes while a chunk is worked on is in no index.
CREATE TABLE chunk (
    dispatch       uuid        NOT NULL,
    queued_at      timestamptz NOT NULL,        -- when the dispatch was started
    -- Its place in the lane: when it was queued or, after a failure, when the retry is due.
    turn_at        timestamptz NOT NULL,
    free_at        timestamptz NOT NULL,        -- when the lease lapses, or a retry is due
    touched_at     timestamptz NOT NULL,        -- last claim or checkpoint
    token          bigint      NOT NULL,        -- of the last claim; 0: nobody holds it
    targeted       bigint      NOT NULL,
    number         integer     NOT NULL,        -- within the dispatch, from 0
    attempt        integer     NOT NULL,        -- claims since the last progress
    dispatch_month date        NOT NULL,        -- where the dispatch lies
    lane           smallint    NOT NULL,        -- 0: named recipients, 1: a scan
    open           boolean     NOT NULL,        -- still to be done
    worker         text,                        -- who claimed it, for the operator's eyes
    skipped        jsonb       NOT NULL,
    position       json,
    work           json        NOT NULL,
    PRIMARY KEY (dispatch, number, queued_at)
) PARTITION BY RANGE (queued_at);
CREATE INDEX chunk_open ON chunk (lane, turn_at, dispatch, number) WHERE open;

-- The fencing tokens: every claim of any chunk takes the next one.
CREATE SEQUENCE chunk_token;

-- Adds counts by reason. jsonb keeps whole numbers exactly.
CREATE FUNCTION add_counts(a jsonb, b jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN b = '{}' THEN a
        WHEN a = '{}' THEN b
        ELSE (
            SELECT jsonb_object_agg(reason, count)
            FROM (
                SELECT reason, sum(count::bigint) AS count
                FROM (SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b))
                    AS both_of (reason, count)
                GROUP BY reason
            ) AS sums
        )
    END
$$;
CREATE AGGREGATE sum_counts(jsonb) (sfunc = add_counts, stype = jsonb, initcond = '{}');

-- --- idempotency

-- Partitioned by day (of UTC); a day's keys are forgotten together. A key that is taken again gets
-- another row; the latest counts. One transaction at a time deals with a key.
CREATE TABLE idempotency (
    workspace    uuid        NOT NULL,
    begun_at     timestamptz NOT NULL,          -- by the holder of the key
    expires_at   timestamptz NOT NULL,
    status       smallint,                      -- null: not answered yet
    held         boolean     NOT NULL,          -- false: given back without an answer
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    content_type text,
    body         bytea,
    PRIMARY KEY (workspace, key, begun_at)
) PARTITION BY RANGE (begun_at);

-- Keys that expired before this time are as good as gone, also for a node whose clock is late.
CREATE TABLE idempotency_horizon (
    only_row  boolean     NOT NULL PRIMARY KEY CHECK (only_row),
    forgotten timestamptz NOT NULL
);
INSERT INTO idempotency_horizon (only_row, forgotten) VALUES (true, '-infinity');

-- --- the connected-content call log

-- Partitioned by day (of UTC), too.
CREATE SEQUENCE call_id CACHE 32;
CREATE TABLE call (
    at         timestamptz NOT NULL,
    id         bigint      NOT NULL DEFAULT nextval('call_id'),  -- breaks ties of time
    workspace  uuid        NOT NULL,
    campaign   uuid,
    bytes      bigint      NOT NULL,
    elapsed_ms bigint      NOT NULL,
    status     integer     NOT NULL,
    method     text        NOT NULL,
    host       text        NOT NULL,
    source     text        NOT NULL,
    problem    text,
    url        text        NOT NULL
) PARTITION BY RANGE (at);
-- One for each filter, so that a rare host or status is found without walking the log.
CREATE INDEX call_newest ON call (workspace, at, id);
CREATE INDEX call_of_host ON call (workspace, host, at, id);
CREATE INDEX call_of_status ON call (workspace, status, at, id);
CREATE INDEX call_of_campaign ON call (workspace, campaign, at, id) WHERE campaign IS NOT NULL;

-- --- leases

-- Kinds of work that one process at a time does, such as keeping cohorts.
CREATE TABLE lease (
    name       text        NOT NULL PRIMARY KEY,
    held_until timestamptz NOT NULL,
    holder     text        NOT NULL
);
