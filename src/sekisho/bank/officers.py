"""The staff's side of the bank: what they see of a customer, and what they may do. Every act bears an operator's key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sekisho.bank.holdings import Holding, Holdings
from sekisho.bank.post import LOGIN_PASSWORD, Post
from sekisho.bank.service import Operator, Service, Trouble, subject_path
from sekisho.bank.visits import Asked, Visit
from sekisho.policy import Table
from sekisho.web import Form

ACCEPTED, CONFLICT = 202, 409
"""A second person is needed; nobody can do it any more."""

RELEASER_ROLES = ("back-office", "second-line", "first-line")
CLERK_ROLES = ("back-office", "admin")


class Officers:
    """What staff do at this bank."""

    def __init__(self, service: Service, table: Table, holdings: Holdings, post: Post) -> None:
        self._service = service
        self._table = table
        self._holdings = holdings
        self._post = post
        self.releasers = self._in_roles(RELEASER_ROLES)
        self.clerks = self._in_roles(CLERK_ROLES)

    def _in_roles(self, roles: Sequence[str]) -> list[Operator]:
        return sorted((one for one in self._service.operators.values() if one.role in roles), key=lambda one: roles.index(one.role))

    async def views(self, holdings: Iterable[Holding]) -> list[dict[str, Any]]:
        """What first line reads about these customers; a subject that cannot be read is left out."""
        reader = self._service.one_of("first-line")
        views = []
        for subject in [subject for one in holdings for subject in one.subjects]:
            _, told = await self._service.staff(reader, "GET", subject_path(subject))
            if not isinstance(told, Trouble):
                views.append(told)
        return views

    async def release(self, visit: Visit, form: Form) -> None:
        """Lift a lock by one of its paths, or put it before a second person."""
        operator, holding = self._service.operators.get(form.get("operator", "")), self._of(form.get("subject", ""))
        path = form.get("path", "")
        if operator is None or holding is None or not path or not form.get("reason", "").strip():
            visit.staff_trouble = Trouble("incomplete")
            return
        body = {"lock": form.get("lock", ""), "path": path, "reason": form["reason"].strip()}
        status, told = await self._service.staff(operator, "POST", subject_path(form["subject"], "releases"), body)
        if isinstance(told, Trouble):
            visit.staff_trouble = told
        elif status == ACCEPTED:
            row = form.get("row", "")
            visit.asked.append(Asked(told["approval"], form["subject"], row, path, operator.name, holding.customer.account))
            visit.notice = ("staff.asked", {"path": path})
        else:
            visit.notice = ("staff.released", {"path": path})

    async def approve(self, visit: Visit, form: Form) -> None:
        """The second person carries it out."""
        operator = self._service.operators.get(form.get("operator", ""))
        asked = next((one for one in visit.asked if one.approval == form.get("approval")), None)
        holding = self._holdings.of(asked.account) if asked else None
        if operator is None or asked is None:
            visit.staff_trouble = Trouble("incomplete")
            return
        before = self._post.letters(holding) if holding else set()
        status, told = await self._service.staff(operator, "POST", f"/v1/staff/approvals/{asked.approval}")
        if isinstance(told, Trouble):
            visit.staff_trouble = told
            # 409: it can never be carried out any more. 403: another operator still can.
            visit.asked = [one for one in visit.asked if one is not asked or status != CONFLICT]
            return
        visit.asked.remove(asked)
        letters, path = told.get("letters", []), asked.path
        if holding is not None:
            await self._post.form_carried_out(holding, path, letters, before)
        visit.notice = ("staff.released-with-letter", {"path": path, "item": letters[0]}) if letters else ("staff.released", {"path": path})

    async def set_again(self, visit: Visit, holding: Holding, form: Form) -> None:
        """Set what the customer enters: register it again, or give it another value. Left empty: the one he had first."""
        operator, item = self._service.operators.get(form.get("operator", "")), form.get("item", "")
        if operator is None or item not in holding.secrets:
            visit.staff_trouble = Trouble("incomplete")
            return
        first_time = False if item == LOGIN_PASSWORD else None
        value = form.get("value", "").strip() or holding.customer.secrets[item]
        told = await self._post.set_item(operator, holding, item, value, first_time=first_time)
        if told is not None:
            visit.staff_trouble = told
        else:
            visit.notice = ("staff.set", {"item": item})

    def _of(self, subject: str) -> Holding | None:
        return next((one for one in self._holdings if subject in one.subjects), None)
