"""D1 on the pages: under policies that differ in figures alone a customer's screen is the same bytes, until a penalty falls.

Two demonstrations, walked through by one visitor each who does the same: whatever is on the page but the half of the staff is compared.
"""

import random
import re

import pytest
from figures import other_figures
from scale import times
from visitor import Demonstration, Visitor

from sekisho.adapters import secrets
from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say
from sekisho.policy import reference

ACTS = 25
STAFF = re.compile(r'<section class="half staff".*?</section>', re.DOTALL)
BY_CHANCE = (
    (re.compile(r'(name="token" value=")[^"]*'), r"\1-"), (re.compile(r"\b\d{4} \d{4}\b"), "code"),
    (re.compile(r"(?<![A-Za-z])[A-Z]{2}(?![A-Za-z])"), "label"), (re.compile(r'(option value=")[0-9a-f]{12}"'), r'\1-"'),
)
"""What each of them draws by itself, by its form: a form's token, codes, the label of a message, the id of an address."""

PENALTIES = ("wrong-start-over", "wrong-locked", "wrong-locked-for-a-while", "wrong-register-again", "start-over", "locked", "register-again")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The reference policy, and the same with other figures: the pages read the file, so they could tell them."""
    folder = tmp_path_factory.mktemp("both")
    changed = folder / "postal-bank.yaml"
    changed.write_text(other_figures(reference("postal-bank").read_text(), lambda wrong: 2 * wrong + 1, lambda length: 3 * length))
    with pytest.MonkeyPatch.context() as patch:
        # These are about what is shown: Argon2id with less memory.
        patch.setattr(secrets, "MEMORY_KIB", 64)
        made = [Demonstration(tmp_path_factory.mktemp("pages"), policy) for policy in (reference("postal-bank"), changed)]
        yield made
    for one in made:
        one.close()


def seen(visitor):
    """All that the customer's browser got, but for the half of the staff and what is drawn by chance."""
    html = STAFF.sub("", visitor.page.html)
    assert html != visitor.page.html
    for form, mask in BY_CHANCE:
        html = form.sub(mask, html)
    headers = sorted((name, value) for name, value in visitor.page.answer.headers.items() if name not in {"content-length", "set-cookie"})
    return visitor.page.answer.status_code, headers, html


def arrived(visitor):
    """Look until what was sent has arrived."""
    while say(visitor.language, "delivery.being-sent") in visitor.page.text:
        visitor.look()


def act_of(rng, page):
    """One act of a visitor, drawn from what the page offers: (act, fields)."""
    offered = sorted({form["item"] for form in page.forms if form["action"] == "/try/enter"})
    if not offered or rng.random() < 0.1:
        return rng.choice([("begin", {"operation": rng.choice(OPERATIONS)}), ("logout", {}), ("begin", {"operation": "transfer"})])
    item = rng.choice(offered)
    return rng.choice([
        ("enter", {"item": item, "how": "right"}), ("enter", {"item": item, "how": "right"}), ("enter", {"item": item, "how": "wrong"}),
        ("enter", {"item": item, "how": "typed", "proof": "as it pleases"}), ("code", {"item": item}), ("repeat", {"item": item, "times": "1"}),
    ])


OPERATIONS = ("login", "number-inquiry", "reset-password", "transfer", "payeasy", "web-application", "telephone-service", "lift-suspension")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_D1_the_customers_pages_are_the_same_under_other_figures(both, language):
    """Act by act, in both languages; the first page that differs tells of a penalty."""
    alike = 0
    for seed in range(times(2, 100)):
        rng = random.Random(f"{language} {seed}")
        visitors = [Visitor(one, language) for one in both]
        customer = rng.choice(CUSTOMERS)
        for one in visitors:
            one.send("customer", customer=customer.account)
        for _ in range(ACTS):
            act, fields = act_of(rng, visitors[0].page)
            for one in visitors:
                one.send(act, **fields)
                arrived(one)
            pair = [seen(one) for one in visitors]
            if pair[0] != pair[1]:
                told = [say(language, f"answer.{name}") for name in PENALTIES]
                assert any(text in one.page.customer for one in visitors for text in told), pair
                break
            alike += 1
        for one in visitors:
            one.close()
    assert alike > ACTS
