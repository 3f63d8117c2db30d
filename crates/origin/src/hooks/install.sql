-- The journal of changed keys and the trigger that writes it. Run again at any time.
CREATE SCHEMA IF NOT EXISTS corkboard_origin;

-- One row for up to 1,000 keys that a statement touched; no keys: all of the table's.
-- Rows become visible in the order of commits, not of numbers; a reader therefore goes by
-- snapshots: what is visible in this one and was not in the last.
CREATE TABLE IF NOT EXISTS corkboard_origin.change (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    change_no bigint GENERATED ALWAYS AS IDENTITY,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    table_name text NOT NULL,
    keys text[],
    PRIMARY KEY (xid, change_no)
);

-- All that the snapshot `applied` has seen has been applied to Redis; the journal has everything after
-- the transaction id `trimmed`.
CREATE TABLE IF NOT EXISTS corkboard_origin.progress (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    applied pg_snapshot NOT NULL,
    trimmed xid8 NOT NULL
);
INSERT INTO corkboard_origin.progress (applied, trimmed)
SELECT snapshot, pg_snapshot_xmin(snapshot) FROM pg_current_snapshot() AS snapshot
ON CONFLICT DO NOTHING;

-- `has_redis`: an origin with Redis has been here, and only those may say what is applied.
-- `redis_is_behind`: something was called applied, or was removed, that Redis was not told of.
ALTER TABLE corkboard_origin.progress
    ADD COLUMN IF NOT EXISTS has_redis boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS redis_is_behind boolean NOT NULL DEFAULT false;

-- Runs with its owner's rights: whoever may change the table need not see the journal.
CREATE OR REPLACE FUNCTION corkboard_origin.record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    touched text;
    written bigint;
BEGIN
    CASE TG_OP
        WHEN 'INSERT' THEN
            touched := format('SELECT %1$I::text AS key FROM corkboard_new', TG_ARGV[1]);
        WHEN 'DELETE' THEN
            touched := format('SELECT %1$I::text AS key FROM corkboard_old', TG_ARGV[1]);
        WHEN 'UPDATE' THEN
            -- Keys seldom change: those before are looked up among those after, as they are, instead
            -- of printing and sorting all of them twice.
            touched := format(
                'SELECT %1$I::text AS key FROM corkboard_new UNION ALL
                 SELECT %1$I::text FROM corkboard_old AS old WHERE NOT EXISTS (
                     SELECT FROM corkboard_new AS new WHERE new.%1$I = old.%1$I)',
                TG_ARGV[1]);
        ELSE
            touched := NULL;
    END CASE;
    IF touched IS NULL THEN
        INSERT INTO corkboard_origin.change (table_name) VALUES (TG_ARGV[0]);
    ELSE
        EXECUTE format(
            'INSERT INTO corkboard_origin.change (table_name, keys)
             SELECT $1, array_agg(key)
             FROM (SELECT key, (row_number() OVER () - 1) / 1000 AS part
                   FROM (%s) AS touched WHERE key IS NOT NULL) AS numbered
             GROUP BY part', touched)
        USING TG_ARGV[0];
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written = 0 THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM pg_notify('corkboard_origin', '');
    RETURN NULL;
END;
$body$;
