"""The table that everything else reads: shared counts are one, private ones have names of their own, nothing is lost."""

from pathlib import Path

import pytest

from sekisho.errors import CallerError
from sekisho.policy import compile_policy, load, parse, reference
from sekisho.policy.table import Condition
from sekisho.terms import Counting, Reach, Role

SMALL = (Path(__file__).parent / "small.yaml").read_text(encoding="utf-8")
BANK = compile_policy(load(reference("postal-bank")))


def gauges(operation, item, variant=0):
    return {gauge.counter.name: gauge for gauge in BANK.operations[operation].rows[item][variant].gauges}


def table(old="", new=""):
    assert not old or SMALL.count(old) == 1
    return compile_policy(parse(SMALL.replace(old, new) if old else SMALL))


def test_the_login_password_has_one_count_per_customer_and_one_over_a_year():
    first, later = BANK.operations["login"].rows["login-password"]
    assert (first.id, later.id) == ("Y-LOGIN-2", "Y-LOGIN-3")
    assert first.when == (Condition("first-time:login-password", about=False, holds=True),)
    assert later.when == (Condition("first-time:login-password", about=False, holds=False),)
    assert list(gauges("login", "login-password", 1)) == ["login-password-in-a-row", "login-password-a-year"]
    year = BANK.counters["login-password-a-year"]
    assert (year.reach, year.counting, year.window_s, year.ours) == (Reach.CUSTOMER, Counting.WITHIN, 365 * 86_400, True)


def test_the_99_is_one_count_over_transfer_and_payeasy():
    transfer, payeasy = gauges("transfer", "token-otp"), gauges("payeasy", "token-otp")
    assert transfer["token-in-a-row"].counter is payeasy["token-in-a-row"].counter
    assert set(transfer) ^ set(payeasy) == {"transfer/token-otp@session", "payeasy/token-otp@session"}
    assert BANK.counters["token-in-a-row"].stages[0].undo == ("reset-password-and-token-check",)


def test_card_pin_and_last_balance_are_one_count_in_registration_and_applications():
    card = BANK.counters["card-in-a-row"]
    for operation, item in [("register-account", "card-pin"), ("register-account", "last-balance"), ("web-application", "card-pin"),
                            ("telephone-application", "card-pin"), ("reapply", "card-pin")]:
        gauge = gauges(operation, item)["card-in-a-row"]
        assert gauge.counter is card
        assert gauge.about is (operation == "register-account")


def test_the_password_of_the_account_being_registered_counts_on_its_holder():
    rows = BANK.operations["register-account"].rows["login-password"]
    assert all(row.id == "Y-ACCOUNT-3" and row.about and all(gauge.about for gauge in row.gauges) for row in rows)
    assert gauges("register-account", "login-password")["login-password-in-a-row"].counter is BANK.counters["login-password-in-a-row"]


def test_a_pair_is_one_row_that_counts_on_both_halves():
    (row,) = BANK.operations["reset-password"].rows["number-pair"]
    assert (row.id, row.also) == ("Y-RESET-2", ("Y-RESET-1",))
    assert BANK.items["number-pair"].parts == (("account-number", Reach.ACCOUNT), ("customer-number", Reach.CUSTOMER))
    assert {"reset-by-account", "reset-by-customer"} < set(gauges("reset-password", "number-pair"))


def test_an_operation_walks_the_way_that_names_it():
    paths = {name: operation.path for name, operation in BANK.operations.items() if operation.path}
    assert paths == {
        "reset-password": "reset-password", "lift-suspension": "lift-suspension", "reapply": "reapply",
        "token-check": "reset-password-and-token-check", "register-app": "register-again", "register-face": "register-face-again",
        "add-account": "add-account-again"}


def test_form_1_1_gives_a_first_time_password_again():
    form = BANK.paths["form-1-1"]
    assert (form.sets, form.roles, form.second_person, form.takes_s) == (
        ("first-time:login-password",), (Role.BACK_OFFICE,), True, 7 * 86_400)


def test_entries_without_a_row_cost_what_every_other_entry_costs():
    (row,) = BANK.operations["transfer"].rows["amount-and-payee"]
    assert (row.id, [(s.row, s.wrong) for g in row.gauges for s in g.counter.stages]) == ("Y-OTHER-1", [("Y-OTHER-1", 15)])


def test_a_lock_that_outlives_the_session_is_told_once():
    told = {name for name, counter in BANK.counters.items() if any(stage.notice for stage in counter.stages)}
    assert "login-password-in-a-row" in told
    assert not any("@" in name or "actor" in name for name in told)


def test_stages_of_a_shared_count_are_merged_lowest_first():
    assert [stage.wrong for stage in table().counters["password-in-a-row"].stages] == [10, 20]
    assert table().counters["password-in-a-row"].stages[0].after_lock == "keep"


def test_rows_lent_to_another_operation_share_named_counts_only():
    reset, login = (table().operations[name].rows["password"][0] for name in ("reset", "login"))
    assert [gauge.counter.name for gauge in reset.gauges] == ["reset/password@procedure", "password-in-a-row", "password-a-year"]
    assert [gauge.counter.name for gauge in login.gauges] == ["login/password@procedure", "password-in-a-row", "password-a-year"]


def test_a_figure_is_shared_out_and_nothing_is_added_to_it():
    text = SMALL.replace("known_devices: true\n", "known_devices: true\ndevices: {known_by: [login], remembered: 3, kept: 30d}\n")
    text = text.replace("wrong: 10, count", "wrong: 10, known_device: 1, count").replace("wrong: 20, count", "wrong: 20, known_device: 4, count")
    shared = compile_policy(parse(text))
    counter = shared.counters["password-in-a-row"]
    assert [stage.wrong for stage in counter.stages] == [7, 8]
    assert [[stage.wrong for stage in one.stages] for one in counter.shares] == [[1, 4]] * 3
    assert [one.name for one in counter.shares] == [f"password-in-a-row/device-{place}" for place in (1, 2, 3)]
    assert {penalty.whom for stage in counter.stages for penalty in stage.penalties} == {"unknown"}
    assert [one.stages[0].penalties[0].whom for one in counter.shares] == ["device-1", "device-2", "device-3"]
    assert all(shared.counters[one.name] is one for one in counter.shares)


def test_what_asks_more_counts_unknown_devices_and_nobody_else():
    devices = {gauge.counter.name: gauge.devices for row in BANK.operations["reset-password"].rows["number-pair"] for gauge in row.gauges}
    assert {name: whose for name, whose in devices.items() if whose} == {
        "number-pairs-a-year": "unknown", "number-pairs-a-year-by-one-actor": "unknown", "number-pairs-by-known-devices": "known"}
    assert {penalty.whom for penalty in BANK.counters["number-pairs-by-known-devices"].stages[0].penalties} == {"known"}
    assert BANK.devices.subjects == (Reach.ACCOUNT,)


def test_the_bank_shares_out_no_figure_of_its_article():
    assert not [name for name, counter in BANK.counters.items() if counter.shares]


# What is changed, into what, the operations whose open procedures must end.
DIGESTS = [
    ("en: Pay", "en: Payment", set()),
    ("when: not watched", "when: not watched\n        why: {ja: そのため, en: Because}", set()),
    ("when: not watched", "when: not watched\n        say: {ja: 案内, en: Tell}", set()),
    ("when: not watched", "when: watched", {"pay"}),
    ("wrong: 3,", "wrong: 4,", {"login", "reset"}),
    ("steps: [amount, token]", "steps: [token, amount]", {"transfer"}),
    ("wrong: 100,", "wrong: 101,", {"login", "reset"}),
    ("kind: totp", "kind: passcode", {"pay", "transfer"}),
    ('pattern: "[0-9]+"', 'pattern: "[0-9]{4}"', {"login", "reset"}),
    ("wrong: 15,", "wrong: 16,", {"login", "transfer", "reset"}),
    ("one_run: in-total", "one_run: in-a-row", {"login", "transfer", "pay", "reset"}),
]


@pytest.mark.parametrize(("old", "new", "changed"), DIGESTS)
def test_a_digest_changes_with_what_decides_and_with_nothing_else(old, new, changed):
    before, after = table(), table(old, new)
    assert {name for name in before.operations if before.operations[name].digest != after.operations[name].digest} == changed
    assert before.version != after.version


def test_the_version_is_that_of_the_bytes():
    policy = parse(SMALL)
    assert compile_policy(policy).version == compile_policy(policy, SMALL.encode()).version != compile_policy(policy, b"").version


def test_a_cell_can_be_found_again():
    assert parse(SMALL, "p.yaml").where("operations", "login", "items", "password", "stages", 1) == "p.yaml:51:13"


def test_only_shipped_policies_can_be_named():
    with pytest.raises(CallerError, match="major-bank, postal-bank, postal-bank-as-found"):
        reference("../../../etc/passwd")


def test_the_story_has_its_desk_its_demand_and_its_closed_login():
    bank = compile_policy(load(reference("major-bank")))
    assert bank.desk["second-line"]["open_s"] == [9 * 3_600, 21 * 3_600]
    assert "delete-addresses" not in bank.desk["first-line"]["may"]
    assert bank.risk is not None and bank.risk.refuses == ("login", "balance", "transfer")
    (closed,) = bank.operations["login"].closed
    assert (closed.when, closed.after) == ((Condition("addresses-deleted", about=False, holds=True),), "login-password")
    deletion = bank.paths["delete-addresses"]
    assert (deletion.sets, deletion.second_person, deletion.tells) == (("addresses-deleted",), True, ("all-channels", "letter"))
    code = bank.items["release-code"]
    assert (code.purpose, code.digits, code.valid_s) == ("recover", 8, 86_400)


def test_a_way_back_may_need_something_else_in_another_case():
    deleted, otherwise = compile_policy(load(reference("major-bank"))).paths["reset-password"].cases
    assert deleted.when == (Condition("addresses-deleted", about=False, holds=True),)
    assert (("release-code",) in deleted.needs, ("mail-otp",) in otherwise.needs) == (True, True)


@pytest.mark.parametrize(("own", "hours"), [("", (9, 21)), ('open: "10:00-16:00", ', (10, 16))])
def test_hours_of_a_way_back_are_on_the_days_on_which_its_desk_works(own, hours):
    source = SMALL.replace("every: day", "every: weekday").replace("desk: {kind: desk,", f"desk: {{kind: desk, {own}")
    way = compile_policy(parse(source)).paths["desk"]
    assert (way.opens_s, way.every) == (tuple(hour * 3_600 for hour in hours), "weekday")
