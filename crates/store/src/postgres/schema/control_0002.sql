-- Version 2: what templates name. Both tables are short; names are in the order of their bytes, as
-- lists are.

-- Pieces of template that campaigns share. What a dispatch uses of them is in its definition.
CREATE TABLE content_block (
    workspace  uuid             NOT NULL,
    created_at timestamptz      NOT NULL,
    updated_at timestamptz      NOT NULL,
    version    integer          NOT NULL,
    bytes      integer          NOT NULL,       -- of the source, so that lists need not read it
    name       text COLLATE "C" NOT NULL,
    source     text             NOT NULL,
    PRIMARY KEY (workspace, name)
);

-- Credentials of connected content. What must not be known is sealed with a key that is not here,
-- bound to workspace and name.
CREATE TABLE credential (
    workspace  uuid             NOT NULL,
    created_at timestamptz      NOT NULL,
    updated_at timestamptz      NOT NULL,
    name       text COLLATE "C" NOT NULL,
    kind       text             NOT NULL,
    key        text             NOT NULL,       -- the id of the key that sealed it
    hosts      json             NOT NULL,       -- a list
    sealed     bytea            NOT NULL,       -- nonce, ciphertext, tag
    PRIMARY KEY (workspace, name)
);
