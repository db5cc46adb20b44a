"""The same wrong entry again counts once: every history is counted a second time, and what is forgiven has been paid for."""

import random

import msgspec
import pytest
from play import Play
from scale import times
from tables import DAY, END, HOUR, counter, lock, row, stage, table

from sekisho.core import budget
from sekisho.core.state import Guard, decode
from sekisho.events import EventKind
from sekisho.policy.table import Repeats
from sekisho.terms import Counting, Verdict

KEPT, FOR_S = 3, 6 * HOUR
IN_A_ROW = counter("c", "customer", stage(4, lock("login", for_s=HOUR), row="R-4"), stage(6, lock("login"), row="R-6"))
A_DAY = counter("d", "customer", stage(9, lock("login", "inquiry"), row="D-9"), counting=Counting.WITHIN, window_s=DAY)
A_RUN = counter("p", "procedure", stage(5, END, row="P-5"))
ACCOUNT = counter("a", "account", stage(5, lock("inquiry", for_s=HOUR, on="account"), row="A-5"))


def remembering(*rows, kept=KEPT, for_s=FOR_S):
    made = table(*rows)
    items = {name: msgspec.structs.replace(item, repeats=Repeats(kept, for_s)) for name, item in made.items.items()}
    return msgspec.structs.replace(made, items=items)


class Typing(Play):
    """Entries have words here, and a word that is entered again may be known again."""

    def __init__(self, policy):
        super().__init__(policy)
        self.words = {}
        self.unpaid = []

    def answer(self, attempt, word):
        """Settle an entry of this word as wrong: whether it was known again."""
        facts, granted = self.flying.pop(attempt)
        scene = self._scene(facts)
        lasting = [place for place, _ in self.auditor.taken[attempt].places if not place.key.startswith("procedure")]
        paid = [self._words_standing(place) for place in lasting]
        told = self.settle(scene, granted, Verdict.WRONG, word.encode())
        again = any(event.kind is EventKind.ENTRY_REPEATED for event in scene.events)
        if again and not all(word in words for words in paid):
            self.unpaid.append((self.now, word, paid))
        self._record(scene)
        self.words[attempt] = word
        self.auditor.settled(attempt, "repeated" if again else "wrong", self.now, str(told), self._seen(scene), self.sight())
        return again

    def _words_standing(self, place):
        """By the auditor: of which entries there is a wrong one that stands."""
        return {self.words.get(fact.attempt) for world in self.auditor.recount(place, self.now)[0] for fact in world.standing}

    def type(self, run, word):
        """Enter a word: whether it was known again; None: it was not looked at."""
        attempt, said = self.offer(run, "password")
        return self.answer(attempt, word) if said == "granted" else None

    def count(self, name="c", key="customer:1"):
        return decode(self.rows[key], Guard).counts[name].wrong

    def tags(self, name="c", key="customer:1"):
        return len(decode(self.rows[key], Guard).counts[name].tags)


@pytest.fixture
def game():
    def begin(*counters, **how):
        play = Typing(remembering(row("login", "password", *counters), **how))
        play.enrol("customer:1", "account:1")
        play.begin("procedure:1", "login", {"customer": "customer:1", "account": "account:1"})
        return play
    return begin


def typed(play, words, run="procedure:1"):
    return [play.type(run, word) for word in words.split()]


def test_the_same_word_counts_once_and_others_count(game):
    play = game(IN_A_ROW)
    assert typed(play, "x x x y x y z") == [False, True, True, False, True, True, False]
    assert (play.count(), play.complaints, play.unpaid) == (3, [], [])


def test_the_stage_falls_at_its_figure_of_different_words(game):
    play = game(IN_A_ROW)
    assert typed(play, "x x y x z") == [False, True, False, True, False] and play.locks() == []
    assert typed(play, "w x") == [False, None] and [lock.row for lock in play.locks()] == ["R-4"]
    assert play.complaints == []


def test_a_word_that_is_off_counts_each_time(game):
    play = game(IN_A_ROW)
    play.change_policy(msgspec.structs.replace(play.table, items=table(row("login", "password", IN_A_ROW)).items))
    assert typed(play, "x x x") == [False] * 3 and (play.count(), play.tags()) == (3, 0)


def test_of_two_that_are_the_same_in_flight_one_counts(game):
    play = game(IN_A_ROW)
    (one, _), (other, _) = play.offer("procedure:1", "password"), play.offer("procedure:1", "password")
    assert [play.answer(other, "x"), play.answer(one, "x")] == [False, True]
    assert (play.count(), play.complaints) == (1, [])


def test_no_more_are_looked_at_at_once_than_are_left_whatever_they_are(game):
    play = game(IN_A_ROW)
    assert [play.offer("procedure:1", "password")[1] for _ in range(5)] == ["granted"] * 4 + ["busy"]


def test_only_the_newest_words_are_remembered(game):
    play = game(counter("c", "customer", stage(9, lock("login"), row="R")))
    assert typed(play, "a b c d a") == [False] * 5
    assert typed(play, "d b") == [True, False] and play.tags() == KEPT


def test_words_age_out(game):
    play = game(IN_A_ROW)
    typed(play, "x")
    play.wait(FOR_S - 1)
    assert typed(play, "x") == [True]
    play.wait(1)
    assert typed(play, "x") == [False] and play.count() == 2


def test_no_word_is_remembered_longer_than_its_window(game):
    play = game(counter("c", "customer", stage(4, lock("login"), row="R"), counting=Counting.WITHIN, window_s=HOUR))
    typed(play, "x")
    play.wait(HOUR)
    assert typed(play, "x") == [False] and play.complaints == []


def test_a_right_entry_and_a_release_forget_the_words(game):
    play = game(IN_A_ROW)
    typed(play, "x")
    play.enter("procedure:1", "password", "right")
    assert typed(play, "x y z w") == [False] * 4
    [(key, held)] = play.lock_ids()
    play.release(key, held)
    play.begin("procedure:2", "login", {"customer": "customer:1"})
    assert typed(play, "x", "procedure:2") == [False] and (play.count(), play.complaints) == (1, [])


def test_what_is_taken_back_as_none_is_not_forgiven_again(game):
    play = game(IN_A_ROW)
    typed(play, "x y")
    count = decode(play.rows["customer:1"], Guard).counts["c"]
    budget.give_back(count, 1)
    assert (count.wrong, count.tags) == (1, [])


def test_a_run_counts_each_entry_so_that_it_ends_as_ever(game):
    play = game(IN_A_ROW, A_RUN)
    assert typed(play, "x x x x x x") == [False, *[True] * 4, None]
    assert (play.count(), play.complaints) == (1, [])


def test_each_count_is_paid_for_itself(game):
    """What was entered where another count is asked has not been counted on this one."""
    play = Typing(remembering(row("login", "password", IN_A_ROW, A_DAY), row("inquiry", "password", ACCOUNT, A_DAY)))
    play.enrol("customer:1", "account:1")
    for number, operation in enumerate(["login", "inquiry"]):
        play.begin(f"procedure:{number}", operation, {"customer": "customer:1", "account": "account:1"})
    assert [*typed(play, "x x", "procedure:0"), *typed(play, "x x", "procedure:1"), *typed(play, "x", "procedure:0")] == [False, True, False, True, True]
    assert (play.count("c"), play.count("a", "account:1"), play.count("d"), play.complaints) == (1, 1, 2, [])


def test_in_every_history_what_is_forgiven_has_been_paid_for():
    assert sum(history(random.Random(seed)) for seed in range(times(10, full=600))) > 10


def history(chance):
    """Anything in any order; how often a word was forgiven."""
    play = Typing(remembering(row("login", "password", IN_A_ROW, A_DAY, A_RUN), row("inquiry", "password", ACCOUNT, A_DAY)))
    play.enrol("customer:1", "account:1")
    run, flying, forgiven = None, [], 0
    for number in range(60):
        move = chance.choice(["begin", "offer", "offer", "answer", "answer", "answer", "right", "wait", "release"])
        if run is None or move == "begin":
            run = f"procedure:{number}"
            play.begin(run, chance.choice(["login", "inquiry"]), {"customer": "customer:1", "account": "account:1"})
        elif move == "offer":
            attempt, said = play.offer(run, "password")
            flying += [attempt] if said == "granted" else []
        elif move in {"answer", "right"} and flying:
            attempt = flying.pop(chance.randrange(len(flying)))
            if move == "right" and chance.random() < 0.3:
                play.verdict(attempt, "right")
            else:
                forgiven += play.answer(attempt, chance.choice("uvwxyz"))
        elif move == "wait":
            play.wait(chance.choice([1, 600, HOUR, 7 * HOUR, DAY]))
        elif move == "release" and play.lock_ids():
            play.release(*chance.choice(play.lock_ids()))
    assert (play.complaints, play.unpaid) == ([], [])
    return forgiven
