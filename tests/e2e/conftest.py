"""What the end-to-end tests start from: a configuration for the command line, a running server for the clients."""
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from postern_site import CHEAP_HASHES, Site  # noqa: E402


@pytest.fixture
def site():
    """A configuration that is right, with a state directory of its own (its path short enough for sockets) and cheap hashes."""
    with tempfile.TemporaryDirectory(prefix="postern-") as directory:
        top = Path(directory)
        top.chmod(0o755)
        conf = top / "postern.conf"
        conf.write_text(f'hostname = mx.example.test\ndomains = {{ example.test }}\nstate = "{top}/state"\n'
                        "auth { hash_memory = 64K hash_passes = 1 }\n")
        yield conf


@pytest.fixture(scope="module")
def mx(request):
    """A running server that the tests of a module share. A module says with MX = {...} what its Site is made with."""
    options = {"extra": CHEAP_HASHES, **getattr(request.module, "MX", {})}
    with Site(**options) as site:
        site.start()
        yield site
        site.end_well()


@pytest.fixture
def make_site():
    """Makes sites of a test's own; each must have ended well when the test ends."""
    made = []

    def make(start=True, **options):
        site = Site(**{"extra": CHEAP_HASHES, **options})
        made.append(site)
        return site.start() if start else site

    yield make
    try:
        for site in made:
            site.end_well()
    finally:
        for site in made:
            site.close()


@pytest.fixture(scope="module")
def world():
    """The world outside (outlab.py), and this module's tests inside it. Its sites must have ended well."""
    from outlab import World
    with World() as world:
        yield world
        for site in world.sites:
            site.end_well()


@pytest.fixture
def hosts(world):
    """Played servers with domains, for one test."""
    from elsewhere import Hosts
    hosts = Hosts(world)
    yield hosts
    hosts.close()


def pytest_configure(config):
    config.addinivalue_line("markers", "queues: the test leaves the queue as it found it by itself")
