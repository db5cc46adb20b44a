"""Codes by mail and by telephone, sent and compared here: from the address to the entry."""

import pytest


@pytest.fixture
def hana(service):
    """A customer with two mail addresses and a telephone number of long standing."""
    return service.customer("basic-data", "card-pin")


def test_a_code_by_mail_is_sent_and_entered(service, verify, hana):
    """Asked for, handed over, read, entered."""
    run = verify.run("mail-address", hana)
    run.right("new-addresses")
    sent = service.post(f"/v1/procedures/{run.id}/challenges", {"item": "mail-otp"})
    assert sent.status_code == 201, sent.text
    assert run.proof("mail-otp", service.code(hana))["message"] == "done"
