"""Many messages to many destinations: the dead, the slow and the greylisting do not keep the others waiting, and each message comes
once. Long form: 10 000 messages to 200 destinations of which 20 are dead, 20 slow and 20 greylisting."""
import os
import threading
import time

import pytest

import outlab
from elsewhere import emptied
from loadrun import Run

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))
LONG = bool(os.environ.get("POSTERN_LONG"))
HEALTHY = ("healthy", "grey", "slow")
MESSAGES, DESTINATIONS, ODD = (10_000, 200, 20) if LONG else (600, 40, 4)
HEALTHY_SECONDS = 60 if LONG else 15  # after the last was accepted
ALL_SECONDS = 600 if LONG else 90


def test_k20_nobody_starves_for_others(world):
    run = Run(world, DESTINATIONS, ODD)
    try:
        began = time.monotonic()
        run.send(MESSAGES)
        accepted = time.monotonic() - began
        healthy = run.wait(("healthy",), HEALTHY_SECONDS)
        assert run.left()["dead"] == list(run.promised.values()).count("dead"), "the dead were to hang meanwhile"
        others = run.wait(HEALTHY, ALL_SECONDS)
        run.raise_the_dead()
        dead = run.wait(("dead",), ALL_SECONDS)
        emptied(run.site)
        assert not run.check_once()
        print(f"\n{MESSAGES} messages to {DESTINATIONS} destinations: accepted in {accepted:.1f} s; after that all healthy {healthy:.1f} s, "
              f"greylisting and slow {others:.1f} s more; the dead, once they answered, {dead:.1f} s")
        run.site.end_well()
    finally:
        run.close()


def test_orderly_ends_repeat_nothing(world):
    """Reloads and restarts while mail goes through two relay processes: what was under way is finished or not begun."""
    run = Run(world, 20, 2, slow_seconds=0.5, grey_seconds=2, relay="processes = 2")
    try:
        sending = threading.Thread(target=run.send, args=(600,))
        sending.start()
        for turn in range(4):
            time.sleep(0.4)
            if turn % 2 == 0:
                run.site.reload()
            else:
                assert run.site.stop() == 0
                run.site.start()
        sending.join()
        run.wait(HEALTHY, ALL_SECONDS)
        run.raise_the_dead()
        run.wait(("dead",), ALL_SECONDS)
        emptied(run.site)
        assert not run.check_once()
        run.site.end_well()
    finally:
        run.close()
