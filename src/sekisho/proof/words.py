"""Findings about texts: figures that a customer may not read (D1), and texts that are missing in one of the languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import msgspec

from sekisho.policy import model as m
from sekisho.policy.model import FindingCode
from sekisho.policy.shape import Path
from sekisho.policy.table import Table
from sekisho.proof.found import Found

KANJI = {"〇": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
ENGLISH = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
    "sixteen", "seventeen", "eighteen", "nineteen",
]
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
COUNTED_JA = "(?:回|度|分|時間|日|秒)"
COUNTED_EN = r"(?:times?|tries|attempts?|entries|wrong|mistakes?|failures?|minutes?|hours?|days?|seconds?|in a row)"

JAPANESE = re.compile("[ぁ-んァ-ヶ一-鿿々〆]")
FOR_STAFF = ("not_say", "why", "waivers", "profiles", "desk", "retention", "by", "reason")
"""Cells that no customer reads."""


def word_findings(table: Table, file: m.PolicyFile) -> Iterator[Found]:
    """All of them."""
    secret = figures(table)
    for path, cell in said(file, ()):
        yield from _missing(path, cell)
        if not set(FOR_STAFF) & set(path):
            for language in ("ja", "en"):
                told = sorted(numbers(getattr(cell, language)) & secret)
                if told:
                    yield Found(
                        FindingCode.COUNT_IN_CUSTOMER_TEXT, "count-told", {"text": getattr(cell, language), "figure": str(told[0])},
                        path=(*path, language))


def figures(table: Table) -> set[int]:
    """Every threshold, and every length of a timed lock in whatever unit it may be told."""
    found = set()
    for counter in table.counters.values():
        for stage in counter.stages:
            found.add(stage.wrong)
            for penalty in stage.penalties:
                if penalty.for_s is not None:
                    found |= {penalty.for_s // unit for unit in (1, 60, 3_600, 86_400) if penalty.for_s % unit == 0}
    return found


def said(cell: Any, path: Path) -> Iterator[tuple[Path, m.Say]]:
    """Every text of a file, with its cell."""
    if isinstance(cell, m.Say):
        yield path, cell
    if isinstance(cell, msgspec.Struct):
        for name, written in zip(cell.__struct_fields__, cell.__struct_encode_fields__, strict=True):
            yield from said(getattr(cell, name), (*path, written))
    elif isinstance(cell, dict):
        for name, inner in cell.items():
            yield from said(inner, (*path, str(name)))
    elif isinstance(cell, list):
        for number, inner in enumerate(cell):
            yield from said(inner, (*path, number))


def numbers(text: str) -> set[int]:
    """Every number that a text tells, in figures of any script or in words before what they count."""
    plain = unicodedata.normalize("NFKC", text)
    found = {int(figure) for figure in re.findall(r"\d+", plain) if len(figure) < 10}
    found |= {_kanji(word) for word in re.findall(f"(?<!もう)([〇一二三四五六七八九十百]+){COUNTED_JA}", plain)}
    lower = plain.lower()
    words = "|".join([*ENGLISH, *TENS])
    return found | {
        sum(TENS.get(word, ENGLISH.index(word) if word in ENGLISH else 0) for word in re.split("[- ]", told))
        for told in re.findall(rf"\b((?:{words})(?:[- ](?:{words}))?) (?:more |wrong |failed )?{COUNTED_EN}\b", lower)}


def _kanji(word: str) -> int:
    total, digit = 0, 0
    for sign in word:
        if sign in "十百":
            total += (digit or 1) * (10 if sign == "十" else 100)
            digit = 0
        else:
            digit = digit * 10 + KANJI[sign]
    return total + digit


def _missing(path: Path, cell: m.Say) -> Iterator[Found]:
    if not JAPANESE.search(cell.ja):
        yield Found(FindingCode.MISSING_TEXT, "text-not-japanese", {"text": cell.ja}, path=(*path, "ja"))
    if JAPANESE.search(cell.en) or not re.search("[A-Za-z]", cell.en):
        yield Found(FindingCode.MISSING_TEXT, "text-not-english", {"text": cell.en}, path=(*path, "en"))
