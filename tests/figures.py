"""Policies that differ in nothing but figures: how many wrong entries a penalty takes, and how long a timed lock lasts."""

import re

THRESHOLD = re.compile(r"\b(wrong|known_device): (\d+)")
LENGTH = re.compile(r"\b(for|stranger_for): (\d+)([smhd])\b")


def other_figures(text, threshold, length):
    """The policy with each threshold and each length put through a function. Equal figures stay equal: rows share counts."""
    text = THRESHOLD.sub(lambda found: f"{found[1]}: {threshold(int(found[2]))}", text)
    return LENGTH.sub(lambda found: f"{found[1]}: {length(int(found[2]))}{found[3]}", text)
