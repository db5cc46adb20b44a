-- rows --
-- Guard rows, procedures, sessions, reservations. A row without a body is an absent one: it stands there to be locked.
-- `at` is the newest time anything in its last batch was decided at: no later decision about it is made before that.
-- Keys are compared by their bytes, so that every node locks them in the same order, whatever the database's language.
CREATE TABLE row (
    key  text COLLATE "C" PRIMARY KEY,
    body bytea,
    due  bigint,
    at   bigint NOT NULL
) PARTITION BY HASH (key);

-- rows that fall due --
-- Reservations without a verdict, runs and sessions that end, buckets that age out.
CREATE INDEX row_due ON row (due) WHERE due IS NOT NULL;

-- events --
-- One link of a writer's chain for each batch, appended only.
CREATE TABLE link (
    writer bigint NOT NULL,
    first  bigint NOT NULL,
    number integer NOT NULL,
    at     bigint NOT NULL,
    body   bytea NOT NULL,
    mac    bytea NOT NULL,
    PRIMARY KEY (writer, first)
) PARTITION BY HASH (writer);

-- parts --
-- Room in each page of the rows, so that a row that changes stays in its page and its indexes need not be told.
DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format('CREATE TABLE row_%s PARTITION OF row FOR VALUES WITH (MODULUS 16, REMAINDER %s) WITH (fillfactor = 70)', part, part);
        EXECUTE format('CREATE TABLE link_%s PARTITION OF link FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
    END LOOP;
END
$$;

CREATE TABLE writer (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text NOT NULL
);

-- feed --
-- What channels are told. An entry is numbered after its commit, by whoever reads the feed: an order of numbers that were
-- drawn before a commit would let a reader pass by an entry that is committed later.
CREATE TABLE feed (
    entry  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     bigint NOT NULL,
    body   bytea NOT NULL,
    number bigint UNIQUE
);

-- entries without a number --
CREATE INDEX feed_new ON feed (at, entry) WHERE number IS NULL;

-- the last number given --
-- Whoever gives numbers holds this row.
CREATE TABLE feed_end (
    one    integer PRIMARY KEY CHECK (one = 1),
    number bigint NOT NULL
);
INSERT INTO feed_end (one, number) VALUES (1, 0);

-- documents --
-- Policies as they were accepted, and seals.
CREATE TABLE document (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (kind, name)
);
