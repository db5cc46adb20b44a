"""Tokens as vendors deliver them in CSV (RFC 4180): one a line, the first line names the columns, in any order."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from sekisho.core import otp
from sekisho.core.state import SECOND, Token
from sekisho.errors import CallerError
from sekisho.flows.import_lines import Fault
from sekisho.ports import Delivered

NEEDED = ("serial", "type")
SEEDS = ("seed_hex", "seed_base32")
"""One of them."""
COLUMNS = (*NEEDED, *SEEDS, "digits", "step", "algorithm", "counter", "model", "starts", "ends")


def read(text: str) -> tuple[list[Delivered], list[Fault]]:
    """All tokens of a file, and what is wrong with lines."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    found: list[Delivered] = []
    faults: list[Fault] = []
    try:
        named = reader.fieldnames or []
        if not {*NEEDED} <= {*named} <= {*COLUMNS} or len({*named}) != len(named) or len({*SEEDS} & {*named}) != 1:
            columns = "the first line names the columns: serial, type, seed_hex or seed_base32, and of " + ", ".join(COLUMNS[4:])
            return [], [Fault(1, "serial", columns)]
        for cells in reader:
            try:
                found.append(_token(reader.line_num, cells))
            except _Wrong as no:
                faults.append(Fault(reader.line_num, no.column, no.text))
    except csv.Error:
        faults.append(Fault(reader.line_num, "serial", "this is not CSV from here on; a quote is doubled and closed"))
    if not found and not faults:
        faults.append(Fault(1, "serial", "there is no token in it"))
    return found, faults


class _Wrong(Exception):
    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column
        self.text = text


def _token(line: int, cells: dict[str, str]) -> Delivered:
    if None in cells or None in cells.values():
        raise _Wrong("serial", "a line has as many columns as the first line names")
    kind = cells["type"].strip().lower()
    if kind not in {"hotp", "totp"}:
        raise _Wrong("type", "a token is hotp or totp")
    by_time = kind == "totp"
    if cells.get("counter") and by_time:
        raise _Wrong("counter", "a token that goes by the time has no counter; leave it empty")
    step = _number(cells, "step", otp.STEP_S) if by_time else 0
    if by_time and step == 0:
        raise _Wrong("step", "a token that goes by the time has steps of some seconds")
    token = Token(
        algorithm=(cells.get("algorithm") or "sha1").strip().lower().replace("-", ""), digits=_number(cells, "digits", 6),
        step_s=step, starts=_time(cells, "starts"), ends=_time(cells, "ends"),
    )
    used = None if by_time else _number(cells, "counter", 0) - 1
    return Delivered(line, cells["serial"].strip(), _seed(cells), token, used, (cells.get("model") or "").strip()[:100])


def _seed(cells: dict[str, str]) -> bytes:
    try:
        return bytes.fromhex(cells["seed_hex"]) if "seed_hex" in cells else otp.seed_of(cells["seed_base32"])
    except (ValueError, CallerError):
        column = next(name for name in SEEDS if name in cells)
        raise _Wrong(column, "a seed is written in hexadecimal digits, or in base 32, as its column says") from None


def _number(cells: dict[str, str], column: str, otherwise: int) -> int:
    text = (cells.get(column) or "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise _Wrong(column, "this is no whole number")
    return int(text) if text else otherwise


def _time(cells: dict[str, str], column: str) -> int:
    text = (cells.get(column) or "").strip()
    try:
        at = datetime.fromisoformat(text) if text else None
        # 0 is no bound: not even the first moment of 1970 is it.
        return 0 if at is None else max(1, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * SECOND))
    except (ValueError, OverflowError):
        raise _Wrong(column, "a day or a time is written as 2030-12-31 or 2030-12-31T00:00:00Z") from None
