"""What a power cut leaves behind, at some of the places where it can fall (POSTERN_LONG: at every flush of a run, and at many more); see
powercut.py. A server that leaves out one kind of flush has to be caught."""
import os
import shutil
from pathlib import Path

import pytest

from disk import missing
from powercut import Run, pieces

LONG = bool(os.environ.get("POSTERN_LONG"))
BUILD = Path(os.environ.get("POSTERN_BUILD", Path(__file__).resolve().parents[2] / "build"))
LOGGER = BUILD / "tests/crash/fuse_log"
WITHOUT_FLUSHES = BUILD / "tests/crash/postern_nosync"
SHORT = {"seed": 1, "seconds": 2, "way": "mixed"}
RUNS = pieces(5) if LONG else [{"filesystem": "ext4", "images": 12, "guests": False, **SHORT}, {"filesystem": "xfs", "images": 9, "guests": True, **SHORT}]
# The places of nosync.c, and how many large messages it takes to come by there.
PLACES = {"all": 0.07, "message": 0.07, "directory": 0.07, "index": 0.07, "spool": 0.5, "queue": 0.07, "auth": 0.07, "shares": 0.07}
SEEDS = (2, 3, 4)  # what others flush at the same moment may keep what was not: then once more


def needs(filesystem):
    why = missing(filesystem) or ("" if LOGGER.exists() else f"{LOGGER} was not built (libfuse3-dev)")
    if why:
        pytest.skip(f"no power cuts here: {why}")


def describe(bad):
    return "\n".join(f"cut at {cut}, {kind}: " + "; ".join(wrong[:5]) for cut, kind, wrong in bad[:5])


@pytest.mark.parametrize("piece", RUNS, ids=lambda piece: f"{piece['filesystem']}-{piece['way']}-{piece['seed']}")
def test_what_was_acknowledged_survives(piece):
    needs(piece["filesystem"])
    run = Run(logger=LOGGER, **piece)
    bad = run.run()
    print(f"{piece['filesystem']}: {len(run.cuts)} disks, {run.seconds_per_image:.2f} s each, {run.counts}")
    assert not bad, describe(bad)
    assert not run.missed, f"too little was done: {run.missed} in {run.counts}"


@pytest.mark.parametrize("place", PLACES)
def test_the_checker_notices_where_flushes_lack(place, tmp_path):
    needs("ext4")
    program = tmp_path / ("postern_nosync" if place == "all" else f"postern_nosync-{place}")
    shutil.copy(WITHOUT_FLUSHES, program)
    lent = {"guests": True, "kind": "rights"} if place == "shares" else {}
    runs = (Run("ext4", program=program, logger=LOGGER, seconds=1.5, images=8, seed=seed, way="worst", large=PLACES[place], **lent) for seed in SEEDS)
    assert any(run.run() for run in runs), f"nothing was lost although nothing was flushed: {place}"
