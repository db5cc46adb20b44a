"""The example of a Django site: real users, real logins, in a process of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BY_HAND = re.search(r"```sh\n(.*?)```", (ROOT / "examples" / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
ASKS = ("pip ", "django-admin createsuperuser", "django-admin runserver")
"""Lines that a test leaves out: what is installed already, what asks for a password, and what goes on until it is ended."""

STORY = """
import json
import django
django.setup()
from django.conf import settings
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # how slow Django compares is not what is tested
from django.contrib.auth.models import User
from django.test import Client
for name in ("0012345678", "0012345679"):
    User.objects.create_user(name, password="correct horse 8")

def log_in(name, password):
    answer = Client().post("/login", {"username": name, "password": password})
    return answer.status_code, answer.content.decode()

told = [log_in("0012345678", "correct horse 8")]
told += [log_in("0012345678", "open sesame") for _ in range(10)]
told += [log_in("0012345678", "correct horse 8"), log_in("0012345679", "correct horse 8")]
told += [log_in("nobody at all", "open sesame") for _ in range(11)]
told += [log_in("", "x"), log_in("x" * 500, "x")]
print(json.dumps(told))
"""


def test_logins_of_a_django_site_are_counted(tmp_path):
    """Set up as the page says."""
    site = shutil.copytree(ROOT / "examples" / "django_login", tmp_path / "examples" / "django_login")
    (tmp_path / "src").symlink_to(ROOT / "src")
    lines = [line for line in BY_HAND.splitlines() if not line.startswith(ASKS)]
    assert len(lines) == len(BY_HAND.splitlines()) - len(ASKS)
    (site / "story.py").write_text(STORY, encoding="utf-8")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-ec", "\n".join([*lines, "python story.py"])], cwd=site, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, *wrong, locked, other = (told := json.loads(done.stdout.splitlines()[-1]))[:13]
    strangers, odd = told[13:24], told[24:]
    assert (first, other) == ([200, "welcome 0012345678"], [200, "welcome 0012345679"])
    assert [status for status, _ in [*wrong, locked, *strangers]] == [401] * 22
    assert len({text for _, text in wrong[:9]}) == 1 and locked[1] not in {text for _, text in wrong}
    assert strangers == [*wrong, locked]
    assert odd == [[401, ""], [401, ""]]
