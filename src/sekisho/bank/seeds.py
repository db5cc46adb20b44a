"""The customers of the reference bank, enrolled through the staff interface like those of any other bank."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx

from sekisho.bank.guests import Guest
from sekisho.bank.service import subject_path
from sekisho.policy import Table


class Customer(NamedTuple):
    """One made-up customer with everything he holds."""

    number: str
    account: str
    ja: str
    en: str
    password: str
    card_pin: str
    last_balance: str
    birth: str
    token_seed: str
    passcode: str
    transaction_code: str
    telephone_pin: str
    user_number: str
    mail: str
    telephone: str
    first_time: bool = False
    contract: bool = True
    flags: tuple[str, ...] = ()
    legacy: tuple[tuple[str, str], ...] = ()
    """Items that are gone, and the row of the lock that each left behind."""
    items: frozenset[str] | None = None
    """What his bank asks for; None: everything that he holds."""

    def at(self, table: Table) -> Customer:
        """Him as a customer of the bank that this is the policy of."""
        flags = tuple(flag for flag in self.flags if flag.partition(":")[2] in table.exemptions)
        legacy = tuple(one for one in self.legacy if one[1] in table.abolished)
        return self._replace(flags=flags, legacy=legacy, items=frozenset(table.items))

    @property
    def subject(self) -> str:
        """His name here."""
        return f"customer:{self.number}"

    @property
    def account_subject(self) -> str:
        """His account's name here."""
        return f"account:{self.account}"

    @property
    def app_subject(self) -> str:
        """His app enrolment's name here."""
        return f"app:phone-of-{self.number}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """All that is enrolled of him."""
        return (self.subject, self.account_subject, self.app_subject) if self.contract else (self.account_subject,)

    @property
    def secrets(self) -> dict[str, str]:
        """What he would enter, by item; for the token its seed."""
        return {item: body["secret"] for _, item, body in _secrets(self)}

    @property
    def mails(self) -> tuple[str, ...]:
        """His mail addresses: the one he gave first, and one at his telephone company."""
        return self.mail, f"{self.mail.partition('@')[0]}@mobile.example.jp"

    @property
    def enrolments(self) -> list[tuple[str, dict[str, Any]]]:
        """Each of his subjects, and what is to be known of it."""
        return _enrolments(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is special about him, by the names of the texts that say it."""
        found = ([] if self.contract else ["no-contract"]) + (["first-time"] if self.first_time else [])
        return (*found, *(flag.partition(":")[2] for flag in self.flags), *(item for item, _ in self.legacy))


ON_FILE_SINCE = "2024-01-01T00:00:00Z"

CUSTOMERS = (
    Customer("0012345678", "10000-12345671", "関守 はな", "Hana Sekimori", "correct horse 8", "2580", "123456", "1980-04-01",
             "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "482916", "7391", "4826", "55512340", "hana@example.com", "090-0000-1234"),
    Customer("0023456789", "10000-23456781", "箱根 太郎", "Taro Hakone", "battery staple 9", "1470", "98001", "1975-12-24",
             "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU", "193755", "2046", "1193", "55523451", "taro@example.com", "090-0000-2345"),
    Customer("0034567890", "10000-34567891", "碓氷 みどり", "Midori Usui", "first letter 10", "3690", "500", "1991-07-07",
             "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "660127", "8812", "7730", "55534562", "midori@example.com", "090-0000-3456", first_time=True),
    Customer("0045678901", "10000-45678901", "白河 一郎", "Ichiro Shirakawa", "quiet river 11", "9517", "44120", "1968-02-29",
             "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK", "905512", "1357", "2468", "55545673", "ichiro@example.com", "090-0000-4567",
             flags=("exemption:impaired-sight",)),
    Customer("0056789012", "10000-56789011", "新居 ゆき", "Yuki Arai", "", "8642", "7700", "2001-09-15",
             "", "", "", "", "", "yuki@example.com", "090-0000-5678", contract=False),
    Customer("0067890123", "10000-67890121", "鈴鹿 健", "Ken Suzuka", "old ferry 12", "7135", "8123", "1959-11-03",
             "NB2W45DFOIZA2ZLTNB2W45DFOIZA2ZLT", "731904", "6420", "9081", "55556784", "ken@example.com", "090-0000-6789",
             legacy=(("direct-pin", "Y-ABOLISHED-1"),)),
    Customer("0078901234", "10000-78901231", "不破 すみれ", "Sumire Fuwa", "second gate 13", "4908", "61500", "1983-05-20",
             "OBQXG43XN5ZGIIDPOBQXG43XN5ZGIIDP", "284637", "5093", "3370", "55567895", "sumire@example.com", "090-0000-7890",
             legacy=(("secret-word", "Y-ABOLISHED-2"),)),
)


async def enrol(client: httpx.AsyncClient, key: str, table: Table) -> list[Customer]:
    """Enrol all of them at the bank of this policy, which has a use for some of what they hold; those who are new there.

    Done again, it gives them their first secrets back and leaves counts and locks alone.
    """
    return [customer for customer in CUSTOMERS if await enrol_one(client, key, customer.at(table))]


async def enrol_one(client: httpx.AsyncClient, key: str, customer: Customer) -> bool:
    """Enrol one customer; what an older system left behind comes over the first time only. Whether he is new."""
    new = False
    for subject, body in customer.enrolments:
        # A device that he has added since is his newest app, and stays it.
        body["links"] |= await _links(client, key, subject)
        new |= await _put(client, key, subject_path(subject), body) == httpx.codes.CREATED
    for subject, item, body in _secrets(customer):
        await _put(client, key, subject_path(subject, "items", item), body)
    for item, row in customer.legacy if new else ():
        await _put(client, key, subject_path(customer.subject, "items", item), {"locks": [{"row": row}]})
    return new


async def settle_in(client: httpx.AsyncClient, channel: str, table: Table, customers: list[Customer]) -> None:
    """Let each log in once from where he usually is, so that another place is unusual: for a bank that asks about unusual logins."""
    login = next((one for one in table.operations.values() if one.gives_session), None)
    if table.risk is None or login is None:
        return
    headers = {"authorization": f"Bearer {channel}"}
    for customer in customers:
        body = {"operation": login.name, "subject": customer.subject, "context": Guest("", "", "").context}
        run = (await client.post("/v1/procedures", json=body, headers=headers)).json()["procedure"]
        right = {"item": "login-password", "proof": customer.password}
        told = (await client.post(f"/v1/procedures/{run}/attempts", json=right, headers=headers)).json()
        if told.get("session"):
            await client.delete(f"/v1/sessions/{told['session']}", headers=headers)


def _enrolments(one: Customer) -> list[tuple[str, dict[str, Any]]]:
    telephone = _addresses("telephone", one.telephone)
    if not one.contract:
        # Whoever applies is no customer yet: what the branch knows of him is known of his account.
        return [(one.account_subject, {"links": {}, "addresses": [*telephone, *_addresses("mail", *one.mails)]})]
    return [
        (one.subject, {
            "links": {"account": one.account_subject, "app": one.app_subject}, "flags": list(one.flags), "addresses": _addresses("mail", *one.mails),
        }),
        (one.account_subject, {"links": {"customer": one.subject, "app": one.app_subject}, "addresses": telephone}),
        (one.app_subject, {"links": {"customer": one.subject, "account": one.account_subject}}),
    ]


def _secrets(one: Customer) -> list[tuple[str, str, dict[str, Any]]]:
    return [secret for secret in _all_secrets(one) if one.items is None or secret[1] in one.items]


def _all_secrets(one: Customer) -> list[tuple[str, str, dict[str, Any]]]:
    account = [
        (one.account_subject, "card-pin", {"secret": one.card_pin}),
        (one.account_subject, "last-balance", {"secret": one.last_balance}),
        (one.account_subject, "basic-data", {"secret": f"{one.account} {one.ja} {one.birth}"}),
    ]
    if not one.contract:
        return account
    return [
        *account,
        (one.subject, "login-password", {"secret": one.password, "first_time": one.first_time}),
        (one.subject, "token-otp", {"secret": one.token_seed}),
        (one.app_subject, "app-passcode", {"secret": one.passcode}),
        (one.app_subject, "transaction-code", {"secret": one.transaction_code}),
        (one.account_subject, "telephone-pin", {"secret": one.telephone_pin}),
        (one.account_subject, "telephone-user-number", {"secret": one.user_number}),
    ]


def _addresses(kind: str, *addresses: str) -> list[dict[str, str]]:
    """As the bank tells them: it has known them for long, and that he reads what is sent there."""
    return [{"kind": kind, "to": to, "state": "confirmed", "since": ON_FILE_SINCE} for to in addresses]


async def _links(client: httpx.AsyncClient, key: str, subject: str) -> dict[str, str]:
    answer = await client.get(subject_path(subject), headers={"authorization": f"Bearer {key}"})
    return {} if answer.is_error else dict(answer.json()["links"])


async def _put(client: httpx.AsyncClient, key: str, path: str, body: dict[str, Any]) -> int:
    answer = await client.put(path, json=body, headers={"authorization": f"Bearer {key}"})
    if answer.is_error:
        raise RuntimeError(f"{path}: {answer.text}")
    return answer.status_code
