-- What is to be done again with better engines, once they may be reached.
-- Closed: change nothing here, add a new file. Erasing a call takes its rows with it.

CREATE TABLE catch_up (
    call TEXT PRIMARY KEY NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    due_at_ns INTEGER NOT NULL,
    tries INTEGER NOT NULL
);
CREATE INDEX catch_up_by_time ON catch_up (due_at_ns);

-- The caller's turns, heard again. `sealed` is AES-256-GCM under the call's words key.
CREATE TABLE second_hearings (
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,
    engine TEXT NOT NULL,
    heard_at_ns INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (call, turn)
);
