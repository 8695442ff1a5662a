"""taken.py - one role alone, with this program as its parent and as its peers: what a process that was taken over can send.

Messages are composed from include/postern/ipc/calls.def, the table from which the server's own code is made.
"""
import array
import os
import re
import select
import socket
import struct
import subprocess
import time
from pathlib import Path

from postern_site import deadline

TOP = Path(__file__).resolve().parents[2]
CALLS = TOP / "include/postern/ipc/calls.def"
VERSION = int(re.search(r"IPC_VERSION = (\d+)", (TOP / "include/postern/ipc/ipc.h").read_text()).group(1))
ROLES = re.findall(r'ROLE\(\w+, "(\w+)"\)', (TOP / "include/postern/ipc/ipc.h").read_text())
ASK, ANSWER, SAY = 1, 2, 3
MESSAGE_MAX = 64 * 1024
NUMBERS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i64": "q"}


class Row:
    """One message of calls.def: its wire number, who may send it to whom, its fields and those of its answer as
    (type, name)."""

    def __init__(self, number, text):
        self.number = number
        self.is_call = text.startswith("CALL")
        self.name = re.match(r"\w+\(\w+, (\w+)", text).group(1)
        self.senders, self.receivers = (re.search(word + r"\(([\w| ]+)\)", text).group(1).lower().split(" | ") for word in ("FROM", "TO"))
        ask, _, answer = text.partition("ANSWER(")
        self.fields, self.answers = (re.findall(r"F\((\w+), (\w+)\)", part) for part in (ask, answer))

    def goes(self, sender, receiver):
        return sender in self.senders and (receiver in self.receivers or "every" in self.receivers)


def rows():
    text = re.sub(r"/\*.*?\*/", "", CALLS.read_text(), flags=re.S)
    found = re.split(r"^(?=CALL\(|CAST\()", text, flags=re.M)[1:]
    return {row.name: row for row in (Row(i, part) for i, part in enumerate(found))}


def packed(kind, value, fds):
    if kind == "str":
        return struct.pack("I", len(value)) + value
    if kind == "strs":
        return struct.pack("I", len(value)) + b"".join(packed("str", v, fds) for v in value)
    if kind == "id":
        return value
    if kind == "fd":
        if value != -1:
            fds.append(value)
        return bytes([value != -1])
    return struct.pack("=" + NUMBERS[kind], value)


def message(row, values, call=1):
    """Bytes and descriptors of the row's message; what values does not name is empty."""
    return composed(ASK if row.is_call else SAY, row.number, call, row.fields, values)


def composed(kind, number, call, fields, values):
    empty = {"str": b"", "strs": [], "id": bytes(16), "fd": -1}
    fds = []
    body = b"".join(packed(field, values.get(name, empty.get(field, 0)), fds) for field, name in fields)
    return struct.pack("=BBHI", VERSION, kind, number, call) + body, fds


def send(sock, data, fds=()):
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def answer(sock, row, call, **values):
    """Answers the question with that number."""
    send(sock, *composed(ANSWER, row.number, call, row.answers, values))


class Role:
    """A process of one role. Its log goes to a file; everything it is handed comes from here."""

    def __init__(self, program, role, conf, log):
        self.role, self.rows, self.log = role, rows(), log
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with open(log, "ab") as out:
            self.process = subprocess.Popen([program, "--role", role, "0"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            pass_fds=(3,), preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        self.parent = ours
        text = os.memfd_create("conf")
        os.write(text, conf.encode())
        self.tell("conf", text=text)
        os.close(text)

    def tell(self, name, **values):
        send(self.parent, *message(self.rows[name], values))

    def peer(self, role, index=0, use=0):
        """A new channel on which we are that role."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.tell("peer", role=ROLES.index(role), index=index, use=use, channel=theirs.fileno())
        theirs.close()
        ours.settimeout(10)
        return ours

    def start(self):
        self.tell("start")
        self.parent.settimeout(30)
        assert self.parent.recv(MESSAGE_MAX)[1:2] == bytes([SAY])
        return self

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def list_descriptors(self):
        return os.popen(f"ls -l /proc/{self.process.pid}/fd").read()

    def settle(self, seconds=5, most=None):
        """Waits until it sleeps, and until it holds no more than so many descriptors; returns their number."""
        end = deadline(seconds)
        while time.monotonic() < end:
            before = self.descriptors()
            time.sleep(0.2)
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if self.descriptors() == before and state == "S" and (most is None or before <= most):
                break
        return self.descriptors()

    def end(self):
        self.parent.close()
        self.process.wait(10)


def is_over(sock):
    """Did the role end this channel? Answers that wait are thrown away."""
    try:
        while select.select([sock], [], [], 0)[0]:
            if not sock.recv(MESSAGE_MAX):
                return True
    except ConnectionError:
        return True
    return False


def ends(sock, seconds=10):
    """Does the role end this channel within that time?"""
    end = time.monotonic() + seconds
    while not is_over(sock):
        left = end - time.monotonic()
        if left <= 0:
            return False
        select.select([sock], [], [], left)
    return True


def ask(sock, row, number=0x7fff0001, **values):
    """The body of the answer to a question."""
    send(sock, *message(row, values, call=number))
    return answered(sock, row, number)


def answered(sock, row, number=0x7fff0001):
    """The body of the answer that comes."""
    while True:
        got = sock.recv(MESSAGE_MAX)
        assert got, f"no answer to {row.name}: the channel ended"
        if struct.unpack("=BBHI", got[:8])[1:] == (ANSWER, row.number, number):
            return got[8:]
