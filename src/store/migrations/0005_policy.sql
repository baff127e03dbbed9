-- The residency policies that hold together, the oldest first, and until when a
-- widening waits. Closed: change nothing here, add a new file.

CREATE TABLE policy_texts (
    place INTEGER PRIMARY KEY NOT NULL,
    text TEXT NOT NULL
);

CREATE TABLE policy_waits (
    only INTEGER PRIMARY KEY NOT NULL CHECK (only = 1),
    until_ns INTEGER NOT NULL
);
