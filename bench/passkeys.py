"""The signature of a passkey looked at, one algorithm after the other: processor time of the thread that looks."""

import time

from sekisho.adapters.webauthn import Passkeys, party_of
from tests.authenticator import KEYS, PARTY, Passkey, b64

USER = b"somebody"


def measure(size):
    """Milliseconds for one signature, by algorithm, in each round. All are right, and each is over a challenge of its own."""
    return {name: _rounds(name, size) for name in KEYS}


def _rounds(name, size):
    party, passkey = Passkeys(party_of(PARTY, "Bank", ())), Passkey(name)
    options = party.to_make(bytes(32), USER, "Hana", ())
    known = [party.made(passkey.make(options), bytes(32), 0)]
    return [_round(party, passkey, known, size.signed) for _ in range(size.warming + size.rounds)][size.warming:]


def _round(party, passkey, known, number):
    challenges = [n.to_bytes(32, "big") for n in range(number)]
    signed = [(passkey.sign({"challenge": b64(one)}), one) for one in challenges]
    began = time.thread_time()
    found = [party.asserted(known, proof, one, USER) for proof, one in signed]
    spent = time.thread_time() - began
    assert all(found), "every one of them is right"
    return spent / number * 1e3
