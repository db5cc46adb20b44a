"""A shadow as an operator sets it up: a store of its own, and what it has counted as a file."""

import asyncio

from command import run

from sekisho.app import Settings, build
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.terms import Role

ITO = Operator("ito", Role.ADMIN)


def prepared(bank, *, shadow):
    """The installation's store, after one customer with two wrong entries."""
    async def once():
        app = await build(Settings(bank.store, bank.keys, bank.policy, hold=False, shadow=shadow))
        async with app.working():
            await app.desk.enrol(app.table, "customer:1", Enrolment(), ITO)
            await app.desk.set_item(app.table, "customer:1", "login-password", ItemSetting(counts={"login-password-in-a-row": 2}), ITO)

    asyncio.run(once())


def serve(bank, *words):
    """What a node says that is not to serve."""
    done = run(["serve", "--listen", "127.0.0.1:0", "--store", bank.store, "--keys", bank.keys, *words], bank.folder, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    return done.stderr


def test_a_shadow_is_not_served_over_a_store_that_counts(bank):
    prepared(bank, shadow=False)
    assert "a shadow needs a store of its own" in serve(bank, "--shadow")


def test_a_store_of_a_shadow_is_not_served_for_real(bank):
    prepared(bank, shadow=True)
    assert "nothing in it counts; serve it with --shadow" in serve(bank)


def test_what_a_shadow_has_counted_is_printed_as_an_import_takes_it(bank):
    prepared(bank, shadow=True)
    said = bank.says("shadow", "export")
    assert said == "what,subject,name,value,item\ncount,customer:1,login-password-in-a-row,2,\n"
