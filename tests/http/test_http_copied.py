"""A copied database without the keys: no column holds a secret or a code in any form, and no record tells a right guess from a wrong one."""

import base64
import sqlite3
from types import SimpleNamespace

import pytest
from bankside import MODES, Service

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


@pytest.fixture(scope="module")
def copied(tmp_path_factory, cheap_hashes):
    """A service after a day of everything, what was typed and sent in it, and a copy of its database."""
    service = Service(tmp_path_factory.mktemp("copied"))
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
    with sqlite3.connect(service.folder / "sekisho.db") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = {
            f"{table}.{column}": [value for (value,) in database.execute(f"SELECT {column} FROM {table}")]
            for table in tables for column in [one[1] for one in database.execute(f"PRAGMA table_info({table})")]
        }
    database.close()
    whole = b"".join(path.read_bytes() for path in service.folder.glob("sekisho.db*"))
    return SimpleNamespace(service=service, hana=hana, typed=typed, rows=dict(rows), columns=columns, whole=whole)


def forms(secret):
    """How somebody might have kept it after all."""
    seed = [otp.seed_of(SOFTWARE)] if secret == SOFTWARE else []
    for plain in [secret.encode() if isinstance(secret, str) else secret, *seed]:
        yield from (plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode(), base64.b64encode(plain)[:-4], base64.b32encode(plain)[:-8])
        yield plain.decode().encode("utf-16-le") if plain.isascii() else plain


COLUMNS = [
    "row.key", "row.body", "row.due", "journal.number", "journal.body", "folded.one", "folded.number", "folded.at", "link.writer", "link.first",
    "link.number", "link.at", "link.body", "link.mac", "writer.number", "writer.name", "feed.number", "feed.at", "feed.body", "document.kind",
    "document.name", "document.body", "migration.number", "migration.name", "migration.needs",
]


@pytest.mark.parametrize("column", COLUMNS)
def test_no_column_holds_a_secret_or_a_code(copied, column):
    kept = [value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else str(value).encode() for value in copied.columns[column]]
    for secret in (*SECRETS.values(), *copied.typed, STOCK_SEED):
        assert not [form for form in forms(secret) for value in kept if form in value]


def test_every_column_is_looked_at(copied):
    """`sqlite_…` is the store library's own: how many numbers it has given."""
    assert {name for name in copied.columns if not name.startswith("sqlite_")} == set(COLUMNS)


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
