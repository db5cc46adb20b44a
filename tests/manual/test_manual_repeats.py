"""Where repeats of a wrong password count once, staff read so beside the row, customers nowhere; the check says what its figures count."""

from pathlib import Path

import pytest

from sekisho.catalogue import say
from sekisho.manual import Article, Audience, Facts, Links
from sekisho.policy import parse
from sekisho.policy.text import render
from sekisho.proof.check import check
from sekisho.proof.text import told as printed

SMALL = (Path(__file__).parents[1] / "policy" / "small.yaml").read_text(encoding="utf-8")
REMEMBERING = SMALL.replace("password: {kind: password,", "password: {kind: password, repeats: {kept: 3, for: 36h},")


@pytest.mark.parametrize(("language", "told"), [("en", "the same wrong entry again counts once (within 36 h"), ("ja", "同じ誤りの入力の繰り返しは1回と数える(36時間以内")])
def test_staff_read_of_it_and_customers_do_not(language, told):
    reports = [check(parse(source, "p.yaml")) for source in (SMALL, REMEMBERING)]
    assert [told in render(one.table, language) for one in reports] == [False, True]
    for audience, number in ((Audience.STAFF, 1), (Audience.CUSTOMER, 0)):
        article = Article(reports[1].table, audience, language, Facts("2026-04-01", "2026-04-02", reports[1]), Links())
        assert article.page("operation/login").html.count(told) == number


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_bound_is_the_same_and_says_what_it_counts(language):
    plain, remembering = (check(parse(source, "p.yaml")) for source in (SMALL, REMEMBERING))
    assert plain.bounds == remembering.bounds
    says = say(language, "check.repeats", items="password")
    assert [says in printed(one, language) for one in (plain, remembering)] == [False, True]
