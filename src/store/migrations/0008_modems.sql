-- Modems and their SIMs: by what a line's modem is known again, and its airtime.
-- Closed: change nothing here, add a new file.

CREATE TABLE modems (
    line TEXT PRIMARY KEY NOT NULL,
    usb_path TEXT,
    imei TEXT,
    iccid TEXT,
    ussd_way TEXT
);

CREATE TABLE airtime_readings (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    line TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    kobo INTEGER NOT NULL
);
CREATE INDEX airtime_readings_by_line ON airtime_readings (line, id);
