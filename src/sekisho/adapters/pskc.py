"""Tokens as vendors deliver them: Portable Symmetric Key Container (PSKC, RFC 6030), plain or encrypted.

The file comes from outside: it is read without entities and without a document type, of limited size; a signature is checked before
anything else is read; what is encrypted is decrypted only after its MAC; and what is not understood is refused, since it may forbid something.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
from collections import Counter
from datetime import UTC, datetime

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_unwrap_with_padding
from lxml import etree

from sekisho.adapters import signed_xml
from sekisho.core import otp
from sekisho.core.state import SECOND, Token
from sekisho.flows.import_lines import Fault
from sekisho.ports import Delivered

BYTES_MAX = 16 * 1024 * 1024
"""Largest file that is read."""

ROUNDS_MAX = 1_000_000
"""Most rounds of PBKDF2 that a file may ask for."""

_P = "{urn:ietf:params:xml:ns:keyprov:pskc}"
_ENC = "{http://www.w3.org/2001/04/xmlenc#}"
_ENC11 = "{http://www.w3.org/2009/xmlenc11#}"

_KINDS = {"urn:ietf:params:xml:ns:keyprov:pskc:hotp": False, "urn:ietf:params:xml:ns:keyprov:pskc:totp": True}
"""Key algorithms (section 10 and its registry): whether they go by the time."""

_CBC = {f"http://www.w3.org/2001/04/xmlenc#aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
_WRAP = {f"http://www.w3.org/2001/04/xmlenc#kw-aes{bits}": bits // 8 for bits in (128, 192, 256)}

_MACS = {
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1": "sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384": "sha384", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512": "sha512",
}

_NUMBER = re.compile(r"-?[0-9]{1,20}")

_POLICY = {f"{_P}StartDate", f"{_P}ExpiryDate", f"{_P}KeyUsage"}
"""Of a key's policy: what is kept here. Whatever else stands there forbids the use of the key (section 5)."""


class _Wrong(Exception):
    def __init__(self, where: str, text: str) -> None:
        super().__init__(text)
        self.where = where
        self.text = text


_NEEDS_KEY = _Wrong("EncryptedValue", "the file is encrypted; give its key or its password")


class _Keys:
    """What opens a container: the key that encrypts, and that of the MAC."""

    def __init__(self, container: etree._Element, key: bytes | None, password: str | None) -> None:
        self._key = key if password is None else _derived(container, password)
        method = _only(container, "MACMethod")
        self._mac = None if method is None else _MACS.get(method.get("Algorithm", ""))
        own = _only(method, "MACKey")
        self._mac_key = self._key if own is None else self._decrypted(own)

    def seed(self, element: etree._Element) -> bytes:
        """A seed. Where there is a key for the file each is encrypted: a plain one could have been put in another's place by anybody."""
        plain = _only(element, "PlainValue")
        if plain is None:
            return self.value(element)
        if self._key is not None:
            raise _Wrong("PlainValue", "this seed is not encrypted, though a key or a password was given: it may have been exchanged")
        return _bytes(_text(plain, "PlainValue"), "Secret")

    def value(self, element: etree._Element) -> bytes:
        """What is encrypted in an element (section 6.1): after its MAC, where its cipher needs one (section 6.3)."""
        encrypted = _only(element, "EncryptedValue")
        if encrypted is None:
            raise _Wrong("Secret", "there is neither a plain nor an encrypted value")
        if _algorithm(encrypted) not in _WRAP:
            told = _told(element, "ValueMAC")
            if not told or self._mac is None:
                raise _Wrong("ValueMAC", "an encrypted value needs a MAC, by HMAC with SHA-1 or SHA-2: without one it could have been changed")
            if self._mac_key is None:
                raise _NEEDS_KEY
            if not hmac.compare_digest(hmac.digest(self._mac_key, _cipher_text(encrypted), self._mac), _bytes(told, "ValueMAC")):
                raise _Wrong("ValueMAC", "the MAC does not fit: the file was changed, or this is not its key")
        return self._decrypted(encrypted)

    def _decrypted(self, encrypted: etree._Element) -> bytes:
        algorithm, text = _algorithm(encrypted), _cipher_text(encrypted)
        size = _CBC.get(algorithm) or _WRAP.get(algorithm)
        if size is None:
            raise _Wrong("EncryptionMethod", "the cipher is one of AES-CBC or AES key wrap, with 128, 192 or 256 bits")
        if self._key is None:
            raise _NEEDS_KEY
        if len(self._key) != size:
            raise _Wrong("EncryptedValue", f"the key of this file has {size} bytes")
        return _unwrapped(self._key, text) if algorithm in _WRAP else _from_cbc(self._key, text)


def _algorithm(encrypted: etree._Element) -> str:
    method = encrypted.find(f"{_ENC}EncryptionMethod")
    return "" if method is None else method.get("Algorithm", "")


def _cipher_text(encrypted: etree._Element) -> bytes:
    return _bytes(encrypted.findtext(f"{_ENC}CipherData/{_ENC}CipherValue") or "", "CipherValue")


def _unwrapped(key: bytes, text: bytes) -> bytes:
    """RFC 3394, or with what is filled up RFC 5649, where a seed is no whole number of blocks."""
    for unwrap in (aes_key_unwrap, aes_key_unwrap_with_padding):
        with contextlib.suppress(InvalidUnwrap, ValueError):
            return unwrap(key, text)
    raise _Wrong("CipherValue", "this cannot be unwrapped: the file was changed, or this is not its key")


def _from_cbc(key: bytes, text: bytes) -> bytes:
    """XML Encryption section 5.2: the initial vector comes first, the last byte says how many were filled up."""
    if len(text) < 32 or len(text) % 16:
        raise _Wrong("CipherValue", "this is no whole number of blocks")
    opened = Cipher(algorithms.AES(key), modes.CBC(text[:16])).decryptor()
    plain = opened.update(text[16:]) + opened.finalize()
    if not 1 <= plain[-1] <= 16:
        raise _Wrong("CipherValue", "this cannot be decrypted: the file was changed, or this is not its key")
    return plain[:-plain[-1]]


def _derived(container: etree._Element, password: str) -> bytes:
    """A key from a password: PBKDF2 (RFC 6030 section 6.2, RFC 8018)."""
    for derived in container.iter(f"{_ENC11}DerivedKey"):
        for method in derived.iter(f"{_ENC11}KeyDerivationMethod"):
            found = {one.tag.rpartition("}")[2]: one for one in method.iter()}
            prf = found.get("PRF")
            name = "sha1" if prf is None else prf.get("Algorithm", "").rpartition("hmac-")[2].rpartition("#")[2].lower()
            salt = _bytes(_said(found.get("Specified")), "Salt")
            rounds, length = _number(_said(found.get("IterationCount")), "IterationCount"), _number(_said(found.get("KeyLength")), "KeyLength")
            if method.get("Algorithm", "").rpartition("#")[2] != "pbkdf2" or name not in {"sha1", "sha256", "sha384", "sha512"}:
                raise _Wrong("KeyDerivationMethod", "a password makes the key by PBKDF2 with HMAC and SHA-1 or SHA-2")
            if not 1 <= rounds <= ROUNDS_MAX or length not in {16, 24, 32}:
                raise _Wrong("KeyDerivationMethod", f"up to {ROUNDS_MAX} rounds are made, for a key of 16, 24 or 32 bytes")
            return hashlib.pbkdf2_hmac(name, password.encode(), salt, rounds, length)
    raise _Wrong("EncryptionKey", "the file names no way from a password to its key")


def read(
    body: bytes, *, key: bytes | None = None, password: str | None = None, certificate: bytes | None = None,
) -> tuple[list[Delivered], list[Fault]]:
    """All tokens of a container, and what is wrong with those that are not told.

    Args:
        body: the file.
        key: that it is encrypted with, where both sides have it.
        password: from which that key is made.
        certificate: of whoever must have signed the file, PEM; None: it is not to be signed.

    """
    try:
        if len(body) > BYTES_MAX:
            raise _Wrong("KeyContainer", f"a file has up to {BYTES_MAX} bytes; take it in in parts")
        container = _container(body)
        if certificate is None and signed_xml.is_signed(container):
            raise _Wrong("Signature", "the file is signed; give the certificate of whoever signs")
        if certificate is not None and not signed_xml.holds(container, certificate):
            raise _Wrong("Signature", "the file is not as the owner of this certificate has signed it")
        keys = _Keys(container, key, password)
    except etree.XMLSyntaxError as no:
        return [], [Fault(no.lineno or 1, "KeyContainer", "this is not XML from here on")]
    except _Wrong as no:
        return [], [Fault(1, no.where, no.text)]
    return _tokens(container, keys)


def _container(body: bytes) -> etree._Element:
    # Without comments and instructions: a text that one cuts in two would be read in part and signed as a whole.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )
    root = etree.fromstring(body, parser)
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise _Wrong("KeyContainer", "a file with a document type or with entities is not taken")
    if root.tag != f"{_P}KeyContainer" or root.get("Version") != "1.0":
        raise _Wrong("KeyContainer", "this is no key container of version 1.0 (RFC 6030)")
    return root


def _tokens(container: etree._Element, keys: _Keys) -> tuple[list[Delivered], list[Fault]]:
    found: list[Delivered] = []
    faults: list[Fault] = []
    packages = container.findall(f"{_P}KeyPackage")
    ids = Counter(key.get("Id", "") for key in container.iterfind(f"{_P}KeyPackage/{_P}Key"))
    for number, package in enumerate(packages, 1):
        try:
            found.append(_token(number, package, keys, ids))
        except _Wrong as no:
            faults.append(Fault(number, no.where, no.text))
    if not packages:
        faults.append(Fault(1, "KeyPackage", "there is no token in it"))
    return found, faults


def _token(number: int, package: etree._Element, keys: _Keys, ids: Counter[str]) -> Delivered:
    """One key package (section 4)."""
    device, key = _only(package, "DeviceInfo"), _only(package, "Key")
    if key is None:
        raise _Wrong("Key", "there is no key in this package")
    name = key.get("Id")
    if name and ids[name] > 1:
        raise _Wrong("Id", "several keys of this file have the same Id; it names one of them")
    by_time = _KINDS.get(key.get("Algorithm", ""))
    if by_time is None:
        raise _Wrong("Key", "a token is HOTP or TOTP, as urn:ietf:params:xml:ns:keyprov:pskc:totp")
    starts, ends = _times(device, key)
    data = _only(key, "Data")
    if data is None:
        raise _Wrong("Data", "there is no data of this key")
    if by_time and _data(data, "Time", keys, 0):
        raise _Wrong("Time", "time steps are counted from 1970-01-01 (RFC 6238); this token counts from another time")
    token = Token(
        algorithm=_hash(key), digits=_digits(key), step_s=_step(data, keys) if by_time else 0,
        drift=_data(data, "TimeDrift", keys, 0) if by_time else 0, starts=starts, ends=ends,
    )
    used = None if by_time else _data(data, "Counter", keys, 0) - 1
    model = " ".join(filter(None, (_told(device, name) for name in ("Manufacturer", "Model"))))
    return Delivered(number, _told(device, "SerialNo"), _secret(data, keys), token, used, model[:100])


def _step(data: etree._Element, keys: _Keys) -> int:
    step = _data(data, "TimeInterval", keys, otp.STEP_S)
    if step == 0:
        raise _Wrong("TimeInterval", "a token that goes by the time has steps of some seconds")
    return step


def _secret(data: etree._Element, keys: _Keys) -> bytes:
    secret = _only(data, "Secret")
    if secret is None:
        raise _Wrong("Secret", "there is no seed")
    return keys.seed(secret)


def _data(data: etree._Element, name: str, keys: _Keys, otherwise: int) -> int:
    """A figure of a key: plain, or encrypted as a number of eight bytes."""
    element = _only(data, name)
    if element is None:
        return otherwise
    plain = _only(element, "PlainValue")
    if plain is not None:
        return _number(_text(plain, name), name)
    value = keys.value(element)
    if len(value) > 8:
        raise _Wrong(name, "a number has eight bytes at the most")
    return int.from_bytes(value, "big")


def _hash(key: etree._Element) -> str:
    said = (_told(_only(key, "AlgorithmParameters"), "Suite") or "HMAC-SHA1").upper()
    return said.removeprefix("HMAC-").replace("-", "").lower()


def _digits(key: etree._Element) -> int:
    form = _only(_only(key, "AlgorithmParameters"), "ResponseFormat")
    if form is None:
        return 6
    if form.get("Encoding") != "DECIMAL" or form.get("CheckDigits", "false") not in {"false", "0"}:
        raise _Wrong("ResponseFormat", "codes are of decimal digits without a check digit")
    return _number(form.get("Length", ""), "ResponseFormat")


def _times(device: etree._Element | None, key: etree._Element) -> tuple[int, int]:
    """Between when the token may be used, by its device and by its key's policy: the narrower of the two. Microseconds; 0: no bound."""
    policy = _only(key, "Policy")
    for one in [] if policy is None else list(policy):
        if one.tag not in _POLICY:
            raise _Wrong("Policy", "this key may be used only as is not kept to here")
    usages = {(one.text or "").strip() for one in ([] if policy is None else policy.findall(f"{_P}KeyUsage"))}
    if usages and "OTP" not in usages:
        raise _Wrong("Policy", "this key is not for one-time passwords")
    found = [one for one in (device, policy) if one is not None]
    starts = [_time(_text(day, "StartDate")) for one in found if (day := _only(one, "StartDate")) is not None]
    ends = [_time(_text(day, "ExpiryDate")) for one in found if (day := _only(one, "ExpiryDate")) is not None]
    return max(starts, default=0), min(ends, default=0)


def _time(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        # Never 0, which is no bound: not even the first moment of 1970.
        return max(1, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * SECOND))
    except (ValueError, OverflowError):
        raise _Wrong("ExpiryDate", "a time is written as 2030-12-31T00:00:00Z") from None


def _said(element: etree._Element | None) -> str:
    return "" if element is None else element.text or ""


def _only(element: etree._Element | None, name: str) -> etree._Element | None:
    """The child of that name; None: there is none.

    Raises:
        _Wrong: there are several: another reader might take another of them.

    """
    found = [] if element is None else element.findall(f"{_P}{name}")
    if len(found) > 1:
        raise _Wrong(name, "this stands there twice, and only one can be meant")
    return found[0] if found else None


def _told(element: etree._Element | None, name: str) -> str:
    """The text of the child of that name; empty: there is none."""
    found = _only(element, name)
    return "" if found is None else _text(found, name)


def _text(element: etree._Element, where: str) -> str:
    if len(element):
        raise _Wrong(where, "here stands a text, and no further elements")
    return (element.text or "").strip()


def _number(text: str, where: str) -> int:
    if _NUMBER.fullmatch(text.strip()) is None:
        raise _Wrong(where, "this is no whole number")
    return int(text)


def _bytes(text: str, where: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _Wrong(where, "this is not base 64") from None


__all__ = ["BYTES_MAX", "read"]
