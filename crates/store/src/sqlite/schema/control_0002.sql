-- Version 2: what templates name. Both tables are short and in the order in which they are listed.

-- Pieces of template that campaigns share. What a dispatch uses of them is in its definition.
CREATE TABLE content_block (
    workspace  BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,                -- of the source, so that lists need not read it
    source     TEXT    NOT NULL,
    PRIMARY KEY (workspace, name)
) STRICT;

-- Credentials of connected content. What must not be known is sealed with a key that is not here,
-- bound to workspace and name.
CREATE TABLE credential (
    workspace  BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    hosts      TEXT    NOT NULL,                -- a list
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    key        TEXT    NOT NULL,                -- the id of the key that sealed it
    sealed     BLOB    NOT NULL,                -- nonce, ciphertext, tag
    PRIMARY KEY (workspace, name)
) STRICT;
