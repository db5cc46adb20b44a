"""The same attempts by PostgreSQL's own load tool: `pgbench`, one transaction an attempt, in the same server."""

import asyncio
import re
from pathlib import Path

import asyncpg

from sekisho.adapters.postgres import migrate
from tests.postgres import run

SCRIPT = Path(__file__).with_name("attempt.pgbench")
CLIENTS = (8, 32, 64)
"""The best of these counts is the comparator's."""

EVENT = 120
"""Bytes of one event as ours writes it."""

ROWS = {"customer": 90, "procedure": 150, "secret": 90, "~customer": 0}
"""Bytes of each row that an attempt locks, as ours are; the bucket's row is empty there too."""


def prepare(url, subjects):
    """Tables as ours, with rows as long as ours."""
    asyncio.run(_prepare(url, subjects))


async def _prepare(url, subjects):
    con = await asyncpg.connect(url)
    await migrate(con)
    await con.execute("CREATE SEQUENCE event CACHE 100")
    rows = [(f"{kind}:{n}", b"." * length or None, 0) for n in range(1, subjects + 1) for kind, length in ROWS.items()]
    await con.copy_records_to_table("row", records=rows, columns=["key", "body", "at"])
    await con.execute("VACUUM ANALYZE row")
    await con.execute("CHECKPOINT")
    await con.close()


def rate(url, subjects, load_s, *, hot):
    """Attempts a second, of the number of clients that is best at it."""
    return max(_rate(url, subjects, load_s, clients, hot) for clients in CLIENTS)


def _rate(url, subjects, load_s, clients, hot):
    words = [
        "--no-vacuum", "--protocol", "prepared", "--time", str(max(1, load_s)), "--client", str(clients), "--jobs", "2",
        "--file", SCRIPT, "--define", f"subjects={subjects}", "--define", f"hot={int(hot)}", "--define", f"event={EVENT}", url,
    ]
    return float(re.search(r"tps = ([0-9.]+)", run("pgbench", *words).stdout)[1])
