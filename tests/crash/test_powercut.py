"""What a power cut leaves behind, at some of the places where it can fall (POSTERN_LONG: at many); see powercut.py."""
import os
from pathlib import Path

import pytest

from disk import missing
from powercut import Run

LONG = bool(os.environ.get("POSTERN_LONG"))
BUILD = Path(os.environ.get("POSTERN_BUILD", Path(__file__).resolve().parents[2] / "build"))
LOGGER = BUILD / "tests/crash/fuse_log"
WITHOUT_FLUSHES = BUILD / "tests/crash/postern_nosync"


def needs(filesystem):
    why = missing(filesystem) or ("" if LOGGER.exists() else f"{LOGGER} was not built (libfuse3-dev)")
    if why:
        pytest.skip(f"no power cuts here: {why}")


def describe(bad):
    return "\n".join(f"cut at {cut}{', unflushed writes dropped' if dropped else ''}: " + "; ".join(wrong[:5])
                     for cut, dropped, wrong in bad[:5])


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_what_was_acknowledged_survives(filesystem):
    needs(filesystem)
    run = Run(filesystem, logger=LOGGER, seconds=15 if LONG else 3, images=300 if LONG else 12, seed=1)
    bad = run.run()
    print(f"{filesystem}: {len(run.cuts)} disks, {run.counts}")
    assert not bad, describe(bad)
    assert run.counts["delivered"] > 20 and run.counts["queued"] > 5 and run.counts["MOVE"] > 3


def test_the_checker_notices_a_system_that_does_not_flush():
    needs("ext4")
    run = Run("ext4", program=WITHOUT_FLUSHES, logger=LOGGER, seconds=2, images=4, seed=2, worst=True)
    assert run.run(), "nothing was lost although nothing was flushed"
