"""The service against its own OpenAPI description: no fault, and every answer is one that it describes."""

import json

import pytest
import requests
import schemathesis
from bankside import HOST
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scale import times
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

EXAMPLES = times(12, 500)

EXCLUDED = [
    ignored_auth,  # asks a server of its own; the table of bad input has the keys
    positive_data_acceptance,  # which operations, items and rows there are is the policy's to say, not the description's
]

CALLS = (
    ("GET", "/v1/staff/clock"),
    ("POST", "/v1/staff/clock"),
    ("POST", "/v1/procedures"),
    ("GET", "/v1/procedures/{id}"),
    ("POST", "/v1/procedures/{id}/attempts"),
    ("POST", "/v1/procedures/{id}/challenges"),
    ("POST", "/v1/procedures/{id}/signatures"),
    ("GET", "/v1/sessions/{id}/passkeys"),
    ("POST", "/v1/sessions/{id}/app-codes"),
    ("POST", "/v1/apps"),
    ("GET", "/v1/apps/{app}"),
    ("GET", "/v1/sessions/{id}/apps"),
    ("DELETE", "/v1/sessions/{id}/apps/{app}"),
    ("PUT", "/v1/sessions/{id}/passkeys/{passkey}"),
    ("DELETE", "/v1/sessions/{id}/passkeys/{passkey}"),
    ("GET", "/v1/procedures/{id}/addresses"),
    ("GET", "/v1/procedures/{id}/deliveries"),
    ("POST", "/v1/reservations"),
    ("POST", "/v1/reservations/{id}/verdict"),
    ("POST", "/v1/addresses/news"),
    ("GET", "/v1/sessions/{id}"),
    ("DELETE", "/v1/sessions/{id}"),
    ("DELETE", "/v1/sessions/{id}/all"),
    ("GET", "/v1/events"),
    ("GET", "/v1/staff/subjects/{subject}"),
    ("GET", "/v1/staff/subjects/{subject}/deliveries"),
    ("PUT", "/v1/staff/subjects/{subject}"),
    ("PUT", "/v1/staff/subjects/{subject}/items/{item}"),
    ("POST", "/v1/staff/subjects/{subject}/releases"),
    ("POST", "/v1/stops"),
    ("POST", "/v1/staff/subjects/{subject}/stops"),
    ("POST", "/v1/staff/incidents"),
    ("GET", "/v1/staff/incidents"),
    ("GET", "/v1/staff/incidents/{id}"),
    ("GET", "/v1/staff/incidents/{id}/locks"),
    ("POST", "/v1/staff/incidents/{id}/releases"),
    ("POST", "/v1/staff/tokens"),
    ("GET", "/v1/staff/tokens"),
    ("GET", "/v1/staff/tokens/{serial}"),
    ("POST", "/v1/staff/tokens/{serial}/assignment"),
    ("POST", "/v1/staff/tokens/{serial}/end"),
    ("POST", "/v1/staff/subjects/{subject}/items/{item}/software-token"),
    ("POST", "/v1/staff/imports"),
    ("GET", "/v1/staff/imports/{id}"),
    ("POST", "/v1/staff/subjects/{subject}/forms"),
    ("GET", "/v1/staff/subjects/{subject}/apps"),
    ("POST", "/v1/staff/subjects/{subject}/apps/{app}/loss"),
    ("POST", "/v1/staff/subjects/{subject}/app-codes"),
    ("GET", "/v1/staff/forms"),
    ("POST", "/v1/staff/forms/{id}/withdrawal"),
    ("GET", "/v1/staff/operator"),
    ("POST", "/v1/staff/cases"),
    ("GET", "/v1/staff/cases"),
    ("GET", "/v1/staff/cases/{id}"),
    ("POST", "/v1/staff/cases/{id}/notes"),
    ("POST", "/v1/staff/cases/{id}/verifications"),
    ("POST", "/v1/staff/cases/{id}/verifications/entries"),
    ("POST", "/v1/staff/cases/{id}/acts"),
    ("GET", "/v1/sessions/{id}/approvals"),
    ("POST", "/v1/sessions/{id}/approvals"),
    ("GET", "/v1/sessions/{id}/release-code"),
    ("POST", "/v1/disavowals"),
    ("GET", "/v1/staff/approvals"),
    ("POST", "/v1/staff/approvals/{id}"),
    ("GET", "/v1/manual"),
    ("GET", "/v1/manual/search"),
    ("GET", "/v1/manual/operations/{operation}"),
    ("GET", "/v1/manual/rows/{row}"),
    ("POST", "/v1/manual/answers"),
    ("GET", "/v1/manual/answers"),
)


@pytest.fixture(scope="module")
def described(service):
    return schemathesis.openapi.from_dict(service.get("/openapi.json", None).json())


@pytest.fixture
def hana(service):
    """Somebody for whom something may come out right."""
    return service.customer("token-otp", "card-pin", "basic-data")


def send(service, case, by):
    """The case as a request, asked in this process."""
    asked = requests.Request(**{
        name: value for name, value in case.as_transport_kwargs(base_url=HOST).items()
        if name in {"method", "url", "headers", "files", "data", "params", "cookies", "json"}
    }).prepare()
    headers = [(name, value if isinstance(value, bytes) else value.encode("latin-1", "replace")) for name, value in asked.headers.items()]
    kept = [(name, value) for name, value in headers if name.lower() not in {"host", "authorization", "content-length"}]
    if asked.headers.get("authorization", "").startswith("Bearer "):
        kept.append(("authorization", f"Bearer {service.keys[by]}".encode()))
    body = asked.body.encode() if isinstance(asked.body, str) else asked.body
    return service.do(service.client.request(asked.method, asked.url, content=body, headers=kept))


def known(service, hana, path):
    """What an address or a body may hold, besides what nobody has heard of."""
    run = service.post("/v1/procedures", {"operation": "login", "subject": hana.subject}).json()["procedure"]
    session = service.session(hana)
    held = service.post("/v1/reservations", {"operation": "login", "item": "login-password", "subject": hana.subject}).json()
    return {
        "id": [{"procedures": run, "reservations": held["reservation"], "sessions": session}.get(path.split("/")[2], "none")],
        "subject": [hana.subject, hana.account_subject],
        "item": ["login-password", "token-otp", "mail-otp"],
        "operation": ["login", "transfer", "number-inquiry", "register-account"],
        "about": [hana.account_subject],
        "form": ["form-1-1", "form-3", "form-4"],
        "session": [session],
        "procedure": [run],
        "proof": [hana.password, "not this one"],
        "counts": [{"login-password-in-a-row": 3}, {}],
        "locks": [[{"row": "Y-ABOLISHED-1"}], []],
        "secret": ["another 12"],
        "links": [{"account": hana.account_subject}],
    }


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_answer_is_a_described_one(service, described, hana, method, path, mode):
    """Whatever is sent, fitting or not: no 5xx, and status, headers and body are as described."""
    operation = described[path][method]
    names = known(service, hana, path) if mode is GenerationMode.POSITIVE else {}

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def holds(case, data):
        for sent in (case.path_parameters, case.body):
            for name in sorted(set(names) & set(sent)) if isinstance(sent, dict) else ():
                if data.draw(st.integers(0, 4)):
                    sent[name] = data.draw(st.sampled_from(names[name]))
        by = ("aoki" if path.endswith("/stops") else "endo") if "/staff/" in path else "bank"
        case.validate_response(send(service, case, by), excluded_checks=EXCLUDED)

    holds()


def test_the_description_lists_every_call(service):
    """And no other."""
    paths = service.get("/openapi.json", None).json()["paths"]
    assert {(method.upper(), path) for path, calls in paths.items() for method in calls} == set(CALLS)


def test_the_description_gives_no_row_no_counter_and_no_threshold(service):
    """It is for everybody."""
    told = json.dumps(service.get("/openapi.json", None).json())
    names = {*service.app.table.counters, *(stage.row for counter in service.app.table.counters.values() for stage in counter.stages)}
    assert not [name for name in names if name in told]


def test_the_page_of_the_description_is_there(service):
    """For people."""
    page = service.get("/docs", None)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
