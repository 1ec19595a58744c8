-- The same for SQLite and PostgreSQL.

-- How often anything has changed. The tag tells this history from another of the same length, such as that of a restored backup.
CREATE TABLE head (
    only_one BIGINT NOT NULL PRIMARY KEY CHECK (only_one = 1),
    revision BIGINT NOT NULL,
    tag TEXT NOT NULL
);
INSERT INTO head VALUES (1, 0, '');

-- All that is kept, sealed. A record without a text is one that was deleted.
CREATE TABLE record (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    sealing_key TEXT,
    sealed TEXT,
    PRIMARY KEY (kind, id)
);
CREATE INDEX record_by_revision ON record (revision);

-- Who did what, a row for each revision.
CREATE TABLE audit (
    revision BIGINT NOT NULL PRIMARY KEY,
    tag TEXT NOT NULL,
    microseconds BIGINT NOT NULL,
    who TEXT NOT NULL,
    whence TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL
);
INSERT INTO audit VALUES (0, '', 0, '', '', 'made', '');
