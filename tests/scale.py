"""How much of a test is run: a sample by default, full counts under `python3 run.py test --long`."""

import os

FULL = os.environ.get("SEKISHO_LONG") == "1"


def times(sample, full):
    """That many by default, and that many when all is asked for."""
    return full if FULL else sample
