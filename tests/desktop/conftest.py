"""What the tests with programs for the desktop start from. They run by name (./test desktop), and with all others where the packages are there."""
import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "e2e")]
from postern_site import CHEAP_HASHES, TOP, Site  # noqa: E402
from tap import Tap  # noqa: E402


@pytest.fixture
def site():
    """A running server; what it offers is switched on."""
    with Site(extra=CHEAP_HASHES + "imap { compress = yes }\n") as site:
        yield site.start()
        site.end_well()


@pytest.fixture
def tap(site):
    """What stands between the site and the program."""
    with Tap(site) as tap:
        yield tap


@pytest.fixture(scope="session")
def shots():
    """Where pictures of the screen are kept."""
    where = Path(os.environ.get("POSTERN_BUILD", TOP / "build")) / "desktop"
    where.mkdir(parents=True, exist_ok=True)
    return where
