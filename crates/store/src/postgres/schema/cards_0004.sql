-- Which life of the server this is. A crash empties an unlogged table, so whoever has read the same
-- life twice knows that nothing that was committed before the first time has been lost in between,
-- even if its commit did not wait for the disk.

CREATE UNLOGGED TABLE server_life (
    single boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (single),
    life   uuid    NOT NULL DEFAULT gen_random_uuid()
);
