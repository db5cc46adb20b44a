"""Policies that differ in nothing but figures: how many wrong entries a penalty takes, and how long a timed lock lasts."""

import re

from sekisho.policy import parse
from sekisho.proof.check import check

THRESHOLD = re.compile(r"\b(wrong|known_device): (\d+)")
LENGTH = re.compile(r"\b(for|stranger_for): (\d+)([smhd])\b")


def other_figures(text, threshold, length):
    """The policy with each threshold and each length put through a function. Equal figures stay equal: rows share counts."""
    text = THRESHOLD.sub(lambda found: f"{found[1]}: {threshold(int(found[2]))}", text)
    return LENGTH.sub(lambda found: f"{found[1]}: {length(int(found[2]))}{found[3]}", text)


def all_waived(text):
    """The policy with a waiver for each finding that refuses it, so that it may be served."""
    refusing = [one for one in check(parse(text, "p.yaml")).findings if one.refuses]
    lines = "".join(f"  - {{finding: {code}, row: {row}, reason: {{ja: 試験だけに使う, en: Only a test is run with it}}, by: test}}\n"
                    for code, row in dict.fromkeys((one.code.value, one.row) for one in refusing))
    return text.replace("waivers:\n", "waivers:\n" + lines, 1)
