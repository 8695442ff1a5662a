"""matrix.py - one call of one process goes wrong: strace kills the process at its n-th call of a kind, or lets the call fail.

An injection that never came to pass means that the work went by untouched: the row of the matrix is done.
"""
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# the kinds of calls (a missing one is not in a role's list of calls) and what may go wrong with them
KINDS = {
    "open": ("openat", "openat2"),
    "write": ("write", "writev", "pwrite64"),
    "read": ("read", "pread64"),
    "sync": ("fsync", "fdatasync", "syncfs"),
    "rename": ("rename", "renameat", "renameat2"),
    "link": ("linkat",),
    "unlink": ("unlink", "unlinkat"),
    "mkdir": ("mkdir", "mkdirat"),
    "truncate": ("ftruncate",),
    "send": ("sendmsg", "sendto"),
    "receive": ("recvmsg", "recvfrom"),
    "accept": ("accept4",),
    "socket": ("socket", "socketpair", "connect"),
    "wait": ("futex",),
    "map": ("mmap", "munmap", "mprotect"),
    "memfd": ("memfd_create",),
    "fork": ("clone", "fork", "vfork"),
    "bury": ("wait4",),
}
ERRORS = {
    "open": ["EIO", "ENOSPC", "EDQUOT", "EMFILE", "EROFS"], "write": ["EIO", "ENOSPC", "EDQUOT", "EINTR"], "read": ["EIO", "EINTR"], "sync": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC", "EROFS"], "link": ["EIO", "ENOSPC", "EROFS"], "unlink": ["EIO", "EROFS"], "mkdir": ["EIO", "ENOSPC"],
    "truncate": ["EIO", "ENOSPC"], "send": ["EINTR", "ENOMEM"], "receive": ["EINTR", "ENOMEM"], "accept": ["EMFILE", "EINTR", "ENOMEM"],
    "socket": ["EMFILE", "ENOMEM"], "wait": ["EINTR"], "map": ["ENOMEM"], "memfd": ["EMFILE", "ENOMEM"],
    "fork": ["EAGAIN", "ENOMEM"], "bury": ["EINTR"],
}
ALLOCATION = "allocation"  # of memory: test_memory.py
OOM = "out of memory"  # the kernel ends it: test_memory.py
SHORT = "short"  # the n-th call does about half of what it was asked for
for kind in ("read", "write"):
    ERRORS[kind].append(SHORT)
KILL = "KILL"
ATTACH_SECONDS = 10


def following(effect, n):
    """The next n of a row: each of the first, then in growing steps."""
    dense, step = (20, 1.2) if effect == KILL else (5, 1.5)
    return n + 1 if n < dense else int(n * step)


class Injection:
    """strace on all processes of a role, for the time of a with block."""

    def __init__(self, site, role, kind, effect, n):
        what = f"signal={effect}" if effect == KILL else f"error={effect}"
        calls = ",".join(KINDS[kind])
        self.pids = [site.process.pid] if role == "parent" else site.pids(role)
        self.log = site.dir / "strace.log"
        threads = [] if role == "parent" else ["-f"]  # the parent has none, and the processes it starts are others
        self.command = ["strace", *threads, "-qq", "-o", str(self.log), "-e", f"trace={calls}", "-e", f"inject={calls}:{what}:when={n}",
                        *(word for pid in self.pids for word in ("-p", str(pid)))]
        self.effect = effect
        self.name = f"{role}: {effect} at {kind} {n}"

    def __str__(self):
        return self.name

    def attached(self):
        return all(map(is_traced, self.pids))

    def __enter__(self):
        self.log.unlink(missing_ok=True)
        self.tracer = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + ATTACH_SECONDS
        while not self.has_begun():
            assert time.monotonic() < end, "strace does not attach"
            time.sleep(0.005)
        return self

    def has_begun(self):
        """A first call may have been one that waited: then all is over before we look."""
        goes_on = self.tracer.poll() is None
        begun = self.attached() or self.has_come(self.said())
        assert begun or goes_on, "strace does not attach"
        return begun

    def __exit__(self, *_):
        self.tracer.terminate()
        try:
            self.tracer.wait(2)
        except subprocess.TimeoutExpired:  # it may wait for a thread that ended with its process
            self.tracer.kill()
            self.tracer.wait()
        self.came = self.has_come(self.said())

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def has_come(self, text):
        return "(INJECTED)" in text or (self.effect == KILL and "+++ killed by SIGKILL" in text)


class Shortening(Injection):
    """shorten.c on all processes of a role."""

    PROGRAM = Path(os.environ.get("POSTERN_BUILD", Path(__file__).resolve().parents[2] / "build")) / "tests/crash/shorten"

    def __init__(self, site, role, kind, effect, n):
        super().__init__(site, role, kind, effect, n)
        self.command = [str(self.PROGRAM), kind, str(n), str(self.log), *map(str, self.pids)]

    def attached(self):
        return "ready" in self.said()

    def has_come(self, text):
        return "shortened" in text


def injection(site, role, kind, effect, n):
    return (Shortening if effect == SHORT else Injection)(site, role, kind, effect, n)


def is_traced(pid):
    """All its threads, or it is gone."""
    try:
        states = [task.joinpath("status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return True
    return all(re.search(r"TracerPid:\t[1-9]", state) for state in states)


class Table:
    """What the rows came to, in a file: role → kind → effect → {places, last, violations}. Each row is kept when it ends."""

    def __init__(self, path):
        self.path = Path(path)

    def read(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def keep(self, role, kind, effect, **result):
        with open(self.path.with_suffix(".lock"), "w") as lock:  # rows may run beside each other
            fcntl.flock(lock, fcntl.LOCK_EX)
            table = self.read()
            table.setdefault(role, {}).setdefault(kind, {})[effect] = result
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(table, indent=1))
            new.replace(self.path)

    def lines(self):
        """As docs/durability.md shows it: how many places of each kind."""
        table = self.read()
        kinds = [kind for kind in (*KINDS, ALLOCATION, OOM) if any(kind in rows for rows in table.values())]
        yield "| role | " + " | ".join(kinds) + " | places | violated |"
        yield "|---" * (len(kinds) + 3) + "|"
        for role, rows in table.items():
            cells = {kind: list(effects.values()) for kind, effects in rows.items()}
            sums = [sum(cell["places"] for cell in cells.get(kind, ())) if kind in cells else "–" for kind in kinds]
            violated = sum(len(cell["violations"]) for all_of in cells.values() for cell in all_of)
            yield f"| {role} | " + " | ".join(map(str, sums)) + f" | {sum(n for n in sums if n != '–')} | {violated} |"


if __name__ == "__main__":
    print("\n".join(Table(sys.argv[1]).lines()))
