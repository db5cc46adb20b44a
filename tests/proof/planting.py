"""Faults of each kind planted in sound policies, and how many the proofs find. As a command: the table of them.

    PYTHONPATH=tests:tests/proof python tests/proof/planting.py 36    # faults of each kind
"""

import subprocess
import sys
from datetime import UTC, datetime
from functools import cache

from faults import KINDS, is_real, plant
from good_policies import good, loaded

from sekisho.proof.check import check

SOUND = 1_000
"""The seed of the first sound policy that is only looked at."""


def codes(file):
    return {(one.code.value, one.row) for one in check(loaded(file)).findings}


@cache
def codes_of_the_sound(seed):
    return codes(good(seed))


def planted(kind, each):
    """Whether each real fault of a kind was found. Its place in the kinds chooses the policies, so that kinds meet different ones."""
    found, first = [], 100 * list(KINDS).index(kind)
    for seed in range(first + 1, first + 3 * each + 4):
        file = good(seed)
        changed = plant(kind, file, seed)
        if changed is not None and is_real(kind, file, changed):
            found.append(bool({code for code, _ in codes(changed) - codes_of_the_sound(seed)} & set(KINDS[kind][2])))
        if len(found) == each:
            break
    return found


def table(each, sound):
    """As Markdown, line by line."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    yield f"{datetime.now(UTC):%Y-%m-%d}, commit `{commit}`, up to {each} faults of each kind:\n"
    yield "| kind | real faults | found |"
    yield "|---|---|---|"
    every = []
    for kind in KINDS:
        found = planted(kind, each)
        every += found
        yield f"| {kind.replace('_', ' ')} | {len(found)} | {sum(found)} |"
    alarms = sum(bool(codes(good(SOUND + number))) for number in range(sound))
    yield f"| **all {len(KINDS)} kinds** | **{len(every):,}** | **{sum(every):,}** ({sum(every) / len(every):.1%}) |"
    yield f"\nFalse alarms in {sound} sound policies: {alarms}."


if __name__ == "__main__":
    for line in table(int(sys.argv[1]), 50 if int(sys.argv[1]) >= 30 else 10):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
