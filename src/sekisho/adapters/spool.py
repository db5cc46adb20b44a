"""Letters as PDF files in a folder from which the printing house takes them: one file a letter, whole or not there."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from sekisho.adapters.sheet import sheet
from sekisho.errors import CallerError
from sekisho.ports import Handed, Message


class Spool:
    """Puts letters into a folder.

    Args:
        folder: nobody but its owner may look into it. Whoever prints a letter takes its file away.

    Raises:
        CallerError: there is no such folder, or others may look into it.

    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise CallerError(f"the folder {folder} for letters is not there; make it first, for its owner alone")
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            raise CallerError(f"others may look into {folder}, where letters are put; allow its owner alone: chmod 700 {folder}")
        self._folder = folder

    async def send(self, message: Message) -> Handed:
        """Put a letter there. The same letter handed over twice is one file."""
        await asyncio.to_thread(self._put, message)
        return Handed(accepted=True, said="in the folder")

    def _put(self, message: Message) -> None:
        begun, whole = (self._folder / f"{message.delivery}{ending}" for ending in (".part", ".pdf"))
        opened = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(opened, "wb") as out:
            out.write(sheet(message))
            out.flush()
            os.fsync(out.fileno())
        begun.rename(whole)
        self._flush_folder()

    def _flush_folder(self) -> None:
        """Its name is durable too before anybody is told that the letter is on its way."""
        opened = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
