"""Every page in a real browser, in both languages: clean under axe-core, nothing cut off on a small telephone, nothing blocked."""

import pytest
from standing import PHONE

ADDRESSES = ["/", "/try", "/inbox", "/desk"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_clean(tab, address):
    tab.go(address)
    tab.is_clean()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_fits_a_small_telephone(opened, address):
    tab = opened("ja", PHONE)
    tab.go(address)
    tab.is_clean()
