-- Which way of sound worked with a modem, by its IMEI, and among which ways it was: where
-- those are changed, nothing is known any more.
-- Closed: change nothing here, add a new file.

CREATE TABLE sound_ways (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    imei TEXT UNIQUE NOT NULL,
    ways TEXT NOT NULL,
    path TEXT NOT NULL
);
