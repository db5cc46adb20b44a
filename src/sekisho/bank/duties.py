"""What staff do at this bank besides releases: paper that has come in, emergency stops, incidents, taking customers over."""

from __future__ import annotations

import secrets as chance
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sekisho.bank.holdings import Holding, Holdings
from sekisho.bank.officers import ACCEPTED, Officers
from sekisho.bank.service import Operator, Service, Trouble, subject_path
from sekisho.bank.visits import INCIDENT, Asked, Visit
from sekisho.policy import Table
from sekisho.terms import PathKind
from sekisho.web import Form

MINUTES_MAX = 7 * 24 * 60
"""How far back an incident may reach here."""


class IncidentSight(NamedTuple):
    """An incident as the page lists it."""

    name: str
    rows: str
    reason: str
    state: str
    released: int


class Duties:
    """What staff do, one call each.

    Args:
        service: how sekisho is reached.
        table: the policy, for the forms it knows.
        holdings: all made-up customers.
        officers: who works there.
        clock: seconds since the epoch.

    """

    def __init__(self, service: Service, table: Table, holdings: Holdings, officers: Officers, clock: Callable[[], float]) -> None:
        self._service = service
        self._holdings = holdings
        self._clock = clock
        self.forms = [path.name for path in table.paths.values() if path.kind is PathKind.FORM]
        self.rows = sorted({
            row for counter in table.counters.values() for stage in counter.stages if stage.notice for row in (stage.row, *stage.also)
        })
        self.stoppers = [one for one in reversed(officers.releasers) if "emergency-stop" in table.desk.get(one.role, {}).get("may", ())]

    async def enter_form(self, visit: Visit, form: Form, language: str) -> None:
        """Paper has come in: put it before a second person, or have it carried out at once."""
        operator, holding = self._by(form), self._of(form.get("subject", ""))
        if operator is None or holding is None or form.get("form") not in self.forms or not form.get("reason", "").strip():
            visit.staff_trouble = Trouble("incomplete")
            return
        number, mails = form.get("number", "").strip(), form.get("addresses", "").split()
        body = {
            "form": form["form"], "reason": form["reason"].strip(), "addresses": mails, "language": language,
            **({"customer": f"customer:{number}"} if number else {}),
        }
        status, told = await self._service.staff(operator, "POST", subject_path(form["subject"], "forms"), body)
        if isinstance(told, Trouble):
            visit.staff_trouble = told
        elif status == ACCEPTED:
            visit.asked.append(Asked(told["approval"], form["subject"], "", form["form"], operator.name, holding.customer.account))
            visit.notice = ("staff.form-entered", {"path": form["form"]})
        else:
            visit.notice = ("staff.released", {"path": form["form"]})

    async def withdraw(self, visit: Visit, form: Form) -> None:
        """A form is not to be carried out after all."""
        operator = self._by(form)
        asked = next((one for one in visit.asked if one.approval == form.get("approval")), None)
        if operator is None or asked is None:
            visit.staff_trouble = Trouble("incomplete")
            return
        _, told = await self._service.staff(operator, "POST", f"/v1/staff/forms/{asked.approval}/withdrawal", {"reason": form.get("reason") or "-"})
        if isinstance(told, Trouble):
            visit.staff_trouble = told
            return
        visit.asked.remove(asked)
        visit.notice = ("staff.form-withdrawn", {"path": asked.path})

    async def stop(self, visit: Visit, form: Form) -> None:
        """Somebody telephones: stop a customer's operations in his name."""
        operator, holding = self._by(form), self._of(form.get("subject", ""))
        if operator is None or holding is None or not form.get("reason", "").strip():
            visit.staff_trouble = Trouble("incomplete")
            return
        known = form.get("known", "")
        body = {"reason": form["reason"].strip(), **({"known_by": known} if known else {"caller": "caller:anonymous"})}
        _, told = await self._service.staff(operator, "POST", subject_path(form["subject"], "stops"), body)
        if isinstance(told, Trouble):
            visit.staff_trouble = told
        else:
            visit.notice = (f"staff.{'stopped' if told['outcome'] == 'stopped' else 'stop-refused'}", {})

    async def open_incident(self, visit: Visit, form: Form) -> None:
        """Locks that fell by the bank's own fault in the last minutes."""
        operator, minutes = self._by(form), _number(form.get("minutes", ""))
        if operator is None or form.get("row") not in self.rows or not minutes or not form.get("reason", "").strip():
            visit.staff_trouble = Trouble("incomplete")
            return
        now = self._clock()
        since, until = (_rfc3339(at) for at in (now - min(minutes, MINUTES_MAX) * 60, now))
        body = {"reason": form["reason"].strip(), "rows": [form["row"]], "since": since, "until": until}
        _, told = await self._service.staff(operator, "POST", "/v1/staff/incidents", body)
        if isinstance(told, Trouble):
            visit.staff_trouble = told
        else:
            visit.notice = ("staff.incident-opened", {"row": form["row"]})

    async def release_incident(self, visit: Visit, form: Form) -> None:
        """Ask a second person for the release of all its locks."""
        operator = self._by(form)
        if operator is None:
            visit.staff_trouble = Trouble("incomplete")
            return
        status, told = await self._service.staff(operator, "POST", f"/v1/staff/incidents/{form.get('incident', '')}/releases")
        if isinstance(told, Trouble):
            visit.staff_trouble = told
        elif status == ACCEPTED:
            visit.asked.append(Asked(told["approval"], "", form.get("rows", ""), INCIDENT, operator.name, ""))
            visit.notice = ("staff.asked", {"path": INCIDENT})

    async def incidents(self) -> list[IncidentSight]:
        """All of them."""
        _, told = await self._service.staff(self._service.one_of("back-office"), "GET", "/v1/staff/incidents")
        found: list[dict[str, Any]] = [] if isinstance(told, Trouble) else told["incidents"]
        return [IncidentSight(one["incident"], ", ".join(one["rows"]), one["reason"], one["state"], one["released"]) for one in found]

    async def take_over(self, visit: Visit, form: Form) -> None:
        """Lines of another system, as a file holds them."""
        operator = self._by(form)
        if operator is None or not form.get("csv", "").strip():
            visit.staff_trouble = Trouble("incomplete")
            return
        body = {"id": f"try-{chance.token_hex(6)}", "csv": form["csv"].replace("\r\n", "\n").strip() + "\n"}
        _, told = await self._service.staff(operator, "POST", "/v1/staff/imports", body)
        if isinstance(told, Trouble):
            visit.staff_trouble = told
        else:
            visit.notice = ("staff.imported", {"lines": str(told["lines"]), "subjects": str(told["subjects"])})

    def _by(self, form: Form) -> Operator | None:
        return self._service.operators.get(form.get("operator", ""))

    def _of(self, subject: str) -> Holding | None:
        return next((one for one in self._holdings if subject in one.subjects), None)


def _number(text: str) -> int:
    """A whole number as somebody typed it; 0: it is none."""
    return int(text[:6]) if text.isascii() and text.isdigit() else 0


def _rfc3339(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
