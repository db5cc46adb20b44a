"""Counting, step by step: what is admitted, what is taken back, what falls; and the traps others fell into."""

import pytest
from scenario import Scenario
from tables import DAY, END, HOUR, counter, lock, row, stage, table

from sekisho.terms import Counting

SUBJECTS = ("customer:1", "customer:2", "account:1", "account:2", "account:9")


def login_10(wrong=3):
    return row("login", "password", counter("c", "customer", stage(wrong, lock("login"), row="R")))


@pytest.fixture
def play():
    return lambda *rows, **others: Scenario(table(*rows), SUBJECTS, others)


@pytest.mark.parametrize("wrong", [1, 2, 3, 4, 5, 10, 15, 99])
def test_the_stage_falls_at_its_figure_and_neither_sooner_nor_later(play, wrong):
    """Thresholds off by one: devise#2826, authentication-api#3146, esignet-signup#21."""
    play(login_10(wrong))("\n".join(
        ["10:00 login password wrong -> wrong"] * (wrong - 1)
        + ["10:01 login password wrong -> wrong, lock R on customer:1", "10:02 login password right -> locked"],
    ))


def test_no_more_guesses_are_in_flight_than_are_left(play):
    play(login_10())("""
        10:00  login password wrong       -> wrong
        10:00  login password waits as A  -> granted
        10:00  login password waits as B  -> granted
        10:00  login password waits as C  -> busy
        10:01  A unread                   -> unread
        10:01  login password waits as C  -> granted
        10:02  B wrong                    -> wrong
        10:02  login password waits as D  -> busy
        10:03  C wrong                    -> wrong, lock R on customer:1""")


def test_a_right_entry_takes_back_only_what_was_settled_when_it_was_admitted(play):
    """A success racing a failure never clears the later failure (parse-server#10266)."""
    play(login_10(4))("""
        10:00  login password wrong       -> wrong
        10:00  login password waits as A  -> granted
        10:01  login password wrong       -> wrong
        10:02  A right                    -> right
        10:03  count customer:1 c         -> 1
        10:04  login password right       -> right
        10:05  count customer:1 c         -> 0""")


def test_two_right_entries_take_back_the_same_failures_once(play):
    play(login_10(5))("""
        10:00  login password wrong       -> wrong
        10:00  login password waits as A  -> granted
        10:00  login password waits as B  -> granted
        10:01  login password wrong       -> wrong
        10:02  A right                    -> right
        10:02  B right                    -> right
        10:03  count customer:1 c         -> 1""")


def test_a_right_entry_from_before_the_run_ended_takes_nothing_from_the_next(play):
    play(login_10(5))("""
        10:00  login password wrong       -> wrong
        10:00  login password waits as A  -> granted
        10:01  login password right       -> right
        10:02  login password wrong       -> wrong
        10:03  A right                    -> right
        10:04  count customer:1 c         -> 1""")


def test_a_right_entry_from_before_a_release_takes_nothing_from_what_follows(play):
    game = play(login_10(2), row("reset", "password", counter("c", "customer", stage(2, lock("login"), row="R"))))
    game("""10:00  login password wrong       -> wrong
            10:00  reset password waits as A  -> granted
            10:01  A wrong                    -> wrong, lock R on customer:1
            10:02  release R                  -> lifted
            10:03  login password wrong       -> wrong
            10:04  count customer:1 c         -> 1""")


def test_a_lock_set_while_a_right_answer_is_compared_stands(play):
    """Right and wrong alike are told as refused; the right one opens nothing, the wrong one counts."""
    both = counter("c", "customer", stage(3, lock("login"), row="R"))
    other = counter("d", "customer", stage(1, lock("login"), row="S"))
    play(row("login", "password", both), row("desk", "form", other))("""
        10:00  login password waits as A  -> granted
        10:00  login password waits as B  -> granted
        10:01  desk form wrong            -> wrong, lock S on customer:1
        10:02  A right                    -> refused
        10:02  B wrong                    -> refused
        10:03  count customer:1 c         -> 1
        10:04  release S                  -> lifted
        10:05  count customer:1 c         -> 1""")


def test_an_answer_compared_while_its_run_ended_opens_nothing(play):
    """Begun before and finished after (CVE-2026-16103)."""
    play(row("login", "code", counter("c", "procedure", stage(2, END, row="R")), counter("d", "customer", stage(9, lock("login")))),
         row("login", "pin", counter("e", "procedure", stage(1, END, row="E"))))("""
        10:00  login code wrong       -> wrong
        10:00  login code waits as A  -> granted
        10:01  login pin wrong        -> wrong, over
        10:02  A right                -> refused, over
        10:03  count customer:1 d     -> 1""")


def test_a_stage_falls_once_a_run_and_again_in_the_next(play):
    play(row("login", "password", counter("c", "customer", stage(2, END, row="A"), stage(4, lock("login"), row="B"))))("""
        10:00  login password wrong       -> wrong
        10:01  login password wrong       -> wrong, over
        10:02  login password wrong anew  -> wrong
        10:03  login password right       -> right
        10:04  login password wrong       -> wrong
        10:05  login password wrong       -> wrong, over
        10:06  login password wrong anew  -> wrong
        10:07  login password wrong       -> wrong, lock B on customer:1""")


def test_right_with_one_item_neither_clears_nor_punishes_another(play):
    """privacyidea#471, django-otp#110, commcare-hq#28483."""
    shared = counter("c", "customer", stage(3, lock("login"), row="R"))
    play(row("login", "password", shared), row("login", "code", shared))("""
        10:00  login code wrong       -> wrong
        10:01  login code wrong       -> wrong
        10:02  login password right   -> right
        10:03  login code wrong       -> wrong, lock R on customer:1
        10:04  login password right   -> locked""")


def test_an_entry_counts_on_all_its_counters_or_on_none(play):
    mine = counter("mine", "customer", stage(9, lock("login"), row="R"))
    ours = counter("ours", "account", stage(1, lock("login"), row="S"))
    play(row("login", "password", mine, ("about", ours)))("""
        10:00  login password waits as A about account:9              -> granted
        10:01  login password wrong by customer:2 about account:9     -> busy
        10:02  count customer:2 mine                                  -> 0
        10:03  A unread                                               -> unread
        10:04  login password wrong by customer:2 about account:9     -> wrong, lock S on account:9
        10:05  count customer:2 mine                                  -> 1""")


def test_an_item_that_the_policy_does_not_name_is_refused_and_counts_nothing(play):
    """Something new that nobody told the counter of (email-otp-authenticator#85, product-is#16082)."""
    play(login_10(), row("transfer", "token", counter("d", "customer", stage(9, lock("transfer"), row="S"))))("""
        10:00  login plug-in right         -> not_now
        10:00  login token right           -> not_now
        10:01  count customer:1 c          -> 0
        10:02  login password right        -> right""")


def test_strangers_are_counted_like_the_known(play):
    """Nobody enrolled customer:7; three wrong entries in a row close it all the same."""
    game = play(login_10())
    game("""10:00  login password wrong by customer:7  -> wrong
            10:00  login password right by customer:7  -> right""")
    told = [game.step(f"10:0{n} login password wrong by customer:7")[0] for n in range(1, 6)]
    assert told == ["wrong", "wrong", "wrong", "locked", "locked"] and game.play.complaints == []


def test_a_count_within_a_very_long_window_forgets_nothing_early(play):
    """A century is a window like any other (keycloak#30939)."""
    century = counter("c", "customer", stage(3, lock("login"), row="R"), counting=Counting.WITHIN, window_s=36_500 * DAY)
    play(row("login", "password", century))("""
        0+10:00      login password wrong  -> wrong
        9999+10:00   login password wrong  -> wrong
        36499+10:00  login password wrong  -> wrong, lock R on customer:1""")


def test_a_very_long_lock_is_a_lock(play):
    """A long wait switched it off (keycloak#30939)."""
    play(row("login", "password", counter("c", "customer", stage(1, lock("login", for_s=36_500 * DAY), row="R"))))("""
        0+10:00     login password wrong  -> wrong, lock R on customer:1 until 10:00
        9999+10:00  login password right  -> locked""")


def test_entries_made_under_a_lock_do_not_prolong_it(play):
    """user-service#476: refreshed for ever; privacyidea#1578: forgotten at its end."""
    game = play(row("login", "password", counter("c", "customer", stage(1, lock("login", for_s=HOUR), row="R"))))
    game("10:00  login password wrong  -> wrong, lock R on customer:1 until 11:00")
    game("\n".join(f"10:{minute} login password wrong -> locked" for minute in range(10, 60)))
    game("11:01  login password right  -> right")


def test_a_count_that_is_kept_after_its_timed_lock_goes_on(play):
    c = counter("c", "customer", stage(2, lock("login", for_s=HOUR), row="A", after_lock="keep"), stage(3, lock("login"), row="B"))
    play(row("login", "password", c))("""
        10:00  login password wrong  -> wrong
        10:00  login password wrong  -> wrong, lock A on customer:1 until 11:00
        11:01  login password wrong  -> wrong, lock B on customer:1""")


@pytest.mark.parametrize(("short", "long"), [("login", "transfer"), ("transfer", "login")])
def test_a_count_that_led_to_two_timed_locks_is_zero_when_the_first_of_them_ends(play, short, long):
    """What the shorter one closed is open then, and not refused for a count that nobody can see; the longer one stands."""
    locks = [lock(long, for_s=2 * HOUR), lock(short, for_s=HOUR)]
    c = counter("c", "customer", stage(2, *locks, row="R"))
    game = play(row("login", "password", c), row("transfer", "password", c))
    game("""10:00  login password wrong  -> wrong
            10:00  login password wrong  -> wrong, lock R on customer:1 until 12:00, lock R on customer:1 until 11:00""")
    game(f"""11:01  count customer:1 c         -> 0
             11:02  {short} password wrong     -> wrong
             11:03  {long} password right      -> locked
             12:01  count customer:1 c         -> 1
             12:02  {long} password right      -> right""")


def test_a_shorter_lock_of_a_later_stage_ends_the_count_too(play):
    """The first stage closed transfers for two hours, the second login for one: at the end of that hour login is open with a new count."""
    c = counter("c", "customer", stage(2, lock("transfer", for_s=2 * HOUR), row="A"), stage(3, lock("login", for_s=HOUR), row="B"))
    play(row("login", "password", c))("""
        10:00  login password wrong  -> wrong
        10:00  login password wrong  -> wrong, lock A on customer:1 until 12:00
        10:30  login password wrong  -> wrong, lock B on customer:1 until 11:30
        11:29  login password right  -> locked
        11:31  login password wrong  -> wrong
        11:32  login password wrong  -> wrong, lock A on customer:1 until 13:32
        12:01  count customer:1 c    -> 2""")


def test_a_release_before_the_end_leaves_no_second_zero(play):
    """The timed lock was lifted at ten past; at its former end the new count stays."""
    play(row("login", "password", counter("c", "customer", stage(2, lock("login", for_s=HOUR), row="R"))))("""
        10:00  login password wrong  -> wrong
        10:00  login password wrong  -> wrong, lock R on customer:1 until 11:00
        10:10  release R             -> lifted
        10:11  login password wrong  -> wrong
        11:05  count customer:1 c    -> 1
        11:06  login password wrong  -> wrong, lock R on customer:1 until 12:06""")


def test_a_release_while_guesses_are_in_flight_gives_none_back_twice(play):
    game = play(row("login", "password", counter("c", "customer", stage(3, lock("login"), row="R"))),
                row("desk", "form", counter("c", "customer", stage(3, lock("login"), row="R"))))
    game("""10:00  login password wrong       -> wrong
            10:00  login password waits as A  -> granted
            10:00  login password waits as B  -> granted
            10:01  A wrong                    -> wrong
            10:01  B wrong                    -> wrong, lock R on customer:1
            10:02  release R                  -> lifted
            10:03  login password waits as C  -> granted
            10:03  login password waits as D  -> granted
            10:03  login password waits as E  -> granted
            10:03  login password waits as F  -> busy
            10:04  C unread                   -> unread
            10:04  D wrong                    -> wrong
            10:04  E right                    -> right
            10:05  count customer:1 c         -> 1""")


def test_a_lowered_threshold_falls_before_the_entry_is_looked_at(play):
    lower = {"lower": table(login_10(2), version="v2")}
    play(login_10(5), **lower)("""
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:01  policy lower               -> in force
        10:02  login password right       -> locked, lock R on customer:1
        10:03  login password right       -> locked""")


def two_stages(first, second, *penalties):
    """A first stage that leaves login open, unless the penalties say otherwise, and a second that closes it."""
    return row("login", "password", counter(
        "c", "customer", stage(first, *penalties or [lock("transfer")], row="A"), stage(second, lock("login"), row="B"),
    ))


def test_a_lowered_threshold_that_leaves_the_entry_open_lets_it_be_looked_at(play):
    """It falls first, and then the budget is that of the next stage."""
    play(two_stages(5, 9), lower=table(two_stages(2, 4), version="v2"))("""
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:01  policy lower               -> in force
        10:02  login password waits as X  -> granted, lock A on customer:1
        10:02  login password waits as Y  -> busy
        10:03  X wrong                    -> wrong, lock B on customer:1
        10:04  login password right       -> locked""")


def test_a_lowered_threshold_admits_no_more_than_its_next_stage_leaves(play):
    """Three stand and one is in flight: the new stages at two and four leave nothing until that one is compared."""
    play(two_stages(5, 9), lower=table(two_stages(2, 4), version="v2"))("""
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:00  login password waits as X  -> granted
        10:01  policy lower               -> in force
        10:02  login password waits as Y  -> busy, lock A on customer:1
        10:03  X unread                   -> unread
        10:04  login password right       -> right""")


def test_of_several_lowered_thresholds_all_fall_and_the_last_may_close(play):
    play(two_stages(8, 9), lower=table(two_stages(2, 3), version="v2"))("""
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:01  policy lower               -> in force
        10:02  login password right       -> locked, lock A on customer:1, lock B on customer:1""")


def test_a_lowered_threshold_that_ends_the_run_ends_it_before_the_entry(play):
    play(two_stages(5, 9, END), lower=table(two_stages(2, 9, END), version="v2"))("""
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:01  policy lower               -> in force
        10:02  login password right       -> not_now, over
        10:03  login password right anew  -> right""")


def test_a_raised_threshold_gives_what_it_says(play):
    higher = {"higher": table(login_10(4), version="v2")}
    play(login_10(3), **higher)("""
        10:00  login password wrong       -> wrong
        10:00  login password wrong       -> wrong
        10:01  policy higher              -> in force
        10:02  login password wrong       -> wrong
        10:03  login password wrong       -> wrong, lock R on customer:1""")


def test_a_lowered_threshold_stops_what_would_follow_those_in_flight(play):
    lower = {"lower": table(login_10(2), version="v2")}
    play(login_10(5), **lower)("""
        10:00  login password wrong       -> wrong
        10:00  login password waits as A  -> granted
        10:00  login password waits as B  -> granted
        10:01  policy lower               -> in force
        10:02  login password waits as C  -> busy
        10:03  A wrong                    -> wrong, lock R on customer:1
        10:04  B wrong                    -> refused
        10:05  count customer:1 c         -> 3""")


def test_a_run_of_a_changed_operation_starts_over_uncounted(play):
    changed = {"changed": table(login_10(3), version="v2", digest="otherwise")}
    play(login_10(3), **changed)("""
        10:00  login password wrong       -> wrong
        10:01  policy changed             -> in force
        10:02  login password wrong       -> not_now, over
        10:03  count customer:1 c         -> 1
        10:04  login password wrong anew  -> wrong""")


def test_within_a_window_the_oldest_is_forgotten_never_early(play):
    """A window of 64 minutes forgets up to two minutes late."""
    hour = counter("c", "customer", stage(3, lock("other"), row="R"), stage(9, lock("login")), counting=Counting.WITHIN, window_s=64 * 60)
    play(row("login", "password", hour))("""
        10:00  login password wrong  -> wrong
        10:30  login password wrong  -> wrong
        11:03  count customer:1 c    -> 2
        11:07  login password wrong  -> wrong
        11:20  login password wrong  -> wrong, lock R on customer:1""")


def test_within_a_window_a_stage_falls_again_once_the_count_has_been_below_it(play):
    """Three within an hour close transfers for ten minutes, each time three lie within an hour, though the count was never zero."""
    hour = counter(
        "c", "customer", stage(3, lock("transfer", for_s=600), row="R", after_lock="keep"), stage(9, lock("login"), row="S"),
        counting=Counting.WITHIN, window_s=64 * 60,
    )
    play(row("login", "password", hour))("""
        10:00  login password wrong  -> wrong
        10:20  login password wrong  -> wrong
        10:40  login password wrong  -> wrong, lock R on customer:1 until 10:50
        10:41  login password wrong  -> wrong
        11:07  count customer:1 c    -> 3
        11:30  count customer:1 c    -> 2
        11:31  login password wrong  -> wrong, lock R on customer:1 until 11:41""")


def test_a_right_entry_clears_nothing_within_a_window(play):
    hour = counter("c", "customer", stage(3, lock("login"), row="R"), counting=Counting.WITHIN, window_s=HOUR)
    play(row("login", "password", hour))("""
        10:00  login password wrong  -> wrong
        10:01  login password wrong  -> wrong
        10:02  login password right  -> right
        10:03  login password wrong  -> wrong, lock R on customer:1""")


def test_a_right_entry_takes_back_nothing_that_two_changes_of_how_it_is_counted_have_mixed(play):
    """In a row, within a window, in a row again, all while one entry is in flight: what stood is of no known item any more."""
    def counted(version, **how):
        return table(row("login", "password", counter("c", "customer", stage(9, lock("login"), row="R"), **how)), version=version)

    game = play(
        counted("v1").operations["login"].rows["password"][0], window=counted("v2", counting=Counting.WITHIN, window_s=DAY), again=counted("v3"),
    )
    for line in ("10:00 login password wrong", "10:00 login password wrong", "10:01 login password waits as A", "10:02 policy window",
                 "10:03 login password wrong", "10:04 policy again", "10:05 login password wrong", "10:06 A right"):
        game.step(line)
    assert game.play.count("customer:1", "c") == (4, 0)
