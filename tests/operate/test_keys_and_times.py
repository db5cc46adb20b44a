"""`sekisho keys` beside a node that runs, and the time that `policy accept` is told."""

import asyncio

import pytest
from command import call
from commands import Installation

from sekisho.app import Keyring
from sekisho.policy import reference
from sekisho.terms import Role


@pytest.fixture
def ring(tmp_path):
    """The key file as a node has opened it."""
    Keyring.make(tmp_path / "keys.json")
    return Keyring.open(tmp_path / "keys.json")


def keys(ring, *words):
    done, said, complaint = call(["keys", words[0], "--keys", str(ring.path), *words[1:]])
    assert done == 0, complaint
    return said.strip()


def test_a_new_key_works_on_a_node_that_runs_and_a_retired_one_does_not(ring):
    key = keys(ring, "new", "--role", "back-office", "--operator", "sato")
    known = ring.who(key)
    assert (known.role, known.operator, ring.named(known.id)) == (Role.BACK_OFFICE, "sato", known)
    keys(ring, "retire", known.id)
    assert (ring.who(key), ring.named(known.id)) == (None, None)


def test_a_key_of_the_demonstration_that_comes_later_is_not_believed(ring):
    plain = Keyring.open(ring.path).new(Role.ADMIN, "demo", demo=True)
    assert ring.who(plain) is None and not ring.has_demo_keys


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("{"), lambda path: path.chmod(0o644), lambda path: path.unlink()],
                         ids=["broken", "readable by others", "gone"])
def test_of_a_key_file_that_cannot_be_read_nothing_new_is_believed(ring, spoil):
    key = keys(ring, "new", "--role", "channel", "--operator", "app")
    assert ring.who(key) is not None
    later = Keyring.open(ring.path).new(Role.ADMIN, "ito")
    spoil(ring.path)
    assert ring.who(key) is not None and ring.who(later) is None


@pytest.mark.parametrize("at", ["tomorrow", "2099-01-01T00:00:00", "2099-01-01"])
def test_a_time_without_its_zone_is_no_time(tmp_path, at):
    done, _, complaint = call(["policy", "accept", str(reference("major-bank")), "--store", f"sqlite:///{tmp_path}/bank.db", "--at", at])
    assert done == 2 and f"{at} is not a time with its zone; write it as 20" in complaint


def test_a_policy_is_not_put_in_force_at_a_time_that_has_passed(tmp_path):
    bank = Installation(tmp_path)
    bank.policy = reference("major-bank")

    async def once():
        async with (await bank.app()).running():
            pass

    asyncio.run(once())
    bank.says("policy", "accept", bank.policy, "--at", "2020-01-01T00:00:00+09:00", keys=False, code=2)
    assert "has passed; write a later one" in bank.complaint
