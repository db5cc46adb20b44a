"""M-DESK-*, M-CALL-1, M-RESET-*, M-DONE-1 over HTTP, on major-bank: from the first call to the next login."""

import re

import pytest
from bankside import DAY, MINUTE, MODES, Service

from sekisho.policy import reference
from sekisho.ports import Handed
from sekisho.terms import Way

HOUR = 60 * MINUTE
TOKYO = 9 * HOUR
REMEDIES = ("receive-list", "spam-folder", "security-software", "other-address")


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    made = Service(tmp_path_factory.mktemp("major"), reference("major-bank"))
    yield made
    made.close()


@pytest.fixture
def hana(service):
    """A customer whose identity is asked for, at noon."""
    at(service, 12 * HOUR)
    return service.customer("card-pin", "token-otp", flags=("identity-demanded",))


def at(service, second):
    """Go on to the next time that the clock in Tokyo shows this second of the day."""
    now_s = service.clock() // 1_000_000 + TOKYO
    service.passes((second - now_s) % DAY)


class Case:
    """One case, as operators work on it."""

    def __init__(self, service, customer, by="aoki", how="telephone"):
        self.service, self.customer = service, customer
        opened = service.post("/v1/staff/cases", {"subject": customer.subject, "matter": "no code by mail arrives", "how": how}, by)
        assert opened.status_code == 201, opened.text
        self.id = opened.json()["case"]

    def post(self, what, body, by="aoki", **headers):
        return self.service.post(f"/v1/staff/cases/{self.id}/{what}", body, by, **headers)

    def note(self, what, text="", by="aoki", **more):
        return self.post("notes", {"what": what, "text": text, **more}, by)

    def look(self, by="aoki"):
        return self.service.get(f"/v1/staff/cases/{self.id}", by).json()

    @property
    def state(self):
        return self.look()["state"]

    def tried(self):
        for remedy in REMEDIES:
            assert self.note("remedy", remedy).status_code == 200
        return self

    def asked(self, item, by="aoki"):
        return self.post("verifications", {"item": item}, by)

    def said(self, item, proof, by="aoki"):
        return self.post("verifications/entries", {"item": item, "proof": proof}, by)

    def verified(self):
        """By a code to the telephone number on file."""
        # What is on its way to the same telephone already, such as a release code, arrives first.
        self.service.do(self.service.app.outbox.deliver())
        sent = self.asked("caller-code")
        assert sent.status_code == 201, sent.text
        heard = self.said("caller-code", self.service.code(self.customer, "telephone"))
        assert heard.json() == {"outcome": "right", "verified": True}, heard.text
        return self

    def ask(self, by="chiba", path="delete-addresses", **headers):
        return self.post("acts", {"path": path, "reason": "no code arrives, all remedies tried"}, by, **headers)

    def deleted(self):
        """By two of second line."""
        asked = self.ask()
        assert asked.status_code == 202, asked.text
        done = self.service.approve(asked, by="doi")
        assert done.status_code == 200, done.text
        self.goes_on()
        return self

    def goes_on(self):
        goes_on(self.service)

    def release_code(self):
        """What the machine has said on the telephone."""
        return next(code for message in self.service.received(self.customer.telephone, "telephone") for code in said_codes(message) if len(code) == 8)


def said_codes(message):
    return [found.replace(" ", "") for found in re.findall(r"\d[\d ]{4,12}\d", message.body)]


def goes_on(service):
    while any([service.do(service.app.recoveries.go_on()), service.do(service.app.outbox.deliver())]):
        pass


def problem(answer):
    return answer.json()["type"].rpartition("/")[2]


def run(service, customer, operation="reset-password"):
    return MODES["verify"](service).run(operation, customer)


def at_release_code(service, customer):
    made = run(service, customer)
    made.reach("release-code")
    assert made.asks() == ["release-code"]
    return made


def to(customer, name):
    return f"{name}-{customer.number}@example.net"


def confirm(service, made, name):
    shown = service.get(f"/v1/procedures/{made.id}/addresses").json()["addresses"]
    assert made.send("address-code", next(one["id"] for one in shown if one["address"][0] == name[0])).status_code == 201
    return made.proof("address-code", service.code_at(to(made.customer, name)))


def registers_again(service, case, *names, password="quiet river 11"):
    made = at_release_code(service, case.customer)
    assert made.proof("release-code", case.release_code())["outcome"] == "right"
    assert made.proof("new-login-password", password)["outcome"] == "right"
    assert made.asks() == ["new-addresses"]
    assert made.proof("new-addresses", " ".join(to(case.customer, name) for name in names))["outcome"] == "right"
    answers = [confirm(service, made, name) for name in names]
    assert answers[-1]["message"] == "done"
    goes_on(service)
    return made


def mails(service, customer):
    return [one["address"] for one in service.view(customer.subject, by="chiba")["addresses"] if one["kind"] == "mail"]


# -- the whole story


def test_M_DONE_1_the_next_login_sends_its_code_to_a_new_address_and_goes_through(service, hana):
    """The demand for identity confirmation outlives the re-registration; transfers are held for a time."""
    case = Case(service, hana).tried().verified().deleted()
    assert case.state == "with-customer"
    assert mails(service, hana) == []
    registers_again(service, case, "new", "other")
    assert case.state == "recovered"
    assert mails(service, hana) == [to(hana, "new"), to(hana, "other")]
    login = run(service, hana, "login")
    assert login.proof("login-password", "quiet river 11")["next"] == [{"item": "risk-code", "kind": "code"}]
    assert login.send("risk-code").status_code == 201
    assert login.proof("risk-code", service.code_at(to(hana, "new")))["message"] == "done"
    assert service.locks(hana.subject) == ["A11"]
    service.passes(DAY)
    assert service.locks(hana.subject) == []


# -- first line


def test_M_DESK_1_first_line_sees_the_state_and_opens_a_case_that_two_operators_share(service, hana):
    case = Case(service, hana)
    assert (case.look()["owner"], case.state) == ("aoki", "open")
    assert case.note("owner", by="chiba").status_code == 200
    assert case.note("remark", "says he has another address").status_code == 200
    assert (case.look()["owner"], [note["by"] for note in case.look()["notes"]]) == ("chiba", ["aoki", "chiba", "aoki"])
    seen = service.view(hana.subject)
    assert all("•" in one["address"] for one in seen["addresses"]) and seen["flags"]


@pytest.mark.parametrize(("path", "why"), [
    ("delete-addresses", "needs-role"), ("lift-stop", "needs-role"), ("form-password", "needs-role"), ("reset-password", "customer-himself"),
    ("wait", "customer-himself"), ("nothing", "no-such-path"),
])
def test_M_DESK_1_first_line_changes_nothing_of_a_customers(service, hana, path, why):
    case = Case(service, hana).tried().verified()
    before = service.view(hana.subject, by="chiba")["addresses"]
    no = case.ask(by="aoki", path=path)
    assert (no.status_code in {403, 409}, problem(no)) == (True, why)
    assert service.view(hana.subject, by="chiba")["addresses"] == before


@pytest.mark.parametrize(("method", "path", "body"), [
    ("PUT", "/v1/staff/subjects/{subject}", {"flags": []}), ("PUT", "/v1/staff/subjects/{subject}/items/login-password", {"secret": "mine now 12"}),
])
def test_M_DESK_1_first_line_enrols_and_sets_nothing(service, hana, method, path, body):
    for operator in ("aoki", "chiba"):
        assert problem(service.call(method, path.format(subject=hana.subject), body, operator)) == "wrong-role"


def test_M_DESK_1_the_emergency_stop_is_what_first_line_may_do(service, hana):
    stopped = service.post(f"/v1/staff/subjects/{hana.subject}/stops", {"reason": "he telephoned", "known_by": "number-on-file"}, "aoki")
    assert stopped.json()["outcome"] == "stopped" and service.locks(hana.subject) == ["M-STOP-1"]


@pytest.mark.parametrize("by", ["endo", "goto", "ito"])
def test_M_DESK_1_nobody_else_works_on_cases(service, hana, by):
    case = Case(service, hana)
    assert problem(case.note("remark", "x", by=by)) == "wrong-role"
    assert problem(service.post("/v1/staff/cases", {"subject": hana.subject, "matter": "x", "how": "telephone"}, by)) == "wrong-role"
    assert case.look(by)["state"] == "open"


# -- who telephones


def test_M_DESK_2_knowing_everything_verifies_nobody(service, hana):
    """Number, account, birthday, password, PIN: nothing that somebody can know is asked for."""
    case = Case(service, hana).tried()
    case.asked("caller-code")
    for proof in (hana.password, hana.card_pin, hana.birth):
        assert case.said("caller-code", proof).json() == {"outcome": "wrong", "verified": False}
    assert problem(case.ask()) == "case-lacks"


def test_M_DESK_2_failures_are_counted_like_any_item_over_all_ways(service, hana):
    """Three end the run, six in a row close the verification for a day; another case and another way bring no guess."""
    outcomes = []
    for _ in range(3):
        case = Case(service, hana)
        if case.asked("caller-code").status_code != 201:
            break
        outcomes += [case.said("caller-code", "000000").json()["outcome"] for _ in range(3)]
    assert outcomes == ["wrong"] * 6
    assert service.locks(hana.subject) == ["M-DESK-2"]
    assert problem(Case(service, hana).asked("caller-in-session")) == "caller-locked"
    service.passes(DAY + MINUTE)
    Case(service, hana).verified()


def test_M_DESK_2_a_right_code_that_comes_too_late_in_the_count_is_not_looked_at(service, hana):
    case = Case(service, hana)
    case.asked("caller-code")
    code = service.code(hana, "telephone")
    for _ in range(3):
        case.said("caller-code", "000000")
    assert case.said("caller-code", code).json() == {"outcome": "refused", "verified": False}


def test_M_DESK_2_a_number_changed_within_thirty_days_verifies_nobody(service, hana):
    changed = {"kind": "telephone", "to": "+81 90-1111-2222", "state": "confirmed"}
    service.put(hana.account_subject, {"links": {"customer": hana.subject}, "addresses": [changed]})
    case = Case(service, hana).tried()
    assert problem(case.asked("caller-code")) == "no-channel"
    service.passes(31 * DAY)
    assert case.asked("caller-code").status_code == 201


def test_M_DESK_2_no_channel_begins_the_verification_or_counts_on_it(service, hana):
    begun = service.post("/v1/procedures", {"operation": "identify-caller", "subject": hana.subject})
    held = service.post("/v1/reservations", {"operation": "identify-caller", "item": "caller-code", "subject": hana.subject})
    assert (begun.status_code, held.status_code) == (422, 422)
    case = Case(service, hana)
    case.asked("caller-code")
    assert service.get(f"/v1/procedures/{case.look()['verification']}").status_code == 404


def in_session(service, customer):
    """A live session: identity confirmed, by a code to an address on file."""
    login = run(service, customer, "login")
    login.reach("risk-code")
    return login.right("risk-code")["session"]


def test_M_DESK_2_who_holds_a_live_session_enters_the_number_he_is_read(service, hana):
    session = in_session(service, hana)
    case = Case(service, hana).tried()
    assert service.get(f"/v1/sessions/{session}/approvals").json() == {"waits": False}
    number = case.asked("caller-in-session").json()["number"]
    assert service.get(f"/v1/sessions/{session}/approvals").json() == {"waits": True}
    assert problem(case.said("caller-in-session", number)) == "customer-himself"
    assert service.post(f"/v1/sessions/{session}/approvals", {"number": "000000"}).json()["outcome"] == "wrong"
    assert service.post(f"/v1/sessions/{session}/approvals", {"number": number}).json() == {"outcome": "right", "verified": True}
    assert case.look()["verified"]["how"] == "in-session"


def test_A11_in_the_app_the_release_code_is_shown_in_that_session_alone(service, hana):
    session = in_session(service, hana)
    case = Case(service, hana).tried()
    service.post(f"/v1/sessions/{session}/approvals", {"number": case.asked("caller-in-session").json()["number"]})
    case.deleted()
    shown = service.get(f"/v1/sessions/{session}/release-code").json()["code"]
    assert service.get(f"/v1/sessions/{session}/release-code", by="other bank").status_code == 404
    assert at_release_code(service, hana).proof("release-code", shown)["outcome"] == "right"
    assert service.get(f"/v1/sessions/{session}/release-code").status_code == 404


def test_M_DESK_2_anothers_session_approves_nothing(service, hana):
    yuki = service.customer("card-pin", flags=("identity-demanded",))
    session, case = in_session(service, yuki), Case(service, hana)
    number = case.asked("caller-in-session").json()["number"]
    assert service.post(f"/v1/sessions/{session}/approvals", {"number": number}).json() == {"outcome": "refused", "verified": False}
    assert service.post(f"/v1/sessions/{session}/approvals", {"number": number}, by="other bank").status_code == 404


def test_M_DESK_4_who_writes_reaches_the_same_desk_with_the_same_verification(service, hana):
    case = Case(service, hana, how="writing").tried()
    assert problem(case.ask()) == "case-lacks"
    case.verified().deleted()
    assert (case.look()["how"], case.state) == ("writing", "with-customer")


def written(service, customer):
    """A matter in writing, of somebody who was verified, whose addresses were deleted."""
    return Case(service, customer, how="writing").tried().verified().deleted()


def posted_code(service, customer):
    """What stands in the customer's letter, and how often it is there."""
    codes = {code for one in service.received(customer.subject, "letter") for code in said_codes(one) if len(code) == 8}
    assert len(codes) == 1, "one letter, and both languages of it say the same"
    return codes.pop()


def test_A11_whoever_writes_gets_the_release_code_by_letter_and_no_machine_says_it(service, hana):
    """With it he registers again and is in."""
    case = written(service, hana)
    code = posted_code(service, hana)
    assert code not in {said for one in service.received(hana.telephone, "telephone") for said in said_codes(one)}
    made = at_release_code(service, hana)
    assert made.proof("release-code", code)["outcome"] == "right"
    assert made.proof("new-login-password", "quiet river 11")["outcome"] == "right"
    assert made.proof("new-addresses", to(hana, "new"))["outcome"] == "right"
    assert confirm(service, made, "new")["message"] == "done"
    goes_on(service)
    assert case.state == "recovered"


def test_A11_nobody_at_the_bank_reads_the_letter_nor_any_log(service, hana, caplog):
    with caplog.at_level("DEBUG"):
        case, since = written(service, hana), service.now_in_feed()
        code = posted_code(service, hana)
    seen = [service.get(path, by) for by in ("aoki", "chiba", "doi", "endo", "goto", "ito") for path in (
        f"/v1/staff/cases/{case.id}", f"/v1/staff/subjects/{hana.subject}", f"/v1/staff/subjects/{hana.subject}/deliveries")]
    seen += [service.get(path) for path in (f"/v1/events?after={since}", "/openapi.json")]
    said = "".join(one.text for one in seen) + caplog.text
    assert code not in said.replace(" ", "")
    assert "code-by-letter" in {note["what"] for note in case.look()["notes"]}, "that it goes by letter is seen"


def test_A11_by_post_it_lives_as_the_policy_says_of_letters(service, hana):
    """Three weeks, and not the day of what a machine says."""
    case = written(service, hana)
    code = posted_code(service, hana)
    service.passes(21 * DAY - MINUTE)
    goes_on(service)
    assert case.state == "with-customer"
    made = at_release_code(service, hana)
    service.passes(MINUTE)
    assert made.proof("release-code", code)["message"] == "no-code"
    goes_on(service)
    assert (case.state, mails(service, hana)) == ("open", list(hana.mails))


def test_M_STOP_1_a_release_code_is_good_for_nothing_once_the_customer_is_stopped(service, hana):
    """The desk has the case again, and the addresses are as they were."""
    case = written(service, hana)
    code = posted_code(service, hana)
    assert service.post("/v1/stops", {"subject": hana.subject, "known_by": "number-on-file"}).json()["outcome"] == "stopped"
    assert at_release_code(service, hana).proof("release-code", code)["message"] == "no-code"
    goes_on(service)
    assert (case.state, mails(service, hana)) == ("open", list(hana.mails))


def test_A11_whoever_writes_in_a_live_session_reads_it_there(service, hana):
    session = in_session(service, hana)
    case = Case(service, hana, how="writing").tried()
    service.post(f"/v1/sessions/{session}/approvals", {"number": case.asked("caller-in-session").json()["number"]})
    case.deleted()
    assert service.get(f"/v1/sessions/{session}/release-code").is_success
    assert not [code for one in service.received(hana.subject, "letter") for code in said_codes(one) if len(code) == 8]


def test_A11_where_no_letters_go_out_a_machine_says_it_to_whoever_writes(service, hana, monkeypatch):
    monkeypatch.setattr(service.app.outbox, "_carried", frozenset({Way.MAIL, Way.TELEPHONE}))
    code = written(service, hana).release_code()
    assert at_release_code(service, hana).proof("release-code", code)["outcome"] == "right"


# -- call-backs


def test_M_CALL_1_the_word_is_asked_only_after_the_number_on_file_was_rung(service, hana):
    """Who rings up by himself and knows the word is not verified by it."""
    case = Case(service, hana).tried()
    assert case.note("agreed-word", "plum blossom").status_code == 200
    assert problem(case.asked("call-back-word")) == "not-reached"
    assert case.note("reached").status_code == 200
    assert case.asked("call-back-word").status_code == 201
    assert case.said("call-back-word", "cherry").json()["outcome"] == "wrong"
    assert case.said("call-back-word", "plum blossom").json()["verified"]


def test_M_CALL_1_the_word_stands_in_no_view(service, hana):
    case = Case(service, hana)
    case.note("agreed-word", "plum blossom")
    assert "plum" not in service.get(f"/v1/staff/cases/{case.id}", "chiba").text


def test_M_CALL_1_some_time_after_the_call_the_word_is_good_for_nothing(service, hana):
    case = Case(service, hana)
    case.note("agreed-word", "plum blossom")
    case.note("reached")
    service.passes(20 * MINUTE)
    assert problem(case.asked("call-back-word")) == "not-reached"


def test_M_CALL_1_missed_twice_the_case_stays_open_with_an_owner(service, hana):
    case = Case(service, hana)
    case.note("missed", by="chiba")
    assert case.look()["call_back"] is not None
    case.note("missed", by="chiba")
    assert (case.look()["call_back"], case.state, case.look()["owner"], case.look()["missed"]) == (None, "open", "aoki", 2)
    assert case.id in [one["case"] for one in service.get("/v1/staff/cases", "chiba").json()["cases"]]


# -- second line


@pytest.mark.parametrize(("second", "done"), [
    (9 * HOUR - 1, False), (9 * HOUR, True), (21 * HOUR - 1, True), (21 * HOUR, False), (0, False),
])
def test_M_DESK_2_from_nine_up_to_twenty_one_when_the_act_is_done(service, hana, second, done, monkeypatch):
    """The clock stands still at the second in question."""
    case = Case(service, hana).tried().verified()
    at(service, second)
    stands = service.clock() // 1_000_000 * 1_000_000
    with monkeypatch.context() as patch:
        patch.setattr(service.app.store, "_clock", lambda: stands)
        asked = case.ask()
    assert (asked.status_code == 202) is done, asked.text
    if not done:
        assert problem(asked) == "outside-hours"
        assert case.look()["call_back"][11:] == "00:00:00.000Z"


def test_M_DESK_2_the_second_person_too_must_come_within_the_hours(service, hana):
    case = Case(service, hana).tried().verified()
    asked = case.ask()
    at(service, 21 * HOUR)
    assert problem(service.approve(asked, by="doi")) == "outside-hours"
    assert mails(service, hana)
    at(service, 10 * HOUR)
    assert service.approve(asked, by="doi").status_code == 200


def test_M_DESK_2_nothing_without_verification_remedies_and_a_reason(service, hana):
    case = Case(service, hana)
    assert "verified-caller, remedies-tried" in case.ask().json()["detail"]
    case.verified()
    assert problem(case.ask()) == "case-lacks"
    case.tried()
    assert case.post("acts", {"path": "delete-addresses", "reason": ""}, "chiba").status_code == 422
    assert case.ask().status_code == 202


def test_M_DESK_2_a_verification_does_not_last(service, hana):
    case = Case(service, hana).tried().verified()
    service.passes(DAY)
    at(service, 12 * HOUR)
    assert problem(case.ask()) == "case-lacks"


def test_M_DESK_3_a_second_person_of_the_same_line_agrees_and_not_the_first(service, hana):
    case = Case(service, hana).tried().verified()
    asked = case.ask()
    assert problem(service.approve(asked, by="chiba")) == "same-person"
    assert problem(service.approve(asked, by="aoki")) == "needs-role"
    assert mails(service, hana)
    assert service.approve(asked, by="doi").status_code == 200
    assert mails(service, hana) == []
    assert problem(service.approve(asked, by="doi")) == "carried-out-already"


def test_M_DESK_3_asked_twice_only_the_newer_is_approved_and_done_once(service, hana):
    case = Case(service, hana).tried().verified()
    first, second = case.ask(by="chiba"), case.ask(by="doi")
    assert problem(service.approve(first, by="doi")) == "no-such-approval"
    assert service.approve(second, by="chiba").status_code == 200
    assert problem(case.ask()) == "case-under-way"
    assert problem(Case(service, hana).tried().verified().ask()) == "recovery-under-way"


def test_M_DESK_3_a_double_click_is_one_act(service, hana):
    case = Case(service, hana).tried().verified()
    asked = [case.ask(idempotency_key="click-1") for _ in range(2)]
    assert asked[0].json() == asked[1].json()
    answers = service.together(*(
        service.send("POST", f"/v1/staff/approvals/{asked[0].json()['approval']}", None, "doi") for _ in range(2)))
    assert sorted(one.status_code for one in answers) == [200, 409]


def test_M_DESK_3_it_is_told_on_every_channel_the_deleted_ones_included(service, hana):
    """And on the record: who asked, who agreed, and why."""
    Case(service, hana).tried().verified().deleted()
    for mail in hana.mails:
        assert "delete" in service.received(mail)[0].body
    assert any("delete" in message.body for message in service.received(hana.telephone, "telephone"))
    assert "delete" in service.received(hana.subject, "letter")[0].body
    told = next(event for event in service.view(hana.subject)["events"] if event["kind"] == "addresses-deleted")
    assert (told["operator"], told["reason"]) == ("chiba, doi", "no code arrives, all remedies tried")


def test_M_DESK_3_no_login_meanwhile_and_no_code_to_a_deleted_address(service, hana):
    """It takes effect for the next re-registration alone."""
    before = run(service, hana, "login")
    before.reach("risk-code")
    before.send("risk-code")
    code = service.code(hana)
    Case(service, hana).tried().verified().deleted()
    for made, item, proof in ((before, "risk-code", code), (run(service, hana, "login"), "login-password", hana.password)):
        told = service.post(f"/v1/procedures/{made.id}/attempts", {"item": item, "proof": proof}).json()
        assert (told["outcome"], told["code"], "session" in told) == ("refused", "closed", False)


def test_M_STOP_1_second_line_lifts_the_stop_from_a_case_with_a_verified_caller(service, hana):
    """Not on its own word; the remedies for mail are no part of it."""
    service.post("/v1/stops", {"subject": hana.subject, "known_by": "known-device"})
    assert problem(service.release(hana.subject, "lift-stop", by="chiba")) == "needs-case"
    case = Case(service, hana)
    assert problem(case.ask(path="lift-stop")) == "case-lacks"
    asked = case.verified().ask(path="lift-stop")
    assert service.locks(hana.subject) == ["M-STOP-1"]
    assert service.approve(asked, by="doi").status_code == 200
    assert (service.locks(hana.subject), case.state) == ([], "open")


def test_M_DESK_2_no_lock_is_a_way_round_the_case(service, hana):
    """A lock whose way out is the deletion does not let it be done without verification."""
    service.put(hana.subject, {"counts": {"mail-codes-a-year": 100}}, "risk-code")
    made = run(service, hana)
    made.reach("mail-otp")
    made.send("mail-otp")
    assert service.locks(hana.subject) == ["mail-codes-a-year"]
    assert problem(service.release(hana.subject, "delete-addresses", by="chiba")) == "needs-case"
    Case(service, hana).tried().verified().deleted()
    assert service.locks(hana.subject) == []


def test_M_RESET_4_enrolling_him_again_meanwhile_opens_no_login(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    for subject, body in hana.enrolments():
        service.put(subject, body)
    login = run(service, hana, "login")
    told = service.post(f"/v1/procedures/{login.id}/attempts", {"item": "login-password", "proof": hana.password}).json()
    assert (told["outcome"], told["code"]) == ("refused", "closed")
    registers_again(service, case, "new")


def test_no_second_act_in_a_case_that_waits_for_its_customer_or_is_disputed(service, hana):
    """It is refused, and not a fault; another case takes it."""
    case = Case(service, hana).tried().verified().deleted()
    code = said_codes(service.received(hana.mails[0])[0])[0]
    assert problem(case.ask(path="lift-stop")) == "case-under-way"
    not_me(service, hana, code)
    assert problem(case.ask(path="lift-stop")) == "case-under-way"
    assert Case(service, hana).verified().ask(path="lift-stop").status_code == 202


# -- the release code


def test_A11_no_operator_sees_the_release_code(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    code = case.release_code()
    for by in ("aoki", "chiba", "doi", "goto", "ito"):
        seen = service.get(f"/v1/staff/cases/{case.id}", by).text + service.get(f"/v1/staff/subjects/{hana.subject}", by).text
        assert code not in seen.replace(" ", "")
    assert len(code) == 8


def test_A11_five_tries_then_the_case_is_open_again_and_the_desk_issues_another(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    code = case.release_code()
    for _ in range(5):
        assert at_release_code(service, hana).proof("release-code", "00000000")["outcome"] == "wrong"
    goes_on(service)
    assert case.state == "open"
    assert mails(service, hana) == list(hana.mails)
    service.passes(MINUTE)
    case.verified().deleted()
    assert case.release_code() != code
    registers_again(service, case, "new")


def test_A11_four_tries_leave_the_fifth(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    made = at_release_code(service, hana)
    for _ in range(4):
        assert made.proof("release-code", "00000000")["outcome"] == "wrong"
    assert made.proof("release-code", case.release_code())["outcome"] == "right"


def test_A11_after_a_day_it_lapses_and_the_case_is_open_again(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    service.passes(DAY - MINUTE)
    made = at_release_code(service, hana)
    service.passes(MINUTE)
    assert made.proof("release-code", case.release_code())["message"] == "no-code"
    goes_on(service)
    assert case.state == "open" and case.look()["owner"] == "aoki"
    assert mails(service, hana) == list(hana.mails)
    assert run(service, hana, "login").right("login-password")["outcome"] == "right"


def test_A11_it_is_used_once(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    code = case.release_code()
    assert at_release_code(service, hana).proof("release-code", code)["outcome"] == "right"
    assert at_release_code(service, hana).proof("release-code", code)["outcome"] == "refused"


def test_A11_a_re_registration_that_is_left_half_done_opens_the_case_again(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    made = at_release_code(service, hana)
    made.proof("release-code", case.release_code())
    goes_on(service)
    assert case.state == "with-customer"
    service.passes(HOUR)
    goes_on(service)
    assert case.state == "open"
    assert mails(service, hana) == list(hana.mails)


def test_A11_of_another_customer_it_opens_nothing(service, hana):
    yuki = service.customer("card-pin")
    others = Case(service, yuki).tried().verified().deleted().release_code()
    Case(service, hana).tried().verified().deleted()
    assert at_release_code(service, hana).proof("release-code", others)["outcome"] == "wrong"


# -- re-registration


def test_M_RESET_1_the_new_password_differs_from_the_present_one(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    made = at_release_code(service, hana)
    made.proof("release-code", case.release_code())
    assert made.proof("new-login-password", hana.password)["outcome"] == "wrong"
    assert made.proof("new-login-password", "quiet river 11")["outcome"] == "right"


def test_M_RESET_2_without_a_deletion_no_address_is_asked_for(service, hana):
    made = run(service, hana)
    made.reach("mail-otp")
    made.right("mail-otp")
    assert made.proof("new-login-password", "quiet river 11")["message"] == "done"
    assert mails(service, hana) == list(hana.mails)


def test_M_RESET_2_a_run_begun_before_the_deletion_asks_for_the_code_too(service, hana):
    """Whoever had come past the code by mail before does not get to the addresses by that."""
    made = run(service, hana)
    made.reach("mail-otp")
    made.right("mail-otp")
    case = Case(service, hana).tried().verified().deleted()
    assert made.proof("new-login-password", "quiet river 11")["next"] == [{"item": "release-code", "kind": "code"}]
    assert made.proof("release-code", case.release_code())["next"] == [{"item": "new-addresses", "kind": "data"}]


@pytest.mark.parametrize("names", [("new",), ("new", "other", "third")])
def test_M_RESET_2_one_to_three_addresses_each_confirmed_before_it_counts(service, hana, names):
    case = Case(service, hana).tried().verified().deleted()
    registers_again(service, case, *names)
    assert mails(service, hana) == [to(hana, name) for name in names]


def test_M_RESET_3_its_first_page_is_the_same_for_everybody(service, hana):
    """Until number pair and card PIN were right nothing is told of this customer."""
    yuki = service.customer("card-pin")
    Case(service, hana).tried().verified().deleted()
    seen = []
    for customer in (hana, yuki):
        made = run(service, customer)
        seen.append((made.look(), made.right("number-pair"), made.proof("card-pin", "0000")["message"]))
    assert seen[0] == seen[1]


def test_M_RESET_4_a_login_meanwhile_is_refused_and_told_the_next_step_only_after_a_right_password(service, hana):
    case = Case(service, hana).tried().verified().deleted()
    for language, words in (("en", "Do not log in"), ("ja", "ログインせずに")):
        begun = service.post("/v1/procedures", {"operation": "login", "subject": hana.subject, "language": language}).json()
        path = f"/v1/procedures/{begun['procedure']}"
        wrong = service.post(f"{path}/attempts", {"item": "login-password", "proof": "not this one"}).json()
        assert (wrong["outcome"], wrong["code"]) == ("wrong", "wrong")
        right = service.post(f"{path}/attempts", {"item": "login-password", "proof": hana.password}).json()
        assert (right["outcome"], right["state"], right["code"]) == ("refused", "ended", "closed")
        assert words in right["message"] and "session" not in right
    registers_again(service, case, "new")


def test_M_RESET_4_in_count_mode_too(service, hana):
    Case(service, hana).tried().verified().deleted()
    count = MODES["count"](service).run("login", hana)
    held = service.post("/v1/reservations", count.body("login-password")).json()
    settled = service.post(f"/v1/reservations/{held['reservation']}/verdict", {"verdict": "right"}).json()
    assert (settled["outcome"], settled["code"]) == ("refused", "closed")


# -- this was not me


def not_me(service, customer, code):
    return service.post("/v1/disavowals", {"subject": customer.subject, "code": code}).json()


def test_this_was_not_me_stops_everything_and_undoes_the_deletion(service, hana):
    """With the code that stood in what he was told, on a deleted address too."""
    case = Case(service, hana).tried().verified().deleted()
    code = said_codes(service.received(hana.mails[0])[0])[0]
    release = case.release_code()
    assert not_me(service, hana, code)["outcome"] == "stopped"
    assert (case.state, mails(service, hana)) == ("disputed", list(hana.mails))
    assert service.locks(hana.subject) == ["M-STOP-1"]
    assert at_mail_code(service, hana) and release


def at_mail_code(service, customer):
    made = run(service, customer)
    made.reach("mail-otp")
    return made.asks() == ["mail-otp"]


def test_this_was_not_me_after_the_re_registration_too(service, hana):
    """Old addresses are told of it, and their holder can still stop it."""
    case = Case(service, hana).tried().verified().deleted()
    registers_again(service, case, "new")
    code = said_codes(service.received(hana.mails[1])[0])[0]
    assert not_me(service, hana, code)["outcome"] == "stopped"
    assert case.state == "disputed"


def test_this_was_not_me_with_a_made_up_code_stops_nobody(service, hana):
    Case(service, hana).tried().verified().deleted()
    code = said_codes(service.received(hana.mails[0])[0])[0]
    assert {not_me(service, hana, f"{n:010}")["outcome"] for n in range(25)} == {"refused"}
    assert service.locks(hana.subject) == []
    assert not_me(service, hana, code)["outcome"] == "refused", "after so many wrong ones the telephone is left"
    assert not_me(service, service.customer()._replace(number="9999999999"), "1")["outcome"] == "refused"


# -- crashes


def test_a_node_that_dies_before_it_has_told_is_followed_by_another_that_tells_once(service, hana):
    """What is to be told stands on the customer's row since the act itself."""
    case = Case(service, hana).tried().verified()
    service.approve(case.ask(), by="doi")
    assert not [one for one in service.received(hana.mails[0]) if "delete" in one.body]
    for _ in range(3):
        goes_on(service)
        service.passes(MINUTE)
    assert len([one for one in service.received(hana.mails[0]) if "delete" in one.body]) == 1


@pytest.mark.parametrize(("how", "way", "life"), [("telephone", Way.TELEPHONE, DAY), ("writing", Way.LETTER, 21 * DAY)])
def test_A11_a_code_that_cannot_be_handed_over_in_time_is_stuck_with_an_owner(service, hana, monkeypatch, how, way, life):
    """No telephone rings, no printer takes it: until the code's life is over."""
    case = Case(service, hana, how=how).tried().verified()

    async def refused(_message):
        return Handed(accepted=False, said="not here")

    with monkeypatch.context() as patch:
        patch.setattr(service.boxes[way], "send", refused)
        case.deleted()
        service.passes(MINUTE)
        case.goes_on()
    assert (case.state, case.look()["owner"]) == ("stuck", "aoki")
    service.passes(life)
    case.goes_on()
    assert case.state == "open"
