"""Every statement that the PostgreSQL store sends, by name. Why they are as they are: `docs/why/postgres-statements.md`."""

from __future__ import annotations

SETTINGS = """
    current_setting('fsync') AS fsync,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standbys,
    current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery() AS read_only
"""
"""What the database promises of a commit, and whether it takes any."""

ASK_SETTINGS = f"SELECT {SETTINGS}"

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""Microseconds since the epoch, when this is looked at; `now()` would be when the transaction began."""

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {wait_ms}"

COMMIT = "SET LOCAL statement_timeout = 0; COMMIT"
"""A commit that waits for a standby is never cancelled by the database: cancelled, it would be seen before any standby has it."""

KEYS = "string_to_array($1::text, E'\\n')"
"""Many keys in one text: the driver looks at each value of an array, which for keys took half of its time."""

STAND_IN = f"""
INSERT INTO row (key, at)
SELECT key, 0 FROM unnest({KEYS}) AS key
ON CONFLICT DO NOTHING
RETURNING key
"""  # noqa: S608  made of constants
"""Put an empty row where there is none, in the order of the keys: a row that is absent cannot be locked."""

_LOCK_AND_READ = """
WITH held AS MATERIALIZED (
    SELECT r.key, r.body, r.at FROM unnest({keys}) AS k JOIN row AS r ON r.key = k
    ORDER BY r.key FOR UPDATE OF r {skip}
), seen AS MATERIALIZED (
    SELECT r.key, r.body, r.at FROM row AS r WHERE r.key = ANY ($2::text[])
)
SELECT
    held.keys, held.bodies, seen.keys AS seen_keys, seen.bodies AS seen_bodies,
    greatest(held.at, seen.at, 0) AS at, {now} AS now, {settings}
FROM (SELECT coalesce(array_agg(key), '{{}}') AS keys, coalesce(array_agg(body), '{{}}') AS bodies, max(at) AS at FROM held) AS held,
     (SELECT coalesce(array_agg(key), '{{}}') AS keys, coalesce(array_agg(body), '{{}}') AS bodies, max(at) AS at FROM seen) AS seen
"""

# The rows that are only seen are looked for in every partition. Joined as those that are locked are, PostgreSQL 18.4 breaks down
# (SIGSEGV) when it looks again at a row it has waited for: with a join of that kind a second time in the same statement.
LOCK_AND_READ = _LOCK_AND_READ.format(keys=KEYS, skip="", now=NOW, settings=SETTINGS)
"""Lock in the order of the keys and read what stands there then. All locks are counted up before the clock is looked at."""

LOCK_FREE_AND_READ = _LOCK_AND_READ.format(keys=KEYS, skip="SKIP LOCKED", now=NOW, settings=SETTINGS)
"""The same, but for the rows that nobody else holds."""

WRITE = f"""
WITH written AS (
    INSERT INTO row AS r (key, body, due, at)
    SELECT w.key, w.body, w.due, $4 FROM unnest({KEYS}, $2::bytea[], $3::bigint[]) AS w (key, body, due)
    ON CONFLICT (key) DO UPDATE SET body = excluded.body, due = coalesce(excluded.due, r.due), at = greatest(excluded.at, r.at)
), dropped AS (
    DELETE FROM row AS r USING unnest($5::text[]) AS k WHERE r.key = k
), told AS (
    INSERT INTO feed (at, body) SELECT f.at, f.body FROM unnest($6::bigint[], $7::bytea[]) WITH ORDINALITY AS f (at, body, n) ORDER BY f.n
)
INSERT INTO link (writer, first, number, at, body, mac)
SELECT $8::bigint, $9::bigint, $10::integer, $11::bigint, $12::bytea, $13::bytea WHERE $8::bigint IS NOT NULL
"""  # noqa: S608  made of constants
"""All that one batch writes: rows, rows that go, what channels are told, the link."""

PEEK = "SELECT r.key, r.body FROM unnest($1::text[]) AS k JOIN row AS r ON r.key = k WHERE r.body IS NOT NULL"

DUE = """
SELECT key FROM row
WHERE due <= $2 AND key >= $1 AND key < $1 || U&'\\+10FFFF' AND body IS NOT NULL
ORDER BY due, key LIMIT $3
"""

ROWS = """
SELECT key, body FROM row
WHERE key > $2 AND key >= $1 AND key < $1 || U&'\\+10FFFF' AND body IS NOT NULL
ORDER BY key LIMIT $3
"""

LINK = "SELECT writer, first, number, at, body, mac FROM link WHERE writer = $1 AND first <= $2 ORDER BY first DESC LIMIT 1"
CHAIN = "SELECT writer, first, number, at, body, mac FROM link WHERE writer = $1 AND first > $2 ORDER BY first LIMIT $3"

FEED = "SELECT number, body FROM feed WHERE number > $1 ORDER BY number LIMIT $2"
FEED_HAS_NEW = "SELECT EXISTS (SELECT FROM feed WHERE number IS NULL)"
FEED_END = "SELECT number FROM feed_end FOR UPDATE"
FEED_NUMBER = """
WITH fresh AS (
    SELECT entry, row_number() OVER (ORDER BY at, entry) AS n FROM feed WHERE number IS NULL
), numbered AS (
    UPDATE feed SET number = $1 + fresh.n FROM fresh WHERE feed.entry = fresh.entry
)
UPDATE feed_end SET number = $1 + (SELECT count(*) FROM fresh)
"""
"""Number what has been committed and has no number yet. Whoever runs this holds `feed_end` and took its snapshot after that."""

WRITERS = "SELECT number FROM writer ORDER BY number"
NEW_WRITER = "INSERT INTO writer (name) VALUES ($1) RETURNING number"

DOCUMENT = "SELECT body FROM document WHERE kind = $1 AND name = $2"
DOCUMENTS = "SELECT name FROM document WHERE kind = $1 ORDER BY name"
KEEP_DOCUMENT = "INSERT INTO document (kind, name, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING name"

FORGET_LINKS = """
DELETE FROM link USING (SELECT writer, first FROM link WHERE writer = $1 AND first <= $2 ORDER BY first LIMIT $3) AS old
WHERE link.writer = old.writer AND link.first = old.first
"""
FORGET_FEED = """
DELETE FROM feed USING (SELECT number, at FROM feed WHERE number IS NOT NULL ORDER BY number LIMIT $2) AS old
WHERE feed.number = old.number AND old.at < $1
"""
FORGET_DOCUMENTS = """
DELETE FROM document USING (SELECT kind, name FROM document WHERE kind = $1 AND name <= $2 ORDER BY name LIMIT $3) AS old
WHERE document.kind = old.kind AND document.name = old.name
"""

CLOCK = f"SELECT {NOW}"

STEPS = "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, name text NOT NULL, needs integer NOT NULL)"
STEPS_ALONE = "LOCK TABLE migration IN SHARE ROW EXCLUSIVE MODE"
STEPS_DONE = "SELECT number, needs FROM migration"
STEP_DONE = "INSERT INTO migration (number, name, needs) VALUES ($1, $2, $3)"
