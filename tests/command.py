"""`sekisho` as somebody types it: in this process, or in one of its own.

A process of its own is forked from one that has loaded the command and done nothing else: it shares nothing with the tests, and what Python and
its libraries take to start is waited for once.
"""

import contextlib
import io
import multiprocessing
import os
import signal
import subprocess
import sys

from sekisho.cli import main

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["sekisho.cli.serve", "sekisho.cli.worker"])


def call(words):
    """A command in this process: its exit code, what it printed, what it complained of."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["sekisho", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    finally:
        sys.argv = before
    return 0, out.getvalue(), err.getvalue()


class Running:
    """A command in a process of its own, handled as one of `subprocess`. `out`, `err`: the files that what it says is added to."""

    def __init__(self, words, out, err):
        self._process = _FORK.Process(target=_run, args=([*map(str, words)], str(out), str(err)))
        self._process.start()
        self.pid = self._process.pid

    def poll(self):
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("sekisho", timeout)
        return self._process.exitcode

    def send_signal(self, how):
        if self.poll() is None:
            os.kill(self.pid, how)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def _run(words, out, err):
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["sekisho", *words]
    main()


def run(words, folder, timeout):
    """A command in a process of its own, to its end; what it says goes by files in a folder."""
    out, err = folder / "said", folder / "complained"
    for file in (out, err):
        file.write_text("")
    running = Running(words, out, err)
    try:
        code = running.wait(timeout)
    finally:
        running.kill()
    return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())
