"""matrix.py - one call of one process goes wrong: strace kills the process at its n-th call of a kind, or lets the call fail.

What clients were told is kept as in load.py. An injection that never came to pass means that the work went by untouched: the row of the
matrix is done.
"""
import contextlib
import imaplib
import re
import subprocess
import time
from pathlib import Path

from load import BROKEN, Load
from wire import Wire

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
}
ERRORS = {
    "open": ["EIO", "ENOSPC", "EMFILE", "EROFS"], "write": ["EIO", "ENOSPC", "EINTR"], "read": ["EIO", "EINTR"], "sync": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC", "EROFS"], "link": ["EIO", "ENOSPC", "EROFS"], "unlink": ["EIO", "EROFS"], "mkdir": ["EIO", "ENOSPC"],
    "truncate": ["EIO", "ENOSPC"], "send": ["EINTR", "ENOMEM"], "receive": ["EINTR", "ENOMEM"], "accept": ["EMFILE", "EINTR", "ENOMEM"],
    "socket": ["EMFILE", "ENOMEM"], "wait": ["EINTR"], "map": ["ENOMEM"], "memfd": ["EMFILE", "ENOMEM"],
}
KILL = "KILL"
ATTACH_SECONDS = 10
SECONDS = 6  # for which a client waits: what is lost is often a message to nobody


def following(effect, n):
    """The next n of a row: each of the first, then in growing steps."""
    dense, step = (20, 1.2) if effect == KILL else (5, 1.5)
    return n + 1 if n < dense else int(n * step)


class Script(Load):
    """A fixed little piece of work, so that the n-th call is about the same each time. What fails is nobody's; what is promised counts."""

    def __init__(self, site, users):
        super().__init__(site, users, workers=())

    def run(self):
        self.site.postern("queue", "retry", "--all", check=False)  # so that relay has something to do
        for user in self.users[:2]:
            for part in (self.deliver_one, self.submit_one, self.use_mailbox):
                with contextlib.suppress(*BROKEN):
                    part(user)

    def deliver_one(self, user):
        with Wire(self.site, "smtp", timeout=SECONDS) as wire:
            wire.hello()
            for _ in range(2):
                token, sent = self.make()
                wire.send(f"MAIL FROM:<s@remote.test>\r\nRCPT TO:<{user}@example.test>\r\nDATA\r\n")
                if [wire.reply()[0] for _ in range(3)] == [250, 250, 354] and wire.code(sent + b".\r\n") == 250:
                    self.promised[user][token] = sent

    def submit_one(self, user):
        with Wire(self.site, "submissions", timeout=SECONDS) as wire:
            wire.submission(user)
            token, sent = self.make()
            sent = sent.replace(b"alice@", user.encode() + b"@")
            wire.send(f"MAIL FROM:<{user}@example.test>\r\nRCPT TO:<{token}@remote.test>\r\nRCPT TO:<{user}@example.test>\r\nDATA\r\n")
            if [wire.reply()[0] for _ in range(4)] == [250, 250, 250, 354] and wire.code(sent + b".\r\n") == 250:
                self.promised[user][token] = sent
                self.owed.add(f"{token}@remote.test")

    def use_mailbox(self, user):
        client = self.site.imap()
        with contextlib.closing(client.sock):
            client.sock.settimeout(SECONDS)
            client.login(self.site.address(user), self.site.password(user))
            token, sent = self.make()
            if client.append("INBOX", r"(\Seen)", None, sent)[0] == "OK":
                self.promised[user][token] = sent
            client.select("INBOX")
            client.store("1", "+FLAGS", r"(\Flagged $Work)")
            self.come_and_go(client)

    def come_and_go(self, client):
        """Copies of the first message, in a folder of their own: made, moved on, expunged."""
        with contextlib.suppress(imaplib.IMAP4.error):
            client.create("Away")
            client.copy("1", "Away")
            client.select("Away")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()


class Injection:
    """strace on all processes of a role, for the time of a with block."""

    def __init__(self, site, role, kind, effect, n):
        what = f"signal={effect}" if effect == KILL else f"error={effect}"
        calls = ",".join(KINDS[kind])
        self.pids = site.pids(role)
        self.log = site.dir / "strace.log"
        self.command = ["strace", "-f", "-qq", "-o", str(self.log), "-e", f"trace={calls}", "-e", f"inject={calls}:{what}:when={n}",
                        *(word for pid in self.pids for word in ("-p", str(pid)))]
        self.effect = effect

    def __enter__(self):
        self.log.unlink(missing_ok=True)
        self.tracer = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + ATTACH_SECONDS
        while not all(map(is_traced, self.pids)):
            assert time.monotonic() < end and self.tracer.poll() is None, "strace does not attach"
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self.tracer.terminate()
        try:
            self.tracer.wait(2)
        except subprocess.TimeoutExpired:  # it may wait for a thread that ended with its process
            self.tracer.kill()
            self.tracer.wait()
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        self.came = "(INJECTED)" in text or (self.effect == KILL and "+++ killed by SIGKILL" in text)


def is_traced(pid):
    """All its threads, or it is gone."""
    try:
        states = [task.joinpath("status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return True
    return all(re.search(r"TracerPid:\t[1-9]", state) for state in states)
