"""The bank's tokens over HTTP: deliveries that vendors' programs wrote, tampered ones, and the life of a token with its customer."""

import base64
import io
import shutil
import subprocess
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import deliveries
import pskc
import pytest
from deliveries import figure, package

from sekisho.api import tokens as api
from sekisho.core import otp
from sekisho.flows.sights import rfc3339

HERE = Path(__file__).parent / "tokens"
SEED = b"12345678901234567890"
HOUR_US = 3600 * 1_000_000
CERTIFICATE = (HERE / "maker.pem").read_text()
TOTP, HOTP = (f"urn:ietf:params:xml:ns:keyprov:pskc:{kind}" for kind in ("totp", "hotp"))
KEYS = {"aes128-cbc": 16, "aes192-cbc": 24, "aes256-cbc": 32, "kw-aes128": 16, "kw-aes192": 24, "kw-aes256": 32}

_serials = iter(f"S-{n:05d}" for n in range(1, 10**5))


def deliver(service, file, by="endo", **opens):
    return service.post("/v1/staff/tokens", {"file": file, **opens}, by)


def faults(answer):
    assert answer.status_code == 422, answer.text
    return [(fault["line"], fault["column"]) for fault in answer.json()["faults"]]


def container(serials, *, key=None, password=None, cipher="aes128-cbc", **cells):
    """A delivery that another program has written."""
    made, out = pskc.PSKC(), io.BytesIO()
    for serial in serials:
        made.add_key(**{
            "serial": serial, "secret": SEED, "algorithm": TOTP, "response_length": 6, "response_encoding": "DECIMAL", "time_interval": 30, **cells,
        })
    if password is not None:
        made.encryption.setup_pbkdf2(password, algorithm=cipher, fields=["secret"], iterations=1000)
    elif key is not None:
        made.encryption.setup_preshared_key(key=key, algorithm=cipher)
    made.write(out)
    return out.getvalue().decode()


def csv(*rows, columns="serial,type,seed_hex"):
    return "\n".join([columns, *rows]) + "\n"


def stocked(service, **cells):
    """A token in stock: its serial number."""
    serial = next(_serials)
    assert deliver(service, container([serial], **cells)).json() == {"tokens": 1}
    return serial


def bind(service, serial, hana, by="endo", *, item="token-otp", replace=False):
    return service.post(f"/v1/staff/tokens/{serial}/assignment", {"subject": hana.subject, "item": item, "replace": replace}, by)


def end(service, serial, why, by="aoki"):
    return service.post(f"/v1/staff/tokens/{serial}/end", {"why": why}, by)


def look(service, serial):
    return service.get(f"/v1/staff/tokens/{serial}", "aoki").json()


def transfer(verify, hana, code):
    run = verify.run("transfer", hana)
    run.reach("token-otp")
    return run.proof("token-otp", code)["outcome"]


def shown(service, seed=SEED, **form):
    """What a token shows that goes by the time."""
    return otp.hotp(seed, service.clock() // 1_000_000 // 30, **form)


# -- deliveries


def test_a_file_that_pskctool_signed_is_taken_and_a_tampered_one_is_not(service):
    signed = (HERE / "signed.xml").read_text()
    assert faults(deliver(service, signed)) == [(1, "Signature")]
    for was, now in (("T-1001<", "T-1009<"), ("MTIz", "MTI0"), ('Length="6"', 'Length="8"'), (">60<", ">30<"), ("<Counter>", "<!-- --><Counter> ")):
        assert was in signed and faults(deliver(service, signed.replace(was, now), certificate=CERTIFICATE)) == [(1, "Signature")]
    assert faults(deliver(service, (HERE / "plain.xml").read_text(), certificate=CERTIFICATE)) == [(1, "Signature")]
    assert deliver(service, signed, certificate=CERTIFICATE).json() == {"tokens": 2}
    clock, button = look(service, "T-1001"), look(service, "T-1002")
    assert (clock["state"], clock["model"], button["model"]) == ("stock", "oath.Example Clock", "oath.Example Button")


def test_another_signature_than_that_over_the_whole_file_is_none(service):
    """Of somebody else; over a part; twice; moved under another element."""
    signed = (HERE / "signed.xml").read_text()
    start, stop = signed.index("<Signature"), signed.index("</Signature>") + len("</Signature>")
    signature, bare = signed[start:stop], signed[:start] + signed[stop:]
    moved = bare.replace("<KeyPackage>", f"<KeyPackage>{signature}", 1)
    about = signed.replace("<Reference>", '<Reference URI="#T-1001">')
    for file in (moved, about, signed.replace(signature, signature * 2), signed.replace("enveloped-signature", "base64")):
        assert faults(deliver(service, file, certificate=CERTIFICATE)) == [(1, "Signature")]
    assert faults(deliver(service, signed, certificate="no certificate")) == [(1, "Signature")]


@pytest.mark.parametrize("cipher", KEYS)
@pytest.mark.parametrize("by", ["key", "password"])
def test_an_encrypted_delivery_is_opened_by_its_key_alone(service, verify, cipher, by):
    serial, hana = next(_serials), service.customer()
    opens = {"key": "ab" * KEYS[cipher]} if by == "key" else {"password": "quiet gate 7"}
    other = {"key": "ac" * KEYS[cipher]} if by == "key" else {"password": "quiet gate 8"}
    file = container([serial], cipher=cipher, **{name: bytes.fromhex(value) if name == "key" else value for name, value in opens.items()})
    assert base64.b64encode(SEED).decode() not in file
    assert faults(deliver(service, file)) and faults(deliver(service, file, **other))
    assert deliver(service, file, **opens).json() == {"tokens": 1}
    assert bind(service, serial, hana).status_code == 200
    assert transfer(verify, hana, shown(service)) == "right"


def test_a_changed_cipher_text_is_found_by_its_mac(service):
    key = bytes(range(16))
    file = container([next(_serials)], key=key)
    texts = [part.partition("</")[0] for part in file.split("CipherValue>")[1::2]]
    for text in texts:
        changed = base64.b64encode(bytes([base64.b64decode(text)[0] ^ 1]) + base64.b64decode(text)[1:]).decode()
        assert {where for _, where in faults(deliver(service, file.replace(text, changed), key=key.hex()))} <= {"ValueMAC", "CipherValue"}
    without = file[:file.index("<pskc:ValueMAC>")] + file[file.index("</pskc:ValueMAC>") + len("</pskc:ValueMAC>"):]
    assert faults(deliver(service, without, key=key.hex())) == [(1, "ValueMAC")]


HOSTILE = {
    "an entity bomb": '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><KeyContainer Version="1.0"/>',
    "a file of ours": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a document type": '<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
    "cut off": (HERE / "plain.xml").read_text()[:-30],
    "another file": "<html/>",
    "another version": (HERE / "plain.xml").read_text().replace('Version="1.0"', 'Version="2.0"', 1).replace('<?xml version="1.0"', '<?xml version="1.0"'),
    "nothing": "<",
    "no token": '<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"/>',
    "endless depth": "<a>" * 5000,
    "no CSV": '"',
    "empty": "",
}


@pytest.mark.parametrize("file", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_delivery_is_refused(service, file):
    assert faults(deliver(service, file))


def test_rounds_without_end_are_not_made(service):
    file = container([next(_serials)], password="quiet gate 7")
    assert faults(deliver(service, file.replace(">1000<", f">{10**9}<"), password="quiet gate 7")) == [(1, "KeyDerivationMethod")]


@pytest.mark.parametrize(("cells", "where"), [
    ({"algorithm": "urn:ietf:params:xml:ns:keyprov:pskc:pin"}, "Key"), ({"secret": b"short"}, "seed"), ({"response_length": 9}, "digits"),
    ({"response_length": 4}, "digits"), ({"response_encoding": "ALPHANUMERIC"}, "ResponseFormat"), ({"response_check": True}, "ResponseFormat"),
    ({"time_interval": 1}, "step"), ({"time_drift": 41}, "drift"), ({"time_offset": 5}, "Time"), ({"algorithm_suite": "MD5"}, "algorithm"),
    ({"serial": "../1"}, "serial"), ({"serial": None}, "serial"), ({"policy.expiry_date": "2020-01-01"}, "ends"),
    ({"policy.pin_key_id": "1", "policy.pin_usage": "Local"}, "Policy"), ({"policy.key_usage": "Encrypt"}, "Policy"),
])
def test_a_token_that_cannot_be_kept_to_is_told_with_its_number_and_nothing_is_taken_in(service, cells, where):
    good, out, made = next(_serials), io.BytesIO(), pskc.PSKC()
    for serial, changes in ((good, {}), (next(_serials), cells)):
        plain = {name: value for name, value in changes.items() if not name.startswith("policy.")}
        key = made.add_key(**{
            "serial": serial, "secret": SEED, "algorithm": TOTP, "response_length": 6, "response_encoding": "DECIMAL", **plain,
        })
        for name, value in changes.items() - plain.items():
            attribute = name.partition(".")[2]
            if attribute == "key_usage":
                key.policy.key_usage.append(value)
            else:
                setattr(key.policy, attribute, value)
    made.write(out)
    assert faults(deliver(service, out.getvalue().decode())) == [(2, where)]
    assert service.get(f"/v1/staff/tokens/{good}", "aoki").status_code == 404


def test_every_fault_of_a_csv_file_is_told(service):
    twice, there = next(_serials), stocked(service)
    file = csv(
        f"{twice},totp,{SEED.hex()},6,30,sha1,", f"{twice},totp,{SEED.hex()},6,30,sha1,", f"X1,hotp,{SEED.hex()},6,,sha256,x", "X2,totp,zz,6,30,sha1,",
        f"X3,ocra,{SEED.hex()},6,30,sha1,", "X4,totp", f"X5,totp,{SEED.hex()},6,30,md5,", f"X6,totp,{SEED.hex()},6,30,sha1,4",
        columns="serial,type,seed_hex,digits,step,algorithm,counter",
    )
    read = faults(deliver(service, file))
    assert read == [(3, "serial"), (4, "counter"), (5, "seed_hex"), (6, "type"), (7, "serial"), (8, "algorithm"), (9, "counter")]
    assert faults(deliver(service, csv(f"{twice},totp,{SEED.hex()}", f"{twice},totp,{SEED.hex()}", "X5,totp,00"))) == [(3, "serial"), (4, "seed")]
    assert faults(deliver(service, csv(f"{there},totp,{SEED.hex()}"))) == [(2, "serial")]
    assert faults(deliver(service, csv("1,totp,aa", columns="serial,type"))) == faults(deliver(service, csv("1,totp", columns="serial,type,sed"))) == [
        (1, "serial")]


def test_every_fault_of_a_container_is_told_at_once_and_nothing_is_taken_in(service):
    """What could not be read, what cannot be kept to, what is there twice and what is there already: each with its number."""
    good, there = next(_serials), stocked(service)
    suite = "<AlgorithmParameters><Suite>{}</Suite></AlgorithmParameters>"
    form = '<AlgorithmParameters><ResponseFormat Encoding="DECIMAL" Length="{}"/></AlgorithmParameters>'
    wrong = [
        ("counter", package(figure("Counter", -1))), ("counter", package(figure("Counter", 2**53 + 1))), ("Counter", package(figure("Counter", "--1"))),
        ("digits", package(key=form.format(-6))), ("digits", package(key=form.format(10**18))), ("ResponseFormat", package(key=form.format("six"))),
        ("step", package(figure("TimeInterval", -30), kind="totp")), ("TimeInterval", package(figure("TimeInterval", 0), kind="totp")),
        ("step", package(figure("TimeInterval", 10**9), kind="totp")), ("drift", package(figure("TimeDrift", 10**9), kind="totp")),
        ("drift", package(figure("TimeDrift", -(10**9)), kind="totp")), ("algorithm", package(key=suite.format("HMAC-MD5"))),
        ("ends", package(about="<ExpiryDate>1970-01-01T00:00:00Z</ExpiryDate>")), ("ExpiryDate", package(about="<ExpiryDate>soon</ExpiryDate>")),
        ("seed", package("<Secret><PlainValue/></Secret>")), ("seed", package(f"<Secret><PlainValue>{'AAAA' * 1000}</PlainValue></Secret>")),
        ("Secret", package("<Secret><PlainValue>=</PlainValue></Secret>")), ("Secret", package("")), ("serial", package(serial=" ")),
        ("serial", package(serial="A" * 65)), ("serial", package(serial=good)), ("serial", package(serial=there)),
        ("model", package(about="<Model>a&#10;b</Model>")), ("Key", package(kind="ocra")),
    ]
    # Each has a serial number of its own where that is not what is wrong with it.
    packages = [one.replace(">A-1<", f">{next(_serials)}<") for _, one in wrong]
    answer = deliver(service, deliveries.container(package(serial=good), *packages))
    assert faults(answer) == [(number, where) for number, (where, _) in enumerate(wrong, 2)]
    assert look_at(service, good).status_code == 404


def test_a_delivery_sent_twice_at_once_is_taken_in_once(service):
    serials = [next(_serials) for _ in range(3)]
    file = container(serials)
    answers = service.together(*[service.send("POST", "/v1/staff/tokens", {"file": file}, "endo") for _ in range(2)])
    assert sorted(answer.status_code for answer in answers) == [201, 422]
    assert {look(service, serial)["state"] for serial in serials} == {"stock"}


def test_nobody_waits_for_a_delivery_that_is_read(service, monkeypatch):
    """Its password may have to be hashed a million times: beside the requests, not between them."""
    read, seen = api.read_delivery, []
    monkeypatch.setattr(api, "read_delivery", lambda *told, **opens: seen.append(threading.get_ident()) or read(*told, **opens))
    assert deliver(service, container([next(_serials)])).status_code == 201
    assert seen and threading.get_ident() not in seen


def test_no_fault_repeats_what_was_sent(service):
    secret = "c0ffee" * 6
    for file in (csv(f"{secret},{secret},{secret}"), csv(f"a,totp,{secret}x"), f"<{secret}/>", container(["x y"], secret=bytes.fromhex(secret))):
        answer = deliver(service, file, **({"password": secret} if file.startswith("<") else {}))
        assert answer.status_code == 422 and secret not in answer.text


# -- a token and its customer


def test_a_token_from_the_delivery_to_its_end(service, verify):
    hana, serial, next_one = service.customer(), stocked(service, expiry_date=None), stocked(service)
    assert transfer(verify, hana, shown(service)) == "wrong"
    assert bind(service, serial, hana).json() == {"serial": serial}
    assert (look(service, serial)["state"], look(service, serial)["subject"]) == ("assigned", hana.subject)
    assert {"item": "token-otp", "kind": "totp", "serial": serial, "ends": None} in service.view(hana.subject)["authenticators"]
    code = shown(service)
    assert transfer(verify, hana, code) == "right"
    assert bind(service, next_one, hana).json()["type"] == "/problems/has-token"
    assert bind(service, next_one, hana, replace=True).json() == {"serial": next_one, "replaced": serial}
    assert bind(service, serial, hana, replace=True).json()["type"] == "/problems/token-not-in-stock"
    assert end(service, next_one, "lost").status_code == 200
    assert transfer(verify, hana, shown(service)) == "wrong"
    assert end(service, next_one, "lost").status_code == 409
    assert [look(service, one)["state"] for one in (serial, next_one)] == ["replaced", "lost"]
    assert [one["item"] for one in service.view(hana.subject)["authenticators"]] == ["login-password"]


def test_another_token_keeps_what_was_wrong(service, verify):
    """The 99 are about whoever guesses (Y-RULE-4), and so is the total (A8)."""
    hana = service.customer()
    bind(service, stocked(service), hana)
    service.put(hana.subject, {"counts": {"token-in-a-row": 97, "token-codes-a-year": 98}}, "token-otp")
    transfer(verify, hana, "abcdef")
    bind(service, stocked(service), hana, replace=True)
    assert (service.count(hana.subject, "token-in-a-row"), service.count(hana.subject, "token-codes-a-year")) == (98, 99)
    run = verify.run("payeasy", hana)
    run.reach("token-otp")
    assert run.proof("token-otp", "abcdef")["message"] == "wrong-locked"


def test_a_token_that_counts_its_uses(service, verify):
    """Codes ahead are taken, used ones and earlier ones never; too far ahead two in a row set it right."""
    hana, serial = service.customer(), stocked(service, algorithm=HOTP, response_length=8, counter=5, time_interval=None)
    bind(service, serial, hana)
    codes = [otp.hotp(SEED, use, 8) for use in range(40)]
    assert [transfer(verify, hana, codes[use]) for use in (4, 7, 7, 6, 8, 20)] == ["wrong", "right", "wrong", "wrong", "right", "wrong"]
    run = verify.run("token-check", hana)
    for item in ("number-pair", "mail-otp"):
        run.now(item, "right")
    assert run.proof("token-resync", f"{codes[20]} {codes[21]}")["outcome"] == "right"
    assert [transfer(verify, hana, codes[use]) for use in (21, 22)] == ["wrong", "right"]


def test_a_token_is_taken_from_its_first_day_to_its_last(service, verify):
    """By the file, with a clock and a code that are right; whoever comes too early or too late loses a try and learns nothing of why."""
    hana, serial, late, now = service.customer(), next(_serials), next(_serials), service.clock()
    days = "".join(f"<{name}>{rfc3339(now + hours * HOUR_US)}</{name}>" for name, hours in (("StartDate", 24), ("ExpiryDate", 48)))
    file = deliveries.container(*(package(serial=one, about=days, kind="totp") for one in (serial, late)))
    assert deliver(service, file).json() == {"tokens": 2} and bind(service, serial, hana).status_code == 200
    said = []
    for hours in (0, 23, 2, 22, 2):
        service.offset_us += hours * HOUR_US
        said.append(transfer(verify, hana, shown(service)))
    assert said == ["wrong", "wrong", "right", "right", "wrong"]
    assert bind(service, late, hana, replace=True).json()["type"] == "/problems/token-not-in-stock"


def test_the_customer_is_told_on_all_his_channels(service):
    hana = service.customer()
    serial = stocked(service)
    bind(service, serial, hana)
    end(service, serial, "stolen")
    service.do(service.app.recoveries.go_on())
    service.do(service.app.recoveries.go_on())
    told = [one for one in service.view(hana.subject)["events"] if one["kind"] in {"token-bound", "token-removed", "customer-told"}]
    assert sorted(one["kind"] for one in told) == ["customer-told", "customer-told", "token-bound", "token-removed"]
    assert {one["number"] for one in told if one["kind"] == "customer-told"} == {len(hana.mails) + 1}


def test_a_token_for_an_application(service, verify):
    hana = service.customer()
    made = service.post(f"/v1/staff/subjects/{hana.subject}/items/token-otp/software-token", {}, "endo").json()
    said = urlsplit(made["uri"])
    told = {name: value[0] for name, value in parse_qs(said.query).items()}
    assert (said.scheme, said.netloc, told["digits"], told["period"], told["algorithm"]) == ("otpauth", "totp", "6", "30", "SHA1")
    assert made["picture"].startswith("<svg") and look(service, made["serial"])["software"] is True
    assert transfer(verify, hana, shown(service, otp.seed_of(told["secret"]))) == "right"
    again = service.post(f"/v1/staff/subjects/{hana.subject}/items/token-otp/software-token", {}, "endo")
    assert again.json()["type"] == "/problems/has-token"
    assert service.post(f"/v1/staff/subjects/{hana.subject}/items/token-otp/software-token", {"replace": True}, "endo").status_code == 201


@pytest.mark.parametrize(("who", "call", "status"), [
    ("aoki", "deliver", 403), ("aoki", "bind", 403), ("bank", "bind", 403), ("bank", "end", 403), ("endo", "bind nobody", 409),
    ("endo", "bind password", 422), ("endo", "bind resync", 422), ("endo", "bind unknown", 404), ("endo", "end unknown", 404), ("endo", "odd", 422),
])
def test_who_may_do_what(service, who, call, status):
    hana, serial = service.customer(), stocked(service)
    calls = {
        "deliver": lambda: deliver(service, csv(), who), "bind": lambda: bind(service, serial, hana, who), "end": lambda: end(service, serial, "lost", who),
        "bind nobody": lambda: bind(service, serial, hana._replace(number="0000000000"), who), "odd": lambda: look_at(service, "a b"),
        "bind password": lambda: bind(service, serial, hana, who, item="login-password"),
        "bind resync": lambda: bind(service, serial, hana, who, item="token-resync"), "bind unknown": lambda: bind(service, "none", hana, who),
        "end unknown": lambda: end(service, "none", "lost", who),
    }
    assert calls[call]().status_code == status
    assert look(service, serial)["state"] == "stock"


def look_at(service, serial):
    return service.get(f"/v1/staff/tokens/{serial}", "aoki")


def test_tokens_are_listed_by_state_and_by_when_they_end(service):
    rows = [f"L-{n},totp,{SEED.hex()},{ends}" for n, ends in enumerate(["2098-01-01", "2099-01-01T00:00:00Z", ""])]
    assert deliver(service, csv(*rows, columns="serial,type,seed_hex,ends")).json() == {"tokens": 3}

    def listed(query):
        return [one["serial"] for one in service.get(f"/v1/staff/tokens?after=L&{query}", "aoki").json()["tokens"] if one["serial"].startswith("L-")]

    assert listed("state=stock") == ["L-0", "L-1", "L-2"] and listed("state=lost") == []
    assert listed("ends_before=2098-06-01T00:00:00Z") == ["L-0"]
    assert service.get("/v1/staff/tokens?ends_before=soon", "aoki").status_code == 422
    assert SEED.hex() not in service.get("/v1/staff/tokens", "aoki").text


if shutil.which("oathtool"):

    def oathtool(*arguments):
        return subprocess.run(["oathtool", *arguments, SEED.hex()], capture_output=True, text=True, check=True).stdout.split()[0]

    @pytest.mark.parametrize(("form", "arguments"), [
        ({}, ("--totp",)), ({"algorithm_suite": "HMAC-SHA256", "response_length": 8}, ("--totp=sha256", "--digits=8")),
        ({"algorithm_suite": "HMAC-SHA512", "time_interval": 60, "response_length": 7}, ("--totp=sha512", "--time-step-size=60s", "--digits=7")),
        ({"algorithm": HOTP, "counter": 4, "time_interval": None}, ("--hotp", "--counter=5")),
    ])
    def test_codes_that_oathtool_makes_are_right_once(service, verify, form, arguments):
        hana = service.customer()
        bind(service, stocked(service, **form), hana)
        now = () if "--hotp" in arguments else (f"--now=@{service.clock() // 1_000_000}",)
        code = oathtool(*arguments, *now)
        assert [transfer(verify, hana, code) for _ in range(2)] == ["right", "wrong"]


if shutil.which("pskctool"):

    def test_a_file_that_pskctool_signs_now_is_taken(service, tmp_path):
        subject, key = ("-subj", "/CN=another maker"), tmp_path / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", tmp_path / "maker.pem", *subject],
                       capture_output=True, check=True)
        serial = next(_serials)
        (tmp_path / "plain.xml").write_text(container([serial]).replace("<pskc:Key A", '<pskc:Key Id="1" A'))
        signed = subprocess.run(["pskctool", "--sign", "--sign-key", key, "--sign-crt", tmp_path / "maker.pem", tmp_path / "plain.xml"],
                                capture_output=True, text=True, check=True).stdout
        assert faults(deliver(service, signed, certificate=CERTIFICATE)) == [(1, "Signature")]
        assert deliver(service, signed, certificate=(tmp_path / "maker.pem").read_text()).json() == {"tokens": 1}
