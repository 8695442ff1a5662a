"""hostile.py - messages that break the rules between processes, made from the rows of calls.def: each with what is wrong with it."""
import array
import os
import random
import socket
import struct

import taken

HEAD = struct.Struct("=BBHI")  # version, kind, number of the row, number of the question
STRS_MAX = 4096                # IPC_STRS_MAX
KERNEL_FDS_MAX = 253           # SCM_MAX_FD
TEXT = b"alice@example.test"
NULL = os.open("/dev/null", os.O_RDWR)


def some_file():
    fd = os.memfd_create("any")
    os.write(fd, b"anything")
    return fd


def plausible(fields):
    """A value for each field that is nothing special."""
    made = {"str": lambda: TEXT, "strs": lambda: [b"one", b"two"], "id": lambda: bytes(range(16)), "fd": some_file}
    return {name: made.get(kind, lambda: 1)() for kind, name in fields}


class Composed:
    """A well-formed message in pieces: where each field begins and ends. Its descriptors are closed with it."""

    def __init__(self, kind, row, fields, call=1, values=None):
        self.kind, self.row, self.call = kind, row, call
        given = values or {}
        values = {**plausible([f for f in fields if f[1] not in given]), **given}
        self.fds, self.spans, body = [], [], b""
        for field, name in fields:
            packed = taken.packed(field, values[name], self.fds)
            self.spans.append((field, len(body), len(body) + len(packed)))
            body += packed
        self.body = body
        self.head = HEAD.pack(taken.VERSION, kind, row.number, call)

    @property
    def data(self):
        return self.head + self.body

    def with_head(self, version=taken.VERSION, kind=None, number=None, call=None):
        return HEAD.pack(version, self.kind if kind is None else kind, self.row.number if number is None else number,
                         self.call if call is None else call) + self.body

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def lengths_that_lie(message):
    """(what, data): counts before texts and lists that say more than there is."""
    for field, begin, end in message.spans:
        if field not in ("str", "strs"):
            continue
        (count,) = struct.unpack_from("=I", message.body, begin)
        for lie in (count + 1, STRS_MAX + 1, 2**16, 2**31, 2**32 - 1):
            body = message.body[:begin] + struct.pack("=I", lie) + message.body[begin + 4:]
            yield f"a {field} of {lie} where {count} are there", message.head + body
        if field == "strs":
            body = message.body[:begin + 4] + struct.pack("=I", 2**32 - 4) + message.body[begin + 8:]
            yield "a list whose first text has no end", message.head + body


def cut_short(message):
    """(what, data): cut off everywhere in the head, and at and around every field's end."""
    places = set(range(HEAD.size))
    for _, begin, end in message.spans:
        places |= {HEAD.size + n for n in (begin, begin + 1, (begin + end) // 2, end - 1)}
    return [(f"cut off after {n} bytes", message.data[:n]) for n in sorted(places) if n < len(message.data)]


def broken_heads(message, rows):
    other = {taken.ASK: taken.SAY, taken.SAY: taken.ASK, taken.ANSWER: taken.ASK}
    yield "the version before", message.with_head(version=taken.VERSION - 1)
    yield "the version after", message.with_head(version=taken.VERSION + 1)
    for kind in (0, 4, 255):
        yield f"kind {kind}", message.with_head(kind=kind)
    for number in (len(rows), 2**15, 2**16 - 1):
        yield f"row {number}", message.with_head(number=number)
    if message.kind != taken.ANSWER:
        yield "question and statement confused", message.with_head(kind=other[message.kind])
        yield "an answer to nothing", message.with_head(kind=taken.ANSWER)


def too_long(message):
    yield "a byte more", message.data + b"\0"
    yield "a byte more than a message may have", message.data + bytes(taken.MESSAGE_MAX + 1 - len(message.data))
    yield "twice as long as a message may be", message.data + bytes(2 * taken.MESSAGE_MAX)


def descriptors_that_lie(message):
    """(what, data, descriptors)"""
    places = [begin for field, begin, _ in message.spans if field == "fd"]
    for begin in places:
        for said in (2, 255):
            body = message.body[:begin] + bytes([said]) + message.body[begin + 1:]
            yield f"{said} descriptors in one field", message.head + body, message.fds
        yield "a descriptor that was not sent", message.data, []
    for n in (1, 2, 4, 5, 64, KERNEL_FDS_MAX - len(message.fds)):
        yield f"{n} descriptors too many", message.data, message.fds + [NULL] * n


def all_broken(message, rows):
    """(what, data, descriptors): after each of them the channel must be over."""
    for what, data in (*cut_short(message), *broken_heads(message, rows), *too_long(message), *lengths_that_lie(message)):
        yield what, data, message.fds
    yield from descriptors_that_lie(message)


def send(sock, data, fds=()):
    """As much of it as the other end still takes."""
    try:
        sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
    except (BrokenPipeError, ConnectionResetError):
        pass


# --- well formed, with contents that nobody honest would send

NASTY = [b"", b"x", b"alice@example.test", b"../../x@..", b"/etc/passwd", b"a\0b@example.test", b"x" * 300 + b"@example.test", b"\r\nX: y",
         b"\xff\xfe", b"\x1b[2J", b"PLAIN", b"SCRAM-SHA-256-PLUS", b"\0alice@example.test\0alice-secret", b"imaps", b"192.0.2.1", b"default",
         b"%s%n", b"y" * 20000]


def nasty_value(rng, kind):
    if kind == "str":
        return rng.choice(NASTY)
    if kind == "strs":
        return [rng.choice(NASTY[:-1]) for _ in range(rng.choice([0, 1, 2, 3, 65, 200]))]
    if kind == "id":
        return rng.randbytes(16)
    if kind == "fd":
        return rng.choice([some_file, lambda: os.open("/", os.O_PATH), lambda: os.open("/dev/zero", os.O_RDWR), lambda: os.eventfd(0),
                           lambda: socket.socket().detach(), lambda: -1])()
    bits = 8 * struct.calcsize("=" + taken.NUMBERS[kind])
    return rng.choice([0, 1, 2, 3, 250, rng.getrandbits(7), rng.getrandbits(bits - 1), 2**(bits - 1) - 1])


def nasty(rng, kind, row, fields, call):
    return Composed(kind, row, fields, call, {name: nasty_value(rng, field) for field, name in fields})


def generator(what):
    return random.Random(f"{os.environ.get('SEED', '1')} {what}")
