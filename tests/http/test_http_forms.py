"""Paper: a form that has come in, entered by one, approved by another, carried out by the approval; its letter is read by nobody."""

import asyncio
import io
import json
import re
from urllib.parse import quote

import pytest
from bankside import MODES, Service, nobody, person, told
from pypdf import PdfReader

from sekisho.adapters.channels import Inbox
from sekisho.adapters.sheet import sheet
from sekisho.adapters.spool import Spool
from sekisho.errors import CallerError
from sekisho.policy import reference
from sekisho.ports import Handed, Message
from sekisho.terms import Way


def enter(service, subject, form, by="endo", **more):
    """Enter a form that has come in."""
    headers = {"idempotency_key": more.pop("key")} if "key" in more else {}
    return service.post(f"/v1/staff/subjects/{quote(subject, safe='')}/forms", {"form": form, "reason": "form of 22 November", **more}, by, **headers)


def carried_out(service, subject, form, **more):
    """Entered by one, approved by another; what it brought about."""
    asked = enter(service, subject, form, **more)
    assert asked.status_code == 202, asked.text
    done = service.approve(asked, by="fujii")
    assert done.status_code == 200, done.text
    return done.json()


def letters(service, subject):
    """What stands in the letters to a subject, the newest first."""
    return [re.search(r"\d{4,12}", one.body)[0] for one in service.received(subject, "letter")]


def problem(answer):
    assert answer.status_code in {403, 404, 409, 422}, answer.text
    return answer.json()["type"].rpartition("/")[2]


def logs_in(service, customer, password):
    run = MODES["verify"](service).run("login", customer)
    return run.proof("login-password", password)["outcome"] == "right"


def locked(service, **changes):
    hana = service.customer(**changes)
    MODES["count"](service).run("login", hana).wrong("login-password", times=10)
    return hana


# -- F1 ①


def test_Y_LOGIN_3_form_1_1_brings_a_first_password_by_letter(service, verify):
    """The lock is gone, the letter's password lets in and the old one does not; Y-LOGIN-2 applies to it."""
    hana = locked(service)
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]
    done = carried_out(service, hana.subject, "form-1-1")
    assert done == {"lock": None, "path": "form-1-1", "lifted": ["Y-LOGIN-3"], "letters": ["login-password"], "by_bank": []}
    (password,) = letters(service, hana.subject)
    assert len(password) == 12 and logs_in(service, hana, password) and not logs_in(service, hana, hana.password)
    verify.run("login", hana).wrong("login-password", times=10)
    assert service.locks(hana.subject) == ["Y-LOGIN-2"]


def test_form_1_1_helps_who_has_only_forgotten_his_password(service):
    """No lock stands: the letter comes all the same, and its sessions' rows are as they were."""
    hana = service.customer()
    assert carried_out(service, hana.subject, "form-1-1")["lifted"] == []
    assert logs_in(service, hana, letters(service, hana.subject)[0])


def test_form_1_1_lifts_what_stands_on_the_account_too(service):
    """The pairs of a year are counted on the account; the form is the customer's."""
    hana = service.customer()
    service.put(hana.account_subject, {"counts": {"number-pairs-a-year": 99}}, "card-pin")
    MODES["verify"](service).run("reset-password", hana, named=False).wrong("number-pair")
    assert service.locks(hana.account_subject) == ["number-pairs-a-year"]
    assert carried_out(service, hana.subject, "form-1-1")["lifted"] == ["number-pairs-a-year"]
    assert service.locks(hana.account_subject) == []


def test_a_lock_released_by_a_form_is_that_form(service):
    """`releases` with a form's path enters it: letter and all."""
    hana = locked(service)
    asked = service.release(hana.subject, "form-1-1")
    assert service.approve(asked, by="fujii").json()["letters"] == ["login-password"]
    assert logs_in(service, hana, letters(service, hana.subject)[0])


def test_nobody_but_the_customer_reads_the_letter(service, caplog):
    """It stands in no answer, no event, no log and no file; once it is handed over nobody can make it again."""
    caplog.set_level("DEBUG")
    hana = locked(service)
    heard = json.dumps(carried_out(service, hana.subject, "form-1-1"))
    (secret,) = letters(service, hana.subject)
    heard += "".join(json.dumps(service.view(hana.subject, by)) for by in ("aoki", "endo", "ito", "goto"))
    heard += service.get("/v1/staff/forms", "fujii").text + str(service.events())
    files = b"".join(path.read_bytes() for path in service.folder.iterdir() if path.is_file())
    assert secret not in heard + caplog.text and secret.encode() not in files
    assert service.do(service.app.outbox.deliver()) == 0


# -- F1 ⑤


def test_F1_5_lifts_legacy_suspensions_and_the_emergency_stop(service):
    """Y-ABOLISHED-1, Y-ABOLISHED-2 and M-STOP-1, all of them by one paper; it gives nothing."""
    hana = service.customer("token-otp")
    service.put(hana.subject, {"locks": [{"row": "Y-ABOLISHED-1"}]}, "direct-pin")
    service.put(hana.subject, {"locks": [{"row": "Y-ABOLISHED-2"}]}, "secret-word")
    service.post("/v1/stops", {"subject": hana.subject, "known_by": "known-device"})
    done = carried_out(service, hana.subject, "form-1-5")
    assert sorted(done["lifted"]) == ["M-STOP-1", "Y-ABOLISHED-1", "Y-ABOLISHED-2"] and done["letters"] == []
    assert service.locks(hana.subject) == []
    assert MODES["verify"](service).run("transfer", hana).right("token-otp")["outcome"] == "right"


def test_F1_5_where_nothing_is_suspended_is_refused(service):
    assert problem(enter(service, service.customer().subject, "form-1-5")) == "nothing-to-do"


# -- F2


@pytest.mark.parametrize(("form", "item", "row"), [
    ("form-2-pin", "telephone-pin", "Y-PHONE-1"), ("form-2-number", "telephone-user-number", "Y-PHONE-2"),
], ids=["Y_PHONE_1", "Y_PHONE_2"])
@pytest.mark.parametrize("whose", ["subject", "account_subject"])
def test_F2_brings_a_new_one_by_letter(service, verify, form, item, row, whose):
    """Entered for the account or for its holder; what the account had before is right no more."""
    hana = service.customer("telephone-pin", "telephone-user-number")
    verify.run("telephone-service", hana).wrong(item, times=5)
    assert service.locks(hana.account_subject) == [row]
    done = carried_out(service, getattr(hana, whose), form)
    assert (done["lifted"], done["letters"]) == ([row], [item])
    (new,) = letters(service, hana.account_subject)
    run = verify.run("telephone-service", hana)
    run.reach(item)
    assert run.proof(item, new)["outcome"] == "right"


# -- F3


def test_F3_begins_a_contract(service, verify):
    """A new customer number, a first password by letter, and the mail addresses that he signed for."""
    yuki = service.account()
    verify.run("web-application", yuki).wrong("card-pin", times=4)
    done = carried_out(service, yuki.account_subject, "form-3", customer=yuki.subject, addresses=list(yuki.mails))
    assert done["letters"] == ["login-password"]
    seen = service.view(yuki.subject, by="endo")
    assert seen["links"] == {"account": yuki.account_subject} and "first-time:login-password" in seen["flags"]
    assert [one["address"] for one in seen["addresses"]] == list(yuki.mails)
    assert service.view(yuki.account_subject)["links"] == {"customer": yuki.subject}
    assert logs_in(service, yuki, letters(service, yuki.subject)[0])
    assert service.locks(yuki.account_subject) == ["Y-APPLY-2"] * 2, "the card stays locked"


def test_F3_opens_again_what_the_article_leaves_to_paper(service, verify):
    """Applications that too many codes have closed."""
    hana = service.customer("basic-data", "card-pin")
    service.put(hana.account_subject, {"counts": {"identity-confirmations-a-year": 99}}, "identity-confirmation")
    verify.run("reapply", hana).wrong("identity-confirmation")
    assert "identity-confirmations-a-year" in service.locks(hana.account_subject)
    assert carried_out(service, hana.account_subject, "form-3", addresses=["again@example.com"])["lifted"] == ["identity-confirmations-a-year"]
    assert [one["address"] for one in service.view(hana.subject, by="endo")["addresses"]] == ["again@example.com"]


@pytest.mark.parametrize(("more", "says"), [
    ({}, "needs-customer"), ({"customer": "account:10000-1"}, "needs-customer"), ({"customer": "taken"}, "customer-taken"),
    ({"customer": "free", "addresses": ["a@example.com"] * 2}, "no-addresses"), ({"customer": "free", "addresses": ["nobody"]}, "no-addresses"),
    ({"customer": "nonsense"}, "not-in-policy"),
])
def test_F3_says_what_it_lacks(service, more, says):
    names = {"taken": service.customer().subject, "free": person().subject}
    more = {name: names.get(value, value) if name == "customer" else value for name, value in more.items()}
    assert problem(enter(service, service.account().account_subject, "form-3", **more)) == says


# -- F4


def test_Y_ABOLISHED_3_F4_puts_the_exemption_on_file(service, verify):
    """From then on a code by mail is an entry of a transfer for this customer, and for no other."""
    hana = service.customer()
    ask = ("token-otp", "app-passcode", "passkey")
    run = verify.run("transfer", hana)
    run.right("amount-and-payee")
    assert run.asks() == list(ask)
    assert carried_out(service, hana.subject, "form-4")["lifted"] == []
    assert "exemption:impaired-sight" in service.view(hana.subject)["flags"]
    again = verify.run("transfer", hana)
    again.right("amount-and-payee")
    assert sorted(again.asks()) == sorted([*ask, "mail-otp"]) and again.right("mail-otp")["message"] == "done"


# -- who may, and what is refused


@pytest.mark.parametrize(("subject", "form", "by", "says"), [
    ("hana", "form-1-1", "aoki", "needs-role"), ("hana", "form-1-1", "chiba", "needs-role"), ("hana", "form-1-1", "goto", "role"),
    ("nobody", "form-1-1", "endo", "not-enrolled"), ("hana", "form-9", "endo", "no-such-form"), ("hana", "reset-password", "endo", "no-such-form"),
    ("hana", "form-4", "aoki", "needs-role"), ("account", "form-4", "endo", "no-holder"), ("account", "form-2-pin", "endo", None),
])
def test_what_is_refused_says_why(service, subject, form, by, says):
    """And nothing of it is on record."""
    named = {"hana": service.customer, "nobody": nobody, "account": service.account}[subject]()
    whose = named.account_subject if subject == "account" else named.subject
    answer = enter(service, whose, form, by)
    if says is None:
        assert answer.status_code == 202
        return
    assert says in problem(answer)
    assert service.view(whose)["forms"] == []


def test_a_form_for_another_lock_is_refused(service):
    """The lock is told by name, and this form does not lift it."""
    hana = locked(service)
    lock = service.lock(hana.subject)["id"]
    assert problem(enter(service, hana.subject, "form-1-5", lock=lock)) == "path-does-not-lift"
    assert problem(enter(service, hana.subject, "form-1-1", lock="none")) == "no-such-lock"
    assert problem(enter(service, hana.subject, "form-1-1", customer=person().subject)) == "contract-stands"
    assert problem(enter(service, hana.subject, "form-1-1", addresses=["a@example.com"])) == "takes-no-addresses"
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]


def test_two_persons_are_two_persons(service):
    """Not the one who entered it, not another role, and only once."""
    hana = locked(service)
    asked = enter(service, hana.subject, "form-1-1")
    assert problem(service.approve(asked, by="endo")) == "same-person"
    assert problem(service.approve(asked, by="chiba")) == "needs-role"
    assert service.locks(hana.subject) == ["Y-LOGIN-3"] and letters(service, hana.subject) == []
    assert service.approve(asked, by="fujii").status_code == 200
    assert problem(service.approve(asked, by="fujii")) == "carried-out-already"
    assert len(letters(service, hana.subject)) == 1


def test_two_approvals_at_once_write_one_letter(service):
    hana = locked(service)
    path = f"/v1/staff/approvals/{enter(service, hana.subject, 'form-1-1').json()['approval']}"
    answers = service.together(*(service.send("POST", path, None, "fujii") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(letters(service, hana.subject)) == 1


def test_forms_in_progress_are_seen(service):
    """Of all subjects and of one: who entered what, how far it is, and the course of its letter."""
    hana = locked(service)
    asked = enter(service, hana.subject, "form-1-1", evidence="archive 17").json()["approval"]
    waiting = service.get("/v1/staff/forms", "aoki").json()["forms"]
    assert [(one["subject"], one["path"], one["asked_by"], one["evidence"]) for one in waiting if one["approval"] == asked] == [
        (hana.subject, "form-1-1", "endo", "archive 17")]
    (form,) = service.view(hana.subject)["forms"]
    assert (form["form"], form["state"], form["entered_by"], form["letters"]) == ("form-1-1", "waiting", "endo", [])
    assert problem(enter(service, hana.subject, "form-1-1", by="fujii")) == "waits-already"
    service.post(f"/v1/staff/approvals/{asked}", None, "fujii")
    letters(service, hana.subject)
    (form,) = service.view(hana.subject)["forms"]
    assert (form["state"], form["closed_by"], form["lifted"]) == ("done", "fujii", ["Y-LOGIN-3"])
    assert form["letters"] == [{"item": "login-password", "course": "handed-over"}]
    assert all(one["approval"] != asked for one in service.get("/v1/staff/forms", "aoki").json()["forms"])


def test_a_withdrawn_form_does_nothing(service):
    """By whoever may enter it, with a reason; then it can be entered anew."""
    hana = locked(service)
    asked = enter(service, hana.subject, "form-1-1")
    path = f"/v1/staff/forms/{asked.json()['approval']}/withdrawal"
    assert problem(service.post(path, {"reason": "wrong customer"}, "chiba")) == "needs-role"
    answer = service.post(path, {"reason": "wrong customer"}, "fujii")
    assert answer.json() == {"approval": asked.json()["approval"], "form": "form-1-1", "state": "withdrawn"}
    assert problem(service.approve(asked, by="fujii")) == problem(service.post(path, {"reason": "again"}, "fujii")) == "withdrawn"
    assert service.locks(hana.subject) == ["Y-LOGIN-3"] and letters(service, hana.subject) == []
    (form,) = service.view(hana.subject)["forms"]
    assert (form["state"], form["closed_by"], form["note"]) == ("withdrawn", "fujii", "wrong customer")
    assert problem(service.post("/v1/staff/forms/none/withdrawal", {"reason": "x"}, "fujii")) == "no-such-approval"
    assert enter(service, hana.subject, "form-1-1").status_code == 202


def test_a_form_that_nobody_approves_lapses(service):
    hana = locked(service)
    asked = enter(service, hana.subject, "form-1-1")
    service.passes(4 * 24 * 3600)
    assert problem(service.approve(asked, by="fujii")) == "no-such-approval"
    assert service.view(hana.subject)["forms"][0]["state"] == "lapsed"
    assert enter(service, hana.subject, "form-1-1").status_code == 202


def test_a_form_entered_twice_by_one_request_is_one(service):
    """And the approval too."""
    hana = locked(service)
    first, again = (enter(service, hana.subject, "form-1-1", key="press-1") for _ in range(2))
    assert first.json() == again.json() and len(service.view(hana.subject)["forms"]) == 1
    done = [service.post(f"/v1/staff/approvals/{first.json()['approval']}", None, "fujii", idempotency_key="press-2") for _ in range(2)]
    assert done[0].json() == done[1].json() and len(letters(service, hana.subject)) == 1


def test_every_step_names_its_operators(service):
    """In the subject's own history."""
    hana = locked(service)
    asked = enter(service, hana.subject, "form-1-1")
    service.post(f"/v1/staff/forms/{asked.json()['approval']}/withdrawal", {"reason": "wrong customer"}, "fujii")
    carried_out(service, hana.subject, "form-1-1")
    acts = [(event["kind"], event.get("operator")) for event in service.view(hana.subject)["events"] if event.get("operator")]
    assert acts[:6] == [
        ("form-done", "endo, fujii"), ("letter-made", "endo, fujii"), ("lock-lifted", "endo, fujii"), ("form-entered", "endo"),
        ("form-withdrawn", "fujii"), ("form-entered", "endo"),
    ]


def test_a_letter_waits_for_a_printer_that_is_down(service, monkeypatch):
    """What stands in it is the same when it is printed at last."""
    hana, down = locked(service), True
    box, printed = service.boxes[Way.LETTER], []

    async def send(message):
        printed.append(message.body)
        return Handed(accepted=False, said="out of paper", again=True) if down else await Inbox.send(box, message)

    monkeypatch.setattr(box, "send", send)
    carried_out(service, hana.subject, "form-1-1")
    service.do(service.app.outbox.deliver())
    down = False
    service.passes(60)
    assert logs_in(service, hana, letters(service, hana.subject)[0])
    assert len(set(printed)) == 1 and len(printed) > 1


@pytest.fixture(scope="module")
def printing(tmp_path_factory, cheap_hashes):
    """A service that puts its letters into a folder."""
    folder = tmp_path_factory.mktemp("letters")
    folder.chmod(0o700)
    made = Service(tmp_path_factory.mktemp("printing"), letters=folder)
    yield made, folder
    made.close()


def test_letters_lie_in_a_folder_for_the_printer(printing):
    """One file a letter, for its owner alone, addressed to the customer, in the language that the form says."""
    service, folder = printing
    hana = locked(service)
    carried_out(service, hana.subject, "form-1-1", language="en")
    service.do(service.app.outbox.deliver())
    (letter,) = folder.iterdir()
    printed = PdfReader(letter)
    text = printed.pages[0].extract_text()
    assert letter.stat().st_mode & 0o777 == 0o600 and text.startswith(f"{hana.subject}\nA letter from your bank\n")
    brought = re.search(r"\d{12}", text)[0]
    assert brought not in str(printed.metadata) and logs_in(service, hana, brought)


def test_a_folder_that_others_may_look_into_takes_no_letters(tmp_path):
    """Nor one that is not there."""
    tmp_path.chmod(0o755)
    with pytest.raises(CallerError, match="chmod 700"):
        Spool(tmp_path)
    with pytest.raises(CallerError, match="is not there"):
        Spool(tmp_path / "nowhere")


def test_a_letter_that_is_put_there_twice_is_one(tmp_path):
    """A node that died over it has left half a file: it is written anew."""
    tmp_path.chmod(0o700)
    (tmp_path / "one.part").write_text("half")
    spool, letter = Spool(tmp_path), Message("one", "customer:1", "a letter", "what stands in it", "en")
    assert [asyncio.run(spool.send(letter)).accepted for _ in range(2)] == [True, True]
    assert [file.name for file in tmp_path.iterdir()] == ["one.pdf"]


@pytest.mark.parametrize(("language", "body"), [
    ("ja", "書面でお申し出いただいた、新しい暗証番号をお知らせします。\n\n    4827\n\n" + "長いご案内です。" * 400),
    ("en", "What you asked for <b>& more\n\n    &amp; 4827\n\n" + "a long word and others " * 300),
])
def test_a_letter_is_a_pdf_that_says_every_word_of_it(language, body):
    """Over as many pages as it takes, whatever stands in it; made again it is the same file, so a printer may drop one of two."""
    letter = Message("one", "customer:1", "銀行からのお知らせ", body, language)
    printed = PdfReader(io.BytesIO(sheet(letter)))
    said = "".join("".join(page.extract_text().split()) for page in printed.pages)
    assert said == "".join(f"customer:1{letter.subject}{body}".split()) and len(printed.pages) > 1
    assert printed.trailer["/Root"]["/Lang"] == language and sheet(letter) == sheet(letter)


# -- what a stranger can do, and the way out that the policy declares


def test_A22_a_stranger_who_knows_the_numbers_closes_all_but_paper(service, verify):
    """Without any secret he has login, re-registration and application closed; the declared form lets the customer in again."""
    hana = service.customer("basic-data", "card-pin")
    verify.run("login", hana).wrong("login-password", times=10)
    for _ in range(4):
        verify.run("reset-password", hana).wrong("number-pair", times=3)
    verify.run("reapply", hana).wrong("card-pin", times=4)
    for operation, item in (("login", "login-password"), ("reset-password", "number-pair"), ("reapply", "basic-data")):
        assert verify.run(operation, hana).now(item)["message"].startswith("locked")
    declared = {row: paper.form for paper in service.app.table.paper for row in paper.rows if paper.knows}
    assert {declared[row] for row in service.locks(hana.subject) if row != "Y-RESET-2"} == {"form-1-1"}
    carried_out(service, hana.subject, "form-1-1")
    assert logs_in(service, hana, letters(service, hana.subject)[0])


# -- another policy, another bank


@pytest.fixture(scope="module")
def other_bank(tmp_path_factory, cheap_hashes):
    """The story's bank: one of its forms needs no second person, and one gives a password of six digits."""
    text = reference("major-bank").read_text()
    for old, new in ((
        "  login-password: {kind: password, of: customer,", "  login-password: {kind: password, of: customer, digits: 6,"), (
        "    roles: [back-office]\n    approve: two\n",
        "    roles: [back-office]\n    approve: one\n    holds: {operations: [transfer], for: 24h}\n    tells: [all-channels]\n")):
        assert old in text
        text = text.replace(old, new, 1)
    policy = tmp_path_factory.mktemp("policy") / "other.yaml"
    policy.write_text(text)
    made = Service(tmp_path_factory.mktemp("other"), policy)
    yield made
    made.close()


def test_what_a_form_does_is_read_from_the_policy(other_bank):
    """One person alone, six digits, a lock of that bank's own, and transfers held for a day; the customer is told."""
    hana, before = other_bank.customer(), other_bank.now_in_feed()
    MODES["count"](other_bank).run("login", hana).wrong("login-password", times=10)
    row = other_bank.locks(hana.subject)
    done = enter(other_bank, hana.subject, "form-password")
    assert done.status_code == 200 and done.json()["lifted"] == row and done.json()["letters"] == ["login-password"]
    assert len(letters(other_bank, hana.subject)[0]) == 6
    (held,) = other_bank.view(hana.subject)["locks"]
    assert (held["row"], held["operations"], [path["kind"] for path in held["release"]]) == ("A11", ["transfer"], ["wait"])
    assert ("notice-due", hana.subject) in other_bank.told_since(before)
    other_bank.passes(24 * 3600)
    assert other_bank.locks(hana.subject) == []


def test_what_no_letter_can_bring_is_the_banks_to_give(other_bank):
    """A token."""
    hana = other_bank.customer("token-otp")
    assert other_bank.approve(enter(other_bank, hana.subject, "form-token"), by="fujii").json()["by_bank"] == ["token-otp"]


def test_without_a_printer_the_bank_gives_all_of_it(service, monkeypatch):
    """The lock is lifted, and staff are told what is left to do."""
    hana = locked(service)
    monkeypatch.setattr(service.app.outbox, "carries", lambda way: way is not Way.LETTER)
    done = carried_out(service, hana.subject, "form-1-1")
    assert (done["letters"], done["by_bank"]) == ([], ["login-password"])
    assert logs_in(service, hana, hana.password) and "first-time:login-password" in service.view(hana.subject)["flags"]
    assert told(service.get(f"/v1/procedures/{MODES['verify'](service).run('login', hana).id}"))["state"] == "open"
