-- The register of transfers: what really left the box, to whom, on which ground.
-- Closed: change nothing here, add a new file. A row holds nobody's datum; it
-- outlives its call, because the law asks for the register and not for the words.

CREATE TABLE transfers (
    number INTEGER PRIMARY KEY NOT NULL,
    at_ns INTEGER NOT NULL,
    call TEXT,
    destination TEXT NOT NULL,
    operator TEXT NOT NULL,
    country TEXT NOT NULL,
    -- JSON: the classes of data, the rows of the table, the safeguards sent.
    classes TEXT NOT NULL,
    verdict TEXT NOT NULL,
    ground TEXT NOT NULL,
    policy_rows TEXT NOT NULL,
    safeguards TEXT NOT NULL,
    bytes_sent INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL
);
CREATE INDEX transfers_by_time ON transfers (at_ns);
CREATE INDEX transfers_by_call ON transfers (call, number);
