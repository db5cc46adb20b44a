"""A copied database without the keys: no column holds a secret or a code in any form, and no record tells a right guess from a wrong one."""

import asyncio
import base64
import contextlib
import sqlite3
from types import SimpleNamespace

import asyncpg
import pytest
from bankside import MODES, OnPostgres, Service

from sekisho.adapters.codes import KeyedCodes
from sekisho.adapters.keyring import Keyring
from sekisho.adapters.secrets import KeyedSecrets
from sekisho.core import otp
from sekisho.core.fold import fold
from sekisho.core.state import Outgoing, Secret, StockedToken, decode
from sekisho.terms import ItemKind

STOCK_SEED = b"seed of a token in stock"
SOFTWARE = "JBSWY3DPEHPK3PXPKRSXG5CTMVRXEZLU"
SECRETS = {
    "password": "quiet gate under 8 pines", "card_pin": "2580147036", "passcode": "482916503718", "transaction_code": "7391046285",
    "telephone_pin": "4826093715", "user_number": "55512340987", "last_balance": "98765432123", "name": "Hana of the Western Gate", "token_seed": SOFTWARE,
}
ITEMS = ("token-otp", "app-passcode", "transaction-code", "card-pin", "last-balance", "basic-data", "telephone-pin", "telephone-user-number")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def copied(request, tmp_path_factory, cheap_hashes):
    """A service after a day of everything, what was typed and sent in it, and a copy of its database."""
    kind = Service
    if request.param == "postgres":
        kind, OnPostgres.place = OnPostgres, request.getfixturevalue("postgres").database()
    service = kind(tmp_path_factory.mktemp("copied"))
    verify = MODES["verify"](service)
    hana = service.customer(*ITEMS, **SECRETS)
    tokens = service.post("/v1/staff/tokens", {"file": f"serial,type,seed_hex\nT-1,totp,{STOCK_SEED.hex()}\n"}, "endo")
    assert tokens.status_code == 201
    typed = {service.token(hana)}
    assert verify.run("transfer", hana).right("token-otp")["outcome"] == "right"
    reset = verify.run("reset-password", hana)
    reset.right("number-pair")
    typed |= {reset.code("mail-otp").replace(" ", "")}
    phone = verify.run("telephone-service", hana)
    assert [phone.right(item)["state"] for item in ("telephone-user-number", "telephone-pin")][-1] == "done"
    verify.run("transfer", hana).wrong("token-otp")
    verify.run("login", hana).wrong("login-password")
    service.do(service.app.seal())
    rows = service.do(service.app.store.rows("", "", 10_000))
    service.close()
    columns = on_sqlite(service.folder / "sekisho.db") if request.param == "sqlite" else asyncio.run(on_postgres(OnPostgres.place))
    whole = b"".join(path.read_bytes() for path in service.folder.glob("sekisho.db*"))
    return SimpleNamespace(service=service, hana=hana, typed=typed, rows=dict(rows), columns=columns, whole=whole)


def on_sqlite(path):
    """Every value of every column of a file."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            f"{table}.{column}": [value for (value,) in database.execute(f"SELECT {column} FROM {table}")]
            for table in tables for column in [one[1] for one in database.execute(f"PRAGMA table_info({table})")]
        }


async def on_postgres(url):
    """The same of a database; the parts of a table are read as the table that they are parts of."""
    con = await asyncpg.connect(url)
    try:
        found = await con.fetch(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped")
        return {f"{table}.{column}": [one[0] for one in await con.fetch(f'SELECT "{column}" FROM "{table}"')] for table, column in found}
    finally:
        await con.close()


def forms(secret):
    """How somebody might have kept it after all."""
    seed = [otp.seed_of(SOFTWARE)] if secret == SOFTWARE else []
    for plain in [secret.encode() if isinstance(secret, str) else secret, *seed]:
        yield from (plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode(), base64.b64encode(plain)[:-4], base64.b32encode(plain)[:-8])
        yield plain.decode().encode("utf-16-le") if plain.isascii() else plain


NUMBER = "a number or a time that the store gives"
NAME = "a name that this service gives, or the bank's of a subject"
CHAIN = "events, which hold no proof, no code and no secret; their MAC is made with a key that is not here"
HOLDS_NO_SECRET = {
    "row.key": NAME, "row.due": NUMBER, "row.at": NUMBER,
    "row.body": "what the kinds of row below say",
    "journal.number": NUMBER, "journal.body": "rows and events once more, until they are in their tables",
    "folded.one": NUMBER, "folded.number": NUMBER, "folded.at": NUMBER,
    "link.writer": NUMBER, "link.first": NUMBER, "link.number": NUMBER, "link.at": NUMBER, "link.body": CHAIN, "link.mac": CHAIN,
    "writer.number": NUMBER, "writer.name": NAME,
    "feed.number": NUMBER, "feed.entry": NUMBER, "feed.at": NUMBER, "feed.body": "what channels are told: no proof, no code, no count",
    "feed_end.one": NUMBER, "feed_end.number": NUMBER,
    "document.kind": NAME, "document.name": NAME, "document.body": "policies, and seals made with a key that is not here",
    "migration.number": NUMBER, "migration.name": NAME, "migration.needs": NUMBER,
}
"""Why a copy of each column gives no code, PIN or passcode away. A column that is not here has not been thought of."""

KINDS = {
    "customer": "counts, locks and keyed digests", "account": "the same", "app": "the same", "~customer": "the same, of a stranger", "~account": "the same",
    "~app": "the same", "~actor": "the same", "actor": "the same", "bank": "counts of all together",
    "secret": "under the pepper, or sealed", "token": "a seed, sealed", "procedure": "challenges and keyed digests; new secrets as those on record",
    "session": "what was proved, and when", "reservation": "whose guess it is, and its verdict", "addresses": "addresses, in clear",
    "outbox": "a challenge: its code follows with a key that is not here", "answered": "names of messages", "announcements": "names of texts and messages",
    "policy": "digests of policies", "clock": "how far it jumped", "leases": "guesses of the whole bank", "approvals": "what waits for a second person",
    "import": "digests of what was sent", "forms": "what stood on paper", "case": "what was tried", "replay": "an answer under a keyed digest",
    "apps": "names of devices", "kept": "when what was forgotten", "retention": "when what was forgotten",
}
"""The same of what stands in `row.body`, by the beginning of its key."""


def test_no_column_holds_a_secret_or_a_code(copied):
    found = {}
    for column, values in copied.columns.items():
        kept = [value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else str(value).encode() for value in values]
        hits = [form for secret in (*SECRETS.values(), *copied.typed, STOCK_SEED) for form in forms(secret) for value in kept if form in value]
        found |= {column: hits} if hits else {}
    assert found == {}


def test_of_every_column_it_is_said_why(copied):
    """`sqlite_…` is the store library's own: how many numbers it has given."""
    assert {name for name in copied.columns if not name.startswith("sqlite_")} - HOLDS_NO_SECRET.keys() == set()
    assert {"row.key", "row.body", "link.body", "link.mac", "feed.body", "document.body"} <= copied.columns.keys()


def test_of_every_kind_of_row_it_is_said_why(copied):
    assert {key.partition(":")[0] for key in copied.rows} - KINDS.keys() == set()


@pytest.mark.parametrize("copied", ["sqlite"], indirect=True)
def test_no_byte_of_the_file_outside_the_columns_holds_one(copied):
    """What was overwritten, and the write-ahead log."""
    assert not [form for secret in (*SECRETS.values(), *copied.typed, STOCK_SEED) for form in forms(secret) if form in copied.whole]


def proofs(hana):
    return {item: proof for item, (_, proof) in hana.secrets().items()}


def test_without_the_keys_no_right_guess_is_told_from_a_wrong_one(copied):
    """Every record of a secret and of a token, with the right proof: under the keys it is right, under others it is not."""
    ring, right = Keyring.open(copied.service.folder / "keys.json"), proofs(copied.hana)
    ours = KeyedSecrets(ring.secret("pepper"), ring.versions("seeds"))
    theirs = KeyedSecrets(b"x" * 32, dict.fromkeys(ring.versions("seeds"), b"x" * 32))
    kept = {key: decode(body, Secret) for key, body in copied.rows.items() if key.startswith("secret:")}
    assert {key.rpartition("/")[2] for key in kept} == {"login-password", *ITEMS}
    for key, record in kept.items():
        proof = right[key.rpartition("/")[2]]
        if record.kind == "totp":
            # The newest step was used; the next one is good.
            step = record.last_step + 1
            code = otp.hotp(otp.seed_of(SOFTWARE), step)
            assert (ours.used(record, code, step * 30) is None, theirs.used(record, code, step * 30)) == (False, None)
        else:
            folded = fold(ItemKind(record.kind), proof)
            assert (ours.matches(record, record.kind, folded), theirs.matches(record, record.kind, folded)) == (True, False), key


def test_without_the_keys_no_code_follows_from_its_challenge(copied):
    ring = Keyring.open(copied.service.folder / "keys.json")
    ours = KeyedCodes(ring)
    for version in ring.file.secrets["codes"]:
        version.key = "11" * 32
    theirs = KeyedCodes(ring)
    sent = [decode(body, Outgoing).challenge for key, body in copied.rows.items() if key.startswith("outbox:")]
    made = {ours.code(one) for one in sent if one is not None}
    assert made & copied.typed and not made & {theirs.code(one) for one in sent if one is not None}


def test_without_the_keys_the_seed_of_a_token_in_stock_is_not_opened(copied):
    ring = Keyring.open(copied.service.folder / "keys.json")
    seed = decode(copied.rows["token:T-1"], StockedToken).seed
    assert KeyedSecrets(b"x" * 32, ring.versions("seeds"))._seed(seed) == STOCK_SEED
    assert KeyedSecrets(ring.secret("pepper"), {1: b"x" * 32})._seed(seed) is None


def test_two_customers_with_one_secret_have_nothing_alike(copied):
    """Nobody sees who shares a PIN with whom, or that a PIN came back."""
    ring = Keyring.open(copied.service.folder / "keys.json")
    ours = KeyedSecrets(ring.secret("pepper"), ring.versions("seeds"))
    for kind, secret in (("pin", "2580"), ("password", "open sesame"), ("passcode", "482916"), ("knowledge", "55512340"), ("totp", SOFTWARE)):
        one, other = ours.make(kind, secret), ours.make(kind, secret)
        assert one.salt != other.salt and one.digest != other.digest
