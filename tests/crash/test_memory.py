"""Memory runs out: the n-th allocation of a process fails. The process may end - its successor starts on what is durable - but nothing that
was promised is lost, and the parent does not end. And a process that the kernel ends for its memory."""
import os
import random
import time
from pathlib import Path

import pytest

import tamper
from matrix import KILL, Table
from postern_site import is_sanitized
from stand import Stand

LONG = bool(os.environ.get("POSTERN_LONG"))
ROLES = ("log", "keys", "auth", "smtp", "imap", "queue", "relay", "store")
SHORT = 3
N_SHORT = 2000
GROWTH = 1.3
N_MAX = 10**6
# a process that has no memory says so and ends, or its event loop does
CALM_ENDS = ("ended with status 1", "killed by signal 6 (Aborted)", "ended with status 0")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the roles share one user otherwise"),
    pytest.mark.skipif(not tamper.PROGRAM.exists(), reason=f"{tamper.PROGRAM} was not built"),
]


@pytest.fixture
def stand(request):
    tampered = tamper.Tampered()
    made = Stand(request.param, tampered.program)
    made.tampered = tampered
    yield made
    made.tear_down()
    tampered.close()


def strike(stand, n):
    shortage = tamper.Shortage(stand.tampered, stand.site, stand.role, n)
    came = stand.strike(shortage)
    ends = {e["why"] for e in stand.site.events("exit")}
    assert ends <= set(CALM_ENDS), f"{shortage}: {ends}\n{stand.site.log_tail(20)}"
    return came


@pytest.mark.skipif(is_sanitized(tamper.PROGRAM) if tamper.PROGRAM.exists() else True, reason="the sanitizer's memory is its own")
@pytest.mark.skipif(LONG, reason="the long form takes them all")
@pytest.mark.parametrize("stand", ROLES, indirect=True)
def test_some_allocation_fails(stand):
    rng = random.Random(f"{os.environ.get('SEED', '1')} {stand.role}")
    came = [strike(stand, n) for n in (1, rng.randrange(2, 50), rng.randrange(50, N_SHORT))]
    assert any(came)
    stand.finish()


@pytest.mark.skipif(is_sanitized(tamper.PROGRAM) if tamper.PROGRAM.exists() else True, reason="the sanitizer's memory is its own")
@pytest.mark.skipif(not LONG, reason="minutes: ./test --long crash")
@pytest.mark.parametrize("stand", ROLES, indirect=True)
def test_every_allocation_fails(stand):
    n, places = 1, 0
    while strike(stand, n):
        places += 1
        n = max(n + 1, int(n * GROWTH))
        assert n < N_MAX
    Table(os.environ.get("POSTERN_MATRIX", tamper.PROGRAM.parents[2] / "matrix.json")).keep(
        stand.role, "allocation", "fails", places=places, last=n, violations=[])
    stand.finish()
