"""`/tour`: what to try in the demonstration; that its steps can be taken is shown where they are taken."""

import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from sekisho.bank import seeds, tour
from sekisho.catalogue import LANGUAGES
from sekisho.cli.demo import OPERATORS
from sekisho.policy import compile_policy, load, reference

PARTS = {"postal-bank": 1, "major-bank": 3}


def look(bank, language):
    made = Starlette(routes=list(tour.routes(compile_policy(load(reference(bank))))))
    answer = TestClient(made).get("/tour", params={"lang": language})
    assert answer.status_code == httpx.codes.OK
    return answer.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("bank", "parts"), PARTS.items())
def test_it_has_the_parts_that_the_bank_s_policy_has(bank, parts, language):
    _, _, main = look(bank, language).partition("<main")
    assert re.findall(r'<h2 id="(\w+)">', main) == ["counted", "asked", "deleted"][:parts]
    steps = [tour.COUNTED, tour.ASKED, tour.DELETED][:parts]
    assert re.findall(r'<li><a href="([^"]+)">', main) == [place for part in steps for _, place in part]


@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_it_names_is_there(language):
    html = look("major-bank", language)
    staff = {name for names in OPERATORS.values() for name in names}
    assert set(re.findall(r"\b(aoki|chiba|doi)\b", html)) <= staff
    assert set(re.findall(r"[\w.]+@example\.com", html)) <= {mail for one in seeds.CUSTOMERS for mail in one.mails}
