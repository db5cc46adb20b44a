"""Search over an article: by word, and by what somebody says who telephones. Japanese is cut into pairs of signs, Latin letters into words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sekisho.manual.book import LIMITS, OPERATION, WAYS, Book, Entry
from sekisho.manual.words import Words, outcomes, stages_of

MOST = 12
"""How many are told."""

QUERY_MAX = 200
"""Signs of a query that are looked at."""

ENOUGH = 0.35
"""What a find must reach of the best one to be told too."""

_HIRAGANA = {kata: kata - 0x60 for kata in range(ord("ァ"), ord("ヶ") + 1)}
_RUNS = re.compile(r"[a-z0-9]+|[ぁ-ゖー々〆一-鿿]+")
_ENDINGS = re.compile(r"(?<=[a-z]{3})(?:ing|ed|es|s|e)$")


SAYS_NOTHING = frozenset({
    "a", "am", "an", "and", "are", "at", "be", "can", "do", "does", "for", "i", "in", "is", "it", "me", "my", "not", "of", "on", "or", "that",
    "the", "this", "to", "was", "what", "when", "which", "with",
})
"""English words that stand in every sentence."""


class Found(NamedTuple):
    """A place in the article."""

    title: str
    text: str
    page: str
    anchor: str


class _Said(NamedTuple):
    """What a place is found by: what stands there, and what somebody says who needs it."""

    place: Found
    named: str
    said: str


class Index:
    """All places of an article, by the pieces of their words.

    Args:
        book: the policy, cut into sections.
        words: its words in one language.
        staff: whether rows and limits are places too; a customer's are operations and items.

    """

    def __init__(self, book: Book, words: Words, *, staff: bool) -> None:
        self._book, self._words, self._staff = book, words, staff
        places = list(self._places())
        self._found = [one.place for one in places]
        self._by: dict[str, dict[int, float]] = defaultdict(dict)
        for number, one in enumerate(places):
            for text, weight in ((one.named, 3.0), (one.said, 1.5), (one.place.text, 1.0)):
                for piece, times in Counter(pieces(text)).items():
                    self._by[piece][number] = self._by[piece].get(number, 0.0) + weight * (1 + math.log(times))

    def search(self, query: str) -> list[Found]:
        """The places that fit best, the best first; none where nothing fits."""
        scores: dict[int, float] = defaultdict(float)
        for piece in set(pieces(query[:QUERY_MAX])):
            found = self._by.get(piece, {})
            rare = math.log(1 + len(self._found) / len(found)) if found else 0.0
            for number, weight in found.items():
                scores[number] += rare * weight
        best = max(scores.values(), default=0.0)
        ranked = sorted((number for number in scores if scores[number] >= ENOUGH * best), key=lambda number: (-scores[number], number))
        return [self._found[number] for number in ranked[:MOST]]

    def _places(self) -> Iterator[_Said]:
        w, book = self._words, self._book
        for section in book.sections:
            operation = w.operation_name(section.operation.name)
            for entry in section.entries:
                yield self._entry(operation, OPERATION + section.operation.name, entry)
        for limit in book.limits if self._staff else ():
            items = w.join(w.item(name) for name in limit.items)
            costs = w.pick("", " ").join(w.happened(one) for one in outcomes(count.stage for count in limit.counts))
            yield _Said(Found(items, costs, LIMITS, limit.counter.name), limit.counter.name, "")
        for path in book.table.paths.values():
            yield _Said(Found(w.say(path.text), w.join(w.needs(path)), WAYS, f"way-{path.name}"), path.form or "", "")
        for row, lock in book.table.abolished.items():
            yield _Said(Found(w.say(lock.text), w.ways(lock.undo), WAYS, row if self._staff else "left-behind"), row if self._staff else "", "")

    def _entry(self, operation: str, page: str, entry: Entry) -> _Said:
        w, item = self._words, self._book.table.items[entry.row.item]
        found = outcomes(count.stage for count in entry.counts)
        kinds = {effect.kind for one in outcomes(stages_of(entry.row)) for effect in one.effects}
        says = " ".join([w.t(f"callers.kind-{item.kind}"), *(w.t(f"callers.effect-{kind}") for kind in sorted(kinds))])
        title = f"{operation}: {w.say(item.text)}"
        ids = " ".join([entry.row.id, *entry.row.also]) if self._staff else ""
        return _Said(Found(title, w.pick("", " ").join(w.happened(one) for one in found), page, entry.anchor if self._staff else item.name),
                     f"{title} {ids}", says)


def pieces(text: str) -> Iterator[str]:
    """What a text is found by: words without their endings, pairs of Japanese signs, single ones of a run that is no longer."""
    for run in _RUNS.findall(unicodedata.normalize("NFKC", text).lower().translate(_HIRAGANA)):
        if run[0].isascii():
            if run not in SAYS_NOTHING:
                yield _ENDINGS.sub("", run)
        elif len(run) == 1:
            yield run
        else:
            yield from _pairs(run)


def _pairs(run: str) -> Iterable[str]:
    return (run[at:at + 2] for at in range(len(run) - 1))
