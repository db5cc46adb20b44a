"""The readings of the two source documents that concern counting, and the rules over the whole table, one story each.

Figures are those of the table where they are small; 99 and 100 are played as 7 and 8, which changes nothing but length.
"""

import pytest
from scenario import Scenario
from tables import DAY, END, HOUR, VOID, block, counter, erase, lock, row, stage, table

from sekisho.terms import Counting, PenaltyKind

CUSTOMERS = ("customer:1", "customer:2", "account:1", "account:2", "account:3", "account:9", "app:1", "app:2")


def password_10():
    return counter("password", "customer", stage(10, block("login"), row="Y-LOGIN-3"))


def token_rows(in_a_row=7):
    """Y-TRANSFER-2 and Y-PAYEASY-2: three in the session, and one count in a row over both operations."""
    session = counter("token-session", "session", stage(3, VOID, END, row="Y-TRANSFER-2"))
    long = counter("token-in-a-row", "customer", stage(in_a_row, block("login"), row="Y-TRANSFER-2-99"))
    return [row("transfer", "token", session, long), row("payeasy", "token", session, long)]


def card_rows():
    """Y-ACCOUNT-2 and Y-APPLY-2: one count per account over all functions and both items."""
    card = counter("card", "account", stage(4, lock("apply", "telephone", "register"), row="Y-ACCOUNT-2"))
    return [row(operation, item, card) for operation in ("apply", "telephone", "register") for item in ("pin", "balance")]


def inquiry_rows():
    """Y-NUMBER-2: three within the run end it, ten in a row lock this function for an hour."""
    run = counter("inquiry-run", "procedure", stage(3, END, row="Y-NUMBER-2-3"))
    long = counter("inquiry", "account", stage(10, lock("inquire", for_s=HOUR), row="Y-NUMBER-2-10"))
    return [row("inquire", "password", run, long), row("reset", "pair", run)]


@pytest.fixture
def play():
    return lambda *rows, **others: Scenario(table(*rows), CUSTOMERS, others)


def test_Y_RULE_1_a_right_entry_ends_the_row(play):
    """Nine wrong, one right, nine wrong: nobody is locked; the tenth in a row locks."""
    game = play(row("login", "password", password_10()))
    for first in ("10:00", "11:00"):
        game("\n".join([f"{first}  login password wrong -> wrong"] * 9))
        if first == "10:00":
            game("10:30  login password right -> right")
    game("""11:30  login password wrong       -> wrong, over, lock Y-LOGIN-3 on customer:1
            11:31  login password right anew  -> locked""")


def test_Y_RULE_1_the_count_is_zero_when_its_timed_lock_ends(play):
    game = play(row("inquire", "password", counter("c", "account", stage(2, lock("inquire", for_s=HOUR), row="R"))))
    game("""10:00  inquire password wrong  -> wrong
            10:00  inquire password wrong  -> wrong, lock R on account:1 until 11:00
            10:59  inquire password right  -> locked
            11:01  inquire password wrong  -> wrong
            11:01  inquire password right  -> right
            11:02  inquire password wrong  -> wrong
            11:03  inquire password wrong  -> wrong, lock R on account:1 until 12:03""")


@pytest.mark.parametrize("mix", [
    ("apply pin", "apply balance", "telephone pin", "register balance"),
    ("register pin", "register pin", "register pin", "apply pin"),
    ("apply balance", "telephone balance", "register balance", "apply balance"),
])
def test_Y_RULE_2_four_wrong_in_any_mix_lock_them_all(play, mix):
    game = play(*card_rows())
    for entry in mix[:3]:
        game(f"10:00 {entry} wrong -> wrong")
    game(f"10:01 {mix[3]} wrong -> wrong, lock Y-ACCOUNT-2 on account:1")
    for operation in ("apply", "telephone", "register"):
        game(f"10:02 {operation} pin right -> locked")


def test_Y_RULE_2_a_right_entry_takes_only_what_its_own_item_put_there(play):
    play(*card_rows())("""
        10:00  apply pin wrong         -> wrong
        10:01  apply balance wrong     -> wrong
        10:02  telephone balance wrong -> wrong
        10:03  count account:1 card    -> 3
        10:04  register balance right  -> right
        10:05  count account:1 card    -> 1
        10:06  apply pin right         -> right
        10:07  count account:1 card    -> 0""")


def test_Y_RULE_3_a_penalty_may_fall_on_another_than_who_typed(play):
    """Y-ACCOUNT-3: the account being registered is blocked, not the caller's own."""
    password = counter("about-password", "account", stage(2, block("login", on="customer", about=True), row="Y-ACCOUNT-3"))
    game = play(row("register", "password", ("about", password)), row("login", "password", password_10()))
    game("""10:00  register password wrong about account:2 -> wrong
            10:01  register password wrong about account:2 -> wrong, lock Y-ACCOUNT-3 on customer:2
            10:02  login password right                    -> right
            10:03  login password right by customer:2      -> locked""")


def test_Y_RULE_4_one_item_carries_stages_of_different_reach(play):
    """Three in each session end it; the seventh over sessions and operations blocks login."""
    game = play(*token_rows(), row("login", "password", password_10()))
    game("""10:00  transfer token wrong       -> wrong
            10:01  transfer token wrong       -> wrong
            10:02  transfer token wrong       -> wrong, over
            10:03  payeasy token wrong        -> wrong
            10:04  payeasy token wrong        -> wrong
            10:05  payeasy token wrong        -> wrong, over
            10:06  transfer token wrong anew  -> wrong, over, lock Y-TRANSFER-2-99 on customer:1
            10:07  login password right       -> locked""")


def test_A1_a_wrong_pair_counts_once_on_each_half_it_names(play):
    """Either half reaching its stage has the penalty, whether anybody has that number or not."""
    by_customer = counter("pair-customer", "customer", stage(3, lock("reset"), row="Y-RESET-2"))
    by_account = counter("pair-account", "account", stage(3, lock("reset"), row="Y-RESET-1"))
    game = play(row("reset", "pair", by_customer, ("about", by_account)))
    game("""10:00  reset pair wrong by customer:1 about account:9  -> wrong
            10:01  reset pair wrong by customer:1 about account:3  -> wrong
            10:02  count customer:1 pair-customer                  -> 2
            10:02  count account:9 pair-account                    -> 1
            10:03  reset pair wrong by customer:2 about account:9  -> wrong
            10:04  reset pair wrong by customer:1 about account:9  -> wrong, lock Y-RESET-2 on customer:1, lock Y-RESET-1 on account:9
            10:05  reset pair right by customer:2 about account:9  -> locked
            10:05  reset pair right by customer:1 about account:3  -> locked
            10:06  reset pair right by customer:2 about account:3  -> right""")


def test_A2_the_second_stage_locks_password_re_registration_alone(play):
    pair = counter("pair", "customer", stage(2, lock("reset", for_s=HOUR), row="Y-RESET-2"))
    play(row("reset", "pair", pair), row("inquire", "password", password_10()))("""
        10:00  reset pair wrong        -> wrong
        10:00  reset pair wrong        -> wrong, lock Y-RESET-2 on customer:1 until 11:00
        10:01  reset pair right        -> locked
        10:02  inquire password right  -> right""")


def test_A4_the_third_wrong_code_ends_its_session_and_no_other(play):
    play(*token_rows())("""
        10:00  session session:1 of customer:1       -> open
        10:00  session session:2 of customer:1       -> open
        10:01  transfer token wrong in session:1     -> wrong
        10:02  payeasy token wrong in session:1      -> wrong
        10:03  transfer token wrong in session:1     -> wrong, over
        10:04  payeasy token right in session:1      -> not_now, over
        10:05  transfer token right in session:2     -> right""")


def test_A5_a_lock_for_a_while_is_an_hour(play):
    once = counter("c", "customer", stage(1, lock("inquire", for_s=HOUR), row="R"))
    play(row("inquire", "password", once))("""
        10:00:00  inquire password wrong  -> wrong, lock R on customer:1 until 11:00
        10:59:59  inquire password right  -> locked
        11:00:01  inquire password right  -> right""")


def test_A6_entries_under_a_lock_count_nothing_and_lengthen_nothing(play):
    game = play(row("inquire", "password", counter("c", "customer", stage(2, lock("inquire", for_s=HOUR), row="R"))))
    game("""10:00  inquire password wrong   -> wrong
            10:00  inquire password wrong   -> wrong, lock R on customer:1 until 11:00""")
    game("\n".join(f"10:{minute:02} inquire password wrong -> locked" for minute in range(1, 60)))
    game("""11:01  count customer:1 c       -> 0
            11:01  inquire password right   -> right""")


def test_A7_the_count_of_codes_belongs_to_the_run(play):
    """Whatever codes were sent in it, the fifteenth wrong one ends the run; a new run starts at zero."""
    game = play(row("reset", "mail-code", counter("c", "procedure", stage(15, END, row="Y-RESET-3"))))
    game("\n".join(["10:00 reset mail-code wrong -> wrong"] * 14))
    game("""10:01  reset mail-code wrong       -> wrong, over
            10:02  reset mail-code right       -> not_now, over
            10:03  reset mail-code wrong anew  -> wrong
            10:04  reset mail-code right       -> right""")


def test_A8_a_total_is_cleared_by_no_success_and_no_timed_lock(play):
    """Only a release zeroes it; and it counts over all operations that test the secret."""
    total = counter("total", "customer", stage(6, block("login", "inquire"), row="A8"), counting=Counting.IN_TOTAL)
    row_of = counter("row", "customer", stage(2, lock("inquire", for_s=HOUR), row="R"))
    game = play(row("login", "password", total), row("inquire", "password", row_of, total))
    game("""10:00  inquire password wrong       -> wrong
            10:01  inquire password right       -> right
            10:02  inquire password wrong       -> wrong
            10:02  inquire password wrong       -> wrong, lock R on customer:1 until 11:02
            11:03  inquire password wrong       -> wrong
            11:04  inquire password right       -> right
            11:05  login password wrong         -> wrong
            11:06  login password right         -> right
            11:07  login password wrong         -> wrong, over, lock A8 on customer:1
            11:08  inquire password right anew  -> locked
            11:09  release A8                   -> lifted
            11:10  count customer:1 total       -> 0
            11:11  inquire password wrong anew  -> wrong""")


def test_A8_a_total_over_365_days_forgets_what_is_older(play):
    year = counter("year", "customer", stage(3, block("login"), row="A8"), counting=Counting.WITHIN, window_s=365 * DAY)
    play(row("login", "password", year))("""
        0+10:00    login password wrong  -> wrong
        1+10:00    login password wrong  -> wrong
        364+10:00  count customer:1 year -> 2
        380+10:00  count customer:1 year -> 0
        380+10:01  login password wrong  -> wrong
        380+10:02  login password wrong  -> wrong
        744+10:00  login password wrong  -> wrong, over, lock A8 on customer:1""")


def test_A13_the_card_count_is_one_per_account(play):
    """Two customers at one account share it; one customer's two accounts do not."""
    play(*[row(one.operation, one.item, ("about", one.gauges[0].counter)) for one in card_rows()])("""
        10:00  apply pin wrong by customer:1 about account:9         -> wrong
        10:01  apply balance wrong by customer:2 about account:9     -> wrong
        10:02  apply pin wrong by customer:1 about account:3         -> wrong
        10:03  telephone pin wrong by customer:2 about account:9     -> wrong
        10:04  register balance wrong by customer:1 about account:9  -> wrong, lock Y-ACCOUNT-2 on account:9
        10:05  apply pin right by customer:1 about account:3         -> right""")


def test_A16_no_lock_and_the_run_ends_at_fifteen(play):
    game = play(row("login", "number", counter("c", "procedure", stage(15, END, row="Y-OTHER-1"))))
    for begun in ("10:00", "11:00", "12:00"):
        game(f"{begun} login number wrong anew -> wrong")
        game("\n".join([f"{begun} login number wrong -> wrong"] * 13))
        game(f"{begun} login number wrong -> wrong, over")


def test_A17_running_sessions_end_when_login_is_blocked(play):
    """Those of the customer who is blocked, and for good: they do not come back with the release."""
    blocks = counter("c", "customer", stage(1, block("login"), row="Y-LOGIN-3"))
    play(row("login", "password", blocks), row("transfer", "token", password_10()))("""
        10:00  session session:1 of customer:1                    -> open
        10:00  session session:2 of customer:2                    -> open
        10:01  transfer token wrong in session:1                  -> wrong
        10:02  login password wrong                               -> wrong, over, lock Y-LOGIN-3 on customer:1
        10:03  transfer token right in session:1                  -> not_now, over
        10:04  release Y-LOGIN-3                                  -> lifted
        10:05  transfer token right in session:1                  -> not_now, over
        10:06  transfer token right by customer:2 in session:2    -> right
        10:07  session session:3 of customer:1                    -> open
        10:08  transfer token right in session:3                  -> right""")


def test_A17_a_run_that_is_its_own_session_ends_too(play):
    """Of whatever operation, for good, and with it the answer that is being compared; one begun after the block goes on."""
    blocks = counter("c", "customer", stage(1, block("login"), row="Y-LOGIN-3"))
    play(row("login", "password", blocks), row("transfer", "token", password_10()))("""
        10:00  transfer token wrong                   -> wrong
        10:00  transfer token waits as A              -> granted
        10:00  transfer token wrong by customer:2     -> wrong
        10:01  login password wrong                   -> wrong, over, lock Y-LOGIN-3 on customer:1
        10:02  A right                                -> refused, over
        10:03  transfer token right                   -> not_now, over
        10:04  release Y-LOGIN-3                      -> lifted
        10:05  transfer token right                   -> not_now, over
        10:06  transfer token right by customer:2     -> right
        10:07  transfer token right anew              -> right""")


def test_A17_whoever_blocks_another_goes_on_himself(play):
    """Y-ACCOUNT-3: the block falls on whom the entry is about; it is that customer's runs that end."""
    password = counter("about-password", "account", stage(2, block("login", on="customer", about=True), row="Y-ACCOUNT-3"))
    play(row("register", "password", ("about", password)), row("transfer", "token", password_10()))("""
        10:00  transfer token wrong by customer:2       -> wrong
        10:01  register password wrong about account:2  -> wrong
        10:02  register password wrong about account:2  -> wrong, lock Y-ACCOUNT-3 on customer:2
        10:03  register password wrong about account:3  -> wrong
        10:04  transfer token right by customer:2       -> not_now, over""")


def test_A19_only_the_release_of_the_99_clears_it(play):
    game = play(*token_rows(in_a_row=4))
    game("""10:00  transfer token wrong        -> wrong
            10:01  transfer token wrong        -> wrong
            10:02  transfer token wrong        -> wrong, over
            10:03  payeasy token wrong         -> wrong, over, lock Y-TRANSFER-2-99 on customer:1
            10:04  payeasy token right anew    -> spent
            10:05  release Y-TRANSFER-2-99     -> lifted
            10:06  payeasy token wrong anew    -> wrong
            10:07  count customer:1 token-in-a-row -> 1""")


def test_A20_three_within_the_run_and_ten_in_a_row_over_all(play):
    """Y-NUMBER-2: a new run starts its own count at zero, and goes on with the account's."""
    game = play(*inquiry_rows())
    for begun in ("10:00", "10:10", "10:20"):
        game(f"""{begun} inquire password wrong anew -> wrong
                 {begun} inquire password wrong      -> wrong
                 {begun} inquire password wrong      -> wrong, over""")
    game("""10:30  inquire password wrong anew                -> wrong, lock Y-NUMBER-2-10 on account:1 until 11:30
            10:31  inquire password right anew                -> locked
            10:32  inquire password right by customer:2       -> right
            10:33  reset pair right                           -> right
            11:31  inquire password wrong anew                -> wrong""")


def test_A20_an_enrolment_has_its_own_count(play):
    passcode = counter("passcode", "app", stage(2, erase("passcode", on="app"), row="Y-TRANSFER-3"))
    rows = [row(operation, "passcode", passcode) for operation in ("transfer", "payeasy", "mail")]
    play(*rows)("""
        10:00  transfer passcode wrong            -> wrong
        10:01  payeasy passcode wrong             -> wrong, lock Y-TRANSFER-3 on app:1
        10:02  mail passcode right                -> locked
        10:03  mail passcode right by customer:2  -> right""")


def test_an_item_that_is_disabled_for_one_may_still_be_entered_of_another(play):
    """His own card no longer pays for anything; somebody else's account he registers as ever, until that card is disabled too."""
    card = counter("card", "account", stage(2, erase("pin", kind=PenaltyKind.DISABLE), row="R"))
    play(row("apply", "pin", card), row("register", "pin", ("about", card)), row("register", "balance", counter("b", "account", stage(3, VOID))))("""
        10:00  apply pin wrong                              -> wrong
        10:00  apply pin wrong                              -> wrong, lock R on account:1
        10:01  apply pin right anew                         -> locked
        10:02  register pin right about account:9           -> right
        10:03  register pin wrong about account:9           -> wrong
        10:03  register pin wrong about account:9           -> wrong, lock R on account:9
        10:04  register pin right about account:9 anew      -> locked
        10:05  register pin right about account:2 by customer:2 anew  -> right""")
