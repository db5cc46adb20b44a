"""The shipped policies and what the proofs say of them, each proved once for all tests of the lab."""

import functools

from sekisho.policy import parse, reference
from sekisho.proof.check import check


@functools.cache
def proved(name):
    return check(parse(reference(name).read_bytes(), f"{name}.yaml"))
