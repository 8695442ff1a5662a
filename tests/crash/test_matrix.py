"""Each process × each kind of system call × its n-th occurrence: killed there, or the call fails. What was promised is kept, and the
server goes on. Here some places of the matrix, others with another SEED; POSTERN_LONG: each of the first and then in growing
steps, until the work passes untouched."""
import contextlib
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from load import BROKEN
from matrix import ERRORS, KILL, KINDS, Injection, Script, following
from postern_site import CHEAP_HASHES, NOWHERE, Site, is_sanitized

PROGRAM = Path(os.environ.get("POSTERN_BUILD", Path(__file__).resolve().parents[2] / "build")) / "tests/crash/postern_unfiltered"
RECORD = Path(__file__).resolve().parents[1] / "e2e/system_calls.txt"
LONG = bool(os.environ.get("POSTERN_LONG"))
ROLES = ("log", "keys", "auth", "smtp", "imap", "queue", "relay", "store")
USERS = ("alice", "bob")
SHORT = 2            # places for each role
TRIES = 8            # at those, some of which never come
N_SHORT = 12         # the highest n of those
N_MAX = 2000         # a row of the long form that does not end here is a fault of the test
WHOLE = 10           # promises of one piece of work
LIVES = 6            # deaths before the server is started anew: the pauses between restarts grow
HEALTHY_SECONDS = 20

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may trace the roles"),
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} was not built"),
]


class Bench:
    """A site that goes from one injection to the next."""

    def __init__(self, role):
        self.role = role
        self.site = Site(users=USERS, extra=CHEAP_HASHES + "\nstore { processes = 2 }\nsmtp { processes = 2 }\nimap { processes = 2 }\n" + NOWHERE, program=PROGRAM)
        self.site.start()
        self.script = Script(self.site, USERS)
        self.places = self.mended = 0
        self.script.run()

    def inject(self, kind, effect, n):
        """Did it come to pass?"""
        with Injection(self.site, self.role, kind, effect, n) as injection:
            self.script.run()
        self.recover()
        if injection.came:
            self.places += 1
            self.check(f"{self.role}: {effect} at {kind} {n}")
        return injection.came

    def recover(self):
        site = self.site
        self.mend_indexes()
        site.wait_for(lambda: site.json("status")["healthy"] and self.lets_all_in(), HEALTHY_SECONDS, "all processes and their channels")
        if len(site.events("exit")) >= LIVES:
            assert site.stop() == 0
            self.look_at_the_log()
            site.log_path.unlink()
            self.mended = 0
            site.start()

    def mend_indexes(self):
        """What the operator does where an index could not be written for sure: the user is out of service until then."""
        damaged = [e["why"] for e in self.site.events("store", level="error") if "the index is damaged" in e["why"]]
        for user in USERS if len(damaged) > self.mended else ():
            self.site.postern("store", "rebuild", f"{user}@example.test", check=False)
        self.mended = len(damaged)

    def lets_all_in(self):
        """A process that lost a channel without dying has a new one within two seconds."""
        with contextlib.suppress(*BROKEN):
            for user in USERS:
                self.site.imap(user).logout()
            return True
        return False

    def check(self, place):
        """A front whose channel to auth was lost a moment ago says "later"."""
        end = time.monotonic() + HEALTHY_SECONDS
        while True:
            try:
                self.script.check()
                return
            except BROKEN as e:
                if isinstance(e, AssertionError) or time.monotonic() > end:
                    raise AssertionError(f"{place}: {type(e).__name__}: {e}\n{self.site.log_tail(30)}") from None
            time.sleep(0.3)

    def look_at_the_log(self):
        """The role may give up (event=panic): an eventfd that has no space cannot be. The others may not, and nobody is damaged."""
        text = self.site.log_path.read_text(errors="replace")
        assert "AddressSanitizer" not in text and "runtime error" not in text, text[-3000:]
        assert {e["role"] for e in self.site.events("panic")} <= {self.role}, text[-3000:]

    def works_whole(self):
        before = self.script.count()
        self.script.run()
        return self.script.count() == before + WHOLE

    def close(self):
        """The work is done once more, untouched; the store finds nothing to mend."""
        end = time.monotonic() + HEALTHY_SECONDS
        while not self.works_whole():
            assert time.monotonic() < end, f"not all goes on as before\n{self.site.log_tail(30)}"
        self.check(f"{self.role}: afterwards")
        for user in USERS:
            assert self.site.postern("store", "check", f"{user}@example.test", check=False).returncode == 0, self.site.log_tail(30)
        assert self.site.stop() == 0
        self.look_at_the_log()


@pytest.fixture
def bench(request):
    one = Bench(request.param)
    yield one
    one.site.close()


def rows(role):
    """What the role calls at all, by the record of tests/e2e."""
    made = next(line for line in RECORD.read_text().splitlines() if line.startswith(role + ":")).split()
    kinds = [kind for kind, calls in KINDS.items() if set(calls) & set(made) and not (kind == "map" and is_sanitized(PROGRAM))]
    return [(kind, effect) for kind in kinds for effect in (KILL, *ERRORS[kind])]


@pytest.mark.skipif(LONG, reason="the long form takes every place")
@pytest.mark.parametrize("bench", ROLES, indirect=True)
def test_some_places(bench):
    rng = random.Random(f"{os.environ.get('SEED', '1')} {bench.role}")
    for kind, effect in rng.sample(rows(bench.role), min(TRIES, len(rows(bench.role)))):
        if bench.places < SHORT:
            bench.inject(kind, effect, rng.choice([1, 1, 2, rng.randrange(1, N_SHORT)]))
    assert bench.places > 0
    bench.close()


@pytest.mark.skipif(not LONG, reason="minutes: ./test --long crash")
@pytest.mark.parametrize("bench", ROLES, indirect=True)
def test_every_place(bench):
    for kind, effect in rows(bench.role):
        n = 1
        while bench.inject(kind, effect, n):
            n = following(effect, n)
            assert n < N_MAX, f"{bench.role}: {kind} has no end"
    print(f"\n{bench.role}: {bench.places} places")
    bench.close()
