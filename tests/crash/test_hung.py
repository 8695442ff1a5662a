"""Processes that live and do nothing: whoever asks them waits, until the parent kills them and starts others (limits.hung)."""
import contextlib
import os
import signal

import pytest

from load import Load
from mail import message
from postern_site import CHEAP_HASHES, NOWHERE, Site
from wire import Wire

USERS = ("alice", "bob")
HUNG_SECONDS = 3
BACK_SECONDS = 30


@pytest.fixture
def site():
    with Site(users=USERS, extra=f"{CHEAP_HASHES}limits {{ hung = {HUNG_SECONDS}s }}\n{NOWHERE}") as made:
        made.start()
        yield made
        assert made.stop() == 0
        made.check_log(killed=True)


@pytest.fixture
def stopped(site):
    """Stops processes; the test's end lets go whom nobody killed."""
    pids = []

    def stop(role, index, pid):
        pids.append(pid)
        os.kill(pid, signal.SIGSTOP)
        return role, index, pid

    yield stop
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def all_new(site, old):
    status = site.json("status")
    return status["healthy"] and not {pid for *_, pid in old} & {p["pid"] for p in status["processes"]}


def said(site, role, index, pid):
    return [e for e in site.events("hung") if e["why"].startswith(f"{role} {index} (pid {pid}) ")]


def test_k08_all_that_are_stopped_are_replaced(site, stopped):
    load = Load(site, USERS)
    with load:
        site.wait_for(lambda: min(map(len, load.promised.values())) > 3 and load.owed, 30, "some mail")
    old = [stopped(*process) for process in site.processes()]
    assert len(old) > 9
    site.wait_for(lambda: all_new(site, old), BACK_SECONDS, "new processes in the place of those that were stopped")
    site.wait_for(lambda: all(said(site, *process) for process in old), BACK_SECONDS, "the log to say so of each")
    load.check()
    begun = load.count()
    load = load.again()
    with load:
        site.wait_for(lambda: load.count() > begun + 5, 30, "load afterwards")
    load.check()


def test_who_waits_for_it_gets_an_answer(site, stopped):
    with Wire(site, "smtp", timeout=60) as wire:
        wire.hello()
        for words in ("MAIL FROM:<s@remote.test>", "RCPT TO:<alice@example.test>"):
            assert wire.code(words) == 250
        assert wire.code("DATA") == 354
        for process in site.processes():
            if process[0] == "queue":
                stopped(*process)
        assert wire.code(message("waits") + b".\r\n") == 451
    site.wait_for(lambda: site.json("status")["healthy"], BACK_SECONDS, "all processes")
