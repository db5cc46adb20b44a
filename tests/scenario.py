"""Scenarios that a desk clerk could read, played by the engine and counted again by the auditor.

    10:00  transfer token wrong               -> wrong
    10:01  transfer token waits as A          -> granted
    10:02  A right                            -> right
    10:03  transfer token wrong in session:1  -> wrong, over, lock Y-TRANSFER-2 until 11:03

An entry names operation, item and verdict, and after them whose it is (`by customer:2`), in which session (`in session:1`),
about whom (`about account:2`), from which device (`at home`) and whether a new run begins with it (`anew`). What is told comes first on the right; then
`over` when the run may not go on, and every lock that this line set. `1+10:00` is ten o'clock on the second day.
"""

import datetime as dt

from auditor import SECOND, Place
from play import START, Play

DAY_START = START - START % (86_400 * SECOND)


class Scenario:
    """One policy (or several by name, the first in force), some subjects, and lines."""

    def __init__(self, table, subjects, others=None):
        self.play = Play(table)
        self.play.now = DAY_START
        self.play.enrol(*subjects)
        self.tables = others or {}
        self.runs = {}
        self.named = {}

    def __call__(self, text):
        for line in text.strip().splitlines():
            did, _, expected = (part.strip() for part in line.partition("->"))
            assert self.step(did) == [part.strip() for part in expected.split(",")], line
        assert self.play.complaints == []
        return self

    def step(self, did):
        """What is told, and what it led to."""
        when, *words = did.split()
        self.play.now = max(self.play.now, self._at(when))
        before = set(self.play.lock_ids())
        told, run = self._do(words)
        result = [told or "unread"]
        if run is not None and not self.play.auditor.lives(self.play.auditor.runs[run], self.play.now):
            result.append("over")
        result += [self._lock(key, lock_id) for key, lock_id in self.play.lock_ids() if (key, lock_id) not in before]
        return result

    def _do(self, words):
        match words:
            case ["session", key, "of", subject]:
                self.play.open_session(key, subject)
                return "open", None
            case ["release", row]:
                self.play.release(*self._find(row))
                return "lifted", None
            case ["policy", name]:
                self.play.change_policy(self.tables[name])
                return "in force", None
            case ["count", key, counter]:
                return str(self.play.auditor.standing(Place(key, counter), self.play.now)), None
            case [name, verdict] if name in self.named:
                attempt, run = self.named[name]
                return self.play.verdict(attempt, verdict), run
            case [operation, item, "waits", "as", name, *rest]:
                run = self._run(operation, rest)
                attempt, word = self.play.offer(run, item)
                self.named[name] = attempt, run
                return word, run
            case [operation, item, verdict, *rest]:
                run = self._run(operation, rest)
                return self.play.enter(run, item, verdict), run
        raise AssertionError(words)

    def _run(self, operation, rest):
        anew = "anew" in rest
        words = dict(zip(*[iter(word for word in rest if word != "anew")] * 2, strict=True))
        who, session, about = words.get("by", "customer:1"), words.get("in"), words.get("about")
        found = (operation, who, session, about, device := words.get("at", ""))
        if anew or found not in self.runs:
            key = self.runs[found] = f"procedure:{operation}-{len(self.play.rows)}-{anew}"
            own = who.replace("customer", "account")
            subjects = {"customer": who, "account": about or own, "app": who.replace("customer", "app")}
            if about is not None:
                subjects |= {"about:account": about, "about:customer": about.replace("account", "customer"), "account": own}
            self.play.begin(key, operation, subjects, session, device)
        return self.runs[found]

    def _lock(self, key, lock_id):
        held = dict(zip(self.play.lock_ids(), self.play.locks(), strict=True))[key, lock_id]
        until = "" if held.until is None else f" until {self._clock(held.until)}"
        return f"lock {held.row} on {held.key}{until}"

    def _find(self, row):
        return next((key, lock_id) for key, lock_id in self.play.lock_ids() if f"lock {row} " in self._lock(key, lock_id))

    @staticmethod
    def _at(when):
        days, _, clock = when.rpartition("+")
        parts = [int(part) for part in clock.split(":")]
        seconds = parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)
        return DAY_START + (int(days or 0) * 86_400 + seconds) * SECOND

    @staticmethod
    def _clock(at):
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at)).strftime("%H:%M")
