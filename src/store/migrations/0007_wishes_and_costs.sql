-- What the transfers cost and what operators reported of them; what callers
-- wished of their data. Closed: change nothing here, add a new file.

-- JSON: what the answers said was used, and where.
ALTER TABLE transfers ADD COLUMN reported TEXT NOT NULL DEFAULT '{}';
-- In billionths of the price list's currency.
ALTER TABLE transfers ADD COLUMN cost_nanos INTEGER NOT NULL DEFAULT 0;

-- A wish holds nobody's words. It is of its call and is erased with it.
CREATE TABLE wishes (
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    wish TEXT NOT NULL,
    PRIMARY KEY (call, number)
);
