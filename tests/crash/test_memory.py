"""Memory runs out: the n-th allocation of a process fails. The process may end - its successor starts on what is durable - but nothing that
was promised is lost, and the parent does not end. And a process that the kernel ends for its memory."""
import contextlib
import os
import random
import re
from pathlib import Path

import pytest

import tamper
from load import BROKEN, Load
from mail import message
from matrix import ALLOCATION, OOM, Table
from postern_site import CHEAP_HASHES, NOWHERE, Site, is_sanitized
from stand import Stand
from test_disk import code_of_a_delivery
from wire import Wire

LONG = bool(os.environ.get("POSTERN_LONG"))
ROLES = ("auth", "smtp", "queue", "store", "log", "keys", "imap", "relay", "dns", "fetch")
ROLES_SHORT = ROLES[:4]
N_SHORT = 1000
GROWTH = 1.3
N_MAX = 10**6
MANY = 400  # more than a small map holds
GROUPS = Path("/sys/fs/cgroup/memory")
LEAST_BYTES = 0
# a process that has no memory says so and ends, or its event loop does
CALM_ENDS = {"ended with status 1", "killed by signal 6 (Aborted)", "ended with status 0"}
LIBRARYS_ENDS = {"dns": {"killed by signal 11 (Segmentation fault)"}}  # somewhere below libunbound: docs/durability.md

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the roles share one user otherwise"),
    pytest.mark.skipif(not tamper.PROGRAM.exists(), reason=f"{tamper.PROGRAM} was not built"),
]

own_memory = pytest.mark.skipif(not tamper.PROGRAM.exists() or is_sanitized(tamper.PROGRAM), reason="the sanitizer's memory is its own")


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
    assert ends <= CALM_ENDS | LIBRARYS_ENDS.get(stand.role, set()), f"{shortage}: {ends}\n{stand.site.log_tail(20)}"
    return came


@own_memory
@pytest.mark.skipif(LONG, reason="the long form takes them all")
@pytest.mark.parametrize("stand", ROLES_SHORT, indirect=True)
def test_some_allocation_fails(stand):
    rng = random.Random(f"{os.environ.get('SEED', '1')} {stand.role}")
    came = [strike(stand, n) for n in (rng.randrange(1, 50), rng.randrange(50, N_SHORT))]
    assert any(came)
    stand.finish()


@own_memory
@pytest.mark.skipif(not LONG, reason="minutes: ./test --long crash")
@pytest.mark.parametrize("stand", ROLES, indirect=True)
def test_every_allocation_fails(stand):
    n, places = 1, 0
    while strike(stand, n):
        places += 1
        n = max(n + 1, int(n * GROWTH))
        assert n < N_MAX
    stand.finish()
    keep(stand.role, ALLOCATION, "fails", places, n)


def keep(role, kind, effect, places, last):
    Table(os.environ.get("POSTERN_MATRIX", tamper.PROGRAM.parents[2] / "matrix.json")).keep(role, kind, effect, places=places, last=last,
                                                                                            violations=[])


# --- the kernel ends a process


class Starvation:
    """The role's processes may have no more memory, within a with block: the kernel kills them when they want some."""

    def __init__(self, site, role):
        self.site, self.role = site, role
        self.group = GROUPS / f"postern-test-{os.getpid()}"

    def __str__(self):
        return f"{self.role}: killed for its memory"

    def __enter__(self):
        self.group.mkdir()
        for pid in self.site.pids(self.role):
            (self.group / "cgroup.procs").write_text(str(pid))
        (self.group / "memory.limit_in_bytes").write_text(str(LEAST_BYTES))
        return self

    def __exit__(self, *_):
        self.came = int(re.search(r"oom_kill (\d+)", (self.group / "memory.oom_control").read_text())[1]) > 0
        for pid in (self.group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (GROUPS / "cgroup.procs").write_text(pid)
        self.group.rmdir()


@pytest.mark.skipif(not os.access(GROUPS / "memory.limit_in_bytes", os.W_OK), reason="no memory controller of cgroup v1")
@pytest.mark.parametrize("stand", ROLES if LONG else ("queue", "store"), indirect=True)
def test_k11_killed_for_its_memory(stand):
    assert stand.strike(Starvation(stand.site, stand.role)), "the kernel did not kill it"
    stand.finish()
    keep(stand.role, OOM, "killed", 1, 1)


# --- databases that are full

MAP_BYTES = 1 << 20
DOUBLINGS = 12


def submissions_until_refused(load):
    """Small messages for elsewhere; the code that refuses one."""
    for _ in range(MANY):
        with contextlib.suppress(*BROKEN), Wire(load.site, "submissions", timeout=30) as wire:
            wire.submission("alice")
            token, sent = load.make()
            wire.send(f"MAIL FROM:<alice@example.test>\r\nRCPT TO:<{token}@remote.test>\r\nDATA\r\n")
            codes = [wire.reply()[0] for _ in range(3)]
            code = wire.code(sent + b".\r\n") if codes == [250, 250, 354] else codes[-1]
            if code != 250:
                return code
            load.owed.add(f"{token}@remote.test")
    return 0


def test_k06_full_databases():
    """The index, the ledger and the directory reach the end of their maps: what comes is refused for later, nothing is lost."""
    tampered = tamper.Tampered()
    with Site(users=("alice", "bob"), extra=CHEAP_HASHES + NOWHERE, program=tampered.program) as site:
        tampered.limit_maps(MAP_BYTES)
        site.start()
        load = Load(site, ("alice", "bob"), workers=())
        assert code_of_a_delivery(load, "bob") == 250
        assert submissions_until_refused(load) in (451, 452)
        assert len(load.owed) > 5
        answer = copies_until_refused(site)
        assert answer == "NO", answer
        words = aliases_until_refused(site)
        assert "largest size" in words, words
        assert site.postern("user", "check", "alice@example.test", "--password-stdin", stdin=site.password("alice") + "\n").returncode == 0
        tampered.limit_maps(0)
        assert site.stop() == 0
        site.start()
        load.check()
        assert submissions_work(load)
        site.add_user("late")
        for user in ("alice", "bob"):
            assert site.postern("store", "check", f"{user}@example.test", check=False).returncode == 0, site.log_tail()
        load.check()
        assert site.stop() == 0
        assert not site.events("panic")
    tampered.close()


def copies_until_refused(site):
    """A mailbox that grows by all that it has."""
    with site.imap("bob") as client:
        client.create("Bulk")
        for _ in range(10):
            client.append("Bulk", None, None, message("bulk"))
        client.select("Bulk")
        for _ in range(DOUBLINGS):
            answer = client.copy("1:*", "Bulk")[0]
            if answer != "OK":
                return answer
    return "OK"


def aliases_until_refused(site):
    targets = [f"{'t' * 50}{n}@example.test" for n in range(80)]
    for n in range(MANY):
        done = site.postern("alias", "add", f"alias{n}@example.test", *targets, check=False)
        if done.returncode != 0:
            return done.stderr
    return ""


def submissions_work(load):
    before = len(load.owed)
    with contextlib.suppress(*BROKEN):
        load.submit("alice")
    return len(load.owed) > before
