"""The example of a Django site: real users, real logins, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from sekisho.app import Keyring
from sekisho.policy import reference
from sekisho.terms import Role

EXAMPLE = Path(__file__).parents[2] / "examples" / "django_login"

STORY = """
import json
import django
django.setup()
from django.conf import settings
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # how slow Django compares is not what is tested
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
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
    keys = tmp_path / "keys.json"
    env = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(EXAMPLE), "DJANGO_DATABASE": str(tmp_path / "site.db"),
        "SEKISHO_STORE": f"sqlite:///{tmp_path / 'bank.db'}", "SEKISHO_KEYS": str(keys), "SEKISHO_KEY": Keyring.make(keys).new(Role.CHANNEL, "site"),
        "SEKISHO_POLICY": str(reference("postal-bank")),
    }
    done = subprocess.run([sys.executable, "-c", STORY], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, *wrong, locked, other = (told := json.loads(done.stdout))[:13]
    strangers, odd = told[13:24], told[24:]
    assert (first, other) == ([200, "welcome 0012345678"], [200, "welcome 0012345679"])
    assert [status for status, _ in [*wrong, locked, *strangers]] == [401] * 22
    assert len({text for _, text in wrong[:9]}) == 1 and locked[1] not in {text for _, text in wrong}
    assert strangers == [*wrong, locked]
    assert odd == [[401, ""], [401, ""]]
