"""Passwords known from breaches: the file, and a customer who chooses one."""

import hashlib
import random

import pytest
from bankside import MODES, Service
from command import call

from sekisho.adapters import breach
from sekisho.errors import CallerError

PLAIN = ["123456", "パスワード", "cafe\u0301 au lait", "open sesame", "123456", ""]


def sha1(password):
    return hashlib.sha1(password.encode()).hexdigest().upper()


def made(tmp_path, *lines, words=()):
    source = tmp_path / "list.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = tmp_path / "known.breach"
    told = call(["breach", "build", str(source), "--out", str(out), *words])
    return told, out


def test_lists_of_passwords_and_of_hashes_make_one_file(tmp_path):
    (code, said, _), out = made(tmp_path, *PLAIN, sha1("letmein"), f"{sha1('seldom')}:1", f"{sha1('often')}:900".lower(), words=("--at-least", "2"))
    known = breach.Breached(out)
    assert (code, said.split()[0], len(known)) == (0, "6", 6)
    assert [known.knows(one) for one in ("123456", "パスワード", "café au lait", "open sesame", "letmein", "often")] == [True] * 6
    assert [known.knows(one) for one in ("seldom", "1234567", "", "x" * 1000)] == [False] * 4


def test_more_than_memory_takes_is_sorted_in_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(breach, "AT_ONCE", 7)
    chance = random.Random(8)
    chosen = [f"word {chance.randrange(150)}" for _ in range(200)]
    _, out = made(tmp_path, *chosen)
    known = breach.Breached(out)
    assert len(known) == len(set(chosen)) and known[:] == sorted(known[:])
    assert {one for n in range(200) if known.knows(one := f"word {n}")} == set(chosen)


@pytest.mark.parametrize("body", [b"", b"123456\n", breach.MAGIC + b"cut"])
def test_what_is_no_such_file_is_not_used(tmp_path, body):
    path = tmp_path / "known.breach"
    path.write_bytes(body)
    with pytest.raises(CallerError):
        breach.Breached(path)


def test_an_empty_list_makes_no_file(tmp_path):
    (code, _, complaint), out = made(tmp_path, "")
    assert code == 2 and "no password" in complaint and list(tmp_path.iterdir()) == [tmp_path / "list.txt"] and not out.exists()


def test_a_customer_cannot_choose_a_known_password(tmp_path, monkeypatch):
    """It costs what another wrong entry of the item costs, and he is told why; his present one still lets him in, known or not.

    Of his present one he is told the same: the words do not say that it is.
    """
    monkeypatch.setattr("sekisho.adapters.secrets.MEMORY_KIB", 64)
    _, out = made(tmp_path, "correct horse 8", "open sesame")
    service = Service(tmp_path, breached=out)
    try:
        verify, hana = MODES["verify"](service), service.customer()
        session = service.session(hana)
        run = verify.run("change-password", hana, session)
        run.reach("new-login-password")
        said = [run.proof("new-login-password", new) for new in ("open sesame", hana.password, "quiet river under pines")]
        assert [(one["outcome"], one["message"]) for one in said] == [("wrong", "wrong-breached")] * 2 + [("right", "done")]
    finally:
        service.close()
