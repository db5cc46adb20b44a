"""Taking over what another system left, over HTTP: all of it or nothing, and nothing that stands here is made less."""

import base64

import pytest
from argon2.low_level import Type, hash_secret
from bankside import MODES, person

HEADER = "what,subject,name,value,item\n"


def hashed(password, *, memory=512, passes=2, salt=b"sixteen bytes 12"):
    return hash_secret(password.encode(), salt, passes, max(memory, 1024), 1, 32, Type.ID).decode()


def as_csv(*lines):
    return HEADER + "".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines)


def newcomer(*lines, customer=None, **changes):
    """A customer whom nobody has enrolled yet, and the lines that bring him."""
    one = customer or person(**changes)
    return one, [
        ("subject", one.subject), ("link", one.subject, one.account_subject),
        ("subject", one.account_subject), ("link", one.account_subject, one.subject),
        *((what, one.subject, *rest) for what, *rest in lines),
    ]


def sent(service, name, *lines, by="ito", **more):
    return service.post("/v1/staff/imports", {"id": name, "csv": as_csv(*lines), **more}, by)


def faults(answer):
    assert answer.status_code == 422, answer.text
    return [(fault["line"], fault["column"]) for fault in answer.json()["faults"]]


def login(service, customer, verdict="right"):
    return MODES["verify"](service).run("login", customer).enter("login-password", verdict)


def test_a_customer_is_taken_over_whole(service):
    hana, lines = newcomer(("hash", "login-password", hashed("correct horse 8")), ("count", "login-password-in-a-row", "7", "login-password"))
    answer = sent(service, "whole", *lines)
    assert (answer.status_code, answer.json()["state"], answer.json()["subjects"]) == (200, "done", 2)
    assert service.count(hana.subject, "login-password-in-a-row") == 7
    assert service.view(hana.subject)["links"] == {"account": hana.account_subject}
    assert login(service, hana)["outcome"] == "right"


def test_a_count_of_a_known_item_goes_with_its_next_right_entry_and_others_stay(service):
    pw, both = "login-password-in-a-row", (("hash", "login-password", hashed("correct horse 8")),)
    hana, first = newcomer(*both, ("count", pw, "7", "login-password"))
    yuki, second = newcomer(*both, ("count", pw, "7"))
    assert sent(service, "items", *first, *second).status_code == 200
    for customer in (hana, yuki):
        login(service, customer)
    assert (service.count(hana.subject, pw), service.count(yuki.subject, pw)) == (0, 7)


def test_what_was_counted_elsewhere_is_spent_here(service):
    """Nine of ten in a row: one wrong entry is left."""
    hana, lines = newcomer(("hash", "login-password", hashed("correct horse 8")), ("count", "login-password-in-a-row", "9"))
    sent(service, "spent", *lines)
    assert login(service, hana, "wrong")["message"] == "wrong-locked"
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]


def test_Y_ABOLISHED_1_is_taken_over_and_stands_until_its_form_lifts_it(service):
    hana, lines = newcomer(("hash", "login-password", hashed("correct horse 8")), ("lock", "Y-ABOLISHED-1", "2018-11-02T09:00:00+09:00"))
    assert sent(service, "abolished-1", *lines).status_code == 200
    lock = service.lock(hana.subject)
    assert (lock["row"], lock["kind"], lock["since"], lock["until"]) == ("Y-ABOLISHED-1", "suspend", "2018-11-02T00:00:00.000Z", None)
    assert [path["path"] for path in lock["release"]] == ["form-1-5"]
    assert login(service, hana)["outcome"] == "right"
    service.released(hana.subject, "form-1-5")
    assert service.locks(hana.subject) == []


def test_Y_ABOLISHED_2_is_taken_over_and_ends_with_its_form_too(service):
    hana, lines = newcomer(("lock", "Y-ABOLISHED-2", ""))
    sent(service, "abolished-2", *lines)
    assert [path["path"] for path in service.lock(hana.subject)["release"]] == ["reapply", "form-1-5"]
    service.released(hana.subject, "form-1-5")
    assert service.locks(hana.subject) == []


def test_a_lock_of_a_row_of_the_table_is_lifted_with_the_count_it_came_from(service):
    hana, lines = newcomer(("count", "login-password-in-a-row", "10"), ("lock", "Y-LOGIN-3", ""))
    sent(service, "row", *lines)
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]
    service.released(hana.subject, "form-1-1")
    assert (service.locks(hana.subject), service.count(hana.subject, "login-password-in-a-row")) == ([], 0)


def test_a_hash_is_made_anew_at_the_next_right_entry(service):
    hana, lines = newcomer(("hash", "login-password", hashed("correct horse 8")))
    sent(service, "hash", *lines)
    login(service, hana, "wrong")
    assert "secret-renewed" not in kinds(service, hana)
    assert [login(service, hana)["outcome"] for _ in range(2)] == ["right", "right"]
    assert kinds(service, hana).count("secret-renewed") == 1


def kinds(service, customer):
    return [event["kind"] for event in service.view(customer.subject)["events"]]


def test_every_line_that_is_wrong_is_told_and_nothing_is_written(service):
    hana, lines = newcomer()
    wrong = [
        ("subjekt", hana.subject), ("count", hana.subject, "no-such-counter", "3"), ("count", hana.subject, "login-password-in-a-row", "0"),
        ("count", hana.subject, "login-password-in-a-row", "3", "card-pin"), ("lock", hana.subject, "Y-NOTHING-1"),
        ("lock", hana.subject, "Y-ABOLISHED-1", "yesterday"), ("hash", hana.subject, "login-password", "$2b$12$abcdefghijklmnopqrstuv"),
        ("flag", hana.subject, "no-such-flag"), ("subject", "somebody"), ("link", hana.subject, "customer:1"), ("subject", "actor:1"),
        ("count", hana.account_subject, "login-password-in-a-row", "3"),
    ]
    answer = sent(service, "wrong", *lines, *wrong)
    columns = ["what", "name", "value", "item", "name", "value", "value", "name", "subject", "name", "subject", "subject"]
    assert faults(answer) == [(number, column) for number, column in enumerate(columns, 6)]
    assert "abcdefghijklmnopqrstuv" not in answer.text and "yesterday" not in answer.text
    assert not service.view(hana.subject)["known"]
    assert service.get("/v1/staff/imports/wrong", "ito").status_code == 404


def test_lines_that_do_not_fit_together_or_what_stands_are_told_too(service):
    hana = service.customer()
    lines = [
        ("count", "customer:7770001", "login-password-in-a-row", "3"),
        ("hash", hana.subject, "login-password", hashed("another 12")),
        ("link", hana.subject, "account:10000-1"),
        ("lock", hana.subject, "Y-ABOLISHED-1", ""), ("lock", hana.subject, "Y-ABOLISHED-1", ""),
    ]
    assert faults(sent(service, "unfit", *lines)) == [(2, "subject"), (3, "name"), (4, "name"), (6, "what")]
    assert service.locks(hana.subject) == []
    assert sent(service, "unfit", lines[3]).json()["state"] == "done", "the name is free again"


@pytest.mark.parametrize(("stands", "brought", "then"), [(5, 3, 5), (3, 5, 5), (0, 4, 4)])
@pytest.mark.parametrize("item", ["", "login-password"])
def test_an_import_lowers_no_count(service, stands, brought, then, item):
    hana, counter = service.customer(), "login-password-in-a-row"
    for _ in range(stands):
        login(service, hana, "wrong")
    sent(service, f"lower-{stands}-{brought}-{item}", ("count", hana.subject, counter, brought, item))
    assert service.count(hana.subject, counter) == then


def test_an_import_that_is_sent_again_does_nothing_again(service):
    """Not even after what it brought has gone."""
    hana, lines = newcomer(("hash", "login-password", hashed("correct horse 8")), ("count", "login-password-in-a-row", "7", "login-password"))
    sent(service, "again", *lines)
    login(service, hana)
    assert sent(service, "again", *lines).json()["state"] == "done"
    assert service.count(hana.subject, "login-password-in-a-row") == 0


def test_another_import_under_the_same_name_is_refused(service):
    _, lines = newcomer()
    _, others = newcomer()
    sent(service, "name", *lines)
    assert sent(service, "name", *others).json()["type"] == "/problems/import-differs"
    assert sent(service, "name", *lines, parts=2).status_code == 409


def test_an_import_in_parts_is_taken_over_with_the_last_of_them(service):
    hana, lines = newcomer(("lock", "Y-ABOLISHED-1", ""))
    halves = [lines[2:], lines[:2]]
    first = sent(service, "parts", *halves[0], part=2, parts=2)
    assert (first.status_code, first.json()["state"], first.json()["missing"]) == (202, "waiting", [1])
    assert not service.view(hana.subject)["known"]
    assert sent(service, "parts", *halves[1], part=1, parts=2).json()["state"] == "done"
    assert service.locks(hana.subject) == ["Y-ABOLISHED-1"]
    assert service.get("/v1/staff/imports/parts", "endo").json()["subjects"] == 2


def test_what_two_parts_say_is_one_line_too_many_and_the_fault_names_the_part(service):
    _, lines = newcomer()
    sent(service, "overlap", *lines, part=1, parts=2)
    answer = sent(service, "overlap", *lines[:2], part=2, parts=2)
    assert faults(answer) == [(2, "what"), (3, "what")]
    assert [fault["part"] for fault in answer.json()["faults"]] == [2, 2]
    assert "line 2 of part 1 says this already" in answer.json()["faults"][0]["text"]


def test_a_fault_that_a_part_has_by_itself_names_it_at_once(service):
    answer = sent(service, "early", ("subject", "nobody"), part=3, parts=4)
    assert [(fault["part"], fault["line"]) for fault in answer.json()["faults"]] == [(3, 2)]
    assert service.get("/v1/staff/imports/early", "ito").status_code == 404


def test_lines_may_be_sent_as_json_too(service):
    hana, lines = newcomer(("lock", "Y-ABOLISHED-1", ""))
    fields = [dict(zip(("what", "subject", "name", "value"), line, strict=False)) for line in lines]
    assert service.post("/v1/staff/imports", {"id": "json", "lines": fields}, "endo").json()["state"] == "done"
    assert service.locks(hana.subject) == ["Y-ABOLISHED-1"]


def test_every_act_of_an_import_names_its_operator(service):
    hana, lines = newcomer(("lock", "Y-ABOLISHED-1", ""))
    sent(service, "named", *lines, by="ito")
    assert {event["operator"] for event in service.view(hana.subject)["events"]} == {"ito"}


@pytest.mark.parametrize("by", ["bank", "aoki", "chiba", "goto"])
def test_only_admin_and_back_office_may_import(service, by):
    assert sent(service, "forbidden", ("subject", "customer:1"), by=by).status_code == 403


HASH = "$argon2id$v=19$m=1024,t=2,p=1${salt}${digest}"
PARTS = {"salt": base64.b64encode(b"s" * 16).decode().rstrip("="), "digest": base64.b64encode(b"d" * 32).decode().rstrip("=")}


@pytest.mark.parametrize("encoded", [
    HASH.replace("argon2id", "argon2i"), HASH.replace("v=19", "v=16"), HASH.replace("m=1024", "m=4194304"), HASH.replace("m=1024", "m=8"),
    HASH.replace("t=2", "t=1000"), HASH.replace("p=1", "p=64"), HASH.replace("{salt}", "c2FsdA"), HASH.replace("{digest}", "c2FsdA"),
    HASH.replace("{digest}", "===="), HASH + "$", "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
    "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
    "5f4dcc3b5aa765d61d8327deb882cf99", "correct horse 8", "",
])
def test_only_hashes_that_can_be_verified_at_any_time_are_taken_over(service, encoded):
    _, lines = newcomer(("hash", "login-password", encoded.format(**PARTS)))
    answer = sent(service, "kinds", *lines)
    assert faults(answer) == [(6, "value")]
    assert not encoded or encoded.format(**PARTS) not in answer.text
