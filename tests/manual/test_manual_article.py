"""The articles made from the reference policies: every cell of the bank's table, nothing that a customer may not know, pages that hold together."""

import posixpath
import re
from functools import cache

import pytest
from cells import FORMS, LEFT_BEHIND, SHARED, USED_THE_DIRECT_PIN, rows, told
from reading import Reading, says
from scale import FULL

from sekisho import catalogue
from sekisho.manual import Article, Audience, Facts, Links, articles, files, printed
from sekisho.manual.words import GRAVEST, RUN_OVER
from sekisho.policy import compile_policy, load, parse, reference
from sekisho.policy.model import DeskAct
from sekisho.proof.check import check
from sekisho.terms import ItemKind, PathKind

BANKS = ("postal-bank", "major-bank", *(("postal-bank-as-found",) if FULL else ()))
LANGUAGES = ("ja", "en")
PAGE_MAX = 100_000
PRINTED = {f"{audience}/{language}/manual.pdf" for audience in Audience for language in LANGUAGES}
MARK = "お客さまには案内不可"


@cache
def report(bank):
    return check(load(reference(bank)))


@cache
def article(bank, audience, language):
    return Article(report(bank).table, Audience(audience), language, Facts("2026-04-01", "2026-04-02", report(bank)), Links())


@cache
def page(bank, audience, language, name):
    return Reading(article(bank, audience, language).page(name).html)


def staff(language, name):
    return page("postal-bank", "staff", language, name)


# K1: the staff article holds the bank's table.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_K1_every_cell_of_the_table_is_in_the_entry_of_its_row(row, language):
    reading = staff(language, f"operation/{row.page}")
    place = next(name for name in reading.places if row.id in reading.place(name).split() and name.startswith("Y-") and not name.endswith("-title"))
    text = reading.place(place)
    assert [cell for cell in row.cells if not any(says(text, one) for one in told(cell, language))] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_K1_every_row_is_in_the_list_of_the_first_page(row, language):
    text = staff(language, "index").place(row.page)
    assert says(text, row.id)
    assert any(says(text, one) for one in told(row.cells[0], language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_every_other_entry_is_said_to_end_the_run(language):
    page, anchor = article("postal-bank", "staff", language).book.place("Y-OTHER-1")
    text = staff(language, page).place(anchor)
    assert says(text, "15") and ("ログアウト" if language == "ja" else "logged out") in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pair", SHARED, ids="-and-".join)
def test_K1_a_count_that_rows_share_is_said_in_words(pair, language):
    shared = [line for line in article("postal-bank", "staff", language).book.shared if {row.id for row in line.rows} >= set(pair)]
    assert len(shared) == 1
    sentence = article("postal-bank", "staff", language).words.shared(shared[0].rows)
    assert all(one in sentence for one in pair) and sentence in staff(language, "index").text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", LEFT_BEHIND)
def test_K1_what_abolished_items_left_behind_is_told_with_its_day_and_its_way_back(row, language):
    text = staff(language, "index").text + staff(language, "ways").text
    assert says(text, row)
    assert [cell for cell in LEFT_BEHIND[row] if not any(one in text for one in told(cell, language))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_the_operations_that_used_the_direct_pin_are_listed(language):
    text = staff(language, "ways").place("Y-ABOLISHED-1")
    assert [cell for cell in USED_THE_DIRECT_PIN if not any(one in text for one in told(cell, language))] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_K1_forms_are_named_with_their_numbers(form, language):
    reading = staff(language, "ways")
    named = [reading.place(name) for name in reading.places if name.startswith("way-") and not name.endswith("-title")]
    assert any(form in text and told(FORMS[form], language)[0] in text for text in named)


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_every_figure_stands_beside_its_mark(bank, language):
    one = article(bank, "staff", language)
    for section in one.book.sections:
        reading = page(bank, "staff", language, f"operation/{section.operation.name}")
        for entry in section.entries:
            figures = [one.words.figure(count.gauge, count.stage.wrong) for count in entry.counts]
            assert [figure for figure in figures if f"{MARK} " not in reading.place(entry.anchor).split(figure)[0][-60:]] == []


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_every_entry_has_what_to_say_and_what_not_to_say(bank, language):
    one = article(bank, "staff", language)
    for section in one.book.sections:
        reading = page(bank, "staff", language, f"operation/{section.operation.name}")
        for entry in section.entries:
            text = reading.place(entry.anchor)
            assert one.words.t("manual.not-say") in text and one.words.t("notsay.figures") in text
            assert one.words.t("manual.say") in text or not (entry.counts or entry.row.undo)


@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_the_article_says_its_number_its_version_and_since_when_it_holds(language):
    text = staff(language, "index").text
    assert "16-5-3" in text and report("postal-bank").version[:12] in text and "2026-04-01" in text and "2026-04-02" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_ways_out_are_told_with_their_time_and_waivers_with_their_reason(language):
    reading = staff(language, "check")
    waived = [getattr(one.waived, language) for one in report("postal-bank").findings if one.waived]
    assert len(waived) > 9 and [one for one in waived if one not in reading.text] == []
    ways = article("postal-bank", "staff", language).words
    assert {"7日" if language == "ja" else "7 days", "60分" if language == "ja" else "60 min"} <= {
        word for word in ("7日", "7 days", "60分", "60 min") if word in reading.text}
    assert [one.state.name for one in report("postal-bank").ways_out if ways.plan(one.at_rest) not in reading.text] == []


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_reasons_are_told_in_the_language_of_the_article(bank, language):
    one = article(bank, "staff", language)
    text = "".join(page(bank, "staff", language, name).text for name in one.names)
    whys = [row.why for row in one.book.rows if row.why] + [stage.why for limit in one.book.limits for _, stage in limit.counts if stage.why]
    assert whys and [why for why in whys if getattr(why, language) not in text] == []


# K2 and D1: the customers' article.


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_K2_a_customer_reads_no_row_no_count_and_no_length_of_a_lock(bank, language):
    one = article(bank, "customer", language)
    secret = re.compile(r"\b[YMO]-[A-Z]+-\d|\d+ ?回|\bin a row\b|\d+ (?:wrong|min)|案内不可|" + report(bank).version[:12])
    assert [(name, found) for name in one.names for found in secret.findall(page(bank, "customer", language, name).text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_K2_a_customer_reads_what_happened_what_to_do_and_what_it_takes(language):
    text = page("postal-bank", "customer", language, "operation/login").place("login-password")
    expected = {
        "ja": ["ログインはお取り扱いできません", "ログインパスワードを再登録する", "オンラインで申し込み直す", "ログインパスワードの照会", "およそ7日"],
        "en": ["Login: not available", "Register the login password again", "Apply again online", "inquiry of login password", "about 7 days"],
    }
    assert [one for one in expected[language] if one not in text] == []


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize(("language", "words"), [("ja", "有効期間は21日"), ("en", "by letter, good for 21 days")])
def test_A11_whoever_writes_is_told_of_the_letter_and_its_life(audience, language, words):
    assert words in page("major-bank", audience, language, "ways").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_K2_customers_are_told_when_the_desks_are_there(language):
    assert "09:00–21:00" in page("postal-bank", "customer", language, "ways").text


def scaled(source):
    """The same policy with other figures: every count of wrong entries and every length of a timed lock."""
    counts = re.sub(r"\bwrong: (\d+)", lambda match: f"wrong: {int(match[1]) * 2 + 1}", source)
    return re.sub(r"\bfor: (\d+)([mhd])\b", lambda match: f"for: {int(match[1]) * 3}{match[2]}", counts)


@pytest.mark.parametrize("bank", BANKS)
def test_D1_two_policies_that_differ_only_in_figures_give_customers_the_same_bytes(bank):
    source = reference(bank).read_text(encoding="utf-8")
    other = scaled(source)
    assert other != source
    mine, theirs = (dict(files(compile_policy(parse(text.encode(), "bank.yaml")))) for text in (source, other))
    customers = {place for place in mine if place.startswith("customer/")}
    assert customers and {place: mine[place] for place in customers} == {place: body for place, body in theirs.items() if place in customers}
    assert mine["staff/ja/index.html"] != theirs["staff/ja/index.html"]


def test_D1_the_customers_pdf_is_the_same_to_the_byte_too():
    source = reference("major-bank").read_text(encoding="utf-8")
    mine, theirs = (dict(printed(compile_policy(parse(text.encode(), "bank.yaml")))) for text in (source, scaled(source)))
    differing = {place for place in mine if mine[place] != theirs[place]}
    assert {body[:5] for body in mine.values()} == {b"%PDF-"}
    assert differing == {"staff/ja/manual.pdf", "staff/en/manual.pdf"}


# What holds for every page.


@pytest.mark.parametrize("bank", BANKS)
def test_a_page_is_whole_and_under_100_kilobytes(bank):
    made = dict(files(report(bank).table, Facts("2026-04-01", "2026-04-02", report(bank))))
    pages = {place: Reading(body.decode()) for place, body in made.items() if place.endswith(".html")}
    assert {place for place, body in made.items() if len(body) >= PAGE_MAX} == set()
    assert {place: reading.faults for place, reading in pages.items() if reading.faults} == {}
    assert {f"{audience}/{language}/index.html" for audience in Audience for language in LANGUAGES} <= set(pages)


@pytest.mark.parametrize("bank", BANKS)
def test_every_link_leads_to_a_place_that_is_there(bank):
    made = dict(files(report(bank).table, Facts(report=report(bank))))
    pages = {place: Reading(body.decode()) for place, body in made.items() if place.endswith(".html")}
    lost = []
    for place, reading in pages.items():
        for link in reading.links:
            path, _, anchor = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(place), path)) if path else place
            if target not in {*made, *PRINTED} or (anchor and anchor not in pages[target].places):
                lost.append((place, link))
    assert lost == []


@pytest.mark.parametrize("bank", BANKS)
def test_every_row_and_every_lock_has_its_place(bank):
    table = report(bank).table
    for one in articles(table):
        if one.audience is Audience.STAFF:
            named = [row.id for row in one.book.rows] + [stage.row for counter in table.counters.values() for stage in counter.stages]
            assert [name for name in [*named, *table.abolished, "M-STOP-1", "M-BULK-1"] if one.book.place(name) == ("index", "")] == []
            assert one.book.place_of_lock("Y-GONE-1") == ("ways", "other-locks")


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_K1_a_lock_that_no_entry_brought_about_has_what_to_say_and_what_not_too(bank, language):
    one, reading = article(bank, "staff", language), page(bank, "staff", language, "ways")
    for name in ("M-STOP-1", "M-BULK-1", "other-locks", *one.table.abolished, *(["Y-RULE-5"] if one.table.suspension else [])):
        assert one.words.t("manual.say") in reading.place(name) and one.words.t("manual.not-say") in reading.place(name), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_missing_text_stops_the_build(language, monkeypatch):
    held = {name: text for name, text in catalogue.texts(language).items() if name != "help.block"}
    monkeypatch.setattr(catalogue, "texts", lambda _: held)
    with pytest.raises(KeyError, match=r"help\.block"):
        list(files(report("postal-bank").table))


@pytest.mark.parametrize(("prefix", "names"), [
    ("callers.kind-", ItemKind), ("manual.may-", DeskAct), ("callers.effect-", [*GRAVEST, RUN_OVER]), ("help.", [*GRAVEST, RUN_OVER]),
    ("path.", PathKind),
])
def test_every_word_that_a_policy_may_use_has_its_text(prefix, names):
    """Whatever another bank's policy says, its manual has words for it."""
    assert [name for name in names if f"{prefix}{name}" not in catalogue.texts("ja")] == []
