"""What customers type from their tokens: right, mistyped, or read too late."""

import base64
import hashlib
import itertools

from sekisho.core import otp

LATE = 10
"""Steps after which a code is surely no more taken: whoever types it has read it minutes ago."""


def seed_of(number):
    """A customer's seed, in base 32; the same in every run."""
    return base64.b32encode(_seed(number)).decode()


def typed_code(number, now_s, chance, *, right):
    """What a customer types at a time, in seconds since the epoch."""
    step = now_s // otp.STEP_S
    code = otp.hotp(_seed(number), step)
    return code if right else _no_code(_seed(number), step, code, chance)


def _no_code(seed, step, code, chance):
    """One digit is another, or the code is an old one; whichever, it is none that could be taken by now."""
    taken = {otp.hotp(seed, step + n) for n in range(-otp.DRIFT, 2 * otp.DRIFT + 1)}
    at = chance.randrange(len(code))
    mistyped = f"{code[:at]}{chance.randrange(10)}{code[at + 1:]}"
    late = (otp.hotp(seed, step - n) for n in itertools.count(LATE))
    tried = itertools.chain([mistyped] if chance.random() < 0.5 else [], late)
    return next(one for one in tried if one not in taken)


def _seed(number):
    return hashlib.sha1(f"token {number}".encode(), usedforsecurity=False).digest()
