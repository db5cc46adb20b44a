"""Starts sekisho from nothing but Python 3.11 and pip.

usage: python3 run.py demo [--port 8080] [--data DIR] [--fresh] [--bank major-bank]  all of it on this machine, to try by hand
       python3 run.py test [--long] [--ha] [pytest arguments]    every test
       python3 run.py bench [NAME] [--json FILE]                 measure
       python3 run.py ARGS...                                    any other word: the command `sekisho ARGS...`

The first run sets itself up in this folder (.tools and .venv) and touches nothing outside it but uv's cache
of downloads; delete the two folders to begin again. `test` also installs what it tests with from Debian, where
that is missing and it runs as root: Postfix, without a configuration, so that no mail server is started, and
Chromium with a Japanese font. With --long it runs full counts; with --ha every way of losing a primary at full counts,
also under Patroni and etcd, which it gets first: Patroni into an environment of its own in .tools, and Debian's etcd, unpacked
there and not installed, so that no server is started but the tests' own.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
STAMP = VENV / "set-up"
PATRONI = TOOLS / "patroni"
ETCD = TOOLS / "etcd"
UV = "0.13.9"
PYTHON_MIN = (3, 11)
WORKERS_MAX = 4
EVERY_TEST = ["--numprocesses", str(min(os.cpu_count() or 1, WORKERS_MAX)), "--dist", "loadfile", "--no-loadscope-reorder"]
"""In the order of tests/conftest.py. Most tests wait for a disk or a time grid, so two share a processor well. Whoever gives arguments of pytest's
own says himself how many."""

DEBIAN_PACKAGES = ("postfix", "chromium", "fonts-ipafont-gothic")
NO_MAIL_SERVER = "postfix postfix/main_mailer_type select No configuration\n"


def main(words):
    if sys.version_info < PYTHON_MIN:
        stop(f"Python {sys.version.split()[0]} is too old; run this with Python 3.11 or later")
    if not words or words[0] in ("-h", "--help"):
        print(__doc__.strip())
        return
    set_up()
    if words[0] == "test":
        test(words[1:])
    elif words[0] == "bench":
        os.chdir(ROOT)
        become("bench", words[1:])
    else:
        become("sekisho.cli", words)


def test(words):
    install_debian(DEBIAN_PACKAGES)
    if "--ha" in words:
        set_up_failovers()
    flags = {"--long": "SEKISHO_LONG", "--ha": "SEKISHO_HA"}
    asked = {flags[word]: "1" for word in words if word in flags}
    os.chdir(ROOT)
    become("pytest", [word for word in words if word not in flags] or EVERY_TEST, asked)


def become(module, words, extra=None):
    """Turn into `python -m module`: one process, so that a signal, even a kill, meets the program itself."""
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    env = {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": path, **(extra or {})}
    sys.stdout.flush()
    python = str(VENV / "bin" / "python")
    os.execve(python, [python, "-m", module, *words], env)


def set_up():
    """Make .venv what uv.lock says, once; a second run that starts meanwhile waits for the first."""
    key = fingerprint()
    if is_set_up(key):
        return
    try:
        with locked(TOOLS):
            if not is_set_up(key):
                say("setting up, this once")
                synchronise(install_uv())
                STAMP.write_text(key)
    except PermissionError as error:
        stop(f"cannot write {error.filename}; run this in a folder of your own, or as its owner")


def is_set_up(key):
    return STAMP.is_file() and STAMP.read_text() == key


def fingerprint():
    """Of all that decides what .venv holds; its own place too, since it cannot be moved."""
    texts = [(ROOT / name).read_text() for name in ("uv.lock", "pyproject.toml")]
    return hashlib.sha256("\0".join([*texts, UV, sys.version, str(VENV)]).encode()).hexdigest()


@contextlib.contextmanager
def locked(folder):
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_uv():
    """Into a folder of its own: Debian refuses a plain `pip install`, but not one with --target."""
    home, half_done = TOOLS / f"uv-{UV}", TOOLS / "half-done"
    if not home.is_dir():
        shutil.rmtree(half_done, ignore_errors=True)
        pip_install(f"uv=={UV}", half_done)
        half_done.rename(home)
    return home / "bin" / "uv"


def pip_install(package, folder):
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        stop("pip is missing; install it first (Debian: apt-get install python3-pip)")
    quietly = ["--quiet", "--no-input", "--disable-pip-version-check"]
    install = [*pip, "install", *quietly, "--target", folder, package]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stderr.strip())
        stop(f"pip could not install {package}; check the network and pip's settings, then run this again")


def set_up_failovers():
    """Patroni, by uv.lock as well and beside .venv, which stays as it is; and etcd. Without them nothing is tried."""
    with locked(TOOLS):
        synchronise(install_uv(), PATRONI, "--only-group", "ha")
        if not shutil.which("etcd") and not ETCD.is_dir():
            fetch_etcd()


def fetch_etcd():
    """Debian's, unpacked: to install it would start a server."""
    say("fetching etcd")
    half_done = TOOLS / "half-done"
    shutil.rmtree(half_done, ignore_errors=True)
    half_done.mkdir()
    update = [["apt-get", "update", "-qq"]] if os.geteuid() == 0 else []
    try:
        for command in (*update, ["apt-get", "download", "-qq", "etcd-server"]):
            subprocess.run(command, cwd=half_done, capture_output=True, text=True, check=True)
        [package] = half_done.glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, half_done / "etcd"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say((getattr(error, "stderr", None) or str(error)).strip())
        stop("--ha needs etcd: put it on the PATH (Debian: its package etcd-server), then run this again")
    (half_done / "etcd").rename(ETCD)


def synchronise(uv, into=VENV, *more):
    env = {
        **os.environ,
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        # Compiled once here, so that every start is quick.
        "UV_COMPILE_BYTECODE": "1",
        "UV_SYSTEM_CERTS": "1",
        "UV_PROJECT_ENVIRONMENT": str(into),
        "UV_CACHE_DIR": cache_folder(),
    }
    if subprocess.run([uv, "sync", "--frozen", "--quiet", *more], cwd=ROOT, env=env, check=False).returncode:
        stop("uv could not install what uv.lock lists; check the network, then run this again")


def cache_folder():
    """The usual one, or one beside uv for whoever has no home to write in."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    writable = os.access(usual if usual.exists() else usual.parent, os.W_OK)
    return os.environ.get("UV_CACHE_DIR") or str(usual / "uv" if writable else TOOLS / "cache")


def install_debian(packages):
    """What the tests need beside Python, where that is allowed; elsewhere it is said and left."""
    missing = [name for name in packages if not has_debian(name)]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        say(f"not installed, for want of root on Debian: {' '.join(missing)}")
        return
    say(f"installing {' '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if "postfix" in missing:
        # Only its programs are wanted: without a configuration of its own no mail server starts on this machine.
        with contextlib.suppress(FileNotFoundError):
            subprocess.run(["debconf-set-selections"], input=NO_MAIL_SERVER, text=True, capture_output=True, check=False)
    install = ["apt-get", "install", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            say(f"not installed, for apt-get failed: {' '.join(missing)}\n{done.stderr.strip()}")
            return


def has_debian(name):
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name]
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"
    return False


def say(text):
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def stop(text):
    sys.exit(f"run.py: {text}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        stop("interrupted; run the same again to go on")
