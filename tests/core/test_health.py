"""How far an address is trusted: a table of what was heard of it, and when."""

import pytest

from sekisho.core.health import CODES, DAY, OTHER, WEIGHTS, Advice, advice, health, hear, loses_codes_only, score
from sekisho.core.state import Address, Addresses, Heard
from sekisho.terms import AddressState, MailGroup, Way

NOW = 1000 * DAY


def heard(*told, stream=CODES):
    """(days ago, what) in order of time."""
    return [Heard(NOW - int(ago * DAY), what, stream) for ago, what in told]


@pytest.mark.parametrize(("told", "stands"), [
    ([], "unknown"), ([(0, "relayed")], "unknown"), ([(0, "delivered")], "ok"), ([(0, "used")], "ok"), ([(200, "used")], "unknown"),
    ([(0, "dead")], "suspect"), ([(0.5, "dead"), (0, "dead")], "suspect"), ([(1, "dead"), (0, "dead")], "dead"), ([(40, "dead"), (0, "dormant")], "suspect"),
    ([(2, "dead"), (1, "dead"), (0, "used")], "ok"), ([(1, "dead"), (0, "used"), (0, "dead")], "suspect"), ([(0, "dormant")], "suspect"),
    ([(0, "recipient-filter")], "suspect"), ([(0, "content-policy")], "unknown"), ([(0, "unused")], "suspect"), ([(90, "dormant")], "unknown"),
    ([(0, "dead"), (0, "delivered"), (0, "delivered")], "suspect"),
])
def test_how_an_address_stands(told, stands):
    assert health(heard(*told), CODES, NOW) == stands


def test_one_bad_day_counts_once():
    assert score(heard(*[(0.01 * n, "dormant") for n in range(20, 0, -1)]), CODES, NOW) > 2.1 * WEIGHTS["dormant"]


@pytest.mark.parametrize("group", [MailGroup.OUR_IDENTITY, MailGroup.RATE, MailGroup.TRANSIENT, MailGroup.UNKNOWN, MailGroup.NOT_FAILURE, ""])
def test_what_is_the_senders_own_matter_says_nothing_of_the_address(group):
    assert hear([], group, CODES, NOW) == []


def test_only_so_much_is_kept():
    told = []
    for n in range(100):
        told = hear(told, "delivered", CODES, n)
    assert len(told) == 32 and told[-1].at == 99


@pytest.mark.parametrize(("codes", "other", "lost"), [
    ([(1, "recipient-filter")], [(0, "relayed")], True), ([(0, "recipient-filter")], [(3, "relayed")], True), ([(1, "unused")], [(0, "relayed")], True),
    ([(0, "recipient-filter")], [(30, "relayed")], False), ([(1, "recipient-filter")], [], False), ([(1, "recipient-filter")], [(0, "dead")], False),
    ([(1, "recipient-filter"), (0, "used")], [(0, "relayed")], False), ([(0, "content-policy")], [(0, "relayed")], False), ([], [(0, "relayed")], False),
])
def test_M_DEAD_1_an_address_that_takes_other_mail_but_not_codes(codes, other, lost):
    assert loses_codes_only(heard(*codes) + heard(*other, stream=OTHER), NOW) is lost


def book(*told, state=AddressState.CONFIRMED):
    known = [Address(str(n), Way.MAIL, f"{n}@example.com", state, 0) for n in range(len(told))]
    return Addresses(known=known, heard={str(n): news for n, news in enumerate(told)})


@pytest.mark.parametrize(("row", "wanted", "told"), [
    (Addresses(), 2, []), (book([]), 2, [(Advice.SECOND_ADDRESS, None)]), (book([]), 1, []), (book([], []), 2, []),
    (book([], state=AddressState.UNCONFIRMED), 2, []), (book([], heard((0, "dead"))), 2, [(Advice.ADDRESS_SUSPECT, "1"), (Advice.SECOND_ADDRESS, None)]),
    (book(heard((0, "recipient-filter")) + heard((0, "relayed"), stream=OTHER), [], []), 2, [(Advice.CODES_DO_NOT_ARRIVE, "0")]),
])
def test_M_ADDRESS_1_what_a_customer_should_see_to(row, wanted, told):
    assert advice(row, wanted, NOW) == told
