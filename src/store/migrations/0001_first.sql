-- Version 1 of the index. Closed: change nothing here, add a new file.
-- Times of day are nanoseconds since 1970 in UTC; times within a call are
-- milliseconds. No STRICT tables: Debian's sqlcipher, which must be able to read
-- this, is of 2016 and does not know them. A column named sealed is AES-256-GCM under the call's words key.

CREATE TABLE calls (
    id TEXT PRIMARY KEY NOT NULL,
    line TEXT NOT NULL,
    from_number TEXT,
    started_at_ns INTEGER NOT NULL,
    key_epoch INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    -- Null until the call has ended.
    ended_at_ns INTEGER,
    answered_after_ns INTEGER,
    end_cause TEXT,
    outcome TEXT,
    media TEXT
);
CREATE INDEX calls_by_start ON calls (started_at_ns);

CREATE TABLE turns (
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    who TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    facts TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (call, number)
);

CREATE TABLE messages (
    call TEXT PRIMARY KEY NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL
);

CREATE TABLE recordings (
    call TEXT PRIMARY KEY NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    rate_hz INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    -- Null until the recording has ended.
    duration_ms INTEGER,
    gaps TEXT NOT NULL
);

-- How much of each sound file was safe on the disk: less than this is tampering.
CREATE TABLE sound_files (
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    leg TEXT NOT NULL,
    number INTEGER NOT NULL,
    safe_bytes INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    PRIMARY KEY (call, leg, number)
);

CREATE TABLE journal (
    number INTEGER PRIMARY KEY NOT NULL,
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX journal_by_call ON journal (call, number);

CREATE TABLE renderings (
    key BLOB PRIMARY KEY NOT NULL,
    samples BLOB NOT NULL,
    used INTEGER NOT NULL
);
CREATE INDEX renderings_by_use ON renderings (used);
