-- What the network told of texts that were sent, without to whom they were; and which of
-- those that came are for a program of a telephone and for nobody to read.
-- Closed: change nothing here, add a new file.

CREATE TABLE text_deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call TEXT REFERENCES calls (id) ON DELETE CASCADE,
    line TEXT NOT NULL,
    told_at_ns INTEGER NOT NULL,
    delivered INTEGER NOT NULL
);

ALTER TABLE incoming_texts ADD COLUMN for_program INTEGER NOT NULL DEFAULT 0;
