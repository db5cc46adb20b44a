"""A bank of one file's own and a real browser in front of it. Pictures are kept where SEKISHO_SCREENS names a folder."""

import functools
import os
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from standing import WIDE, Bank

from sekisho.adapters import secrets

QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
LIFE_MS = 60_000


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """`major-bank` with everything around it, for one file's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        made = Bank(tmp_path_factory.mktemp("bank"))
        yield made
        made.close()


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium. One file has it at a time: its loop runs in this thread."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed, and can be by root on Debian only: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


class Tab:
    """One person's browser: what he looks at, and what is checked of every page he sees."""

    def __init__(self, chromium, base, language, size, javascript):
        self.language = language
        self.context = chromium.new_context(
            base_url=base, locale={"ja": "ja-JP", "en": "en-GB"}[language], viewport=size, java_script_enabled=javascript, reduced_motion="reduce")
        self.context.set_default_timeout(LIFE_MS)
        self.page = self.context.new_page()
        self.troubles = []
        """Whatever the browser complains of: blocked by the policy of the page, not found, an error of a script."""
        self.page.on("console", lambda said: self.troubles.append(said.text) if said.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))

    def go(self, path):
        self.page.goto(path)
        return self.page

    @property
    def at(self):
        """Path and query of the page."""
        return self.page.url.partition("//")[2].partition("/")[2]

    @property
    def text(self):
        return self.page.inner_text("body")

    def violations(self):
        """What axe-core finds wrong with the page as it stands, WCAG 2.2 AA and best practice."""
        found = Axe().run(self.page, options={"resultTypes": ["violations"]})
        return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]]

    def is_clean(self, name=None):
        """Nothing wrong for whoever cannot see or point, nothing cut off at the side, nothing blocked; a picture where they are kept."""
        keep(self.page, self.language, name)
        assert self.violations() == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "wider than the screen"
        assert self.page.evaluate("document.documentElement.lang") == self.language
        assert self.troubles == []
        return self


def keep(page, language, name):
    folder = os.environ.get("SEKISHO_SCREENS")
    if folder and name:
        place = Path(folder) / language
        place.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=place / f"{name}.jpg", type="jpeg", quality=55, full_page=True)


@pytest.fixture
def tab_at(chromium):
    """Opens tabs, each of a person of its own, on pages below an address: `tab_at(base, "ja")`; closes them after the test."""
    tabs = []

    def open_tab(base, language, size=None, *, javascript=True):
        tabs.append(Tab(chromium, base, language, size or WIDE, javascript))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.context.close()


@pytest.fixture
def opened(tab_at, bank):
    """The same on the bank's pages: `opened("ja")`."""
    return functools.partial(tab_at, bank.base)


@pytest.fixture(params=["ja", "en"])
def tab(request, opened):
    """One person, in each language."""
    return opened(request.param)
