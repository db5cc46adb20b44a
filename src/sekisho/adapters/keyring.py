"""The keys outside the database: who may call, and the secrets that digests are made with.

One file, mode 0600. API keys stand in it as SHA-256 digests (they are random, so a fast digest is enough); secret keys
stand in it with versions, newest last, because what was made with an old one must still be checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets as chance
from pathlib import Path
from typing import Literal

import msgspec

from sekisho.errors import CallerError
from sekisho.ports import ApiKey
from sekisho.terms import Role

PURPOSES = ("audit", "subjects", "replay", "codes", "seeds", "pepper")
Purpose = Literal["audit", "subjects", "replay", "codes", "seeds", "pepper"]

DEMO = "demo_"
"""What keys of the demonstration begin with; a service refuses them."""


class SecretKey(msgspec.Struct):
    """One version of one secret key."""

    version: int
    key: str
    retired: bool = False


class KeyFile(msgspec.Struct):
    """The file."""

    api: list[ApiKey] = []
    secrets: dict[str, list[SecretKey]] = {}


class Keyring:
    """A key file in use.

    API keys are those of the file as it is now: a new one works and a retired one does not, without a restart. Secret keys stay
    those it was opened with.
    """

    def __init__(self, path: Path, file: KeyFile) -> None:
        self.path = path
        self.file = file
        self._by_digest = {key.digest: key for key in file.api if not key.retired}
        self._seen: tuple[int, ...] | None = None

    @classmethod
    def open(cls, path: Path) -> Keyring:
        """Read a key file.

        Raises:
            CallerError: it is not there, others may read it, or it is not a key file.

        """
        try:
            if path.stat().st_mode & 0o077:
                detail = f"{path} can be read by others; run: chmod 600 {path}"
                raise CallerError(detail)
            return cls(path, msgspec.json.decode(path.read_bytes(), type=KeyFile))
        except FileNotFoundError as no:
            detail = f"{path} is not there; run: sekisho keys new --keys {path} --role admin --operator NAME"
            raise CallerError(detail) from no
        except msgspec.MsgspecError as no:
            detail = f"{path} is not a key file"
            raise CallerError(detail) from no

    @classmethod
    def make(cls, path: Path) -> Keyring:
        """A new key file with fresh secret keys."""
        ring = cls(path, KeyFile(secrets={purpose: [SecretKey(1, chance.token_hex(32))] for purpose in PURPOSES}))
        ring.save()
        return ring

    def save(self) -> None:
        """Write the file so that a crash leaves the old one or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(self.file), indent=2))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(self.path)
        self._by_digest = {key.digest: key for key in self.file.api if not key.retired}

    def new(self, role: Role, operator: str, *, demo: bool = False) -> str:
        """Make an API key; it is shown once and kept nowhere."""
        identifier = chance.token_hex(4)
        plain = f"{DEMO if demo else 'sk_'}{role}_{identifier}_{chance.token_urlsafe(24)}"
        self.file.api.append(ApiKey(identifier, role, operator, _digest(plain), demo))
        self.save()
        return plain

    def retire(self, identifier: str) -> bool:
        """Let an API key work no more."""
        found = [key for key in self.file.api if key.id == identifier and not key.retired]
        for key in found:
            key.retired = True
        self.save()
        return bool(found)

    def rotate(self, purpose: str) -> int:
        """A new version of a secret key; older ones still check what they made."""
        versions = self.file.secrets.setdefault(purpose, [])
        versions.append(SecretKey(max((one.version for one in versions), default=0) + 1, chance.token_hex(32)))
        self.save()
        return versions[-1].version

    def who(self, plain: str) -> ApiKey | None:
        """Whose key this is; None for one that is unknown or retired."""
        self._look_again()
        return self._by_digest.get(_digest(plain))

    def named(self, identifier: str) -> ApiKey | None:
        """The key of that id; None for one that is unknown or retired."""
        self._look_again()
        return next((key for key in self.file.api if key.id == identifier and not key.retired), None)

    def _look_again(self) -> None:
        """Take the API keys of the file anew where it has changed; of one that cannot be read nothing new is believed."""
        with contextlib.suppress(OSError, CallerError):
            at = self.path.stat()
            seen = (at.st_ino, at.st_mtime_ns, at.st_size)
            if seen != self._seen:
                self.file.api = [key for key in Keyring.open(self.path).file.api if not key.demo or key in self.file.api]
                self._by_digest = {key.digest: key for key in self.file.api if not key.retired}
                self._seen = seen

    def secret(self, purpose: Purpose, version: int | None = None) -> bytes:
        """The newest secret key for a purpose, or the one of that version."""
        versions = self.file.secrets[purpose]
        found = versions[-1] if version is None else next(one for one in versions if one.version == version)
        return bytes.fromhex(found.key)

    def versions(self, purpose: Purpose) -> dict[int, bytes]:
        """All secret keys for a purpose, by version.

        Raises:
            CallerError: there are none.

        """
        versions = self.file.secrets.get(purpose, [])
        if not versions:
            raise CallerError(f"{self.path} has no keys for {purpose}; make them with: sekisho keys rotate {purpose} --keys {self.path}")
        return {one.version: bytes.fromhex(one.key) for one in versions}

    def newest(self, purpose: Purpose) -> int:
        """The version that is used now."""
        return self.file.secrets[purpose][-1].version

    @property
    def has_demo_keys(self) -> bool:
        """Whether any key was made for a demonstration."""
        return any(key.demo and not key.retired for key in self.file.api)


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def seeded(path: Path, seed: str) -> Keyring:
    """Keys that follow from a seed: for the lab, whose plays are repeated. The file is not written."""
    made = {purpose: [SecretKey(1, hashlib.sha256(f"{seed}/{purpose}".encode()).hexdigest())] for purpose in PURPOSES}
    return Keyring(path, KeyFile(secrets=made))
