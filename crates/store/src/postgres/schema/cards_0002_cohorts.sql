-- The layout `cohorts`: cards, states and events of one cohort lie in tables of their own, which are
-- partitions of the three tables below in lock step and are dropped as a whole.
--
-- The keys are on the partitions, and without the cohort: within one it is always the same. There is
-- no default partition, no foreign key, and no index that mentions a state (so states change in place).

-- Written once, never changed. Columns from wide to narrow: 40 bytes and no padding.
CREATE TABLE card (
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    owner      uuid        NOT NULL,
    content_no int         NOT NULL,
    cohort_no  smallint    NOT NULL,
    slot       smallint    NOT NULL,
    occurrence int,                       -- absent: 0
    content    text                       -- JSON; absent for a pointer card
) PARTITION BY LIST (cohort_no);

-- What users did with cards; only touched cards have a row. Broadcasts have states without cards.
-- Each time is when the mark was first set; absent: not set.
CREATE TABLE card_state (
    seen_at      timestamptz,
    clicked_at   timestamptz,
    dismissed_at timestamptz,
    removed_at   timestamptz,
    owner        uuid        NOT NULL,
    card         uuid        NOT NULL,
    cohort_no    smallint    NOT NULL,
    slot         smallint    NOT NULL
) PARTITION BY LIST (cohort_no);

-- Every event that was counted, so that a repeat is not.
CREATE TABLE card_event (
    at        timestamptz NOT NULL,
    owner     uuid        NOT NULL,
    card      uuid        NOT NULL,
    cohort_no smallint    NOT NULL,
    slot      smallint    NOT NULL,
    mark      smallint    NOT NULL        -- 1 seen, 2 clicked, 4 dismissed
) PARTITION BY LIST (cohort_no);
