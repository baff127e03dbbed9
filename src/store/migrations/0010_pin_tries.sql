-- PINs of SIMs that were tried and of which nothing has said yet that they were right:
-- none is tried a second time. What is kept is a keyed digest.
-- Closed: change nothing here, add a new file.

CREATE TABLE pin_tries (
    line TEXT PRIMARY KEY NOT NULL,
    digest BLOB NOT NULL,
    iccid TEXT
);
