-- rows --
-- Guard rows, procedures, sessions, reservations, as they were when the journal was last folded in.
CREATE TABLE row (
    key  TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    due  INTEGER
) WITHOUT ROWID;

-- rows that fall due --
-- Reservations without a verdict, runs and sessions that end, buckets that age out.
CREATE INDEX row_due ON row (due) WHERE due IS NOT NULL;

-- journal --
-- What the last batches wrote, one record a batch: a commit touches a few pages at the end of this table instead of
-- one page for every subject. A row is what the newest record says, else what stands in `row`.
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    body   BLOB NOT NULL
);

-- folded --
-- Up to which record the journal has been folded into `row`, and the newest time anything was decided at until then.
CREATE TABLE folded (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL
);
INSERT INTO folded (one, number, at) VALUES (1, 0, 0);

-- events --
-- One link of a writer's chain for each batch, appended only.
CREATE TABLE link (
    writer INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL,
    mac    BLOB NOT NULL,
    PRIMARY KEY (writer, first)
) WITHOUT ROWID;

CREATE TABLE writer (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name   TEXT NOT NULL
);

-- feed --
-- What channels are told, in commit order.
CREATE TABLE feed (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL
);

-- documents --
-- Policies as they were accepted, and seals.
CREATE TABLE document (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
