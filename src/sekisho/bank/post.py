"""What follows at the bank when sekisho says that a procedure is done or a paper form was carried out.

sekisho keeps what the customer chose, and chooses what a letter brings him. Here it becomes what he holds in his hands.
"""

from __future__ import annotations

from collections.abc import Sequence

from sekisho.bank.boxes import Boxes
from sekisho.bank.holdings import JUDGED, Holding, code_in
from sekisho.bank.service import Operator, Service, Trouble, subject_path
from sekisho.bank.visits import Run
from sekisho.policy import Table

LOGIN_PASSWORD, TOKEN = "login-password", "token-otp"


class Post:
    """The bank's back room.

    Args:
        service: how sekisho is reached.
        table: the policy: what each way back gives.
        boxes: what has reached the customers.

    """

    def __init__(self, service: Service, table: Table, boxes: Boxes) -> None:
        self._service = service
        self._boxes = boxes
        self._table = table
        self._clerk = service.one_of("admin")

    async def procedure_done(self, holding: Holding, run: Run) -> None:
        """Take over what the customer chose in a procedure that is complete."""
        chosen = {item: str(proof) for item, proof in run.entered.items()}
        # sekisho has put the customer's new secrets in force by itself; the bank keeps none but shows them on this page.
        renewed = {kept: chosen[item] for item in chosen if (kept := self._table.items[item].renews) and self._table.items[kept].kind not in JUDGED}
        holding.secrets.update(renewed)
        holding.mails = tuple(to for item in chosen if self._are_his(item) for to in chosen[item].split()) or holding.mails
        if LOGIN_PASSWORD in renewed:
            # Whoever applied is a customer from now on; the password and the addresses that he chose wait for that.
            await self._give_contract(holding)
        for item in (self._given(run.operation) & holding.customer.secrets.keys()) - renewed.keys() - {LOGIN_PASSWORD, TOKEN}:
            await self.set_item(self._clerk, holding, item, holding.customer.secrets[item])

    def _are_his(self, item: str) -> bool:
        """Whether an entry was the mail addresses of his contract; sekisho has seen each confirmed."""
        return self._table.items[item].registers is not None and self._table.items[item].reach == "customer"

    def _given(self, operation: str) -> set[str]:
        """What the way back that this operation walks gives."""
        path = self._table.paths.get(self._table.operations[operation].path or "")
        return {item for case in path.cases for item in case.gives} if path else set()

    def letters(self, holding: Holding) -> set[str]:
        """The letters that have reached him so far."""
        return {one.what.delivery for one in self._boxes.of(holding) if one.way == "letter"}

    async def form_carried_out(self, holding: Holding, form: str, brings: Sequence[str], before: set[str]) -> None:
        """A paper form was carried out: what its letters bring is what the customer enters from now on.

        Args:
            holding: his.
            form: its name in the policy.
            brings: the items that the service says it has written of.
            before: the letters that had reached him by then.

        """
        if form in self._table.paths and any("contract" in case.gives for case in self._table.paths[form].cases):
            await self._give_contract(holding)
        await self._boxes.wait(lambda: len(self.letters(holding) - before) >= len(brings))
        for item in brings:
            name = self._table.items[item].text
            bodies = [one.what.body for one in self._boxes.of(holding) if one.way == "letter" and one.what.delivery not in before]
            found = next((code_in(body) for body in bodies if name.ja in body or name.en in body), None)
            if found is not None:
                holding.secrets[item] = found

    async def _give_contract(self, holding: Holding) -> None:
        """Who had no contract has one now: customer, account and app belong together."""
        if holding.contract:
            return
        holding.contract = True
        for subject, body in holding.customer._replace(contract=True).enrolments:
            await self._service.staff(self._clerk, "PUT", subject_path(subject), body)

    async def set_item(
        self, operator: Operator, holding: Holding, item: str, secret: str, *, first_time: bool | None = None,
    ) -> Trouble | None:
        """Set what the customer enters from now on; on the subject whose it is."""
        subject = holding.subject_of(self._table.items[item].reach)
        body = {"secret": secret, **({} if first_time is None else {"first_time": first_time})}
        _, told = await self._service.staff(operator, "PUT", subject_path(subject, "items", item), body)
        if isinstance(told, Trouble):
            return told
        holding.secrets[item] = secret
        return None
