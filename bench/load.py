"""Load over HTTP from a process of its own: wrk where it is installed, else a client of ours. wrk takes whole seconds and no less."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench import client
from bench.apart import started

WRK_SCRIPT = """
local requests, at = {}, 0
function init(args)
  local file = io.open(args[1], "rb")
  for request in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = request end
  file:close()
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary)
  local e = summary.errors
  print(string.format('{"requests": %d, "seconds": %f, "errors": %d}', summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def name():
    """Which client it is, as reports say it."""
    if not shutil.which("wrk"):
        return "own client (install wrk for a lighter one)"
    return subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.partition(" [")[0]


def full_rate(port, requests, connections, load_s):
    """As many as the service answers: one request at a time on each connection."""
    with full_rate_beside(port, requests, connections, load_s) as loaded:
        return loaded()


@contextlib.contextmanager
def full_rate_beside(port, requests, connections, load_s):
    """The same while the block runs; what is given waits for the end and says what came of it."""
    if not shutil.which("wrk") or load_s < 1:
        with started(client.full_rate, port, requests, connections, load_s) as answer:
            yield answer.result
        return
    with _wrk(port, requests, connections, load_s) as process:
        yield lambda: _read(process)


@contextlib.contextmanager
def _wrk(port, requests, connections, load_s):
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-load-") as folder:
        script, file = Path(folder) / "load.lua", Path(folder) / "requests"
        script.write_text(WRK_SCRIPT)
        file.write_bytes(b"\0".join(requests))
        command = [
            "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{load_s}s", "--timeout", "10s",
            "--script", script, f"http://127.0.0.1:{port}", "--", file,
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _read(process):
    found = json.loads(process.communicate()[0].splitlines()[-1])
    return {**found, "per_s": found["requests"] / found["seconds"]}
