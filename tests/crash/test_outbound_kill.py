"""queue, relay and dns killed at random while mail goes to many destinations: nothing that was accepted is lost, and what comes twice is
what a host had taken when the process that would have noted it died."""
import os
import random
import signal
import threading
import time

import pytest

import outlab
from elsewhere import emptied
from loadrun import Run
from outlab import World

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))
LONG = bool(os.environ.get("POSTERN_LONG"))
MESSAGES, DESTINATIONS, ODD = (10_000, 200, 20) if LONG else (1_000, 40, 4)
ROLES = ("queue", "relay", "dns")
ALL_SECONDS = 900 if LONG else 120


class Killer(threading.Thread):
    """Kills one of the roles now and then; keeps when."""

    def __init__(self, site):
        super().__init__()
        self.site, self.over, self.deaths = site, threading.Event(), []
        self.random = random.Random(os.environ.get("POSTERN_SEED"))

    def run(self):
        while not self.over.wait(self.random.uniform(0.3, 2)):
            role = self.random.choice(ROLES)
            for pid in self.site.pids(role):
                os.kill(pid, signal.SIGKILL)
                self.deaths.append((time.monotonic(), role))

    def stop(self):
        self.over.set()
        self.join()
        return [at for at, _ in self.deaths]


def test_killed_at_random():
    with World() as world:
        run = Run(world, DESTINATIONS, ODD, slow_seconds=1, grey_seconds=3)
        killer = Killer(run.site)
        try:
            killer.start()
            run.send(MESSAGES)
            end = time.monotonic() + (60 if LONG else 8)
            while run.lacking(("healthy", "grey", "slow")) and time.monotonic() < end:
                time.sleep(0.5)
            deaths = killer.stop()
            run.raise_the_dead()
            run.wait(("healthy", "grey", "slow", "dead"), ALL_SECONDS)
            emptied(run.site, 60)
            twice = run.check_once(deaths)
            print(f"\n{MESSAGES} messages, {len(deaths)} deaths, came twice: {dict(twice)}")
            run.site.stop()
            run.site.check_log(killed=True)
        finally:
            killer.over.set()
            run.close()
