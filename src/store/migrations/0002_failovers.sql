-- Version 2 of the index: engines that were left in the middle of a turn. Closed:
-- change nothing here, add a new file. Names of engines and reasons are nobody's
-- secret, so nothing here is sealed.

CREATE TABLE failovers (
    call TEXT NOT NULL,
    turn INTEGER NOT NULL,
    number INTEGER NOT NULL,
    stage TEXT NOT NULL,
    left_engine TEXT NOT NULL,
    next_engine TEXT NOT NULL,
    why TEXT NOT NULL,
    after_ms INTEGER NOT NULL,
    PRIMARY KEY (call, turn, number),
    FOREIGN KEY (call, turn) REFERENCES turns (call, number) ON DELETE CASCADE
);
