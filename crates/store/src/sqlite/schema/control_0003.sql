-- Version 3: the call log says how an answer came about, and can be searched for it.

ALTER TABLE call RENAME COLUMN source TO outcome;
ALTER TABLE call ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;     -- counted from 1
ALTER TABLE call ADD COLUMN waited_ms INTEGER NOT NULL DEFAULT 0;   -- of elapsed_ms, for leave to call
-- What is rare, so that it is found without walking the log.
CREATE INDEX call_of_outcome ON call (workspace, outcome, at) WHERE outcome <> 'network';
CREATE INDEX call_failed ON call (workspace, at) WHERE status NOT BETWEEN 200 AND 299;
