"""All that is held about one customer can be told and erased; nobody else's rows change, and no secret is told."""

import asyncio
import json

import pytest
from house import House, Read, Write
from tables import counter, lock, row, stage, table
from trail import events, links

from sekisho.core.state import Address, Addresses, Guard, Hop, Outgoing, Secret, Session
from sekisho.errors import CallerError
from sekisho.events import EventKind
from sekisho.flows.acts import Operator
from sekisho.flows.approvals import Approval
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.flows.personal import erase, export, held
from sekisho.terms import AddressState, Role, Way

POLICY = table(row("login", "password", counter("c", "customer", stage(3, lock("login"), row="R"))))
SECRET = b"a digest that nobody may read"
HANA, JIRO = "customer:1", "customer:2"


def told(coroutine):
    return asyncio.run(coroutine)


async def a_life(house):
    """Two customers with counts, a lock, sessions, runs, a settled guess and one in flight, links, secrets and a release."""
    await house.ledger.run(Write({
        HANA: Guard(known=True, links={"account": "account:1"}, flags=["set:password"]), JIRO: Guard(known=True, accounts=["account:2"]),
        "account:1": Guard(known=True, links={"customer": HANA}), "account:2": Guard(known=True, links={"customer": JIRO}, accounts=["account:1"]),
        f"secret:{HANA}/password": Secret(kind="password", digest=SECRET), f"secret:{JIRO}/password": Secret(kind="password", digest=SECRET),
        "session:h": Session(subject=HANA), "session:j": Session(subject=JIRO),
        "approval:1": Approval(subject=HANA, reason="form", asked_by="endo"), f"kept:{HANA}": Session(),
        f"addresses:{HANA}": Addresses(known=[Address("a", Way.MAIL, "hana@example.com", AddressState.CONFIRMED, 0)]),
        "outbox:h": Outgoing(subject=HANA, operation="login", trace=[Hop(1, "tried", "250")]), "outbox:j": Outgoing(subject=JIRO),
    }))
    for customer in (HANA, JIRO):
        for n in range(3):
            await house.enter(await house.begin(f"procedure:{customer}-{n}", customer=customer), "wrong")
    flying, _ = await house.reserve(await house.begin("procedure:x", operation="login", customer="customer:3"))
    return flying


def test_all_that_is_held_about_a_subject_is_told_and_nothing_about_another(kept):
    async def story():
        async with House(kept.open(), POLICY) as house:
            await a_life(house)
            shown = await export(house.ledger, house.store, HANA, "ito")
            assert shown["counts"] == {"c": {"wrong": 3, "in_flight": 0}} and [one["row"] for one in shown["locks"]] == ["R"]
            assert shown["links"] == {"account": "account:1"} and shown["linked_from"] == ["account:1"]
            assert shown["items_set"] == ["password"] and len(shown["sessions"]) == 1 and len(shown["runs"]) == 3
            assert [one["asked_by"] for one in shown["releases"]] == ["endo"]
            assert [one["address"] for one in shown["addresses"]] == ["hana@example.com"]
            assert [one["course"][0]["what"] for one in shown["messages"]] == ["tried"]
            assert shown["also_held"] == ["addresses", "kept"]
            assert [one["kind"] for one in shown["events"]].count("entry-wrong") == 3 and shown["events"][0]["kind"] == "personal-exported"
            assert [one["kind"] for one in shown["told_to_channels"]] == ["lock-set"]
            text = json.dumps(shown, default=repr)
            assert JIRO not in text and repr(SECRET)[2:-1] not in text and "session:" not in text
    told(story())


def test_whoever_is_not_known_is_told_nothing_of_others_who_share_a_bucket(kept):
    async def story():
        async with House(kept.open(), POLICY) as house:
            await house.enter(await house.begin("procedure:1", customer="customer:nobody"), "wrong")
            shown = await export(house.ledger, house.store, "customer:nobody", "ito")
            assert shown["known"] is False and shown["counts"] == {} and len(shown["runs"]) == 1
            with pytest.raises(CallerError):
                await held(house.store, "nobody")
    told(story())


def test_erased_no_row_names_the_subject_and_everybody_elses_stand(kept):
    async def story():
        async with House(kept.open(), POLICY) as house:
            await a_life(house)
            others = {key: body for key, body in await house.store.rows("", "", 100) if JIRO in key or key in {"session:j", "outbox:j", "procedure:x"}}
            await erase(house.ledger, house.store, HANA, "ito", "asked by letter")
            rows = dict(await house.store.rows("", "", 100))
            assert not [key for key, body in rows.items() if HANA in key or HANA.encode() in body]
            assert {key: rows[key] for key in others} == others
            assert (await house.ledger.run(Read("account:2", Guard))).links == {"customer": JIRO}
            event = next(event for event in await events(house.store) if event.kind is EventKind.PERSONAL_ERASED)
            assert (event.operator, event.reason) == ("ito", "asked by letter")
            await links(house.store)
            assert await held(house.store, HANA) == await erase(house.ledger, house.store, HANA, "ito", "again")
    told(story())


def test_a_guess_in_flight_stays_until_it_has_its_verdict(kept):
    """Else the counts of others that it was taken from would wait for it for ever."""
    async def story():
        async with House(kept.open(), POLICY) as house:
            await house.enrol(HANA)
            name, said = await house.reserve(await house.begin("procedure:1", customer=HANA))
            found = await erase(house.ledger, house.store, HANA, "ito", "asked")
            assert said == "granted" and found.flying == 1
            await house.settle(name, "wrong")
            found = await erase(house.ledger, house.store, HANA, "ito", "asked")
            assert found.flying == 0 and len(found.guesses) == 1
            assert HANA.encode() not in b"".join(body for _, body in await house.store.rows("", "", 100))
    told(story())


def test_who_comes_back_starts_clean(kept):
    async def story():
        async with House(kept.open(), POLICY) as house:
            await a_life(house)
            await erase(house.ledger, house.store, HANA, "ito", "asked")
            await house.enrol(HANA)
            assert await house.count(HANA) == (0, 0) and await house.locks(HANA) == []
    told(story())


def test_the_commands(bank):
    async def once():
        async with (await bank.app()).running() as app:
            ito = Operator("ito", Role.ADMIN)
            await app.desk.enrol(app.table, HANA, Enrolment(links={"account": "account:1"}), ito)
            await app.desk.set_item(app.table, HANA, "login-password", ItemSetting(secret="correct horse 8"), ito)

    told(once())
    shown = bank.tells("personal", "export", "--subject", HANA, "--operator", "ito")
    assert shown["items_set"] == ["login-password"] and {one["operator"] for one in shown["events"]} == {"ito"}
    said = bank.says("personal", "erase", "--subject", HANA, "--operator", "ito", "--reason", "asked by letter")
    assert "2 rows erased" in said and "linked to account:1" in said
    assert "is not held" in bank.says("personal", "erase", "--subject", HANA, "--operator", "ito", "--reason", "again")
    assert bank.says("audit", "verify").strip().endswith("whole")
    bank.says("personal", "export", "--subject", "nonsense", "--operator", "ito", code=2)
