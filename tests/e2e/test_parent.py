"""The parent and the command line, which are root, at the hands of a process that was taken over."""
import ctypes
import json
import os
import signal
import socket
import threading

import pytest

import attack
import hostile
import played
import taken
from postern_site import CHEAP_HASHES

ROWS = played.ROWS
PIDFD_GETFD = 438  # the system call
CHILD_FD = 3       # a role's channel to its parent


@pytest.fixture
def site():
    with attack.watched() as site:
        yield site


# --- the parent, which is root


def steal(pid, fd):
    """The other process's descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.pidfd_open(pid)
    got = libc.syscall(PIDFD_GETFD, handle, fd, 0)
    os.close(handle)
    if got == -1:
        pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    return socket.socket(fileno=got)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes descriptors out of other processes")
def test_the_parent_outlives_a_child_that_breaks_the_rules(site):
    """Each process sends something else that is broken; each is ended and started again, and the parent does not mind."""
    site.write_conf(CHEAP_HASHES + "smtp { processes = 4 }\nimap { processes = 4 }\nstore { processes = 4 }\n")
    site.start()
    rng = hostile.generator("parent")
    parent = site.process.pid
    before = len(os.listdir(f"/proc/{parent}/fd"))
    rows = [row for row in ROWS.values() if "parent" in row.receivers] + [ROWS["submit"], ROWS["conf"], ROWS["start"]]
    for role, _, pid in site.processes():
        row = rng.choice(rows)
        message = hostile.Composed(taken.SAY if not row.is_call else taken.ASK, row, row.fields)
        what, data, fds = rng.choice(list(hostile.all_broken(message, ROWS)))
        os.kill(pid, signal.SIGSTOP)
        site.killed.add(pid)
        with steal(pid, CHILD_FD) as channel:
            hostile.send(channel, data, fds)
            assert taken.ends(channel), f"{role}: {row.name}: {what}: the channel goes on"
        os.kill(pid, signal.SIGKILL)
        message.close()
    site.wait_for(lambda: site.json("status")["healthy"], 30, "all to be back")
    assert site.process.pid == parent and len(os.listdir(f"/proc/{parent}/fd")) <= before + 1
    assert attack.send(site, "x@remote.test", "bob@example.test") == 250


@pytest.mark.skipif(os.geteuid() != 0, reason="takes descriptors out of other processes")
def test_no_child_keeps_the_operator_from_the_status(site):
    """Counters without end, with any names; statements without end."""
    site.start()
    pid = site.pids("fetch")[0]
    os.kill(pid, signal.SIGSTOP)
    site.killed.add(pid)
    with steal(pid, CHILD_FD) as channel:
        channel.setblocking(True)
        for n in range(200):
            hostile.send(channel, *taken.message(ROWS["ready"], {"skipped": b"\x1b[2Jnothing %d" % (n % 3)}))
            hostile.send(channel, *taken.message(ROWS["lost"], {"role": n % 16, "index": n % 40}))
        answer = threading.Thread(target=answer_counters, args=(channel,))
        answer.start()
        status = site.json("status")
        answer.join()
    assert {p["role"] for p in status["processes"]} >= {"smtp", "store", "fetch"}
    assert all(len(p.get("counters", {})) <= 64 for p in status["processes"])
    assert len([e for e in site.events("channel")]) < 10
    os.kill(pid, signal.SIGKILL)
    assert "\x1b" not in site.log_path.read_text()


def answer_counters(channel):
    while True:
        data = channel.recv(taken.MESSAGE_MAX)
        _, kind, number, call = hostile.HEAD.unpack_from(data)
        if kind == taken.ASK and number == ROWS["counters"].number:
            names = [b"%c[2J\xff%d" % (27, n) if n % 7 == 0 else b"counter-%d" % n for n in range(1500)]
            taken.answer(channel, ROWS["counters"], call, names=names, values=[b"99999999999999999999"] * len(names))
            return


# --- the command line, which is root's hand


class FalseOwner(threading.Thread):
    """A process that was taken over, at its control socket."""

    def __init__(self, site, name, reply):
        super().__init__(daemon=True)
        path = site.state / "run" / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        self.reply = reply
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.bind(str(path))
        self.door.listen()
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.door.accept()
            except OSError:
                return
            with peer:
                _, _, number, call = hostile.HEAD.unpack_from(peer.recv(taken.MESSAGE_MAX))
                for data, fds in self.reply(call):
                    hostile.send(peer, data, fds)

    def close(self):
        self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
        self.join(5)


ESCAPES = "\x1b[2J\x1b]0;root\x07\x9b31m\r\b\x7f\u202e"
COMMANDS = [("queue", ("queue", "list")), ("auth", ("user", "list")), ("store.0", ("store", "check", "alice@example.test")),
            ("parent", ("status",)), ("log", ("trace", "x@example.test")), ("queue", ("tls", "show", "remote.test"))]


def bends_a_terminal(text):
    return [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7f <= ord(c) < 0xa0 or 0x202a <= ord(c) <= 0x202e]


@pytest.mark.parametrize("owner,words", COMMANDS, ids=[words[0] for _, words in COMMANDS])
@pytest.mark.parametrize("status", [0, 1, 250])
def test_no_answer_bends_the_operators_terminal(site, owner, words, status):
    row = {key: ESCAPES for key in ("address", "name", "user", "role", "sender", "why", "time", "event", "to", "text", "qid", "version", "hostname",
                                    "gone_without", "problem", "day", "policy", "domain")}
    row |= {"recipients": [dict(row)], "processes": [dict(row) | {"counters": {ESCAPES: 1}}], "problems": [ESCAPES], "lines": [dict(row)], "reports": [dict(row)]}

    def reply(call):
        text = json.dumps([row] if words[1:2] == ("list",) else row).encode()
        yield taken.composed(taken.ANSWER, ROWS["admin"].number, call, ROWS["admin"].answers,
                             {"status": status, "why": ESCAPES.encode(), "json": text})

    false = FalseOwner(site, owner, reply)
    done = site.postern(*words, check=False)
    false.close()
    assert done.returncode >= 0 and "anitizer" not in done.stderr, done.stderr
    assert not bends_a_terminal(done.stdout), done.stdout
    assert not bends_a_terminal(done.stderr), done.stderr
    assert status == 0 or done.returncode != 0


def test_broken_answers_end_the_command(site):
    row = ROWS["admin"]
    rng = hostile.generator("command line")
    for at in rng.sample(range(100), 20):
        seen = []

        def reply(call, at=at, seen=seen):
            message = hostile.Composed(taken.ANSWER, row, row.answers, call, {"json": b"[]", "more": b"", "status": 0})
            ways = list(hostile.all_broken(message, ROWS))
            what, data, fds = ways[at % len(ways)]
            seen.append(what)
            yield data, fds

        false = FalseOwner(site, "queue", reply)
        done = site.postern("queue", "list", check=False, timeout=20)
        false.close()
        assert done.returncode > 0 and "anitizer" not in done.stderr, (seen, done)
