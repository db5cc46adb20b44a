"""Findings about ways out: states without one, circles, and what a stranger can close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sekisho.catalogue import say
from sekisho.policy.model import FindingCode
from sekisho.policy.table import Table, Text
from sekisho.proof.found import Fact, Found, Severity, texts
from sekisho.proof.ways import PAPER, Answer, Plan, State, Ways
from sekisho.terms import PathKind


class Exits:
    """What is wrong with the ways out of one policy."""

    def __init__(self, table: Table, ways: Ways, answers: Sequence[Answer]) -> None:
        self.table = table
        self.ways = ways
        self.answers = answers

    def findings(self) -> Iterator[Found]:
        """All of them."""
        for answer in self.answers:
            yield from self._one(answer)
        out = [answer.state for answer in self.answers if answer.at_rest is not None]
        for stuck in self.ways.stuck(out):
            yield self._together(stuck)

    def _one(self, answer: Answer) -> Iterator[Found]:
        state, rest, attacked = answer
        if rest is None:
            yield self._found(FindingCode.NO_WAY_OUT, "no-way-out", state, state.board.moves)
            return
        if rest.kind == PAPER and not self._offers_paper_alone(state) and not self._declared(state, rest):
            yield self._found(FindingCode.CIRCULAR_RELEASE, "paper-alone", state, rest.trace, forms=self._forms(rest))
        if attacked is None:
            severity = Severity.ERROR if state.lasts else Severity.WARNING
            yield self._found(FindingCode.STRANGER_LOCKS, "stranger-closes", state, state.board.moves, severity)
        elif attacked.kind == PAPER and rest.kind != PAPER and not self._declared(state, attacked):
            yield self._found(FindingCode.STRANGER_LOCKS, "stranger-paper", state, attacked.trace, forms=self._forms(attacked))

    def _found(
        self, code: FindingCode, say: str, state: State, trace: Sequence[str], severity: Severity = Severity.ERROR, **facts: Fact,
    ) -> Found:
        name = self.closed(state) if say == "stranger-closes" else self.named(state)
        known: dict[str, Fact] = {"state": name, "rows": ", ".join(state.rows), **facts}
        return Found(code, say, known, state.rows[0] if state.rows else None, trace=tuple(trace), severity=severity)

    def named(self, state: State) -> tuple[Text, ...]:
        """The state as a person would call it: a lock, or what is lost and by which items that shows."""
        return (lost(state, self.closed(state)),) if state.lost else self.closed(state)

    def closed(self, state: State) -> tuple[Text, ...]:
        """What can be entered no more in it; the lock."""
        return texts(self.table, sorted(state.lost) or [state.name])

    def _together(self, stuck: Sequence[State]) -> Found:
        rows = dict.fromkeys(row for state in stuck for row in state.rows[:1])
        lost = any(state.lost for state in stuck)
        troubles = tuple(text for state in stuck for text in self.named(state))
        facts: dict[str, Fact] = {"states": troubles, "rows": ", ".join(rows)}
        code = FindingCode.NO_WAY_OUT if lost else FindingCode.CIRCULAR_RELEASE
        trace = tuple(move for state in stuck for move in ("and", *state.board.moves))[1:]
        first = next((state for state in stuck if not state.lost), stuck[0])
        return Found(code, "stuck-together" if lost else "circle", facts, first.rows[0] if first.rows else None, trace=trace)

    # What the policy says in so many words.

    def _forms(self, plan: Plan) -> tuple[Text, ...]:
        return texts(self.table, [name for name in plan.path if self._is_form(name)])

    def _is_form(self, name: str) -> bool:
        return name in self.table.paths and self.table.paths[name].kind is PathKind.FORM

    def _offers_paper_alone(self, state: State) -> bool:
        """Whether the rows themselves name nothing but paper."""
        if state.lost:
            return all(self._own_undo(row) for row in state.rows)
        kinds = {self.table.paths[name].kind for name in state.undo if name in self.table.paths}
        return kinds <= {PathKind.FORM, PathKind.NONE}

    def _own_undo(self, row: str) -> bool:
        """Whether a lock of a row's own names a form."""
        return any(
            self._is_form(name) for counter in self.table.counters.values() for stage in counter.stages
            if row in (stage.row, *stage.also) for name in stage.undo)

    def _declared(self, state: State, plan: Plan) -> bool:
        """Whether the policy says that each form of a plan is the way out of this state."""
        lockable = bool(state.targets & self.ways.stranger(state.board.flags).closed)
        return all(self._says(state, name, lockable=lockable) for name in plan.path if self._is_form(name))

    def _says(self, state: State, form: str, *, lockable: bool) -> bool:
        if not lockable and not state.lost and form in state.undo:
            return True
        papers = [paper for paper in self.table.paper if paper.form == form]
        return any((not lockable and not state.lost) or set(paper.rows) & set(state.rows) for paper in papers)


def lost(state: State, items: Sequence[Text]) -> Text:
    """A loss in words, and the items that are entered no more."""
    ja, en = (say(language, f"state.{state.name.partition(',')[0]}") for language in ("ja", "en"))
    return Text(f"「{ja}」({'、'.join(one.ja for one in items)})", f"“{en}” ({', '.join(one.en for one in items)})")
