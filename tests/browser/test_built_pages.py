"""What `docs build` and `manual build` write, served as files to a real browser: clean, on a small telephone too, and by keyboard."""

import functools
import itertools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from scale import FULL
from standing import PHONE

from sekisho.cli import group

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "tests" / "policy" / "small.yaml"
DOCS = ["docs/index.html", "docs/how/policy.html", "docs/search.html"]
MANUAL = ["manual/customer/ja/index.html", "manual/staff/ja/operation/login.html"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with both."""
    folder = tmp_path_factory.mktemp("built")
    for words in (["docs", "build", folder / "docs"], ["manual", "build", SMALL, "--out", folder / "manual"]):
        done = CliRunner().invoke(group, list(map(str, words)))
        assert done.exit_code == 0, done.output
    return folder


class Quietly(SimpleHTTPRequestHandler):
    def do_GET(self):
        """Browsers ask for a picture of the site by themselves."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        """Nobody reads it."""


@pytest.fixture(scope="module")
def base(built):
    """Where they are served, as any web server would."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quietly, directory=str(built))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def read(base, tab_at):
    """Opens a built page on a small telephone, in the language it is written in."""
    return lambda address: tab_at(base, "ja" if "/ja/" in address else "en", PHONE).go(f"/{address}")


def addresses(built):
    return itertools.chain(DOCS, MANUAL) if not FULL else sorted(str(page.relative_to(built)) for page in built.rglob("*.html"))


def test_K2_built_pages_are_clean_and_fit_a_small_telephone(built, base, tab_at):
    tabs = {language: tab_at(base, language, PHONE) for language in ("ja", "en")}
    for address in addresses(built):
        tab = tabs["ja" if "/ja/" in address else "en"]
        tab.go(f"/{address}")
        tab.is_clean()


@pytest.mark.parametrize("address", [DOCS[1], MANUAL[0]])
def test_the_first_key_leads_past_the_navigation_to_the_content(read, address):
    page = read(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator("a.skip").is_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('main').contains(document.activeElement)"), "the next stop is in the content"
