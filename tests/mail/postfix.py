"""A real Postfix of its own folder and ports: relay and mail host at once, started for a test and stopped after it."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

POSTFIX = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
WANTING = None if POSTFIX and os.geteuid() == 0 else "Postfix is not installed, or only root could start it"

MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {base}/log/maillog
maillog_file_prefixes = {base}
myhostname = relay.bank.test
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks,reject
disable_dns_lookups = yes
smtp_host_lookup = native
transport_maps = inline:{{ {{ mbox.test = smtp:[127.0.0.1]:{sink} }}, {{ bounce.bank.example = smtp:[127.0.0.1]:{bounces} }} }}
relay_domains = bounce.bank.example
default_transport = error:5.1.2 no route off loopback
relay_transport = error:5.1.2 no route off loopback
virtual_mailbox_domains = inbox.test
virtual_mailbox_base = {base}/boxes
virtual_mailbox_maps = inline:{{ {{ box@inbox.test = box/ }} }}
virtual_alias_maps = inline:{{ {{ forward@inbox.test = taken@mbox.test }} }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
enable_long_queue_ids = yes
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
maximal_queue_lifetime = 60s
bounce_queue_lifetime = 60s
delay_warning_time = 2s
smtp_destination_concurrency_failed_cohort_limit = 0
"""

SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class Postfix:
    """One instance, by an absolute path: with a relative one `stop` silently does nothing."""

    def __init__(self, base, sink, bounces):
        self.base = Path(base).resolve()
        self.port = _free_port()
        for name in ("etc", "queue", "data", "log", "boxes"):
            (self.base / name).mkdir(parents=True)
        for folder in [self.base, *self.base.parents]:
            # Its daemons run as nobody in particular; pytest's folders are its owner's alone.
            with contextlib.suppress(PermissionError):
                folder.chmod(folder.stat().st_mode | 0o011)
        shutil.chown(self.base / "data", "postfix")
        os.chown(self.base / "boxes", 65534, 65534)
        (self.base / "etc" / "main.cf").write_text(MAIN.format(base=self.base, sink=sink, bounces=bounces))
        (self.base / "etc" / "master.cf").write_text(SERVICES.format(port=self.port))

    def __enter__(self):
        self._run("start")
        self._until(lambda: _answers(self.port))
        return self

    def __exit__(self, *_):
        pid = int((self.base / "queue" / "pid" / "master.pid").read_text())
        self._run("stop")
        self._until(lambda: not Path(f"/proc/{pid}").exists() and not _answers(self.port))

    def _run(self, word):
        subprocess.run([POSTFIX, "-c", str(self.base / "etc"), word], capture_output=True, timeout=60, check=True)

    def _until(self, holds):
        end = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < end, (self.base / "log" / "maillog").read_text()
            time.sleep(0.02)


def _answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
