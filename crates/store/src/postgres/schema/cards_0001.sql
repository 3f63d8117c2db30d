-- A card database: what both layouts have in common.
--
-- Keys of a user's rows begin with the slot, so that a slot can be moved as a range. `owner` is 16
-- bytes of a hash of workspace and user id: it names the user in rows that are many, and costs no
-- more in an index than eight bytes would. `cohort_no` is the cohort's number less 36,524, so that
-- 2020-01-01 is 0 and two bytes last until 2064.

CREATE TABLE workspace_number (
    workspace_no int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace    uuid NOT NULL UNIQUE
);

CREATE TABLE campaign_number (
    campaign_no int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace   uuid NOT NULL,
    campaign    uuid NOT NULL,
    -- In which it got its number, the first of 2020 being 0: its receipts lie with those of that
    -- quarter's other campaigns, whenever they are given.
    quarter     smallint NOT NULL
                DEFAULT extract(year FROM now()) * 4 + extract(quarter FROM now()) - 8081,
    UNIQUE (workspace, campaign)
);

CREATE TABLE tracked_user (
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    workspace_no int         NOT NULL,
    slot         smallint    NOT NULL,
    user_id      text        COLLATE "C" NOT NULL,
    attributes   jsonb       NOT NULL,    -- one object without nulls at its top level
    PRIMARY KEY (slot, workspace_no, user_id)
) WITH (fillfactor = 90);

-- How many users there are, in lanes: writers of one moment use different rows.
CREATE TABLE user_total (
    workspace_no int      NOT NULL,
    lane         smallint NOT NULL,
    users        bigint   NOT NULL,
    PRIMARY KEY (workspace_no, lane)
) WITH (fillfactor = 50);

-- What is remembered of a user's events of one name.
CREATE TABLE user_event (
    count        bigint      NOT NULL,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    workspace_no int         NOT NULL,
    slot         smallint    NOT NULL,
    user_id      text        COLLATE "C" NOT NULL,
    name         text        COLLATE "C" NOT NULL,
    PRIMARY KEY (slot, workspace_no, user_id, name)
) WITH (fillfactor = 80);

-- Ids of recent events: a repeated report counts once. A ring of four days; the oldest is emptied
-- as a whole before its place is used again.
CREATE TABLE event_seen (
    event       uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    ring        smallint    NOT NULL,     -- the day modulo 4
    PRIMARY KEY (event, ring)
) PARTITION BY LIST (ring);
CREATE TABLE event_seen_0 PARTITION OF event_seen FOR VALUES IN (0);
CREATE TABLE event_seen_1 PARTITION OF event_seen FOR VALUES IN (1);
CREATE TABLE event_seen_2 PARTITION OF event_seen FOR VALUES IN (2);
CREATE TABLE event_seen_3 PARTITION OF event_seen FOR VALUES IN (3);

-- Ids recorded up to this time count as forgotten, whether or not their day is gone yet.
CREATE TABLE event_memory (
    only_one        boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    forgotten_until timestamptz NOT NULL
);
INSERT INTO event_memory (forgotten_until) VALUES ('-infinity');

-- The latest card that a user was given of a campaign that may have several dispatches; outlives
-- the card. Claimed in the transaction that inserts the card: two dispatches never both give "the
-- first". A quarter's partition is dropped when none of its campaigns can send any more.
CREATE TABLE receipt (
    at          timestamptz NOT NULL,     -- planned_at of the dispatch
    dispatch    uuid        NOT NULL,
    owner       uuid        NOT NULL,
    campaign_no int         NOT NULL,
    slot        smallint    NOT NULL,
    quarter     smallint    NOT NULL,     -- as of the campaign's number
    occurrence  int,                      -- absent: 0
    PRIMARY KEY (slot, owner, campaign_no, quarter)
) PARTITION BY LIST (quarter);

-- Users who were erased: a dispatch planned before gives them no card. A ring of five spans of 31
-- days; a span is emptied as a whole when all of it is older than a dispatch can be.
CREATE TABLE tombstone (
    erased_at timestamptz NOT NULL,
    owner     uuid        NOT NULL,
    slot      smallint    NOT NULL,
    ring      smallint    NOT NULL,       -- the span modulo 5
    PRIMARY KEY (slot, owner, ring)
) PARTITION BY LIST (ring);
CREATE INDEX tombstone_age ON tombstone (erased_at);
CREATE TABLE tombstone_0 PARTITION OF tombstone FOR VALUES IN (0);
CREATE TABLE tombstone_1 PARTITION OF tombstone FOR VALUES IN (1);
CREATE TABLE tombstone_2 PARTITION OF tombstone FOR VALUES IN (2);
CREATE TABLE tombstone_3 PARTITION OF tombstone FOR VALUES IN (3);
CREATE TABLE tombstone_4 PARTITION OF tombstone FOR VALUES IN (4);

-- Every cohort that there ever was, one or two a day.
CREATE TABLE cohort (
    cohort_no smallint PRIMARY KEY,
    name      text     NOT NULL,
    -- 0 made ahead, 1 has had cards, 2 counts kept and cards about to go, 3 gone except how many
    -- cards each dispatch has written, 4 gone
    state     smallint NOT NULL
);

-- Grows with every change of `cohort`: a reader that finds another version than it knows looks again.
CREATE TABLE cohort_set (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version  bigint  NOT NULL
);
INSERT INTO cohort_set (version) VALUES (0);

-- Counts of retired cohorts.
CREATE TABLE retired_count (
    campaign_no        int      NOT NULL,
    cohort_no          smallint NOT NULL,
    variant            smallint NOT NULL,
    day                int      NOT NULL,
    sent               bigint   NOT NULL,
    impressions        bigint   NOT NULL,
    unique_impressions bigint   NOT NULL,
    clicks             bigint   NOT NULL,
    unique_clicks      bigint   NOT NULL,
    dismissals         bigint   NOT NULL,
    unique_dismissals  bigint   NOT NULL,
    PRIMARY KEY (campaign_no, cohort_no, variant, day)
);

-- The four tables below hold rows of one cohort each in the layout `cohorts`, where they stay empty
-- here and serve as the pattern of `card_content_d20261122` and so on.

-- What the cards of a dispatch's variant have in common, stored once.
CREATE TABLE card_content (
    content_no   int      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_no  int      NOT NULL,
    cohort_no    smallint NOT NULL,
    variant      smallint NOT NULL,
    dispatch     uuid     NOT NULL,
    presentation text     NOT NULL,       -- JSON
    content      text,                    -- JSON; absent when each card carries its own
    UNIQUE (dispatch, variant)
);

-- Exact counts, changed in the transaction that inserts what they count. In lanes.
CREATE TABLE card_count (
    campaign_no        int      NOT NULL,
    cohort_no          smallint NOT NULL,
    variant            smallint NOT NULL,
    day                int      NOT NULL,
    lane               smallint NOT NULL,
    sent               bigint   NOT NULL,
    impressions        bigint   NOT NULL,
    unique_impressions bigint   NOT NULL,
    clicks             bigint   NOT NULL,
    unique_clicks      bigint   NOT NULL,
    dismissals         bigint   NOT NULL,
    unique_dismissals  bigint   NOT NULL,
    PRIMARY KEY (campaign_no, cohort_no, variant, day, lane)
) WITH (fillfactor = 50);

-- How many cards a dispatch has written. In lanes.
CREATE TABLE card_written (
    written   bigint   NOT NULL,
    dispatch  uuid     NOT NULL,
    cohort_no smallint NOT NULL,
    lane      smallint NOT NULL,
    PRIMARY KEY (dispatch, lane)
) WITH (fillfactor = 70);

-- The latest lease that wrote for a chunk; an older one is refused.
CREATE TABLE card_fence (
    token     bigint   NOT NULL,
    dispatch  uuid     NOT NULL,
    chunk     int      NOT NULL,
    cohort_no smallint NOT NULL,
    PRIMARY KEY (dispatch, chunk)
) WITH (fillfactor = 70);
