"""Many sessions at once: appending, reading and searching in turns; idling, and being told."""

import multiprocessing
import random
import selectors
import statistics
import time

from client import CHUNK, Session
from letters import COMMON, Letters

SMALL = 500  # messages in the INBOX of who gets the load
USERS = [f"u{i}" for i in range(10)]
IDLERS = [f"s{i}" for i in range(10)]
LETTER_BYTES = 4000
SETTLED_SECONDS = 5  # hundreds of idle processes are never quiet


def letter():
    for _, _, _, text in Letters(1000):
        if len(text) >= LETTER_BYTES:
            return text[:LETTER_BYTES - 2] + b"\r\n"


def appends(_rng):
    text = letter()
    line = b"a APPEND Load {%d+}\r\n" % len(text) + text + b"\r\n"
    while True:
        yield line


def mixed(rng):
    """What mail programs ask: news, a page of the list, a message, flags, a search."""
    while True:
        n = rng.randrange(1, SMALL - 30)
        yield b"a NOOP\r\n"
        yield b"a FETCH %d:%d (UID FLAGS ENVELOPE RFC822.SIZE)\r\n" % (n, n + 20)
        yield b"a FETCH %d (BODY.PEEK[])\r\n" % n
        yield b"a STORE %d +FLAGS (\\Seen)\r\n" % n
        yield b"a STORE %d -FLAGS (\\Seen)\r\n" % n
        yield b"a STATUS Load (MESSAGES UNSEEN)\r\n"
        yield b"a SEARCH UNSEEN\r\n"
        yield b"a SEARCH SUBJECT %s\r\n" % COMMON.encode()
        yield b"a SELECT INBOX\r\n"


def finished(tail):
    last = tail[tail.rstrip(b"\r\n").rfind(b"\n") + 1:]
    if last.startswith((b"a NO", b"a BAD")):
        raise RuntimeError(last)
    return tail.endswith(b"\n") and last.startswith(b"a OK")


def drive(server, kind, sessions, first, operations, ready, go, done):
    """A process with so many sessions; it counts only what is answered."""
    talks = {}
    with selectors.DefaultSelector() as selector:
        for i in range(first, first + sessions):
            session = Session(server, USERS[i % len(USERS)])
            session.command("SELECT INBOX")
            talks[session.socket] = [kind(random.Random(i)), b""]
            selector.register(session.socket, selectors.EVENT_READ)
        ready.put(1)
        go.wait()
        began = time.monotonic()
        for socket, talk in talks.items():
            socket.sendall(next(talk[0]))
        answered = 0
        while answered < operations:
            for key, _ in selector.select(60):
                socket, talk = key.fileobj, talks[key.fileobj]
                talk[1] = (talk[1] + socket.recv(CHUNK))[-4096:]
                while socket.pending():
                    talk[1] = (talk[1] + socket.recv(CHUNK))[-4096:]
                if finished(talk[1]):
                    answered += 1
                    talk[1] = b""
                    socket.sendall(next(talk[0]))
        done.put(answered / (time.monotonic() - began))


def load(server, kind, sessions, operations):
    """{operations per second, CPU seconds per thousand} with that many sessions, driven by at most two processes."""
    shares = [sessions] if sessions == 1 else [sessions // 2, sessions - sessions // 2]
    ready, done, go = multiprocessing.Queue(), multiprocessing.Queue(), multiprocessing.Event()
    workers = [multiprocessing.Process(target=drive, args=(server, kind, n, i * shares[0], operations // len(shares), ready, go, done),
                                       daemon=True) for i, n in enumerate(shares)]
    for w in workers:
        w.start()
    for _ in workers:
        ready.get(timeout=60)
    server.settle()
    cpu = server.group.cpu_seconds()
    go.set()
    rate = sum(done.get(timeout=600) for _ in workers)
    for w in workers:
        w.join()
    server.settle()
    return {"rate": rate, "cpu": (server.group.cpu_seconds() - cpu) / operations * 1000}


def prepare(servers):
    for server in servers:
        for user in USERS:
            session = Session(server, user)
            session.command("CREATE Load")
            session.command("SELECT INBOX")
            session.close()
        server.settle()


# --- idle sessions

def idlers(server, count):
    """So many sessions in IDLE, users in turn."""
    opened = []
    for i in range(count):
        session = Session(server, IDLERS[i % len(IDLERS)])
        session.command("SELECT INBOX")
        session.idle()
        opened.append(session)
    return opened


def told_after(server, count):
    """Medians in ms from an APPEND's OK, and from its last byte sent, to the EXISTS of another session in IDLE."""
    idler, sender = idlers(server, 1)[0], Session(server, IDLERS[0])
    text = letter()
    from_ok, from_sent = [], []
    for _ in range(count):
        sender.socket.sendall(b"a APPEND INBOX {%d+}\r\n" % len(text) + text + b"\r\n")
        sent = time.monotonic()
        answered, seen = both(sender.socket, idler.socket)
        from_ok.append((seen - answered) * 1000)
        from_sent.append((seen - sent) * 1000)
        time.sleep(0.05)
    idler.close()
    sender.close()
    return statistics.median(from_ok), statistics.median(from_sent)


def both(sender, idler):
    """When the OK came and when EXISTS came, in whichever order."""
    at = {}
    end = time.monotonic() + 60
    with selectors.DefaultSelector() as ready:
        ready.register(sender, selectors.EVENT_READ, b"a OK")
        ready.register(idler, selectors.EVENT_READ, b" EXISTS")
        while len(at) < 2:
            if time.monotonic() > end:
                raise RuntimeError(f"nothing but {list(at)} in 60 s")
            for key, _ in ready.select(1):
                got = key.fileobj.recv(CHUNK)
                if key.data in got:
                    at.setdefault(key.data, time.monotonic())
    return at[b"a OK"], at[b" EXISTS"]


def idle(server, count, appended):
    """KiB of each further session, of it in the store, and the times until one of them is told, all connected."""
    first = idlers(server, len(IDLERS))
    server.settle(SETTLED_SECONDS)
    before, roles = server.group.pss_kib(), server.group.pss_by_role()
    more = idlers(server, count)
    server.settle(SETTLED_SECONDS)
    each = (server.group.pss_kib() - before) / count
    store = (server.group.pss_by_role().get("store", 0) - roles.get("store", 0)) / count
    from_ok, from_sent = told_after(server, appended)
    for session in [*first, *more]:
        session.close()
    return {"each": each, "store": store, "from ok": from_ok, "from sent": from_sent}
