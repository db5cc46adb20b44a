import pytest
from bankside import MODES, Service

from sekisho.adapters import secrets
from sekisho.bank import phone as phone_of_the_bank


@pytest.fixture(scope="session")
def cheap_hashes():
    """Argon2id with less memory: these tests are about counting. The tests over real processes hash at full cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        yield


@pytest.fixture
def quick_passcodes(monkeypatch):
    """What a passcode costs the device is its own affair, and not what is looked at here."""
    monkeypatch.setattr(phone_of_the_bank, "ROUNDS", 10)


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    """The application in this process, shared by one file's tests; every test makes its own customers."""
    made = Service(tmp_path_factory.mktemp("service"))
    yield made
    made.close()


@pytest.fixture(params=MODES)
def mode(request, service):
    """Verify mode and count mode, one after the other."""
    return MODES[request.param](service)


@pytest.fixture
def verify(bank):
    return bank


@pytest.fixture
def bank(service):
    """The bank that compares here; `service` may be a file's own."""
    return MODES["verify"](service)


@pytest.fixture
def hana(service):
    """A customer, who holds nothing but her password yet."""
    return service.customer()


@pytest.fixture
def count(service):
    return MODES["count"](service)
