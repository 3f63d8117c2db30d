-- Which slots the database was made for: one row. Users of any other slot would be looked for, and
-- sent to, in the wrong place.

CREATE TABLE slot_range (
    single     boolean  NOT NULL PRIMARY KEY DEFAULT true CHECK (single),
    first_slot smallint NOT NULL,
    last_slot  smallint NOT NULL CHECK (last_slot >= first_slot)
);
