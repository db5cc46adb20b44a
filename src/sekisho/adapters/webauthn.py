"""Passkeys: what a browser is asked to make or to sign, and whether what comes back is that (W3C Web Authentication Level 3).

Two ceremonies, section 7.1 and 7.2 there. What an authenticator says of its make (its attestation) is neither asked for nor looked
at: docs/why/passkeys.md.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

import msgspec

from sekisho.adapters import cbor, cose
from sekisho.core.base64url import read as unpacked
from sekisho.core.base64url import spell
from sekisho.core.state import PublicKey
from sekisho.errors import CallerError
from sekisho.ports import Asserted

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, HAS_KEY, HAS_EXTENSIONS = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
"""Flags of authenticator data (section 6.1)."""

TIMEOUT_S = 300
"""How long a customer has for a ceremony (section 15.1), and a challenge its life."""

ID_MAX = 1023
"""Bytes of a credential id (section 5.8.3)."""

MADE, SIGNED = "webauthn.create", "webauthn.get"


class RelyingParty(msgspec.Struct, frozen=True):
    """Who asks for passkeys."""

    id: str
    """A domain: passkeys are made for it and work nowhere else."""
    name: str
    origins: tuple[str, ...]
    """Pages from which they may be used, as `https://bank.example`."""
    manage: str = ""
    """Where a customer finds his passkeys; empty: nobody is told."""
    change_password: str = ""
    """Where he changes his password."""


def party_of(domain: str, name: str, origins: Sequence[str], manage: str = "", change_password: str = "") -> RelyingParty:
    """The relying party that an operator has named.

    Raises:
        CallerError: a page is none that browsers would use passkeys on.

    """
    pages = tuple(origins) or (f"https://{domain}",)
    for page in pages:
        if not _PAGE.fullmatch(page):
            raise CallerError(f"{page} is no page for passkeys; write https://HOST, without a path (http only for localhost)")
    return RelyingParty(domain, name or domain, pages, manage, change_password)


_PAGE = re.compile(r"https://[a-z0-9.-]+(:[0-9]{1,5})?|http://localhost(:[0-9]{1,5})?")


class _Client(msgspec.Struct):
    """What the browser says of a ceremony (section 5.8.1); what else it says may grow."""

    type: str
    challenge: str
    origin: str
    crossOrigin: bool = False  # noqa: N815  the standard's name
    topOrigin: str | None = None  # noqa: N815  as above


class Data(msgspec.Struct, frozen=True):
    """Authenticator data (section 6.1)."""

    party: bytes
    flags: int
    counter: int
    id: bytes = b""
    key: bytes = b""


class Passkeys:
    """Both ceremonies for one relying party."""

    def __init__(self, party: RelyingParty) -> None:
        self.party = party
        self._hash = hashlib.sha256(party.id.encode()).digest()

    # -- what a browser is asked

    def to_make(self, challenge: bytes, user: bytes, name: str, known: Sequence[PublicKey]) -> dict[str, object]:
        """Options for `navigator.credentials.create` (as `PublicKeyCredential.parseCreationOptionsFromJSON` reads them)."""
        return {
            "rp": {"id": self.party.id, "name": self.party.name}, "user": {"id": spell(user), "name": name, "displayName": name},
            "challenge": spell(challenge), "pubKeyCredParams": [{"type": "public-key", "alg": one} for one in cose.ALGORITHMS],
            "timeout": TIMEOUT_S * 1000, "excludeCredentials": _listed(known), "attestation": "none",
            # Found by the domain alone, so that nobody is told whether a customer has one.
            "authenticatorSelection": {"residentKey": "required", "requireResidentKey": True, "userVerification": "required"},
        }

    def to_sign(self, challenge: bytes, known: Sequence[PublicKey]) -> dict[str, object]:
        """Options for `navigator.credentials.get`."""
        return {
            "challenge": spell(challenge), "rpId": self.party.id, "timeout": TIMEOUT_S * 1000, "userVerification": "required",
            "allowCredentials": _listed(known),
        }

    # -- what comes back

    def made(self, proof: Mapping[str, str], challenge: bytes, now: int) -> PublicKey | None:
        """The new passkey, if this is one that was asked for with this challenge."""
        try:
            client, statement = unpacked(proof["clientDataJSON"]), cbor.read(unpacked(proof["attestationObject"]))
            told = authenticator_data(_data_of(statement))
            if not self._is_ours(client, MADE, challenge) or not self._is_verified(told) or not told.key:
                return None
            cose.verifier(told.key)
        except (CallerError, KeyError):
            return None
        return PublicKey(
            id=told.id, key=told.key, name=proof.get("name", ""), counter=told.counter, since=now, used=now,
            can_be_backed_up=bool(told.flags & BACKUP_ELIGIBLE), is_backed_up=bool(told.flags & BACKED_UP),
        )

    def asserted(self, known: Sequence[PublicKey], proof: Mapping[str, str], challenge: bytes, user: bytes) -> Asserted | None:
        """Which of a customer's passkeys has signed this challenge; None: none of them has."""
        try:
            name, client, raw = unpacked(proof["id"]), unpacked(proof["clientDataJSON"]), unpacked(proof["authenticatorData"])
            told, signature = authenticator_data(raw), unpacked(proof["signature"])
            handle = unpacked(proof["userHandle"]) if proof.get("userHandle") else user
        except (CallerError, KeyError):
            return None
        found = next((one for one in known if hmac.compare_digest(one.id, name)), None)
        if found is None or not hmac.compare_digest(handle, user) or not self._is_ours(client, SIGNED, challenge) or not self._is_verified(told):
            return None
        if bool(told.flags & BACKUP_ELIGIBLE) is not found.can_be_backed_up or told.key:
            return None
        if not cose.is_signed_by(found.key, signature, raw + hashlib.sha256(client).digest()):
            return None
        # Section 6.1.1: a counter that does not grow is that of a copy, unless the authenticator keeps none.
        copied = (told.counter or found.counter) > 0 and told.counter <= found.counter
        return Asserted(found.id, told.counter, bool(told.flags & BACKED_UP), copied)

    def _is_ours(self, raw: bytes, kind: str, challenge: bytes) -> bool:
        try:
            client = msgspec.json.decode(raw, type=_Client)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        asked = hmac.compare_digest(client.challenge.encode("utf-8", "replace"), spell(challenge).encode())
        return asked and client.type == kind and client.origin in self.party.origins and not is_framed(client)

    def _is_verified(self, told: Data) -> bool:
        """For this party, by somebody who was there and whom the authenticator knows."""
        needed = USER_PRESENT | USER_VERIFIED
        backed_up = told.flags & (BACKUP_ELIGIBLE | BACKED_UP)
        return hmac.compare_digest(told.party, self._hash) and told.flags & needed == needed and backed_up != BACKED_UP


def authenticator_data(raw: bytes) -> Data:
    """Read authenticator data, to the last byte.

    Raises:
        CallerError: it is none.

    """
    if len(raw) < 37:
        raise cbor.NotCbor("authenticator data ends too soon")
    flags, counter, at = raw[32], int.from_bytes(raw[33:37], "big"), 37
    name = key = b""
    if flags & HAS_KEY:
        if len(raw) < 55:
            raise cbor.NotCbor("the credential ends too soon")
        size = int.from_bytes(raw[53:55], "big")
        name, at = raw[55:55 + size], 55 + size
        if not 0 < size <= ID_MAX or len(name) != size:
            raise cbor.NotCbor("the credential's id ends too soon")
        _, end = cbor.read_first(raw, at)
        key, at = raw[at:end], end
    if flags & HAS_EXTENSIONS:
        extensions, at = cbor.read_first(raw, at)
        if not isinstance(extensions, dict):
            raise cbor.NotCbor("extensions are a map")
    if at != len(raw):
        raise cbor.NotCbor("something follows the authenticator data")
    return Data(raw[:32], flags, counter, name, key)


def _data_of(statement: cbor.Value) -> bytes:
    """The authenticator data of an attestation object (section 6.5.4). What it says of the authenticator's make is left where it is."""
    told = statement if isinstance(statement, dict) else {}
    kind, said, data = told.get("fmt"), told.get("attStmt"), told.get("authData")
    if not isinstance(kind, str) or not isinstance(said, dict) or not isinstance(data, bytes):
        raise cbor.NotCbor("this is no attestation object")
    return data


def is_framed(client: _Client) -> bool:
    """Whether the page stood within another one: what its customer saw around it is not known."""
    return client.crossOrigin or client.topOrigin is not None


def _listed(known: Sequence[PublicKey]) -> list[dict[str, object]]:
    return [{"type": "public-key", "id": spell(one.id)} for one in known]
