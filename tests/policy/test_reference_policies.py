"""The shipped policies hold every row of the article and of the story, say nothing twice, and let nobody stand at a
closed door that the policy itself says opens again."""

import re

import pytest

from sekisho.policy import compile_policy, load, reference
from sekisho.policy.table import EVERYTHING
from sekisho.policy.text import render
from sekisho.terms import PathKind, PenaltyKind, Reach, Role

BANKS = ["postal-bank", "postal-bank-as-found", "major-bank"]
POLICIES = {name: load(reference(name)) for name in BANKS}
TABLES = {name: compile_policy(policy) for name, policy in POLICIES.items()}

ARTICLE = [
    "Y-LOGIN-1", "Y-LOGIN-2", "Y-LOGIN-3", "Y-LOGIN-4", "Y-LOGIN-5", "Y-LOGIN-6",
    "Y-NUMBER-1", "Y-NUMBER-2", "Y-NUMBER-3",
    "Y-RESET-1", "Y-RESET-2", "Y-RESET-3",
    "Y-UNSUSPEND-1",
    "Y-TRANSFER-1", "Y-TRANSFER-2", "Y-TRANSFER-3", "Y-TRANSFER-4",
    "Y-PAYEASY-1", "Y-PAYEASY-2", "Y-PAYEASY-3", "Y-PAYEASY-4",
    "Y-MAIL-1", "Y-MAIL-2", "Y-MAIL-3",
    "Y-ACCOUNT-1", "Y-ACCOUNT-2", "Y-ACCOUNT-3",
    "Y-APPLY-1", "Y-APPLY-2", "Y-APPLY-3", "Y-APPLY-4", "Y-APPLY-5",
    "Y-PHONE-1", "Y-PHONE-2",
    "Y-OTHER-1",
    "Y-ABOLISHED-1", "Y-ABOLISHED-2", "Y-ABOLISHED-3",
]
STORY = ["M-RISK-1", "M-RISK-2", "M-CHOOSE-1", "M-ADDRESS-1", "M-RESET-1", "M-RESET-2", "M-RESET-3", "M-RESET-4", "M-DONE-1"]


def ids(table):
    for operation in table.operations.values():
        for variants in operation.rows.values():
            for row in variants:
                yield from (row.id, *row.also)
    yield from table.abolished
    yield from (stage.row for counter in table.counters.values() for stage in counter.stages)


@pytest.mark.parametrize(("name", "rows"), [("postal-bank", ARTICLE), ("postal-bank-as-found", ARTICLE), ("major-bank", STORY)])
def test_every_row_is_there(name, rows):
    assert set(rows) - set(ids(TABLES[name])) == set()


@pytest.mark.parametrize("name", BANKS)
def test_no_row_goes_by_a_name_that_its_source_does_not_have(name):
    known = {*ARTICLE, *STORY}
    ours = {row.id for operation in TABLES[name].operations.values() for variants in operation.rows.values() for row in variants if row.ours}
    assert {row for row in ids(TABLES[name]) if re.match("[YM]-", row)} - known - ours - {"M-OTHER-1"} == set()


# The figures of the article: row, then each stage it touches as count, whose, the penalties.
STAGES = {
    "Y-LOGIN-1": ["15 procedure end-session"],
    "Y-LOGIN-2": ["10 customer block"],
    "Y-LOGIN-3": ["10 customer block"],
    "Y-LOGIN-4": [],
    "Y-LOGIN-5": [],
    "Y-LOGIN-6": ["5 app erase"],
    "Y-NUMBER-1": ["15 procedure end-session"],
    "Y-NUMBER-2": ["3 procedure end-session", "10 account lock 3600"],
    "Y-NUMBER-3": ["15 procedure void end-session"],
    "Y-RESET-2": ["3 procedure end-session", "10 account lock 3600", "10 customer lock 3600"],
    "Y-RESET-3": ["15 procedure void end-session"],
    "Y-UNSUSPEND-1": ["15 procedure void end-session"],
    "Y-TRANSFER-1": ["3 procedure void end-session"],
    "Y-TRANSFER-2": ["3 session void end-session", "99 customer block"],
    "Y-TRANSFER-3": ["5 app erase"],
    "Y-TRANSFER-4": ["5 app remove"],
    "Y-PAYEASY-1": ["3 procedure void end-session"],
    "Y-PAYEASY-2": ["3 session void end-session", "99 customer block"],
    "Y-PAYEASY-3": ["5 app erase"],
    "Y-PAYEASY-4": ["5 app remove"],
    "Y-MAIL-1": ["15 procedure void end-session"],
    "Y-MAIL-2": ["5 app erase"],
    "Y-MAIL-3": ["5 app remove"],
    "Y-ACCOUNT-1": ["15 procedure void end-session"],
    "Y-ACCOUNT-2": ["4 account lock disable"],
    "Y-ACCOUNT-3": ["10 customer block"],
    "Y-APPLY-1": ["15 procedure start-over"],
    "Y-APPLY-2": ["4 account lock disable"],
    "Y-APPLY-3": ["15 procedure void end-session"],
    "Y-APPLY-4": ["5 app erase"],
    "Y-APPLY-5": ["10 account void lock 3600"],
    "Y-PHONE-1": ["5 account lock"],
    "Y-PHONE-2": ["5 account lock"],
}


def said(counter):
    for stage in counter.stages:
        words = [word for penalty in stage.penalties for word in (penalty.kind.value, str(penalty.for_s or ""))]
        yield " ".join([str(stage.wrong), counter.reach, *filter(None, words)])


@pytest.mark.parametrize("row", STAGES)
def test_a_row_costs_what_the_article_says(row):
    table = TABLES["postal-bank-as-found"]
    for operation in table.operations.values():
        for variants in operation.rows.values():
            for found in variants:
                if found.id == row:
                    assert [line for gauge in found.gauges for line in said(gauge.counter)] == STAGES[row]


def test_the_bank_as_found_is_the_bank_without_what_we_added():
    bank = reference("postal-bank").read_text(encoding="utf-8").split("\n")
    found = reference("postal-bank-as-found").read_text(encoding="utf-8").split("\n")
    start = bank.index("# The article bounds no secret over time. These counts do: over every operation that takes the item, cleared by no right")
    end = bank.index("procedures:")
    head = bank.index("article: 16-5-3")
    assert bank[head:start] + bank[end:] == found[found.index("article: 16-5-3"):]


def test_what_we_added_bounds_every_secret_over_all_operations():
    """Once a row counts an item that the bank itself checks, a ceiling counts it too, unless a lock for good ends it."""
    table = TABLES["postal-bank"]
    for operation in table.operations.values():
        for item, variants in operation.rows.items():
            if table.items[item].reach is Reach.PROCEDURE or table.items[item].kind in {"identifier", "data", "device-biometric", "passkey"}:
                continue
            for row in variants:
                assert any(_for_good(gauge.counter) for gauge in row.gauges), f"{row.id} {item}"


def _for_good(counter):
    return counter.ours or any(penalty.for_s is None and penalty.kind in {"lock", "block", "disable", "erase", "remove"}
                               for stage in counter.stages for penalty in stage.penalties)


def _closes(penalty):
    if penalty.kind is PenaltyKind.SUSPEND and EVERYTHING in penalty.operations:
        return {"suspension"}
    return set(penalty.operations) | (set(penalty.items) if penalty.kind is PenaltyKind.DISABLE else set())


def _locks(table):
    for counter in table.counters.values():
        for stage in counter.stages:
            for penalty in stage.penalties:
                yield stage.row, penalty, stage.undo
    for lock in table.abolished.values():
        yield lock.row, lock.penalty, lock.undo
    yield "the emergency stop", table.stop, table.stop_undo


@pytest.mark.parametrize("name", BANKS)
def test_each_way_back_that_is_offered_opens_again_what_was_closed(name):
    table = TABLES[name]
    for row, penalty, undo in _locks(table):
        for path in (table.paths[name] for name in undo):
            if path.kind in {PathKind.WAIT, PathKind.START_OVER, PathKind.NONE}:
                continue
            opens = {opened for case in path.cases for opened in case.opens}
            gives = {given for case in path.cases for given in case.gives}
            assert EVERYTHING in opens or _closes(penalty) <= opens, f"{row} {path.name}"
            assert penalty.kind is not PenaltyKind.ERASE or set(penalty.items) <= gives, f"{row} {path.name}"


@pytest.mark.parametrize("name", BANKS)
def test_a_lock_without_an_end_is_not_left_to_waiting(name):
    table = TABLES[name]
    ends_by_itself = {PathKind.WAIT, PathKind.START_OVER}
    for row, penalty, undo in _locks(table):
        if penalty.kind in {PenaltyKind.LOCK, PenaltyKind.BLOCK, PenaltyKind.DISABLE} and penalty.for_s is None:
            assert any(table.paths[path].kind not in ends_by_itself for path in undo), row


@pytest.mark.parametrize("name", BANKS)
def test_a_way_back_is_not_closed_by_the_lock_it_opens(name):
    table = TABLES[name]
    for row, penalty, undo in _locks(table):
        for path in (table.paths[name] for name in undo):
            if path.operation is not None:
                closed = path.operation in penalty.operations or (
                    EVERYTHING in penalty.operations and path.operation not in penalty.spares)
                assert not closed, f"{row} {path.name}"


@pytest.mark.parametrize("name", BANKS)
def test_forms_need_a_second_person_and_desk_work_the_second_line(name):
    for path in TABLES[name].paths.values():
        if path.kind is PathKind.FORM:
            assert (path.roles, path.second_person, path.opens_s) == ((Role.BACK_OFFICE,), True, None)
        if path.kind is PathKind.DESK:
            assert (path.roles, path.second_person, path.opens_s) == ((Role.SECOND_LINE,), True, (9 * 3_600, 21 * 3_600))


@pytest.mark.parametrize("name", BANKS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_a_customer_may_read_holds_no_threshold(name, language):
    """Names of operations, items and ways back go on his pages (D1)."""
    table = TABLES[name]
    named = [*table.items.values(), *table.operations.values(), *table.paths.values(), *table.abolished.values()]
    for one in named:
        assert not re.search("[0-9\uff10-\uff19\u2460-\u2473]", getattr(one.text, language)), getattr(one.text, language)


@pytest.mark.parametrize("name", BANKS)
def test_the_japanese_is_japanese_and_the_english_english(name):
    table = TABLES[name]
    for one in [*table.items.values(), *table.operations.values(), *table.paths.values(), *table.abolished.values()]:
        assert re.search("[\u3040-\u30ff\u4e00-\u9fff]", one.text.ja), one.text.ja
        assert one.text.en.isascii(), one.text.en


@pytest.mark.parametrize("name", BANKS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_table_as_text_shows_every_row(name, language):
    text = render(TABLES[name], language)
    shown = set(re.findall(r"\b[A-Z]-[A-Z]+-[0-9]+\b", text))
    rows = {row for row in ids(TABLES[name]) if re.fullmatch(r"[A-Z]-[A-Z]+-[0-9]+", row)}
    assert rows - shown <= {"Y-OTHER-1", "M-OTHER-1"} & rows
    assert "{" not in text


@pytest.mark.parametrize(("language", "title", "ends", "who", "says"), [
    ("en", "What a stranger can close", "Ways back", "who knows: Account symbol and number, Customer number", (
        "10 in a row", "locked for 60 min", "4 in a row", "paper is the way back", "Request form (inquiry of login password)",
        "Written application for the contract")),
    ("ja", "他人が閉じることのできる手続き", "解除の方法", "口座の記号番号・お客さま番号を知る他人", (
        "連続10回", "60分", "連続4回", "書面が解除の方法になる", "各種請求書(ログインパスワードの照会)", "書面での利用申し込み")),
])
def test_A22_what_a_stranger_can_close_is_declared_and_printed(language, title, ends, who, says):
    """Login, re-registration and application, by whoever knows customer and account number; and paper as the way out."""
    declared = {row for paper in TABLES["postal-bank"].paper if paper.knows for row in paper.rows}
    assert declared == {"Y-LOGIN-2", "Y-LOGIN-3", "Y-RESET-2", "Y-ACCOUNT-2", "Y-APPLY-2"}
    text = render(TABLES["postal-bank"], language)
    part = text.partition(title)[2].partition(f"\n\n{ends}\n")[0]
    for words in (who, *declared, *says):
        assert words in part


@pytest.mark.parametrize("name", BANKS)
def test_A22_what_is_declared_can_be_brought_about_without_a_secret(name):
    """Nothing that a stranger must know is a secret of the customer's."""
    table = TABLES[name]
    known = {table.items[item].kind for paper in table.paper for item in paper.knows}
    assert known <= {"identifier", "pair", "knowledge"}
