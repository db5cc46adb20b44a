"""A lock may have come from a count on another row: an account beside the one in hand, or whoever typed. A way back zeroes that count too."""

from pathlib import Path

import pytest
from bankside import Service, told

SMALL = Path(__file__).parents[1] / "policy" / "small.yaml"
HANA, FIRST, SECOND = "customer:0000000001", "account:10000-1", "account:10000-2"
PIN, PASSWORD = "2580", "correct horse 8"
THERE, HERE = {"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}
LOOK = """
  look:
    ja: 照会
    en: Look
    for: account
    in_session: false
    steps: [pin]
    items:
      pin:
        row: S-LOOK
        stages:
          - {wrong: 3, count: pins, penalty: [{block: login, on: customer}], undo: [reset, paper]}
"""


def small(reach):
    """The small policy, with a PIN whose wrong entries are counted on an account or on whoever types, and lock its customer's login."""
    text = SMALL.read_text(encoding="utf-8")
    text = text.replace("items:\n  number", "items:\n  pin: {kind: pin, of: account, ja: 暗証番号, en: PIN}\n  number")
    return text.replace("counters:\n", f"counters:\n  pins: {{of: {reach}, in_a_row: true}}\n").replace("\nceilings:\n", f"{LOOK}ceilings:\n")


@pytest.fixture(params=["account", "actor"])
def service(request, tmp_path, cheap_hashes):
    (tmp_path / "policy.yaml").write_text(small(request.param), encoding="utf-8")
    made = Service(tmp_path, tmp_path / "policy.yaml")
    made.put(HANA, {"links": {"account": FIRST}})
    made.put(HANA, {"secret": PASSWORD}, "password")
    for account in (FIRST, SECOND):
        made.put(account, {"links": {"customer": HANA}})
        made.put(account, {"secret": PIN}, "pin")
    yield made
    made.close()


def enter(service, operation, subject, item, *proofs, context=THERE):
    """A run with these entries: what was told of the last."""
    run = service.post("/v1/procedures", {"operation": operation, "subject": subject, "context": context}).json()["procedure"]
    answers = [told(service.post(f"/v1/procedures/{run}/attempts", {"item": item, "proof": proof})) for proof in proofs]
    return answers[-1]["outcome"], answers[-1]["message"]


def test_a_way_back_zeroes_a_count_of_another_row(service):
    """Else nobody could enter the item there any more, and no lock would stand that could be lifted."""
    assert enter(service, "look", SECOND, "pin", "0000", "0000", "0000") == ("wrong", "wrong-locked")
    assert service.locks(HANA) == ["S-LOOK"]
    assert enter(service, "reset", HANA, "password", PASSWORD, context=HERE) == ("right", "done")
    assert service.locks(HANA) == []
    assert enter(service, "look", SECOND, "pin", "0000", "0000", PIN) == ("right", "done")
