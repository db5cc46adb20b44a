"""Three PostgreSQL under Patroni and the etcd that they agree by: real, on 127.0.0.1, gone with whoever started them.

    with Cluster() as cluster:
        url = cluster.url()            # of all three, as a bank would write it
        leader = cluster.leader()
        leader.kill()                  # a machine without power
        heir = cluster.led_by_another(leader)
        leader.start()
        cluster.until_whole()

Patroni lives in an environment of its own, beside that of the tests: `python3 run.py test --ha` makes it, and fetches etcd.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import asyncpg
import httpx
import postgres
import psutil

TOOLS = Path(__file__).parents[1] / ".tools"
PATRONI = TOOLS / "patroni" / "bin" / "python"
NAMES = ("one", "two", "three")
PATIENCE_S = 150
ANSWER_S = 3

LEASE = {"ttl": 20, "loop_wait": 2, "retry_timeout": 5}
"""Seconds. Patroni takes no shorter lease of the leader's place: so long after a leader has gone silent another one leads."""

STRICT = {"synchronous_mode": True, "synchronous_mode_strict": True}
"""What a bank must set: nothing is confirmed by one server alone, and nobody takes over who has not got all that was."""

SECRET = "made-up"
"""Of every role; the servers answer on this machine alone."""

SETTINGS = {name: value for name, value in postgres.QUICK.items() if name not in {"listen_addresses", "wal_level", "max_wal_senders"}}
READS_ALL_BIT = 2
"""CAP_DAC_READ_SEARCH: to read whatever there is, and no more."""


def etcd():
    """Where the program is; None: nowhere."""
    return shutil.which("etcd") or shutil.which(TOOLS / "etcd" / "usr" / "bin" / "etcd")


def wanting():
    """What is missing to run all this, and how to get it; None: nothing."""
    found = {"Patroni": PATRONI.exists(), "etcd": etcd(), "setpriv": shutil.which("setpriv")}
    missing = ", ".join(name for name, there in found.items() if not there)
    if not missing:
        return None
    return f"missing: {missing}; `python3 run.py test --ha` gets Patroni, and on Debian etcd; elsewhere put etcd and setpriv (util-linux) on the PATH"


class Cluster:
    """A cluster that serves. `settings` are Patroni's own, for the whole of it, over `LEASE` and `STRICT`."""

    def __init__(self, **settings):
        self.settings = {**LEASE, **STRICT, **settings}
        ports = iter(free_ports(2 + 2 * len(NAMES)))
        self.etcd = Etcd(next(ports), next(ports))
        self.members = [Member(name, next(ports), next(ports), self) for name in NAMES]
        followers = ["sync_standby", "replica"] if self.settings["synchronous_mode"] else ["replica", "replica"]
        self._roles = sorted(["leader", *followers])

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self._remove)
            self.etcd.start()
            self.until(self.etcd.answers, "etcd answers")
            first, *others = self.members
            first.start()
            self.until(lambda: first.says("primary"), "the first one leads")
            for one in others:
                one.start()
            self.until_whole()
            asyncio.run(first.make_bank())
            stack.pop_all()
        return self

    def __exit__(self, *_):
        self._remove()

    def _remove(self):
        for one in self.members:
            one.remove()
        self.etcd.remove()

    def url(self):
        """Of the bank's database, wherever it is led from."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.members)
        return f"postgresql://sekisho:{SECRET}@{hosts}/sekisho?target_session_attrs=read-write"

    def leader(self):
        """Who leads, as soon as somebody does."""
        return self.until(lambda: self._who_says("primary"), "one leads")

    def led_by_another(self, old):
        """Who leads, as soon as it is somebody else and his database knows it."""
        heir = self.until(lambda: self._who_says("primary", but=old), "another one leads")
        self.until(heir.leads, f"{heir.name} takes writes")
        return heir

    def standby(self):
        """Whose copy every commit waits for."""
        return self.until(lambda: self._who_says("synchronous"), "one is in step")

    def _who_says(self, path, but=None):
        return next((one for one in self.members if one is not but and one.says(path)), None)

    def until_whole(self):
        """Until one leads and the others follow it, as they should."""
        self.until(self._whole, "it is whole")

    def _whole(self):
        leader = self._who_says("primary")
        told = leader.ask("cluster") if leader else None
        members = told.json()["members"] if told and told.status_code == httpx.codes.OK else []
        follow = all(one["state"] == ("running" if one["role"] == "leader" else "streaming") for one in members)
        return follow and sorted(one["role"] for one in members) == self._roles and len({one.get("timeline") for one in members}) == 1

    def until_all_follow(self):
        """Until each of the databases says that it is no primary."""
        self.until(lambda: all(one.follows() for one in self.members), "none is a primary")

    def until(self, holds, what):
        """Wait until that holds; what it has found."""
        ends = time.monotonic() + PATIENCE_S
        while not (found := holds()):
            broken = [one.name for one in self.members if one.patroni and one.patroni.poll() is not None]
            assert not broken and time.monotonic() < ends, f"never: {what}; broken down: {broken}\n{self.logs()}"
            time.sleep(0.1)
        return found

    def logs(self):
        """The last that each of them has said."""
        written = [one.folder / "log" for one in (self.etcd, *self.members)]
        return "\n".join(f"-- {log}\n{log.read_text(errors='replace')[-3000:]}" for log in written if log.exists())


class Etcd:
    """The one place where it stands who leads."""

    def __init__(self, port, peer_port):
        self.folder = Path(tempfile.mkdtemp(prefix="etcd-"))
        self.address, self._peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        self.process = None

    def start(self):
        words = {
            "name": "etcd", "data-dir": self.folder / "data", "listen-client-urls": self.address, "advertise-client-urls": self.address,
            "listen-peer-urls": self._peer, "initial-advertise-peer-urls": self._peer, "initial-cluster": f"etcd={self._peer}",
        }
        self.process = spawn([etcd(), *(f"--{name}={value}" for name, value in words.items())], self.folder, ends_by="KILL")

    def answers(self):
        told = asked("GET", f"{self.address}/health")
        return told is not None and told.json()["health"] == "true"

    def kill(self):
        """Gone at once. What it has said stands on its disk."""
        self.process.kill()
        self.process.wait()

    def remove(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder)


class Member:
    """One machine: a PostgreSQL and the Patroni that starts it, stops it, and says whether it leads."""

    def __init__(self, name, port, api_port, cluster):
        self.name, self.port, self.api_port, self._cluster = name, port, api_port, cluster
        self.folder = postgres.new_folder()
        self.data = self.folder / "data"
        self.patroni = None

    def start(self):
        """Switch it on. What it becomes is Patroni's to say."""
        plan = self.folder / "patroni.yml"
        # Whatever is JSON is YAML.
        plan.write_text(json.dumps(self._plan()))
        self.patroni = spawn([PATRONI, "-m", "patroni", plan], self.folder, ends_by="TERM", as_nobody=True)

    def _plan(self):
        here = f"127.0.0.1:{self.port}"
        roles = {"superuser": "postgres", "replication": "replicator"}
        return {
            "scope": "bank", "name": self.name,
            "etcd3": {"host": self._cluster.etcd.address.removeprefix("http://")},
            "restapi": {"listen": f"127.0.0.1:{self.api_port}", "connect_address": f"127.0.0.1:{self.api_port}"},
            "watchdog": {"mode": "off"},
            "bootstrap": {
                "dcs": {**self._cluster.settings, "postgresql": {"use_pg_rewind": True, "parameters": {**SETTINGS, "max_connections": 200}}},
                "initdb": [{"encoding": "UTF8"}, "no-locale", "data-checksums"],
            },
            "postgresql": {
                "listen": here, "connect_address": here, "data_dir": str(self.data), "bin_dir": str(postgres.programs()),
                "pgpass": str(self.folder / "pgpass"), "parameters": {"unix_socket_directories": str(self.folder)},
                "authentication": {kind: {"username": name, "password": SECRET} for kind, name in roles.items()},
                "pg_hba": [f"{what} scram-sha-256" for what in ("local all all", "host all all 127.0.0.1/32", "host replication replicator 127.0.0.1/32")],
                "basebackup": [{"checkpoint": "fast"}, "no-sync"],
                "remove_data_directory_on_rewind_failure": True, "remove_data_directory_on_diverged_timelines": True,
            },
        }

    def ask(self, path):
        """What its Patroni says; None: nothing in time."""
        return asked("GET", f"http://127.0.0.1:{self.api_port}/{path}")

    def says(self, path):
        """Whether its Patroni says yes to that."""
        told = self.ask(path)
        return told is not None and told.status_code == httpx.codes.OK

    def hand_over(self, heir):
        """What an operator asks for: the place of the leader goes to somebody who has all that it has."""
        address = f"http://127.0.0.1:{self.api_port}/switchover"
        told = httpx.post(address, json={"leader": self.name, "candidate": heir.name}, timeout=PATIENCE_S, trust_env=False)
        assert told.status_code == httpx.codes.OK, told.text

    def url(self, role="sekisho", database="sekisho"):
        """Of its own database, whether it leads or not."""
        return f"postgresql://{role}:{SECRET}@127.0.0.1:{self.port}/{database}"

    async def make_bank(self):
        """The bank's role, and a database that it owns."""
        con = await asyncpg.connect(self.url("postgres", "postgres"))
        await con.execute(f"CREATE ROLE sekisho LOGIN PASSWORD '{SECRET}'")
        await con.execute("CREATE DATABASE sekisho OWNER sekisho ENCODING 'UTF8' TEMPLATE template0")
        await con.close()

    def leads(self):
        """Whether its database says that it is the primary."""
        return self._in_recovery() is False

    def follows(self):
        """Whether its database says that it is none."""
        return self._in_recovery() is True

    def _in_recovery(self):
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return self.sql("SELECT pg_is_in_recovery() AS follows")[0]["follows"]

    def sql(self, statement):
        """What its database says, asked by whoever may do all."""
        return asyncio.run(asyncio.wait_for(postgres.seen(self.url("postgres", "postgres"), statement), ANSWER_S))

    def cut(self):
        """Nothing reaches its standbys any more, and what they have not got by now they never get."""
        for row in self.sql("SELECT pid FROM pg_stat_replication"):
            psutil.Process(row["pid"]).suspend()

    def crash(self):
        """Its database is gone at once. Patroni is there and sees it."""
        gone([self._database()])

    def freeze(self):
        """It is there and answers nothing. Patroni first: it starts no other database meanwhile."""
        for one in (self._mother, self._database):
            if found := one():
                postgres.signal_all(found, psutil.Process.suspend)

    def kill(self):
        """Database and Patroni are gone at once."""
        self.freeze()
        gone([found for one in (self._mother, self._database) if (found := one())])
        self.patroni.wait()
        self.patroni = None

    def thaw_database(self):
        """The database goes on where it was, and nobody has told it what happened meanwhile."""
        postgres.signal_all(self._database(), psutil.Process.resume)

    def thaw_patroni(self):
        postgres.signal_all(self._mother(), psutil.Process.resume)

    def _mother(self):
        return psutil.Process(self.patroni.pid)

    def _database(self):
        """Its first process, where there is one: of nobody else who has got its number since."""
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            found = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
            if str(self.data) in " ".join(found.cmdline()):
                return found
        return None

    def remove(self):
        if self.patroni is not None:
            self.kill()
        # Thousands of files: a program made for it is quicker.
        subprocess.run(["rm", "-rf", self.folder], check=True)


def asked(method, address):
    """One request on this machine; None: no answer in time. No TLS is spoken: nobody looks up whom to trust."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.request(method, address, timeout=ANSWER_S, trust_env=False, verify=False)
    return None


def spawn(words, folder, *, ends_by, as_nobody=False):
    """A process that does not outlive whoever started it, however that one ends."""
    assert threading.current_thread() is threading.main_thread(), "it ends with the thread that starts it"
    drop = _to_nobody() if as_nobody and os.geteuid() == 0 else []
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            ["setpriv", f"--pdeathsig={ends_by}", *drop, "--", *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=env,
        )


def _to_nobody():
    """PostgreSQL refuses to run as root. Where root's own Python or folder would be closed to nobody, nobody may read there."""
    who = postgres.who()
    [held] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:")]
    reads_all = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"] if int(held, 16) >> READS_ALL_BIT & 1 else []
    return [f"--reuid={who['user']}", f"--regid={who['group']}", "--clear-groups", *reads_all]


def gone(mothers):
    """Processes and all below them are gone at once."""
    everyone = []
    for one in mothers:
        postgres.signal_all(one, psutil.Process.suspend)
        everyone += [*one.children(recursive=True), one]
    for one in everyone:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(everyone, postgres.STOP_S)


def free_ports(number):
    """Ports below those that the system hands out by itself: no connection of anybody's takes one while its server is down."""
    return list(itertools.islice(filter(is_free, itertools.count(20_000 + os.getpid() % 10_000)), number))


def is_free(port):
    with socket.socket() as one, contextlib.suppress(OSError):
        one.bind(("127.0.0.1", port))
        return True
    return False
