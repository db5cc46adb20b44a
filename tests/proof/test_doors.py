"""How much a way back asks for: what stands under `needs:` counts only where the customer is really asked for it."""

import pytest
from good_policies import good, loaded, text

from sekisho.policy import compile_policy
from sekisho.proof.doors import door_findings, strength

SEED = 3


def with_a_way_back(*steps, in_session=True, needs=("password", "token")):
    """A good policy whose token is unlocked by the customer himself."""
    file = good(SEED)
    file["operations"]["unlock"] = {
        **text("トークンの再開", "Unlock the token"), "for": "customer", "in_session": in_session, "steps": [*steps],
        "items": {item: {"row": f"U-{item}", "stages": ["others"]} for item in ("password", "token", "mail-code") if item in str(steps)}}
    file["procedures"]["unlock"] = {
        "kind": "procedure", "operation": "unlock", **text("自分で再開する", "Unlock it oneself"), "needs": [*needs], "clears": ["transfer"]}
    file["operations"]["transfer"]["items"]["token"]["stages"][1]["undo"].insert(0, "unlock")
    return compile_policy(loaded(file))


@pytest.mark.parametrize(("steps", "in_session", "asks_for"), [
    (["number", "password", "mail-code"], False, 2),      # the token is named, and nobody is asked for it
    (["number", "password", "token"], False, 3),
    (["mail-code"], True, 2),                             # the login before it asks for the password
    (["token"], True, 3),
    (["number", "mail-code"], False, 0),                  # no login before it
])
def test_an_item_counts_where_it_is_asked_for(steps, in_session, asks_for):
    table = with_a_way_back(*steps, in_session=in_session)
    assert strength(table, table.paths["unlock"]) == asks_for


def test_where_any_one_will_do_the_weakest_counts():
    table = with_a_way_back("number", ["password", "token"], in_session=False, needs=["token"])
    assert strength(table, table.paths["unlock"]) == 2


@pytest.mark.parametrize(("steps", "found"), [(["number", "password"], {"weaker-release"}), (["number", "password", "token"], set())])
def test_a_way_back_that_names_more_than_it_asks_for_is_found(steps, found):
    table = with_a_way_back(*steps, in_session=False)
    assert {one.code.value for one in door_findings(table) if one.row == "T-transfer"} == found
