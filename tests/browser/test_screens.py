"""Every page that needs no story in a real browser: clean under axe-core, nothing cut off on a small telephone, nothing blocked."""

import pytest
from standing import PHONE

from sekisho.bank.seeds import CUSTOMERS

ADDRESSES = ["/", "/bank", "/bank/go/login", "/bank/go/reset-password", "/bank/help", "/bank/stop", "/bank/not-me", "/try", "/inbox", "/desk"]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_is_clean_and_fits_a_small_telephone(opened, language):
    """Japanese on a telephone, English on a desk: both sizes in one of them."""
    tab = opened(language, PHONE if language == "ja" else None)
    for address in ADDRESSES:
        tab.go(address)
        tab.is_clean()


def test_a_customer_gets_in_without_scripts_and_without_a_mouse(bank, opened):
    """By the keyboard alone, in a browser that runs no script."""
    tab = opened("en", javascript=False)
    page = tab.go("/bank/go/login")
    page.locator('input[name="proof"]').focus()
    for typed in (CUSTOMERS[0].number, "Tab", CUSTOMERS[0].password, "Enter"):
        page.keyboard.press(typed) if typed in {"Tab", "Enter"} else page.keyboard.type(typed)
    page.wait_for_url("**/bank/account")
