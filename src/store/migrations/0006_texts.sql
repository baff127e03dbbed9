-- Text messages (SMS): what waits to be sent, when some were sent, and what came.
-- Closed: change nothing here, add a new file. Erasing a call takes what it promised.

CREATE TABLE outgoing_texts (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call TEXT REFERENCES calls (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    text TEXT NOT NULL,
    due_at_ns INTEGER NOT NULL,
    tries INTEGER NOT NULL
);
CREATE INDEX outgoing_texts_by_time ON outgoing_texts (due_at_ns);

-- Times alone, for the day's ceiling: to whom and what is forgotten once it is sent.
CREATE TABLE sent_texts (
    sent_at_ns INTEGER NOT NULL
);
CREATE INDEX sent_texts_by_time ON sent_texts (sent_at_ns);

CREATE TABLE incoming_texts (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    line TEXT NOT NULL,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    received_at_ns INTEGER NOT NULL
);
