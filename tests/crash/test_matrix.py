"""Each process × each kind of system call × its n-th occurrence: killed there, or the call fails. What was promised is kept, and the
server goes on. Here some places of the matrix, others with another SEED; POSTERN_LONG: each of the first and then in growing
steps, until the work passes untouched. A part of that: pytest -k "store and write". Its table: python3 tests/crash/matrix.py FILE."""
import os
import random
import shutil
from pathlib import Path

import pytest

import outlab
from matrix import ERRORS, KILL, KINDS, SHORT, Shortening, Table, following, injection
from postern_site import is_sanitized
from stand import OUTSIDE, Stand

BUILD = Path(os.environ.get("POSTERN_BUILD", Path(__file__).resolve().parents[2] / "build"))
PROGRAM = BUILD / "tests/crash/postern_unfiltered"
RECORD = Path(__file__).resolve().parents[1] / "e2e/system_calls.txt"
LONG = bool(os.environ.get("POSTERN_LONG"))
ROLES = ("parent", "log", "keys", "dns", "fetch", "auth", "smtp", "imap", "queue", "relay", "store")
PLACES = 2           # for each role
SLOW_PLACES = 1      # for those whose work waits for the world outside
TRIES = 8            # at those, some of which never come
N_SHORT = 12         # the highest n of those
N_MAX = 2000         # a row of the long form that does not end here is a fault of the test
FRESH = 60           # places before the long form begins with empty mailboxes
# places that once broke something, taken in the short form, too
BROKE = {"keys": [("send", "ENOMEM", 1)], "parent": [("write", "EIO", 3), ("socket", "EMFILE", 2)]}
BESIDES = {"relay": {"write"}}  # what the record has under another name: bytes sent may be short
NOT_THE_PARENTS = ("wait", "sync", "truncate", "link")

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may trace the roles"),
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} was not built"),
]


def kinds_of(role):
    """What the role calls at all, by the record of tests/e2e."""
    if role == "parent":
        return [kind for kind in KINDS if kind not in NOT_THE_PARENTS]
    made = next(line for line in RECORD.read_text().splitlines() if line.startswith(role + ":")).split()
    return [kind for kind, calls in KINDS.items() if set(calls) & set(made) or kind in BESIDES.get(role, ())]


def rows(role):
    kinds = [kind for kind in kinds_of(role) if not (kind == "map" and is_sanitized(PROGRAM))]
    return [(kind, effect) for kind in kinds for effect in effects(kind)]


def effects(kind):
    return [e for e in (KILL, *ERRORS[kind]) if e != SHORT or Shortening.PROGRAM.exists()]


def stand_for(role):
    if role in OUTSIDE and outlab.missing():
        pytest.skip(outlab.missing())
    return Stand(role, PROGRAM)


@pytest.mark.skipif(LONG, reason="the long form takes every place")
@pytest.mark.parametrize("role", ROLES)
def test_k10_some_places(role):
    rng = random.Random(f"{os.environ.get('SEED', '1')} {role}")
    stand, places = stand_for(role), 0
    try:
        for kind, effect, n in BROKE.get(role, ()):
            stand.strike(injection(stand.site, role, kind, effect, n))
        for kind, effect in rng.sample(rows(role), min(TRIES, len(rows(role)))):
            if places < (SLOW_PLACES if role in OUTSIDE else PLACES):
                places += stand.strike(injection(stand.site, role, kind, effect, rng.choice([1, 1, 2, rng.randrange(1, N_SHORT)])))
        assert places > 0
        stand.finish()
    finally:
        stand.tear_down()


class Row:
    """The long form of a row: every place until the work goes by untouched, on a new server after a violation and now and then."""

    def __init__(self, role, kind, effect):
        self.role, self.kind, self.effect = role, kind, effect
        self.stand, self.used = None, 0
        self.places, self.violations = 0, []

    def at(self, n):
        """Did the n-th occurrence come?"""
        if self.stand is None:
            self.stand, self.used = stand_for(self.role), 0
        struck = injection(self.stand.site, self.role, self.kind, self.effect, n)
        try:
            # who lost its channel a moment ago may not have been asked at all
            came = self.stand.strike(struck) or (self.role in OUTSIDE and self.stand.strike(struck))
            self.used += came
            if self.used == FRESH or not came:
                self.leave()
        except AssertionError as e:
            came = True
            self.violations.append(f"{struck}: {e}")
            self.drop()
        self.places += came
        return came

    def leave(self):
        self.stand.finish()
        self.drop()

    def drop(self):
        self.stand.tear_down()
        self.stand = None


@pytest.mark.skipif(not LONG, reason="minutes: ./test --long crash")
@pytest.mark.parametrize("role,kind", [(role, kind) for role in ROLES for kind in kinds_of(role)])
def test_every_place(role, kind):
    if kind == "map" and is_sanitized(PROGRAM):
        pytest.skip("maps are the sanitizer's")
    table, violations = Table(os.environ.get("POSTERN_MATRIX", BUILD / "matrix.json")), []
    for effect in effects(kind):
        row, n = Row(role, kind, effect), 1
        while row.at(n):
            n = following(effect, n)
            assert n < N_MAX, f"{role}: {kind} has no end"
        table.keep(role, kind, effect, places=row.places, last=n, violations=row.violations)
        violations += row.violations
    assert not violations, "\n\n".join(violations)
