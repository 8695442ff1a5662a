"""Which system calls each role makes after it has given up its rights, against the record in system_calls.txt: whoever needs a new one
says so there, and reads what the filter (src/role/filter.c) allows with it.

For the release build. RECORD=1 adds what was seen to the record."""
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

import attack
import taken
from postern_site import NOWHERE, PROGRAM, is_sanitized

RECORD = Path(__file__).with_name("system_calls.txt")
pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif(is_sanitized(PROGRAM), reason="sanitizers make calls of their own"),
]
# what the C library does with memory and while it waits, now and then; no news
ALWAYS = {"brk", "clock_nanosleep", "futex", "madvise", "mmap", "mremap", "munmap", "restart_syscall", "rt_sigreturn", "sched_yield"}
LINE = re.compile(r"^(\d+) +(\w+)\((.*)")
LOADED = re.compile(r"^\d+ +seccomp\(SECCOMP_SET_MODE_FILTER, \d+, \{len=")
NEW_PROCESS = re.compile(r"(?:clone3?|fork|vfork)(?:\(| resumed).*= (\d+)$")


class Trace:
    """What strace -f saw: by role, the calls after the filter was loaded."""

    def __init__(self, text):
        self.roles, self.confined, self.calls = {}, set(), {}
        for line in text.splitlines():
            self.take(line)

    def take(self, line):
        pid = line.split(" ", 1)[0]
        made = NEW_PROCESS.search(line)
        if made:
            self.roles.setdefault(made[1], self.roles.get(pid))  # a child may be seen before its birth is told
            if pid in self.confined:
                self.confined.add(made[1])
        if LOADED.match(line) and self.roles.get(pid):
            self.confined.add(pid)
            return
        match = LINE.match(line)
        if not match:
            return
        _, call, rest = match.groups()
        role = re.search(r'"--role", "(\w+)"', rest) if call.startswith("exec") else None
        if role:
            self.roles[pid] = role[1]
        elif pid in self.confined:
            self.calls.setdefault(self.roles[pid], set()).add(call)


def recorded():
    return {line.split(":")[0]: set(line.split(":")[1].split()) for line in RECORD.read_text().splitlines() if not line.startswith("#")}


def record(calls):
    head = [line for line in RECORD.read_text().splitlines() if line.startswith("#")] if RECORD.exists() else []
    known = recorded() if RECORD.exists() else {}
    rows = [f"{role}: {' '.join(sorted(calls.get(role, set()) | known.get(role, set())))}" for role in sorted({*calls, *known})]
    RECORD.write_text("\n".join([*head, *rows]) + "\n")


def work(site):
    """A little of everything that needs the kernel."""
    for size in (100, 300_000):
        assert attack.send(site, "x@remote.test", "bob@example.test", b"Subject: s\r\n\r\n" + b"some text of it\r\n" * (size // 17)) == 250
    site.submit("alice", ["bob", "y@remote.test"], "From: alice@example.test\r\n\r\nhello\r\n")
    with site.imap("bob") as client:
        client.create("Work")
        client.select("INBOX")
        client.append("INBOX", r"(\Seen)", None, b"Subject: appended\r\n\r\ntext\r\n")
        client.copy("1:2", "Work")
        client.search(None, "TEXT", "some")
        client.fetch("1:*", "(ENVELOPE BODYSTRUCTURE BODY[])")
        client.uid("MOVE", "1", "Work")
        client.store("1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.rename("Work", "Done")
        client.delete("Done")
    site.postern("sendmail", "bob@example.test", stdin="Subject: local\n\nhello\n")
    site.postern("user", "add", "carol@example.test", "--password-stdin", stdin="carol-secret\n")
    site.postern("reload")
    for words in (("status",), ("queue", "list"), ("queue", "retry", "--all"), ("trace", "bob@example.test"), ("store", "check", "bob@example.test"),
                  ("lookup", "mx", "remote.test")):
        site.postern(*words, check=False)


def test_no_role_makes_calls_that_nobody_expects():
    with attack.watched(NOWHERE) as site:
        site.start(wrapper=("strace", "-f", "-qq", "-s", "40", "-o", str(site.dir / "calls")))
        work(site)
        (parent,) = Path(f"/proc/{site.process.pid}/task/{site.process.pid}/children").read_text().split()
        os.kill(int(parent), signal.SIGTERM)
        assert site.process.wait(60) == 0
        site.process = None
        calls = Trace((site.dir / "calls").read_text(errors="replace")).calls
    assert set(calls) == set(taken.ROLES) - {"parent", "cli"}
    if os.environ.get("RECORD"):
        record(calls)
    strange = {role: sorted(made - ALWAYS - recorded().get(role, set())) for role, made in calls.items()}
    assert not any(strange.values()), f"calls that are not in {RECORD.name}: { {role: made for role, made in strange.items() if made} }"


def test_nothing_that_is_recorded_is_dangerous():
    dangerous = {"execve", "execveat", "ptrace", "fork", "vfork", "kill", "mount", "unshare", "setns", "chroot", "setuid", "setresuid", "bpf",
                 "io_uring_setup", "process_vm_readv"}
    network = {"socket", "connect", "bind"}
    for role, calls in recorded().items():
        assert not calls & dangerous, (role, calls & dangerous)
        if role not in ("dns", "relay", "fetch"):
            assert not calls & network, (role, calls & network)
