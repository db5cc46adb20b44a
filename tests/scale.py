"""How much of a test is run: a sample by default, full counts under `python3 run.py test --long`, those of failovers under `--ha` too."""

import os

FULL = os.environ.get("SEKISHO_LONG") == "1"
PATRONI = os.environ.get("SEKISHO_HA") == "1"
"""Whether Patroni and etcd are started too: under `--ha` alone."""
HA = FULL or PATRONI


def times(sample, full):
    """That many by default, and that many when all is asked for."""
    return full if FULL else sample


def failovers(sample, full):
    """The same for what loses a primary."""
    return full if HA else sample
