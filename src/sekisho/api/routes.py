"""Every call of the interface in one table: path, method, roles, body, answers. Router and OpenAPI are made from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.routing import Route

from sekisho.api.cases import (
    ActBody,
    BeginsAnswer,
    CallerBody,
    CarriedAnswer,
    CaseBody,
    CasesAnswer,
    EnteredAnswer,
    Matters,
    NoteBody,
    NotedAnswer,
    NotMeAnswer,
    NotMeBody,
    NumberBody,
    OpenedAnswer,
    ReleaseCodeAnswer,
    VerifyBody,
    WaitsAnswer,
)
from sekisho.api.challenges import (
    AddressesAnswer,
    ChallengeAnswer,
    Challenges,
    DeliveriesAnswer,
    NotSentAnswer,
    OtherMailBody,
    SendBody,
    TakenInAnswer,
)
from sekisho.api.customer import (
    BeginBody,
    BegunAnswer,
    Customer,
    EntryAnswer,
    EntryBody,
    EventsAnswer,
    HeldAnswer,
    RefusedAnswer,
    ReserveBody,
    SessionAnswer,
    StandingAnswer,
    VerdictBody,
)
from sekisho.api.forms import FormBody, FormsAnswer, Paperwork, WithdrawBody, WithdrawnAnswer
from sekisho.api.http import CHANNEL, STAFF, Call, Endpoint, Handler, Problem
from sekisho.api.importing import ImportAnswer, ImportBody, Importing
from sekisho.api.incidents import IncidentAnswer, IncidentBody, IncidentLocksAnswer, Incidents, IncidentsAnswer
from sekisho.api.manual import (
    OWNERS,
    FoundAnswer,
    FragmentAnswer,
    HelpedAnswer,
    HelpedBody,
    Manual,
    ManualAnswer,
    Manuals,
)
from sekisho.api.passkeys import (
    AppAnswer,
    AppBody,
    AppCodeAnswer,
    AppLetterAnswer,
    AppLetterBody,
    AppsAnswer,
    AskedAnswer,
    HeldThings,
    LossBody,
    NameBody,
    PasskeysAnswer,
    SignBody,
    StandingApp,
)
from sekisho.api.staff import (
    AgreeBody,
    ApprovalAnswer,
    ApprovalsAnswer,
    ClockAnswer,
    ItemAnswer,
    OperatorAnswer,
    ReleaseBody,
    ReleasedAnswer,
    Staff,
    SubjectAnswer,
)
from sekisho.api.stops import CustomerStopBody, StaffStopBody, StopAnswer, StoppedAnswer, Stopping
from sekisho.api.tokens import (
    BindBody,
    BoundAnswer,
    DeliveryBody,
    EndBody,
    EndedAnswer,
    Inventory,
    SoftwareAnswer,
    SoftwareBody,
    StockedAnswer,
    TokenAnswer,
    TokensAnswer,
)
from sekisho.app import App
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.ports import Callers
from sekisho.terms import Role


class Operation(msgspec.Struct):
    """One call of the interface, as router and OpenAPI see it."""

    method: str
    path: str
    handler: Handler
    roles: frozenset[Role]
    body: Any
    answers: dict[int, Any]
    holds: bool = False
    """Its answers leave on the policy's time grid: they are about a subject, of which nothing may be told by the time they take."""


IMPORTERS = frozenset({Role.ADMIN, Role.BACK_OFFICE})
ANYBODY = CHANNEL | STAFF
DESK = frozenset({Role.FIRST_LINE, Role.SECOND_LINE})
LOSSES = frozenset({Role.SECOND_LINE, Role.BACK_OFFICE})
LETTERS = LOSSES | {Role.ADMIN}
RELEASERS = frozenset({Role.FIRST_LINE, Role.SECOND_LINE, Role.BACK_OFFICE})


def operations(app: App, manuals: Manuals | None = None) -> list[Operation]:
    """All calls; the most frequent first, since the router asks one after the other. `manuals`: the articles, where pages show them too."""
    manual = Manual(app, manuals or Manuals(app))
    customer, staff, codes, importing = Customer(app), Staff(app), Challenges(app), Importing(app)
    stopping, incidents, paperwork, matters, inventory = Stopping(app), Incidents(app), Paperwork(app), Matters(app), Inventory(app)
    things = HeldThings(app)
    return [
        Operation("POST", "/v1/procedures/{id}/attempts", customer.enter, CHANNEL, EntryBody, {200: EntryAnswer}, holds=True),
        Operation("POST", "/v1/reservations", customer.reserve, CHANNEL, ReserveBody, {201: HeldAnswer, 200: RefusedAnswer}, holds=True),
        Operation("POST", "/v1/reservations/{id}/verdict", customer.verdict, CHANNEL, VerdictBody, {200: EntryAnswer}, holds=True),
        Operation("POST", "/v1/procedures", customer.begin, CHANNEL, BeginBody, {201: BegunAnswer}, holds=True),
        Operation("GET", "/v1/procedures/{id}", customer.look, CHANNEL, None, {200: StandingAnswer}, holds=True),
        Operation(
            "POST", "/v1/procedures/{id}/challenges", codes.send, CHANNEL, SendBody, {201: ChallengeAnswer, 200: NotSentAnswer}, holds=True,
        ),
        Operation("GET", "/v1/procedures/{id}/addresses", codes.addresses, CHANNEL, None, {200: AddressesAnswer}, holds=True),
        Operation("GET", "/v1/procedures/{id}/deliveries", codes.deliveries, CHANNEL, None, {200: DeliveriesAnswer}, holds=True),
        Operation("POST", "/v1/addresses/news", codes.hear, CHANNEL, OtherMailBody, {200: TakenInAnswer}, holds=True),
        Operation("GET", "/v1/sessions/{id}", customer.session, CHANNEL, None, {200: SessionAnswer}),
        Operation("DELETE", "/v1/sessions/{id}", customer.end_session, CHANNEL, None, {200: SessionAnswer}),
        Operation("DELETE", "/v1/sessions/{id}/all", customer.end_all_sessions, CHANNEL, None, {200: SessionAnswer}, holds=True),
        Operation("GET", "/v1/events", customer.events, CHANNEL, None, {200: EventsAnswer}),
        Operation("GET", "/v1/staff/subjects/{subject}", staff.view, STAFF, None, {200: dict[str, Any]}),
        Operation("GET", "/v1/staff/subjects/{subject}/deliveries", staff.deliveries, STAFF, None, {200: dict[str, Any]}),
        Operation("PUT", "/v1/staff/subjects/{subject}", staff.enrol, IMPORTERS, Enrolment, {200: SubjectAnswer, 201: SubjectAnswer}),
        Operation("PUT", "/v1/staff/subjects/{subject}/items/{item}", staff.set_item, IMPORTERS, ItemSetting, {200: ItemAnswer}),
        Operation(
            "POST", "/v1/staff/subjects/{subject}/releases", staff.release, RELEASERS, ReleaseBody, {200: ReleasedAnswer, 202: ApprovalAnswer},
        ),
        Operation(
            "POST", "/v1/staff/subjects/{subject}/forms", paperwork.enter, RELEASERS, FormBody, {200: ReleasedAnswer, 202: ApprovalAnswer},
        ),
        Operation("GET", "/v1/staff/forms", paperwork.waiting, STAFF, None, {200: FormsAnswer}),
        Operation("POST", "/v1/staff/forms/{id}/withdrawal", paperwork.withdraw, RELEASERS, WithdrawBody, {200: WithdrawnAnswer}),
        Operation("POST", "/v1/staff/imports", importing.send, IMPORTERS, ImportBody, {200: ImportAnswer, 202: ImportAnswer}),
        Operation("GET", "/v1/staff/imports/{id}", importing.look, IMPORTERS, None, {200: ImportAnswer}),
        Operation("POST", "/v1/staff/tokens", inventory.stock, IMPORTERS, DeliveryBody, {201: StockedAnswer}),
        Operation("GET", "/v1/staff/tokens", inventory.all, STAFF, None, {200: TokensAnswer}),
        Operation("GET", "/v1/staff/tokens/{serial}", inventory.look, STAFF, None, {200: TokenAnswer}),
        Operation("POST", "/v1/staff/tokens/{serial}/assignment", inventory.bind, IMPORTERS, BindBody, {200: BoundAnswer}),
        Operation("POST", "/v1/staff/tokens/{serial}/end", inventory.end, RELEASERS, EndBody, {200: EndedAnswer}),
        Operation(
            "POST", "/v1/staff/subjects/{subject}/items/{item}/software-token", inventory.software, IMPORTERS, SoftwareBody, {201: SoftwareAnswer},
        ),
        Operation("POST", "/v1/stops", stopping.by_customer, CHANNEL, CustomerStopBody, {200: StopAnswer}, holds=True),
        Operation("POST", "/v1/staff/subjects/{subject}/stops", stopping.by_staff, STAFF, StaffStopBody, {200: StoppedAnswer}),
        Operation("POST", "/v1/staff/incidents", incidents.open_incident, RELEASERS, IncidentBody, {201: IncidentAnswer}),
        Operation("GET", "/v1/staff/incidents", incidents.incidents, STAFF, None, {200: IncidentsAnswer}),
        Operation("GET", "/v1/staff/incidents/{id}", incidents.incident, STAFF, None, {200: IncidentAnswer}),
        Operation("GET", "/v1/staff/incidents/{id}/locks", incidents.locks, STAFF, None, {200: IncidentLocksAnswer}),
        Operation(
            "POST", "/v1/staff/incidents/{id}/releases", incidents.release, RELEASERS, None, {200: ReleasedAnswer, 202: ApprovalAnswer},
        ),
        Operation("POST", "/v1/staff/cases", matters.open_case, DESK, CaseBody, {201: OpenedAnswer}),
        Operation("GET", "/v1/staff/cases", matters.cases, STAFF, None, {200: CasesAnswer}),
        Operation("GET", "/v1/staff/cases/{id}", matters.case, STAFF, None, {200: dict[str, Any]}),
        Operation("POST", "/v1/staff/cases/{id}/notes", matters.note, DESK, NoteBody, {200: NotedAnswer}),
        Operation("POST", "/v1/staff/cases/{id}/verifications", matters.verify, DESK, VerifyBody, {201: BeginsAnswer}),
        Operation("POST", "/v1/staff/cases/{id}/verifications/entries", matters.heard, DESK, CallerBody, {200: EnteredAnswer}),
        Operation("POST", "/v1/staff/cases/{id}/acts", matters.act, DESK, ActBody, {200: CarriedAnswer, 202: ApprovalAnswer}),
        Operation(
            "POST", "/v1/procedures/{id}/signatures", things.sign, CHANNEL, SignBody, {201: AskedAnswer, 200: NotSentAnswer}, holds=True,
        ),
        Operation("GET", "/v1/sessions/{id}/passkeys", things.passkeys, CHANNEL, None, {200: PasskeysAnswer}, holds=True),
        Operation("PUT", "/v1/sessions/{id}/passkeys/{passkey}", things.name_passkey, CHANNEL, NameBody, {200: PasskeysAnswer}, holds=True),
        Operation("DELETE", "/v1/sessions/{id}/passkeys/{passkey}", things.remove_passkey, CHANNEL, None, {200: PasskeysAnswer}, holds=True),
        Operation("POST", "/v1/sessions/{id}/app-codes", things.app_code, CHANNEL, None, {201: AppCodeAnswer}, holds=True),
        Operation("POST", "/v1/apps", things.enrol_app, CHANNEL, AppBody, {201: AppAnswer}, holds=True),
        Operation("GET", "/v1/apps/{app}", things.app, CHANNEL, None, {200: StandingApp}, holds=True),
        Operation("GET", "/v1/sessions/{id}/apps", things.apps, CHANNEL, None, {200: AppsAnswer}, holds=True),
        Operation("DELETE", "/v1/sessions/{id}/apps/{app}", things.remove_app, CHANNEL, None, {200: AppsAnswer}, holds=True),
        Operation("GET", "/v1/staff/subjects/{subject}/apps", things.apps_of, STAFF, None, {200: AppsAnswer}),
        Operation("POST", "/v1/staff/subjects/{subject}/apps/{app}/loss", things.app_lost, LOSSES, LossBody, {200: AppsAnswer}),
        Operation("POST", "/v1/staff/subjects/{subject}/app-codes", things.app_letter, LETTERS, AppLetterBody, {202: AppLetterAnswer}),
        Operation("GET", "/v1/sessions/{id}/approvals", matters.waits, CHANNEL, None, {200: WaitsAnswer}, holds=True),
        Operation("POST", "/v1/sessions/{id}/approvals", matters.approve, CHANNEL, NumberBody, {200: EnteredAnswer}, holds=True),
        Operation("GET", "/v1/sessions/{id}/release-code", matters.release_code, CHANNEL, None, {200: ReleaseCodeAnswer}, holds=True),
        Operation("POST", "/v1/disavowals", matters.not_me, CHANNEL, NotMeBody, {200: NotMeAnswer}, holds=True),
        Operation("GET", "/v1/manual", manual.contents, ANYBODY, None, {200: ManualAnswer}),
        Operation("GET", "/v1/manual/search", manual.search, ANYBODY, None, {200: FoundAnswer}),
        Operation("GET", "/v1/manual/operations/{operation}", manual.operation, ANYBODY, None, {200: FragmentAnswer}),
        Operation("GET", "/v1/manual/rows/{row}", manual.row, STAFF, None, {200: FragmentAnswer}),
        Operation("POST", "/v1/manual/answers", manual.say, STAFF, HelpedBody, {200: HelpedAnswer}),
        Operation("GET", "/v1/manual/answers", manual.answers, OWNERS, None, {200: dict[str, Any]}),
        Operation("GET", "/v1/staff/operator", staff.operator, STAFF, None, {200: OperatorAnswer}),
        Operation("GET", "/v1/staff/clock", staff.clock, STAFF, None, {200: ClockAnswer}),
        Operation("POST", "/v1/staff/clock", staff.agree_to_clock, frozenset({Role.ADMIN}), AgreeBody, {200: ClockAnswer}),
        Operation("GET", "/v1/staff/approvals", staff.approvals, STAFF, None, {200: ApprovalsAnswer}),
        Operation("POST", "/v1/staff/approvals/{id}", staff.approve, RELEASERS, None, {200: ReleasedAnswer}),
    ]


def routes(app: App, listed: list[Operation], callers: Callers | None = None) -> list[Route]:
    """The router's table: one endpoint for each path and method. `callers`: who may call; None: whoever has an API key."""
    return [
        Route(
            one.path, Endpoint(_shadowed(app, one), callers or app.keyring, one.roles, one.body, _hold(app) if one.holds else None),
            methods=[one.method],
        )
        for one in listed
    ]


IN_SHADOW = frozenset({"/v1/reservations", "/v1/reservations/{id}/verdict", "/v1/events"})
"""What channels may call of a shadow: it has no sessions and compares nothing, and a stop of its own would stop nobody."""


def _shadowed(app: App, one: Operation) -> Handler:
    if app.shadow is None or one.roles != CHANNEL or one.path in IN_SHADOW:
        return one.handler

    async def no(_call: Call[Any]) -> tuple[int, Any]:
        raise Problem(409, "in-shadow", "This service only counts beside another; it takes reservations and verdicts.")

    return no


def _hold(app: App) -> Callable[[Call[Any]], int] | None:
    if not app.settings.hold:
        return None

    def grid(call: Call[Any]) -> int:
        timing = app.table.timing
        return timing.hold_ms.get(getattr(call.body, "item", ""), timing.answers_hold_ms)

    return grid
