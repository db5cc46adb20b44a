"""`sekisho policy accept` over a store in which locks stand: whoever waits for a way back keeps one."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from good_policies import good

from sekisho.app import Keyring, Settings, build
from sekisho.cli import group
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.terms import Role

ITO = Operator("ito", Role.ADMIN)


def text(file, **renamed):
    """A policy's text, with other names."""
    told = json.dumps(file, ensure_ascii=False, indent=1)
    for before, after in renamed.items():
        told = told.replace(f'"{before.replace("_", "-")}"', f'"{after}"')
    return told


def before():
    """A sound policy in which paper alone opens the login again, and a right password is never far."""
    file = good(2)
    for stages in (file["operations"]["login"]["items"]["password"]["stages"], [file["ceilings"]["password-a-year"]]):
        stages[-1]["undo"] = ["form-password"]
    return file


class Bank:
    """A store under the policy, and a customer who has entered wrong passwords."""

    def __init__(self, folder):
        self.folder = folder
        self.store = f"sqlite:///{folder / 'bank.db'}"
        Keyring.make(folder / "keys.json")
        self.first = self.file("first.yaml", text(before()))

    def file(self, name, told):
        path = self.folder / name
        path.write_text(told, encoding="utf-8")
        return path

    async def enters_wrong(self, customer):
        app = await build(Settings(self.store, self.folder / "keys.json", self.first, hold=False))
        async with app.running():
            await app.desk.enrol(app.table, customer, Enrolment(), ITO)
            await app.desk.set_item(app.table, customer, "password", ItemSetting(secret="correct horse 8"), ITO)
            stages = before()["operations"]["login"]["items"]["password"]["stages"]
            for _ in range(stages[0]["wrong"]):
                begun = await app.runs.begin(app.table, "key:1", "login", customer)
                await app.entries.enter(app.table, "key:1", begun.procedure, "password", "wrong")

    def accept(self, told):
        done = CliRunner().invoke(group, ["policy", "accept", str(self.file("next.yaml", told)), "--store", self.store])
        return done.exit_code, done.stderr


@pytest.fixture
def bank(tmp_path):
    made = Bank(tmp_path)
    for customer in ("customer:1", "customer:2"):
        asyncio.run(made.enters_wrong(customer))
    return made


def test_a_policy_that_lifts_what_stands_comes_into_force(bank):
    assert bank.accept(text(before() | {"article": "2"})) == (0, "")


def test_a_policy_without_the_way_back_of_a_standing_lock_is_refused_where_its_row_stands(bank):
    told = text(before(), form_password="form-word")
    code, said = bank.accept(told)
    line = said.splitlines()[0]
    assert code == 1 and line.endswith("[no-way-out]") and "L-1 stand on 2 subjects" in line and "(form-password)" in line
    assert line.startswith(f"{bank.folder / 'next.yaml'}:")
    number = int(line.removeprefix(f"{bank.folder / 'next.yaml'}:").split(":")[0])
    assert any('"L-1"' in row for row in told.splitlines()[number - 3:number + 2])


def test_with_no_lock_standing_the_same_policy_comes_into_force(tmp_path):
    made = Bank(tmp_path)
    asyncio.run(_only_served(made))
    assert made.accept(text(before(), form_password="form-word")) == (0, "")


async def _only_served(made):
    app = await build(Settings(made.store, made.folder / "keys.json", made.first, hold=False))
    async with app.running():
        pass
