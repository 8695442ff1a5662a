"""tamper.py - a server whose wall clock can be set and whose memory runs out (tamper.c), in a directory of its own with the file that says
what is to happen."""
import mmap
import os
import shutil
import struct
import tempfile
from pathlib import Path

PROGRAM = Path(os.environ.get("POSTERN", Path(__file__).resolve().parents[2] / "build/postern")).parent / "tests/crash/postern_tampered"
CLOCK, MAP, VICTIM = 0, 8, 16  # places in struct tamper
VICTIMS = 8
SIZE = VICTIM + 8 * VICTIMS


class Tampered:
    """A copy of the program, with its module at its side: what is tampered with is this copy's."""

    def __init__(self, program=PROGRAM):
        self.dir = Path(tempfile.mkdtemp(prefix="postern-tampered-"))
        self.dir.chmod(0o755)
        for path in (program, program.parents[2] / "postern-fetch.so"):
            if path.exists():
                shutil.copy2(path, self.dir)
        self.program = self.dir / program.name
        with open(f"{self.program}.tamper", "wb+") as file:
            file.truncate(SIZE)
            self.map = mmap.mmap(file.fileno(), SIZE)

    def set_clock(self, seconds):
        """From now on the wall clock of all its processes is off by so much."""
        struct.pack_into("=q", self.map, CLOCK, int(seconds * 10**6))

    def limit_maps(self, size):
        """No database that is opened from now on gets a larger map."""
        struct.pack_into("=q", self.map, MAP, size)

    def close(self):
        self.map.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Shortage:
    """The n-th allocation of each of a role's processes fails, within a with block."""

    def __init__(self, tampered, site, role, n):
        self.map, self.site, self.role, self.n = tampered.map, site, role, n
        self.name = f"{role}: allocation {n} fails"

    def __str__(self):
        return self.name

    def __enter__(self):
        self.pids = [self.site.process.pid] if self.role == "parent" else self.site.pids(self.role)
        for i, pid in enumerate(self.pids[:VICTIMS]):
            struct.pack_into("=ii", self.map, VICTIM + 8 * i, pid, self.n)
        return self

    def __exit__(self, *_):
        left = [struct.unpack_from("=ii", self.map, VICTIM + 8 * i)[1] for i in range(len(self.pids))]
        self.map[VICTIM:] = bytes(8 * VICTIMS)
        self.came = 0 in left
