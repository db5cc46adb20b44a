"""`sekisho tokens` as an operator types it: the page's example, every fault with its line, a customer's token, keys that change."""

import asyncio
import re
from pathlib import Path

import pytest

from sekisho.app import Keyring
from sekisho.core.state import Secret, StockedToken, decode
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.terms import Role

EXAMPLE = re.search(r"```csv\n(.*?)```", (Path(__file__).parents[2] / "docs" / "how" / "tokens.md").read_text(encoding="utf-8"), re.DOTALL)[1]
HANA = "customer:0012345678"
ITO = Operator("ito", Role.ADMIN)


def with_app(bank, act):
    async def once():
        app = await bank.app()
        async with app.working():
            return await act(app)

    return asyncio.run(once())


@pytest.fixture
def served(bank):
    """An installation with one customer."""
    with_app(bank, lambda app: app.desk.enrol(app.table, HANA, Enrolment(), ITO))
    return bank


def written(bank, text):
    path = bank.folder / "tokens.csv"
    path.write_text(text, encoding="utf-8")
    return path


def take_in(bank, text, *words, code=0):
    return bank.says("tokens", "import", written(bank, text), "--operator", "ito", *words, code=code)


def test_the_page_s_example_from_the_delivery_to_the_end(served):
    """Whatever the vendor calls a model."""
    assert take_in(served, EXAMPLE, "--dry-run") == "2 tokens are right; nothing was written\n"
    assert take_in(served, EXAMPLE.replace("Clock", "[/b]:key:")) == "2 tokens are taken in\n"
    take_in(served, EXAMPLE, code=1)
    assert served.complaint.count("is in the books") == 2 and "nothing was taken in" in served.complaint
    for words in (("assign", "T-1001", HANA, "token-otp"), ("assign", "T-1002", HANA, "token-otp", "--replace"), ("end", "T-1002", "lost")):
        served.says("tokens", *words, "--operator", "ito")
    listed = served.says("tokens", "list")
    assert [re.search(rf"{serial} +(\S+)", listed)[1] for serial in ("T-1001", "T-1002")] == ["replaced", "lost"]
    assert "3132" not in listed and "[/b]:key:" in listed
    served.says("tokens", "assign", "T-1003", HANA, "token-otp", "--operator", "ito", code=2)


def test_a_list_that_goes_to_no_terminal_is_whole(served):
    """However long the names are: one token, one line."""
    model = "Clock with a very long name " * 3
    take_in(served, EXAMPLE.replace("Clock", model.strip()))
    served.says("tokens", "assign", "T-1001", HANA, "token-otp", "--operator", "ito")
    line = next(line for line in served.says("tokens", "list").splitlines() if "T-1001" in line)
    assert HANA in line and line.rstrip().endswith(model.strip()) and "2031-12-31" in line


def test_every_fault_has_its_line(served):
    take_in(served, EXAMPLE.replace("totp", "ocra").replace("hotp", "hopt"), code=1)
    assert re.findall(r"tokens\.csv:(\d+): (\w+):", served.complaint) == [("2", "type"), ("3", "type")]


def seeds(app):
    async def all_of():
        stock = {key: decode(body, StockedToken).seed for key, body in await app.store.rows("token:", "", 100)}
        kept = {key: decode(body, Secret) for key, body in await app.store.rows("secret:", "", 100)}
        return {key: (seed.token.key, app.secrets._seed(seed)) for key, seed in {**stock, **kept}.items() if seed is not None}

    return all_of()


def test_seeds_come_under_the_newest_key_and_the_older_one_may_go(served):
    take_in(served, EXAMPLE)
    served.says("tokens", "assign", "T-1001", HANA, "token-otp", "--operator", "ito")
    before = with_app(served, seeds)
    served.says("keys", "rotate", "seeds", store=False)
    assert with_app(served, seeds) == before and {version for version, _ in before.values()} == {1}
    assert served.says("tokens", "reseal") == "2 seeds are sealed anew\n"
    assert served.says("tokens", "reseal") == "0 seeds are sealed anew\n"
    ring = Keyring.open(served.keys)
    ring.file.secrets["seeds"] = ring.file.secrets["seeds"][1:]
    ring.save()
    assert with_app(served, seeds) == {key: (2, seed) for key, (_, seed) in before.items()}


def test_a_seed_that_a_release_before_kept_is_read_and_sealed_anew(served):
    async def old(app):
        await app.desk.set_item(app.table, HANA, "token-otp", ItemSetting(secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"), ITO)
        key = f"secret:{HANA}/token-otp"
        record = decode((await app.store.peek([key]))[key], Secret)
        seed = app.secrets._seed(record)
        before = Secret(kind="totp", salt=b"s" * 16, digest=app.secrets._mask(seed, b"s" * 16), last_step=7)
        assert app.secrets._seed(before) == seed and before.v == 1
        sealed = app.secrets.resealed(before)
        return app.secrets._seed(sealed) == seed, sealed.last_step, sealed.v

    assert with_app(served, old) == (True, 7, 3)
