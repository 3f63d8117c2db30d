-- The layout `flat`: all cohorts in the same tables, rows deleted when their cohort is over. For
-- tables that exist already; new installations have the layout `cohorts`.

CREATE TABLE card (
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    owner      uuid        NOT NULL,
    content_no int         NOT NULL,
    cohort_no  smallint    NOT NULL,
    slot       smallint    NOT NULL,
    occurrence int,                       -- absent: 0
    content    text,                      -- JSON; absent for a pointer card
    PRIMARY KEY (slot, owner, content_no)
);
CREATE INDEX card_cohort ON card (cohort_no);

CREATE TABLE card_state (
    seen_at      timestamptz,
    clicked_at   timestamptz,
    dismissed_at timestamptz,
    removed_at   timestamptz,
    owner        uuid        NOT NULL,
    card         uuid        NOT NULL,
    cohort_no    smallint    NOT NULL,
    slot         smallint    NOT NULL,
    PRIMARY KEY (slot, owner, card)
) WITH (fillfactor = 70);
CREATE INDEX card_state_cohort ON card_state (cohort_no);

CREATE TABLE card_event (
    at        timestamptz NOT NULL,
    owner     uuid        NOT NULL,
    card      uuid        NOT NULL,
    cohort_no smallint    NOT NULL,
    slot      smallint    NOT NULL,
    mark      smallint    NOT NULL,       -- 1 seen, 2 clicked, 4 dismissed
    PRIMARY KEY (slot, owner, card, mark, at)
);
CREATE INDEX card_event_cohort ON card_event (cohort_no);
