"""Shares of known devices where a policy changes under them, and what a device has to be to be known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scale import times
from scenario import Scenario
from tables import DAY, HOUR, ask_more, counter, devices, lock, row, shared, stage, table

from sekisho.core.devices import share, whole_of
from sekisho.core.release import lift
from sekisho.core.state import NEWEST, Guard, Lock, NewerState, decode, encode
from sekisho.core.takeover import raise_count
from sekisho.terms import Counting, PenaltyKind

SUBJECTS = ("customer:1", "customer:2", "account:1", "account:2")
KNOWN = devices("login")


def login(wrong=7, kept=None, *falls, counting=Counting.IN_A_ROW, window_s=None):
    """Seven in a row, of which each of two known devices has some."""
    whole = counter("c", "customer", stage(wrong, *(falls or [lock("login")]), row="R"), counting=counting, window_s=window_s)
    return row("login", "password", whole if kept is None else shared(whole, 2, {wrong: kept}))


@pytest.fixture
def play():
    return lambda *rows, **others: Scenario(table(*rows, devices=KNOWN), SUBJECTS, others)


def test_each_has_its_own_and_neither_locks_the_other(play):
    play(login(kept=2))("""
        10:00  login password right at home    -> right
        10:01  login password wrong            -> wrong
        10:01  login password wrong at office  -> wrong
        10:01  login password wrong            -> wrong, lock R on customer:1
        10:02  login password right            -> locked
        10:03  login password wrong at home    -> wrong
        10:04  login password wrong at home    -> wrong, lock R on customer:1
        10:05  login password right at home    -> locked""")


def test_guesses_in_flight_are_the_share_s_own(play):
    play(login(kept=2))("""
        10:00  login password right at home           -> right
        10:01  login password waits as A at home      -> granted
        10:01  login password waits as B at home      -> granted
        10:01  login password waits as C at home      -> busy
        10:01  login password waits as D              -> granted
        10:02  A unread                               -> unread
        10:02  login password waits as C at home      -> granted
        10:03  D right                                -> right""")


def test_a_right_entry_clears_its_own_share(play):
    play(login(kept=2))("""
        10:00  login password right at home  -> right
        10:01  login password wrong          -> wrong
        10:01  login password wrong at home  -> wrong
        10:02  login password right at home  -> right
        10:03  count customer:1 c            -> 1
        10:03  count customer:1 c/device-1   -> 0""")


def test_a_release_ends_the_locks_of_all_shares_at_once(play):
    game = play(login(kept=2))
    game("""10:00  login password right at home  -> right
            10:01  login password wrong at home  -> wrong
            10:01  login password wrong at home  -> wrong, lock R on customer:1
            10:02  login password wrong          -> wrong
            10:02  login password wrong          -> wrong
            10:02  login password wrong          -> wrong, lock R on customer:1
            10:03  release R                     -> lifted
            10:04  count customer:1 c            -> 0
            10:05  login password wrong at home  -> wrong
            10:05  login password wrong          -> wrong""")
    assert game.play.locks() == []


def test_a_release_zeroes_a_share_that_led_to_no_lock(play):
    play(login(kept=2))("""
        10:00  login password right at home  -> right
        10:01  login password wrong at home  -> wrong
        10:02  login password wrong          -> wrong
        10:02  login password wrong          -> wrong
        10:02  login password wrong          -> wrong, lock R on customer:1
        10:03  release R                     -> lifted
        10:04  count customer:1 c/device-1   -> 0""")


def test_a_timed_lock_of_one_share_ends_for_itself(play):
    play(login(7, 2, lock("login", for_s=HOUR)))("""
        10:00  login password right at home  -> right
        10:01  login password wrong          -> wrong
        10:01  login password wrong          -> wrong
        10:01  login password wrong          -> wrong, lock R on customer:1 until 11:01
        10:30  login password wrong at home  -> wrong
        10:31  login password wrong at home  -> wrong, lock R on customer:1 until 11:31
        11:02  login password wrong          -> wrong
        11:03  login password right at home  -> locked
        11:32  login password right at home  -> right""")


def granted(game, lines):
    """How many of these entries were looked at."""
    return sum(game.step(line)[0] == "wrong" for line in lines)


TOTAL = {"counting": Counting.IN_TOTAL}
EVERYWHERE = [f"10:30 login password wrong at {where}" for where in ("home", "office", "elsewhere") for _ in range(9)]


@pytest.mark.parametrize("before", range(7))
def test_to_begin_to_share_a_count_out_brings_no_guess(play, before):
    """Two devices are known already; what stands is more than all others are left."""
    game = play(login(7, **TOTAL), shared=table(login(7, 2, **TOTAL), devices=KNOWN, version="v2"))
    game("""10:00  login password right at home    -> right
            10:00  login password right at office  -> right""")
    used = granted(game, ["10:01 login password wrong"] * before)
    game.step("10:02 policy shared")
    assert used + granted(game, EVERYWHERE) <= 7


@pytest.mark.parametrize(("first", "then"), [((2, 2), (2, 1)), ((2, 1), (2, 2)), ((1, 3), (2, 2)), ((2, 3), (1, 1)), ((2, 3), (1, 6))])
@pytest.mark.parametrize("at", [["office"], ["nowhere"], ["home", "office"], ["home", "nowhere"]], ids="-".join)
def test_to_share_a_count_out_anew_brings_no_guess(first, then, at):
    """Whose share shrinks has had it already; whose share grows would get what is cut off."""
    parts = {"first": cut(7, *first), "then": cut(7, *then)}
    game = Scenario(parts["first"], SUBJECTS, parts)
    game("10:00  login password right at home  -> right")
    game.step("10:00  login password right at office")
    used = granted(game, [f"10:01 login password wrong at {where}" for where in at for _ in range(9)])
    game.step("10:02 policy then")
    assert used + granted(game, EVERYWHERE) <= 7


def cut(wrong, places, kept):
    """So many wrong entries in total, and the share of each known device."""
    whole = counter("c", "customer", stage(wrong, lock("login"), row="R"), **TOTAL)
    there = devices("login", remembered=max(1, places))
    return table(row("login", "password", shared(whole, places, {wrong: kept}) if places else whole), devices=there, version=f"{wrong}-{places}-{kept}")


CUTS = st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 6)).map(lambda one: (one[0] * one[1] + one[2], one[0], one[1]))
"""Figure, places, and the share of each place; the rest is that of all others."""

GUESSES = st.lists(st.tuples(st.sampled_from(["home", "office", "elsewhere"]), st.sampled_from(["wrong", "waits", "settled"])), max_size=12)


@pytest.mark.timeout(times(300, full=1_800))
@settings(max_examples=times(200, full=5_000), deadline=None)
@given(days=st.lists(st.tuples(CUTS, GUESSES, st.booleans()), min_size=2, max_size=5))
def test_whatever_shares_follow_each_other_nobody_has_a_guess_beyond_the_figure(days):
    """A naive count of all that was looked at stands beside it."""
    policies = {table.version: table for table in (cut(*one) for one, *_ in days)}
    game = Scenario(cut(*days[0][0]), SUBJECTS, policies)
    for where in ("home", "office"):
        game.step(f"10:00 login password right at {where}")
    used, waiting = 0, []
    for one, guesses, tries_all in days:
        game.step(f"10:01 policy {cut(*one).version}")
        for n, (where, how) in enumerate([*guesses, *[("elsewhere", "wrong"), ("home", "wrong"), ("office", "wrong")] * (3 * tries_all)]):
            if how == "settled":
                if waiting:
                    game.step(f"10:02 {waiting.pop()} wrong")
                continue
            name = f"G{len(game.named)}-{n}"
            told = game.step(f"10:02 login password {f'waits as {name}' if how == 'waits' else 'wrong'} at {where}")[0]
            if told in {"wrong", "granted"}:
                assert used < one[0], f"guess {used + 1} of {one[0]} at {where}"
                used += 1
                waiting += [name] if told == "granted" else []
    for name in waiting:
        game.step(f"10:03 {name} unread")
    assert in_flight(game) == 0


def in_flight(game):
    """All that the row says is being compared."""
    return sum(count.flight for count in decode(game.play.rows["customer:1"], Guard).counts.values())


def taken_over(game, wrong):
    """An import raises the count under the policy in force."""
    guard = decode(game.play.rows["customer:1"], Guard)
    raise_count(guard, game.play.table.counters["c"], wrong, None, game.play.now)
    game.play.rows["customer:1"] = encode(guard)


AT_ONCE = "10:00 login password right at home", "10:00 login password right at office"


def begun(first, *others):
    """A customer who is known at home and in the office; the policies that follow are called by their versions."""
    game = Scenario(first, SUBJECTS, {one.version: one for one in (first, *others)})
    for line in AT_ONCE:
        game.step(line)
    return game


def test_what_was_beyond_already_is_taken_from_a_share_that_begins_with_new_figures_too():
    """No device had made an entry when seven more than all others' share were taken over."""
    game = begun(cut(20, 1, 8), cut(20, 2, 5))
    taken_over(game, 19)
    assert game.step("10:01 login password wrong")[0] == "locked"
    game.step("10:02 policy 20-2-5")
    assert 19 + granted(game, EVERYWHERE) <= 20


def test_what_was_entered_while_nothing_was_shared_out_is_taken_from_each_share_though_none_stood_before():
    game = begun(cut(7, 2, 2), cut(7, 0, 0), cut(7, 2, 3))
    used = granted(game, ["10:01 login password wrong"])
    game.step("10:02 policy 7-0-0")
    used += granted(game, ["10:02 login password wrong"] * 5)
    game.step("10:03 policy 7-2-3")
    assert used + granted(game, EVERYWHERE) <= 7


def test_what_is_taken_over_while_nothing_is_shared_out_is_taken_from_each_share():
    """Nobody makes an entry before the shares are back as they were."""
    game = begun(cut(7, 2, 2), cut(7, 0, 0))
    for where in ("home", "office"):
        game.step(f"10:01 login password wrong at {where}")
    game.step("10:02 policy 7-0-0")
    taken_over(game, 6)
    game.step("10:03 policy 7-2-2")
    assert 6 + granted(game, EVERYWHERE) <= 7


def test_a_right_entry_clears_nothing_of_a_count_that_its_share_went_back_into(play):
    """Two are compared at once from home; the first has cleared what stood there, the second must not clear it again elsewhere."""
    game = play(login(10, 3), whole=table(login(10), devices=KNOWN, version="v2"))
    game("""10:00  login password right at home       -> right
            10:01  login password wrong at home       -> wrong
            10:01  login password waits as A at home  -> granted
            10:01  login password waits as B at home  -> granted
            10:02  A right                            -> right
            10:03  policy whole                       -> in force""")
    for did in ("login password wrong", "B right"):
        game.step(f"10:04 {did}")
    assert game.play.count("customer:1", "c") == (1, 0)
    assert granted(game, EVERYWHERE) == 10 - 1


def test_a_right_entry_clears_nothing_of_a_share_that_has_gone_and_come_back(play):
    game = play(login(10, 3), whole=table(login(10), devices=KNOWN, version="v2"), shared=table(login(10, 3), devices=KNOWN, version="v3"))
    game("""10:00  login password right at home       -> right
            10:01  login password wrong at home       -> wrong
            10:01  login password waits as A at home  -> granted
            10:02  policy whole                       -> in force""")
    for did in ("login password wrong", "policy shared", "login password waits as B at home", "A right", "B unread"):
        game.step(f"10:03 {did}")
    assert game.play.count("customer:1", "c") == (2, 0)
    assert game.play.count("customer:1", "c/device-1") == (0, 0)


def test_a_guess_whose_share_has_gone_and_come_back_is_in_flight_nowhere_when_it_is_settled():
    game = begun(cut(7, 2, 3), cut(7, 1, 3))
    for did in ("login password waits as A at office", "policy 7-1-3", "login password wrong at home",
                "policy 7-2-3", "login password wrong at office", "A unread"):
        game.step(f"10:01 {did}")
    assert in_flight(game) == 0


def test_what_time_has_cleared_on_a_share_does_not_come_back_with_it(play):
    game = play(login(7, 2, lock("login", for_s=HOUR)), whole=table(login(7, None, lock("login", for_s=HOUR)), devices=KNOWN, version="v2"))
    game("""10:00  login password right at home  -> right
            10:01  login password wrong at home  -> wrong
            10:01  login password wrong at home  -> wrong, lock R on customer:1 until 11:01
            11:02  policy whole                  -> in force""")
    game.step("11:03 login password wrong")
    assert game.play.count("customer:1", "c") == (1, 0)


def test_a_lower_stage_that_is_new_counts_all_that_stood_before_it():
    """Strangers have passed the stage of five long ago; the one of twelve was the last, and is not any more."""
    def policy(version, kept):
        whole = counter("c", "customer", *(stage(wrong, lock("login" if wrong > 5 else "transfer"), row=f"R-{wrong}") for wrong in kept))
        transfer = row("transfer", "password", counter("d", "customer", stage(99, lock("transfer"))))
        return table(row("login", "password", shared(whole, 2, kept)), transfer, devices=KNOWN, version=version)
    game = begun(policy("v1", {5: 1, 12: 1}), policy("v2", {12: 3, 20: 4}))
    used = granted(game, ["10:01 login password wrong"] * 9)
    game.step("10:02 policy v2")
    assert used + granted(game, EVERYWHERE) <= 12


def test_a_lower_stage_that_is_shared_out_anew_falls_sooner_on_whoever_gains_by_it(play):
    """Five in a row rest for an hour; strangers have had two of the three that were theirs, and are left one: two devices gain it."""
    def policy(kept, version):
        whole = counter("c", "customer", stage(5, lock("login", for_s=HOUR), row="A"), stage(12, lock("login"), row="R"))
        return table(row("login", "password", shared(whole, 2, {5: kept, 12: 3})), devices=KNOWN, version=version)
    game = Scenario(policy(1, "v1"), SUBJECTS, {"two": policy(2, "v2")})
    game("""10:00  login password right at home    -> right
            10:00  login password right at office  -> right
            10:01  login password wrong            -> wrong
            10:01  login password wrong            -> wrong
            10:02  policy two                      -> in force""")
    for where in ("home", "office"):
        assert game.step(f"10:03 login password wrong at {where}") == ["wrong", "lock A on customer:1 until 11:03"]


def test_what_is_in_flight_when_a_count_begins_to_be_shared_out_is_taken_from_each_share(play):
    """They were taken while the count was whole, and all of them may be wrong."""
    game = play(login(7, **TOTAL), shared=table(login(7, 2, **TOTAL), devices=KNOWN, version="v2"))
    game("""10:00  login password right at home    -> right
            10:00  login password right at office  -> right""")
    waiting = [f"10:01 login password waits as {name}" for name in "ABCDEF"]
    assert [game.step(line) for line in waiting] == [["granted"]] * 6
    game.step("10:02 policy shared")
    used = granted(game, EVERYWHERE[:18])
    for name in "ABCDEF":
        game.step(f"10:40 {name} wrong")
    assert 6 + used + granted(game, EVERYWHERE) <= 7


def test_what_is_taken_over_is_taken_from_shares_that_stand_already(play):
    policy = table(login(7, 2, **TOTAL), devices=KNOWN)
    game = Scenario(policy, SUBJECTS)
    game("""10:00  login password right at home  -> right
            10:01  login password wrong at home  -> wrong""")
    guard = decode(game.play.rows["customer:1"], Guard)
    raise_count(guard, policy.counters["c"], 6, None, game.play.now)
    game.play.rows["customer:1"] = encode(guard)
    assert 1 + 6 + granted(game, EVERYWHERE) <= 7


def test_to_share_a_count_out_no_more_brings_no_guess(play):
    """What stands and what is in flight on the shares goes back into the count they were shares of."""
    game = play(login(7, 2, **TOTAL), whole=table(login(7, **TOTAL), devices=KNOWN, version="v2"))
    game("""10:00  login password right at home         -> right
            10:00  login password right at office       -> right
            10:01  login password wrong at home         -> wrong
            10:01  login password wrong at office       -> wrong
            10:02  login password waits as A at home    -> granted
            10:02  login password waits as B at office  -> granted
            10:02  login password waits as C            -> granted""")
    game.step("10:03 policy whole")
    assert granted(game, EVERYWHERE) == 7 - 5
    for name in "ABC":
        game.step(f"10:40 {name} wrong")
    assert game.play.count("customer:1", "c") == (7, 0)


def test_a_guess_in_flight_on_a_share_that_is_gone_stands_when_it_is_wrong(play):
    """Nobody has made an entry since the policy changed: it is folded when it is settled."""
    game = play(login(7, 2, **TOTAL), whole=table(login(7, **TOTAL), devices=KNOWN, version="v2"))
    game("""10:00  login password right at home        -> right
            10:02  login password waits as A at home    -> granted""")
    game.step("10:03 policy whole")
    game.step("10:04 A wrong")
    assert game.play.count("customer:1", "c") == (1, 0)


def test_whoever_types_is_known_as_the_subject_knows_him(play):
    """A count of the one who types asks more of whoever is not known to the subject of the run."""
    by_actor = counter("a", "actor", stage(2, ask_more("login"), row="A"), counting=Counting.IN_TOTAL)
    game = Scenario(table(row("login", "password", by_actor, counter("c", "customer", stage(9, lock("login")))), devices=KNOWN), SUBJECTS)
    play_begin = game.play.begin
    game.play.begin = lambda key, operation, subjects, session, device: play_begin(
        key, operation, {**subjects, "actor": "actor:1"}, session, device)
    game("""10:00  login password right at home                -> right
            10:01  login password wrong at home by customer:2  -> wrong
            10:01  login password wrong at home by customer:2  -> wrong, lock A on ~actor:1""".replace("~actor:1", game.play.subjects.bucket("actor:1")))
    game("""10:02  login password right at home by customer:2  -> locked
            10:03  login password right at home                -> right""")


def test_whoever_enters_what_is_another_s_is_known_as_that_one_knows_him(play):
    """Else one customer's own device would be the way to try what all others have."""
    by_actor = counter("a", "actor", stage(2, ask_more("register"), row="A"), counting=Counting.IN_TOTAL)
    game = Scenario(table(
        row("login", "password", counter("c", "customer", stage(9, lock("login")))),
        row("register", "pin", by_actor, ("about", counter("p", "account", stage(9, lock("register"))))), devices=KNOWN), SUBJECTS)
    play_begin = game.play.begin
    game.play.begin = lambda key, operation, subjects, session, device: play_begin(
        key, operation, {**subjects, "actor": "actor:1"}, session, device)
    game("""10:00  login password right at home                    -> right
            10:01  register pin wrong at home about account:2      -> wrong
            10:01  register pin wrong at home about account:3      -> wrong, lock A on ~actor:1
            10:02  register pin right at home about account:2      -> locked
            10:03  login password right at home                    -> right""".replace("~actor:1", game.play.subjects.bucket("actor:1")))


def test_an_older_release_does_not_read_a_row_that_knows_devices(play):
    """It would take a lock on one device for a lock on all."""
    game = play(login(kept=2))
    game("10:00  login password right at home  -> right")
    assert decode(game.play.rows["customer:1"], Guard).v == 2
    assert decode(game.play.rows["customer:2"], Guard).v == 1
    with pytest.raises(NewerState):
        decode(encode(Guard(v=NEWEST + 1)), Guard)


def test_a_share_is_named_after_the_count_it_is_a_share_of():
    assert (whole_of("c/device-12"), whole_of("login/password@customer"), whole_of("c")) == ("c", "login/password@customer", "c")


def test_a_device_is_known_for_as_long_as_the_policy_says(play):
    game = Scenario(table(login(kept=2), devices=devices("login", kept_s=30 * DAY)), SUBJECTS)
    game("""0+10:00   login password right at home  -> right
            20+10:00  login password right at home  -> right
            49+10:00  login password wrong at home  -> wrong
            49+10:00  count customer:1 c/device-1   -> 1
            51+10:00  login password wrong at home  -> wrong
            51+10:00  count customer:1 c            -> 1""")


def test_a_share_is_zeroed_with_the_rest_though_no_lock_names_it(play):
    whole = login(kept=2).gauges[0].counter
    guard = Guard(known=True)
    share(guard, whole, 2, 1)[0].wrong = 2
    guard.locks.append(Lock("1-0", "R", PenaltyKind.LOCK, 1, ["desk"], source="customer:1", counter="c", whom="unknown"))
    lift("customer:1", guard, guard.locks[0], {"customer:1": guard}, table(login(kept=2)), lambda event: None, path="desk")
    assert (guard.places, guard.counts["c/device-2"].wrong) == (2, 0)
