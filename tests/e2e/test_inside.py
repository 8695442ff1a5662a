"""Each role with an enemy in it (tests/inside): after its first connection or message it tries what it must not be able to do, with the
filter, the root, the user, the namespaces and the descriptors that it has in the server. What succeeds is in the table below, or a hole.

Builds with sanitizers have a wider filter: this is for the release build (./test release)."""
import errno
import os
import re
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

import attack
import played
import taken
from postern_site import NOWHERE, is_sanitized

PROGRAM = Path(os.environ.get("POSTERN_BUILD", taken.TOP / "build")) / "tests/inside/postern_inside"
HEADER = (taken.TOP / "tests/inside/inside.h").read_text()
CONSTANTS = {name: int(value) for name, value in re.findall(r"INSIDE_(\w+) = (-?\d+)", HEADER)}
HEAD = struct.Struct("=IIiiII")
PATHS = ("mail", "key", "verifier", "spool", "trace")
NAMES_AT = HEAD.size + len(PATHS) * CONSTANTS["PATH_SIZE"]
RESULTS_AT = NAMES_AT + CONSTANTS["ATTEMPTS_MAX"] * CONSTANTS["NAME_SIZE"]
SIZE = RESULTS_AT + 4 * CONSTANTS["ATTEMPTS_MAX"]
LIVES_MAX = 120

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="without root no root is closed and all roles are one user"),
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} was not built"),
    pytest.mark.skipif(PROGRAM.exists() and is_sanitized(PROGRAM), reason="the filter is strict in release builds only"),
]

# what a role is for, and can do therefore; everything else must fail
OWN_FILES = {"write in the root"}
INTERNET = {"open a TCP socket", "open a TCP6 socket", "open a UDP socket", "connect", "bind", "connect a socket that is there",
            "send from a socket that is there"}
MAY = {"log": OWN_FILES, "auth": OWN_FILES, "store": OWN_FILES, "queue": OWN_FILES, "dns": OWN_FILES | INTERNET, "relay": INTERNET,
       "fetch": INTERNET, "keys": set(), "smtp": set(), "imap": set()}
# what the kernel says who looks at the words of a call: then it was not denied, but badly asked
NOBODY_COULD = {"EBADF", "EFAULT", "EINVAL", "EPROTONOSUPPORT", "ESRCH", "nothing there"}
OPEN_TO_QUESTIONS = set()
DOORS = {"smtp": ("smtp",), "imap": ("imap",)}
PEERS = {"smtp": [("keys", 0, False)], "imap": [("keys", 0, False)]}


class Page:
    """The file that both map."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(RESULTS_AT) + struct.pack("=i", CONSTANTS["NEVER"]) * CONSTANTS["ATTEMPTS_MAX"])

    def read(self):
        data = self.path.read_bytes()
        following, count, *_ = HEAD.unpack_from(data)
        size = CONSTANTS["NAME_SIZE"]
        names = [data[NAMES_AT + i * size:NAMES_AT + (i + 1) * size].split(b"\0")[0].decode() for i in range(following)]
        results = struct.unpack_from(f"={following}i", data, RESULTS_AT)
        return following, count, dict(zip(names, results))

    def write(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def prepare(self, other, port):
        following = self.read()[0]
        self.write(0, HEAD.pack(following, 0, other, os.getpid(), port, 1))

    def name_paths(self, paths):
        for i, name in enumerate(PATHS):
            self.write(HEAD.size + i * CONSTANTS["PATH_SIZE"], str(paths[name]).encode() + b"\0")


@pytest.fixture(scope="module")
def lived_in():
    """A site with a mail, a key, verifiers, owed mail and a record."""
    site = attack.site(NOWHERE)
    site.start()
    assert attack.send(site, "x@remote.test", "bob@example.test") == 250
    site.submit("alice", ["y@remote.test"], "From: alice@example.test\r\n\r\nhello\r\n")
    site.inbox("bob", 1)
    site.stop()
    yield site
    site.close()


def a_file(top, pattern):
    return next(p for p in sorted(top.glob(pattern)) if p.is_file())


def start(site, role, program):
    if role in DOORS:
        return played.Cast(site, role, PEERS[role], DOORS[role], program=program)
    one = attack.alone(site, role, program=program)
    if role == "keys":
        attack.tell_keys(one, site)
    if role == "log":
        reader, writer = os.pipe()
        one.tell("listen", service=b"lines", socket=reader)
        one.tell("listen", service=b"stderr", socket=writer)
        os.close(reader)
        os.close(writer)
    one.start()
    return one


def let_it_in(one, role):
    """The first connection, or a question."""
    if role in DOORS:
        socket.create_connection(("127.0.0.1", next(iter(one.doors.values()))), 5).close()
    else:
        taken.send(one.parent, *taken.message(played.ROWS["counters"], {}))


def another_of(uid):
    """A process of the same user."""
    return subprocess.Popen(["sleep", "100"], user=uid, group=uid)


def uid_of(pid):
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid:")).split()[1])


def live_once(site, role, program, page, port):
    """One life of the role: as many attempts as it survives. True when all have been made."""
    one = start(site, role, program)
    process = (one.role if role in DOORS else one).process
    victim = another_of(uid_of(process.pid))
    try:
        page.prepare(victim.pid, port)
        let_it_in(one, role)
        end = time.monotonic() + 20
        while process.poll() is None and page.read()[1] == 0:
            assert time.monotonic() < end, f"{role}: nothing happens at {list(page.read()[2])[-1:]}"
            time.sleep(0.002)
        assert victim.poll() is None, f"{role} killed another process"
        return page.read()[1] > 0
    finally:
        victim.kill()
        victim.wait()
        process.kill()
        process.wait()


def outcome_words(result):
    known = {CONSTANTS["NEVER"]: "never tried", CONSTANTS["TRYING"]: "killed", CONSTANTS["ABSENT"]: "nothing there", 0: "DONE"}
    return known.get(result) or errno.errorcode.get(-result, str(result))


def test_every_role_is_here():
    table = (taken.TOP / "src/role/table.c").read_text()
    assert set(MAY) == {name.lower() for name in re.findall(r"^\t\{ ROLE_(\w+), CONF_", table, re.M)}


@pytest.mark.parametrize("role", MAY)
def test_what_is_denied_is_denied(lived_in, role):
    site = lived_in
    program = site.dir / f"inside-{role}"
    shutil.copy(PROGRAM, program)
    page = Page(program.with_name(program.name + ".page"))
    page.name_paths({"mail": a_file(site.state, "mail/**/cur/*"), "key": a_file(site.state, "keys/*.key"),
                     "verifier": a_file(site.state, "auth/*.mdb"), "spool": a_file(site.state, "queue/*.mdb"),
                     "trace": a_file(site.state, "trace/*")})
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind(f"\0postern-inside-{os.getpid()}")  # also to be found without a file
        for _ in range(LIVES_MAX):
            if live_once(site, role, program, page, listener.getsockname()[1]):
                break
    Path("/tmp/written-from-inside").unlink(missing_ok=True)
    _, count, results = page.read()
    found = {name: outcome_words(result) for name, result in results.items()}
    assert count == len(results) > 90, f"{role}: only {list(found)[-1:]} was reached"
    assert "never tried" not in found.values()
    vain = {name for name, result in found.items() if result in NOBODY_COULD} - OPEN_TO_QUESTIONS
    assert not vain, f"{role}: {sorted(vain)} would have failed anywhere: {found}"
    holes = {name for name, result in found.items() if result == "DONE"} - MAY[role]
    assert not holes, f"{role} can {sorted(holes)}: {found}"
    needed = {"open a TCP socket", "connect"} if INTERNET <= MAY[role] else OWN_FILES & MAY[role]
    assert all(found[name] == "DONE" for name in needed), f"{role} cannot do its work: {found}"
