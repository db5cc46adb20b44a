"""What a session rests on, by what was proved in it."""

import pytest

from sekisho.core.assurance import factors, resists_phishing
from sekisho.policy import reference
from sekisho.policy.compile import compile_policy
from sekisho.policy.load import load

ITEMS = compile_policy(load(reference("postal-bank"))).items


@pytest.mark.parametrize(("proved", "of", "resists"), [
    ([], set(), False),
    (["login-password"], {"knowledge"}, False),
    (["login-password", "card-pin"], {"knowledge"}, False),
    (["login-password", "mail-otp"], {"knowledge"}, False),
    (["login-password", "token-otp"], {"knowledge", "possession"}, False),
    (["app-passcode"], {"knowledge", "possession"}, False),
    (["app-fingerprint"], {"inherence", "possession"}, False),
    (["app-face"], {"inherence", "possession"}, False),
    (["passkey"], {"possession"}, True),
    (["amount-and-payee", "customer-number"], set(), False),
])
def test_factors(proved, of, resists):
    items = [ITEMS[name] for name in proved]
    assert factors(items) == of and resists_phishing(items) is resists
