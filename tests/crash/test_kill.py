"""A process of the store killed at any instant, again and again, against a model; see crash.c."""
import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("POSTERN_BUILD", Path(__file__).resolve().parents[2] / "build"))
PROGRAM = BUILD / "tests/crash/crash_store"


def test_k07_a_store_that_is_killed_keeps_what_it_acknowledged():
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} was not built")
    seconds = 120 if os.environ.get("POSTERN_LONG") else 8
    done = subprocess.run([PROGRAM, str(seconds)], capture_output=True, text=True, timeout=seconds + 60)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
