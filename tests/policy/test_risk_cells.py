"""What a policy may say about unusual logins: every mistake stands at its place, and what is right is printed in both languages."""

import pytest

from sekisho.policy import PolicyError, compile_policy, parse, reference
from sekisho.policy.text import render

MAJOR = reference("major-bank").read_text(encoding="utf-8")


def changed(old, new):
    assert MAJOR.count(old) == 1, f"`{old}` stands {MAJOR.count(old)} times"
    return MAJOR.replace(old, new)


@pytest.mark.parametrize(("text", "says"), [
    (changed("  refuses: [login, balance, transfer]\n", "  refuses: [login, balance, transfer, mail-address]\n"), "`mail-address` does not ask for it"),
    (changed("  refuses: [login, balance, transfer]\n", "  refuses: [login, balanse]\n"), "did you mean `balance`?"),
    (changed("  ask: risk-code\n", "  ask: mail-otp\n"), "`login` does not ask for it"),
    (changed("      - {any: risk-code, when: identity-demanded}\n    closed:", "      - risk-code\n    closed:"), "`login` does not ask for it"),
    (changed("      - {any: risk-code, when: identity-demanded}\n    closed:", "      - {any: risk-code, when: addresses-deleted}\n    closed:"), "`login` does not ask for it"),
    (MAJOR.replace("    unsets: [identity-demanded]\n", ""), "none of these ends the demand"),
    (changed("signal: new-country", "signal: new-contry"), "did you mean `new-country`?"),
    (changed("item: amount-and-payee, times", "times"), "`item:` says for `several-institutions`"),
    (changed("signal: new-country, times", "signal: new-country, item: amount-and-payee, times"), "`item:` says for `several-institutions`"),
    (changed("item: amount-and-payee, times", "item: token-otp, times"), "is compared with a secret"),
    (changed("  known_by: [login]\n", "  known_by: [balance]\n"), "no device ever becomes known"),
    (changed("  refuses: [login, balance, transfer]\n", "  refuses: [balance, transfer]\n"), "name the login under `refuses:`"),
    (changed("{signal: new-country, times: 1,", "{signal: new-country, times: 0,"), "p.yaml:"),
])
def test_a_demand_that_could_not_work_does_not_load(text, says):
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.yaml")
    assert any(says in error and error.startswith("p.yaml:") for error in caught.value.errors), caught.value.errors


@pytest.mark.parametrize(("language", "line"), [
    ("en", "  1 within 24 hours: logins from a country that is not a usual one  [ours]"),
    ("ja", "  いつもと違う国からのログインが24時間に1回  [独自]"),
    ("en", "      until answered with Identity confirmation code (mail), refused: Login, Balance, Transfer"),
    ("ja", "      ご本人確認のコード(メール)が入力されるまで不可: ログイン・残高の確認・振込"),
])
def test_the_demand_is_printed(language, line):
    assert line in render(compile_policy(parse(MAJOR)), language).splitlines()
