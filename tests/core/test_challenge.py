"""Codes that are sent: made again whenever they are needed, sent again without a change, answered once."""

import hashlib
import hmac
import itertools
import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scale import times

from sekisho.core import challenge
from sekisho.core.address import made_up, masked, usable
from sekisho.core.challenge import Later, Limits, bound_to, code_of, consume, label_of, live, send
from sekisho.core.delivery import MOVES, NEWS, OVER, Course, course
from sekisho.core.state import SECOND, Address, Challenge, Procedure
from sekisho.errors import IllegalEvent
from sekisho.terms import AddressState, Way

KEY = b"k" * 32
LIMITS = Limits(addresses=3, sends=5, wait_s=30, valid_s=600)
START = 1_700_000_000 * SECOND
RUN = "procedure:1"


def at(seconds):
    return START + int(seconds * SECOND)


def run_with(**entered):
    return Procedure(operation="transfer", subjects={"customer": "customer:1"}, entered={name: value.encode() for name, value in entered.items()})


def fresh(run, address="a", name="1", digits=8, version=1):
    return Challenge(name, "mail-otp", address, bound_to(RUN, run), version, digits)


def asked(run, address, seconds, names=itertools.count()):  # noqa: B008  one row of names for all
    return send(run, fresh(run, address, f"{next(names)}"), LIMITS, at(seconds))


def plays(*story):
    """(seconds, address) to what came of each send: its number, or why there was none."""
    run, told = run_with(), []
    for seconds, address in story:
        came = asked(run, address, seconds)
        told.append(("enough" if came.spent else "wait") if isinstance(came, Later) else came.sends)
    return told


@pytest.mark.parametrize(("story", "told"), [
    ([(0, "a")], [1]),
    ([(0, "a"), (29.9, "a"), (30, "a")], [1, "wait", 2]),
    ([(0, "a"), (0, "b"), (0, "c"), (0, "d")], [1, 1, 1, "enough"]),
    ([(0, "a"), (30, "a"), (60, "a"), (90, "a"), (120, "a"), (150, "a"), (599.9, "a"), (600, "a")], [1, 2, 3, 4, 5, "enough", "enough", 1]),
    ([(0, "a"), (590, "a"), (600, "a")], [1, 2, 1]),
    ([(0, "a"), (300, "b"), (300, "c"), (500, "d"), (600, "d")], [1, 1, 1, "enough", 1]),
], ids=["first", "the wait between two", "three addresses at once", "five times, then not while it lives", "sending again extends nothing",
        "a place is free when one has lapsed"])
def test_what_is_sent_when(story, told):
    assert plays(*story) == told


def test_whoever_is_told_to_wait_is_told_until_when():
    run = run_with()
    asked(run, "a", 0)
    assert asked(run, "a", 10) == Later(at(30), spent=False)


def test_a_code_sent_again_is_the_same_and_lives_no_longer():
    run = run_with()
    first = asked(run, "a", 0)
    code, until = code_of(KEY, first), first.until
    again = asked(run, "a", 400)
    assert again is run.challenges[0] and (code_of(KEY, again), again.until) == (code, until)
    assert live(run, "mail-otp", bound_to(RUN, run), until - 1) == [again]
    assert live(run, "mail-otp", bound_to(RUN, run), until) == []


def test_other_data_leaves_no_code_alive():
    run = run_with(payee="10000-1")
    asked(run, "a", 0)
    run.entered["payee"] = b"10000-2"
    assert live(run, "mail-otp", bound_to(RUN, run), at(1)) == []
    assert asked(run, "a", 1).sends == 1


def test_one_answer_ends_all_codes_of_the_item():
    run = run_with()
    for address in "abc":
        asked(run, address, 0)
    consume(run, "mail-otp", at(5))
    assert live(run, "mail-otp", bound_to(RUN, run), at(6)) == []


@pytest.mark.parametrize("digits", range(4, 13))
def test_a_code_has_as_many_digits_as_the_policy_says(digits):
    codes = {code_of(KEY, fresh(run_with(), name=f"{n}", digits=digits)) for n in range(50)}
    assert {len(code) for code in codes} == {digits} and all(code.isascii() and code.isdigit() for code in codes)
    assert len(codes) > 45


def test_a_code_is_a_truncated_hmac():
    """RFC 4226 section 5.3, written down once more and by hand."""
    sent = fresh(run_with(), name="n", digits=6)
    told = b"".join(len(part).to_bytes(4, "big") + part for part in (b"n", b"mail-otp", b"a", b"1", b"6", sent.bound))
    mac = hmac.new(KEY, told, hashlib.sha256).digest()
    offset = mac[31] % 16
    assert code_of(KEY, sent) == str(int.from_bytes(mac[offset:offset + 8], "big") % 2**63 % 10**6).rjust(6, "0")


@pytest.mark.parametrize("change", [
    {"id": "2"}, {"item": "risk-code"}, {"address": "b"}, {"bound": b"x" * 32}, {"version": 2},
], ids=lambda change: next(iter(change)))
def test_whatever_differs_makes_another_code(change):
    one = fresh(run_with(), digits=12)
    other = Challenge(**{**{name: getattr(one, name) for name in ("id", "item", "address", "bound", "version", "digits")}, **change})
    assert code_of(KEY, one) != code_of(KEY, other)


@given(st.lists(st.text(max_size=4), min_size=2, max_size=2), st.lists(st.text(max_size=4), min_size=2, max_size=2))
def test_parts_never_run_into_one_another(one, other):
    joined = [challenge._joined(part.encode() for part in parts) for parts in (one, other)]
    assert (joined[0] == joined[1]) is (one == other)


class Out(NamedTuple):
    """One message that carried a code, as the auditor writes it down."""

    at: int
    address: str
    code: str
    began: int


class Auditor:
    """Writes down every message and answers every question from the whole list."""

    def __init__(self):
        self.out = []
        self.answered = START

    def began(self, address, now):
        """When the code for this address began that is alive now; None: none is."""
        begun = [one.began for one in self.out if one.address == address and one.began >= self.answered and now < one.began + 600 * SECOND]
        return max(begun, default=None)

    def may(self, address, now):
        """What should come of a send."""
        began = self.began(address, now)
        if began is None:
            others = {one.address for one in self.out if self.began(one.address, now) is not None}
            return "enough" if len(others) >= 3 else "first"
        sent = [one.at for one in self.out if one.address == address and one.began == began]
        if len(sent) >= 5:
            return "enough"
        return "wait" if now < sent[-1] + 30 * SECOND else "again"


@pytest.mark.parametrize("seed", range(times(20, 500)))
def test_an_auditor_who_writes_everything_down_agrees(seed):
    """Whatever is asked when: what is sent, which code, and until when it is good; and no two challenges share a code."""
    chance, run, auditor, now = random.Random(seed), run_with(), Auditor(), START
    for number in range(120):
        now += int(chance.choice([0.5, 10, 30, 31, 200]) * SECOND * chance.random()) + 1
        if chance.random() < 0.03:
            consume(run, "mail-otp", now)
            auditor.answered = now
        address = chance.choice("abcd")
        should = auditor.may(address, now)
        came = send(run, fresh(run, address, f"{seed}/{number}", digits=12), LIMITS, now)
        if isinstance(came, Later):
            assert should == ("enough" if came.spent else "wait") and came.until > now
            continue
        assert should == ("first" if came.sends == 1 else "again")
        began = now if came.sends == 1 else auditor.began(address, now)
        auditor.out.append(Out(now, address, code_of(KEY, came), began))
        alive = {one.code for one in auditor.out if auditor.began(one.address, now) == one.began}
        assert {code_of(KEY, one) for one in live(run, "mail-otp", bound_to(RUN, run), now)} == alive
    by_code = {}
    for one in auditor.out:
        by_code.setdefault(one.code, set()).add((one.address, one.began))
    assert all(len(challenges) == 1 for challenges in by_code.values())


def test_labels_are_short_and_not_the_same_for_all():
    labels = {label_of(fresh(run_with(), name=f"{n}")) for n in range(60)}
    assert all(len(label) == 2 and label.isalpha() for label in labels) and len(labels) > 40


# -- addresses

@pytest.mark.parametrize(("way", "to", "shown"), [
    (Way.MAIL, "hana.sekimori@mail.example.co.jp", "h•••@m•••.jp"), (Way.MAIL, "a@b", "a•••@b•••.b"), (Way.TELEPHONE, "+81 90-1234-5678", "•••78"),
    (Way.MAIL, "..odd..@docomo.example.com", ".•••@d•••.com"),
])
def test_a_mask_has_one_width(way, to, shown):
    assert masked(way, to) == shown


def test_only_confirmed_addresses_that_have_been_the_same_long_enough():
    def one(name, way=Way.MAIL, state=AddressState.CONFIRMED, since=0):
        return Address(name, way, "x", state, since)

    known = [one("good"), one("new", since=at(0)), one("unread", state=AddressState.UNCONFIRMED), one("phone", Way.TELEPHONE)]
    assert [a.id for a in usable(known, Way.MAIL, 30, at(29))] == ["good"]
    assert [a.id for a in usable(known, Way.MAIL, 30, at(30))] == ["good", "new"]


@pytest.mark.parametrize("way", Way)
def test_a_strangers_addresses_look_like_anybodys(way):
    for n in range(200):
        digest = hashlib.sha256(f"{n}".encode()).digest()
        found = made_up(way, digest)
        assert found == made_up(way, digest) and len(found) in {1, 2} and len({name for name, _ in found}) == len(found)
        for name, shown in found:
            assert len(name) == 12 and len(shown) in {5, len("a•••@b•••.jp"), len("a•••@b•••.com")}


# -- the course of a message

def test_every_course_is_reached_and_an_end_is_left_only_by_late_news():
    reached = {Course.QUEUED, *MOVES.values()}
    assert reached == set(Course)
    left = {(state, event) for (state, event), then in MOVES.items() if state in OVER and then is not state}
    assert {event for _, event in left} <= {*NEWS, "accepted"}
    assert {state for state, event in left if event == "accepted"} == {Course.EXPIRED, Course.UNKNOWN}
    assert not [state for state, _ in left if state is Course.USED]


@pytest.mark.parametrize(("events", "stands"), [
    ([], "queued"), (["tried"], "being-sent"), (["tried", "accepted"], "handed-over"), (["tried", "put-off", "tried", "accepted"], "handed-over"),
    (["tried", "refused"], "not-sent"), (["tried", "put-off", "lapsed"], "expired"), (["tried", "put-off", "lapsed", "accepted"], "handed-over"),
    (["tried", "lost"], "unanswered"), (["tried", "lost", "tried", "accepted"], "handed-over"), (["tried", "lost", "lapsed"], "unknown"),
    (["tried", "accepted", "relayed", "delivered"], "delivered"), (["tried", "accepted", "delivered", "relayed"], "delivered"),
    (["tried", "accepted", "delivered", "bounced"], "bounced"), (["tried", "accepted", "bounced", "delivered"], "bounced"),
    (["tried", "accepted", "bounced", "used"], "used"), (["tried", "accepted", "used", "bounced"], "used"), (["tried", "relayed", "accepted"], "relayed"),
    (["tried", "accepted", "unused"], "handed-over"), (["tried", "accepted", "delayed", "unused", "used"], "used"),
])
def test_where_a_message_stands_is_what_happened_to_it(events, stands):
    assert course(events) == stands


@pytest.mark.parametrize("events", [["accepted"], ["bounced"], ["tried", "refused", "tried"], ["tried", "accepted", "put-off"], ["tried", "accepted", "tried"]])
def test_what_cannot_be_stops_it(events):
    with pytest.raises(IllegalEvent):
        course(events)
