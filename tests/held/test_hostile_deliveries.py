"""Files of tokens as no honest vendor writes them: cut off, blown up, exchanged in part, figures that are none. Read, and never believed."""

import base64
import hashlib
import io
import random
import socket
from pathlib import Path

import pskc as writer
import pytest
from deliveries import KIND, SECRET, SEED, container, figure, package
from scale import times

from sekisho.adapters import pskc, signed_xml, token_csv

TOKENS = Path(__file__).parents[1] / "http" / "tokens"
PLAIN, SIGNED = ((TOKENS / name).read_bytes() for name in ("plain.xml", "signed.xml"))
CERTIFICATE = (TOKENS / "maker.pem").read_bytes()
KEY = bytes(range(16))


def written(*, key=None, password=None, cipher="aes128-cbc", serial="A-1"):
    """An encrypted container of one token, by another program."""
    made, out = writer.PSKC(), io.BytesIO()
    made.add_key(serial=serial, secret=SEED, algorithm=f"{KIND}:hotp", response_length=6, response_encoding="DECIMAL", counter=7)
    if password is None:
        made.encryption.setup_preshared_key(key=key, algorithm=cipher)
    else:
        made.encryption.setup_pbkdf2(password, algorithm=cipher, fields=["secret"], iterations=1000)
    made.write(out)
    return out.getvalue().decode()


def read(file, **opens):
    return pskc.read(file.encode() if isinstance(file, str) else file, **opens)


def wrong(file, **opens):
    """What is said to be wrong; nothing else was read."""
    found, faults = read(file, **opens)
    assert found == [] and faults
    return [fault.column for fault in faults]


def seeds(found):
    return [one.seed for one in found]


# -- XML that costs or reads more than it is


BOMB = '<!DOCTYPE a [<!ENTITY e0 "aaaaaaaaaa">' + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 12)) + "]>"
TWICE = '<!DOCTYPE a [<!ENTITY a "&b;"><!ENTITY b "&a;">]>'


@pytest.mark.parametrize("file", [
    BOMB + container(package(serial="&e11;")), BOMB + container(package(), version="&e11;"), BOMB + container(package(ident="&e11;")),
    TWICE + container(package(serial="&a;")), TWICE + container(package(ident="&a;")), "<!DOCTYPE KeyContainer>" + container(package()),
], ids=["in a text", "in an attribute", "in another attribute", "circle in a text", "circle in an attribute", "a type alone"])
def test_entities_are_not_expanded(file):
    """Twenty to the eleventh power of ten letters."""
    assert wrong(file) == ["KeyContainer"]


def test_nothing_outside_the_file_is_read(tmp_path):
    """Neither a file of ours nor what a server of theirs answers."""
    ours = tmp_path / "ours.txt"
    ours.write_text("ours")
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        theirs.setblocking(False)
        for where in (ours.as_uri(), f"http://127.0.0.1:{theirs.getsockname()[1]}/x"):
            for kind in (
                f'<!DOCTYPE a SYSTEM "{where}">', f'<!DOCTYPE a [<!ENTITY e SYSTEM "{where}">]>', f'<!DOCTYPE a [<!ENTITY % p SYSTEM "{where}"> %p;]>',
            ):
                assert wrong(kind + container(package(serial="&e;" if " e " in kind else "A-1"))) == ["KeyContainer"]
            inclusion = f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{where}" parse="text"/>'
            assert wrong(container(package(serial=inclusion))) == ["SerialNo"]
        with pytest.raises(BlockingIOError):
            theirs.accept()


def test_a_file_that_is_too_long_is_not_looked_into():
    assert wrong(b" " * pskc.BYTES_MAX + b"<") == ["KeyContainer"]


@pytest.mark.parametrize("whole", [PLAIN, SIGNED, written(key=KEY).encode(), written(password="quiet gate 7").encode()], ids=[
    "plain", "signed", "by a key", "by a password"])
def test_a_file_that_is_cut_off_anywhere_holds_no_token(whole):
    end = len(whole.rstrip()) - 1
    for stop in {*range(0, end, times(97, 1)), end}:
        assert wrong(whole[:stop], key=KEY)


@pytest.mark.parametrize("file", [SIGNED, written(key=KEY).encode()], ids=["signed", "encrypted"])
def test_a_file_with_bytes_changed_is_refused_or_says_the_same_seeds(file):
    """Never a fault of ours; and whatever is taken has the seed that the vendor has written."""
    opens = {"certificate": CERTIFICATE} if file is SIGNED else {"key": KEY}
    right, chance = seeds(read(file, **opens)[0]), random.Random(8)
    for _ in range(times(150, 20_000)):
        changed = bytearray(file)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] = chance.choice([chance.randrange(256), *b"<>&\"'/ "])
        found, faults = read(bytes(changed), **opens)
        assert (found or faults) and {*seeds(found)} <= {*right}
        if file is SIGNED:
            assert seeds(found) in ([], right)


def test_a_text_that_an_instruction_cuts_in_two_is_read_whole():
    assert wrong(container(package(serial="A<?x y?> B"))[:-1]) == ["KeyContainer"]
    assert [one.serial for one in read(container(package(serial="A-<?x y?>1")))[0]] == ["A-1"]


# -- what can be meant in two ways


SAME = {
    "two devices": (container(package().replace("<Key ", "<DeviceInfo><SerialNo>B-1</SerialNo></DeviceInfo><Key ")), "DeviceInfo"),
    "two keys": (container(package().replace("</KeyPackage>", f'<Key Algorithm="{KIND}:hotp"><Data>{SECRET}</Data></Key></KeyPackage>')), "Key"),
    "two serial numbers": (container(package(about="<SerialNo>B-1</SerialNo>")), "SerialNo"),
    "two seeds": (container(package(SECRET * 2)), "Secret"),
    "two values of a seed": (container(package(SECRET.replace("</Secret>", "<PlainValue>AAAA</PlainValue></Secret>"))), "PlainValue"),
    "two counters": (container(package(figure("Counter", 1) + "<Counter><PlainValue>9</PlainValue></Counter>")), "Counter"),
    "two data": (container(package(key=f"<Data>{SECRET}</Data>")), "Data"),
    "two policies": (container(package(key="<Policy/><Policy/>")), "Policy"),
    "two forms": (container(package(key="<AlgorithmParameters><Suite>HMAC-SHA1</Suite><Suite>HMAC-SHA256</Suite></AlgorithmParameters>")), "Suite"),
    "two ends": (container(package(about="<ExpiryDate>2090-01-01</ExpiryDate><ExpiryDate>2030-01-01</ExpiryDate>")), "ExpiryDate"),
    "elements within a text": (container(package(serial="A<b/>-1")), "SerialNo"),
}


@pytest.mark.parametrize(("file", "where"), SAME.values(), ids=SAME)
def test_what_stands_there_twice_is_not_chosen_from(file, where):
    assert wrong(file) == [where]


def test_one_id_names_one_key():
    found, faults = read(container(package(ident="1"), package(ident="2", serial="A-2"), package(ident="1", serial="A-3"), package(serial="A-4")))
    assert [one.serial for one in found] == ["A-2", "A-4"] and [(fault.line, fault.column) for fault in faults] == [(1, "Id"), (3, "Id")]


# -- figures


@pytest.mark.parametrize(("kind", "name", "value"), [
    *[("hotp", "Counter", value) for value in ("--5", "-", "", "+5", "1e9", "0x10", "1.5", "７", "1 2", "9" * 21, "9" * 5000)],
    *[("totp", "TimeInterval", value) for value in ("0", "-0", "thirty", "")], ("totp", "Time", "now"), ("totp", "TimeDrift", "--1"),
])
def test_a_figure_that_is_none_is_told(kind, name, value):
    assert wrong(container(package(figure(name, value), kind=kind))) == [name]


def test_a_token_without_steps_is_none_that_goes_by_the_time():
    """Otherwise it would be kept as one that counts its uses."""
    row = f"A-1,totp,{SEED.hex()},0"
    assert [(fault.line, fault.column) for fault in token_csv.read(f"serial,type,seed_hex,step\n{row}\n")[1]] == [(2, "step")]


@pytest.mark.parametrize("length", ["--6", "", "six", "9" * 30])
def test_a_length_that_is_none_is_told(length):
    form = f'<AlgorithmParameters><ResponseFormat Encoding="DECIMAL" Length="{length}"/></AlgorithmParameters>'
    assert wrong(container(package(key=form))) == ["ResponseFormat"]


@pytest.mark.parametrize("day", ["0000-00-00", "2030-02-30", "99999-01-01", "-2030-01-01", "soon", "2030-01-01T25:00:00Z", "2030-01-01T00:00:00+99:00", "", " "])
def test_a_day_that_is_none_is_told(day):
    assert wrong(container(package(about=f"<ExpiryDate>{day}</ExpiryDate>"))) == ["ExpiryDate"]


@pytest.mark.parametrize("day", ["1970-01-01", "1970-01-01T00:00:00Z", "0001-01-01", "1969-12-31T23:59:59Z"])
def test_a_day_long_past_is_not_taken_for_none(day):
    """A token that ends by then is over, and not one without an end."""
    [found], faults = read(container(package(about=f"<StartDate>{day}</StartDate><ExpiryDate>{day}</ExpiryDate>")))
    assert (found.token.starts, found.token.ends, faults) == (1, 1, [])
    [found], faults = token_csv.read(f"serial,type,seed_hex,ends\nA-1,hotp,{SEED.hex()},{day}\n")
    assert (found.token.ends, faults) == (1, [])


def test_an_encrypted_figure_of_any_length_is_no_number():
    """Eight bytes are one. These have a right MAC: whoever has the key wrote them."""
    made = writer.PSKC()
    made.add_key(serial="A-1", secret=SEED, algorithm=f"{KIND}:hotp", response_length=6, response_encoding="DECIMAL")
    made.encryption.setup_preshared_key(key=KEY, algorithm="aes128-cbc")
    out = io.BytesIO()
    made.write(out)
    file = out.getvalue().decode()
    start, stop = file.index("<pskc:Secret>"), file.index("</pskc:Secret>") + len("</pskc:Secret>")
    secret = file[start:stop]
    assert wrong(file[:stop] + secret.replace("pskc:Secret", "pskc:Counter") + file[stop:], key=KEY) == ["Counter"]


# -- keys, passwords, MACs


def test_a_seed_that_is_not_encrypted_takes_no_place_in_an_encrypted_file():
    """Anybody could have put it there: it has no MAC."""
    file = written(key=KEY)
    start, stop = file.index("<pskc:Secret>") + len("<pskc:Secret>"), file.index("</pskc:Secret>")
    mine = f"<pskc:PlainValue>{base64.b64encode(b'x' * 20).decode()}</pskc:PlainValue>"
    assert seeds(read(file, key=KEY)[0]) == [SEED]
    for changed in (file[:start] + mine + file[stop:], file[:start] + mine + file[start:], file[:stop] + mine + file[stop:]):
        assert wrong(changed, key=KEY) == ["PlainValue"]


def test_an_encrypted_seed_without_its_mac_is_not_decrypted():
    file = written(key=KEY)
    start, stop = file.index("<pskc:MACMethod"), file.index("</pskc:MACMethod>") + len("</pskc:MACMethod>")
    for changed in (
        file[:start] + file[stop:], file.replace("#hmac-sha1", "#hmac-md5"), file.replace("<pskc:ValueMAC>", "<pskc:ValueMAC><pskc:x/>"),
        file[:file.index("<pskc:ValueMAC>")] + file[file.index("</pskc:ValueMAC>") + len("</pskc:ValueMAC>"):], file.replace("ValueMAC>", "valueMAC>"),
    ):
        assert changed != file and wrong(changed, key=KEY) == ["ValueMAC"]
    assert wrong(file[:stop] + file[start:], key=KEY) == ["MACMethod"]


@pytest.mark.parametrize("key", [b"", b"x", bytes(15), bytes(16), bytes(24), bytes(32), bytes(1000)], ids=len)
def test_another_key_than_its_own_opens_no_file(key):
    for cipher in ("aes128-cbc", "kw-aes128"):
        assert wrong(written(key=KEY, cipher=cipher), key=key)


ROUNDS = ("0", "-1", "1000001", "2147483647", "9" * 20, "9" * 400, "1e3", "")
LENGTHS = ("0", "1", "17", "-16", "4294967296", "")


@pytest.mark.parametrize(("element", "right", "value"), [
    *[("IterationCount", "1000", value) for value in ROUNDS], *[("KeyLength", "16", value) for value in LENGTHS],
])
def test_a_way_to_a_key_that_is_endless_or_none_is_not_gone(monkeypatch, element, right, value):
    file = written(password="quiet gate 7")
    assert f"{element}>{right}</" in file
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", lambda *_: pytest.fail("it was gone"))
    assert wrong(file.replace(f"{element}>{right}</", f"{element}>{value}</"), password="quiet gate 7")[0] in {element, "KeyDerivationMethod"}


def test_an_instruction_within_a_way_to_a_key_changes_nothing():
    file = written(password="quiet gate 7")
    at = file.index("Specified>") + len("Specified>")
    assert seeds(read(file[:at] + "<?x y?>" + file[at:], password="quiet gate 7")[0]) == [SEED]


# -- signatures


def test_what_has_no_canonical_form_is_not_signed():
    for place in ("<KeyPackage>", "<SignedInfo>"):
        changed = SIGNED.decode().replace(place, place[:-1] + ' xmlns:x="relative/name">', 1)
        assert changed.encode() != SIGNED and wrong(changed, certificate=CERTIFICATE) == ["Signature"]


ODD = {
    "a version that nobody knows": ("a003020102", "a003020107"),
    "a key that nobody knows": ("06092a864886f70d010101", "06092a864886f70d010163"),
    "a modulus of nothing": ("300d06092a864886f70d01010105000382", "300d06092a864886f70d01010105000302"),
}


@pytest.mark.parametrize(("was", "now"), ODD.values(), ids=ODD)
def test_a_certificate_of_an_odd_kind_trusts_nobody(was, now):
    whole = base64.b64decode(b"".join(CERTIFICATE.splitlines()[1:-1])).hex()
    assert was in whole
    odd = base64.encodebytes(bytes.fromhex(whole.replace(was, now, 1))).decode()
    file = f"-----BEGIN CERTIFICATE-----\n{odd}-----END CERTIFICATE-----\n".encode()
    assert signed_xml._key(CERTIFICATE) is not None and wrong(SIGNED, certificate=file) == ["Signature"]


# -- CSV


ODD_CSV = {
    "a heading alone": "serial,type,seed_hex\n", "blank lines": "serial,type,seed_hex\n\n\n", "a column twice": "serial,type,seed_hex,serial\n",
    "both seeds": "serial,type,seed_hex,seed_base32\n", "an open quote": f'serial,type,seed_hex\n"A-1,totp,{SEED.hex()}\n',
    "a field without end": "serial,type,seed_hex\nA-1,totp," + "0" * 200_000 + "\n", "no bytes of a text": "serial,type,seed_hex\nA-1,totp,\x00\x00\n",
    "a negative count": f"serial,type,seed_hex,counter\nA-1,hotp,{SEED.hex()},-1\n", "an endless count": f"serial,type,seed_hex,counter\nA-1,hotp,{SEED.hex()},{'9' * 99}\n",
    "wide figures": f"serial,type,seed_hex,digits\nA-1,hotp,{SEED.hex()},６\n", "an odd day": f"serial,type,seed_hex,ends\nA-1,hotp,{SEED.hex()},2030-13-01\n",
}


@pytest.mark.parametrize("file", ODD_CSV.values(), ids=ODD_CSV)
def test_what_is_no_csv_of_tokens_is_told(file):
    found, faults = token_csv.read(file)
    assert found == [] and faults
