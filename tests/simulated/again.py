"""Plays histories again and tells all that happened: `python tests/simulated/again.py NUMBER …`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from world import play, report

if __name__ == "__main__":
    for number in sys.argv[1:]:
        sys.stdout.write(report(play(int(number))) + "\n")
