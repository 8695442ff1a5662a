"""siege.py - attacks that are made of quantity, each a process of its own, and a user who works meanwhile: how long login, reading and
delivery take him. Used by test_load_attacks.py and bench/attack.py.

   siege.py NAME SITE     runs an attack until it is told to end (SITE: JSON); then it says how often it struck

An attack has as many addresses as it likes (127.1.0.0/16); the user comes from one of his own."""
import base64
import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
import types
import zlib
from pathlib import Path

from wire import Wire

HERE = Path(__file__).resolve().parent
USER_ADDRESS = "127.0.2.1"
ATTACKERS = ("mallory0", "mallory1", "mallory2", "mallory3")
USERS = ("alice", *ATTACKERS)
CONF = "imap { compress = yes }\n"
BROKEN = (OSError, AssertionError, EOFError)


class Enemy:
    """What attacks are made with."""

    def __init__(self, site):
        self.site = site
        self.strikes = 0
        self.addresses = itertools.cycle([f"127.1.{i // 250}.{i % 250 + 1}" for i in range(1000)])
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def connect(self, service, tls=False):
        plain = socket.create_connection(("127.0.0.1", self.site.ports[service]), 10, (next(self.addresses), 0))
        return self.context.wrap_socket(plain) if tls else plain

    def login(self, user):
        wire = Wire(self.site, "imaps", source=next(self.addresses))
        wire.line()
        assert wire.imap(f"LOGIN {user}@{self.site.domain} {user}-secret")[0] == "OK"
        return wire

    def struck(self, n=1):
        self.strikes += n

    def again(self, act, *args):
        """For ever, whatever the server says to it."""
        while True:
            try:
                act(*args)
            except BROKEN:
                time.sleep(0.001)

    def together(self, n, act, *args):
        threads = [threading.Thread(target=self.again, args=(act, *args), daemon=True) for _ in range(n)]
        for thread in threads:
            thread.start()

    def fill(self, user, count, size):
        """So many messages into the user's INBOX."""
        text = b"Subject: x\r\n\r\n" + b"0123456789abcd\r\n" * (size // 16)
        with contextlib.closing(self.login(user)) as wire:
            for _ in range(count):
                wire.send(f"b APPEND INBOX {{{len(text)}}}\r\n")
                assert wire.line().startswith(b"+")
                wire.send(text + b"\r\n")
                while not wire.line().startswith(b"b OK"):
                    pass

    def drip(self, n, services, talk, pause):
        """n connections that say a byte now and then; who is sent away comes again."""
        self.together(1, self.dripping, [None] * n, services, talk, pause)

    def dripping(self, socks, services, talk, pause):
        for at in itertools.count():
            for i in range(len(socks)):
                try:
                    socks[i] = socks[i] or self.connect(services[i % len(services)])
                    socks[i].send(talk[at % len(talk):][:1])
                    self.struck()
                except OSError:
                    socks[i] = None
            time.sleep(pause)



# --- the attacks: on the way in


def k02_connections(enemy):
    """Connections as fast as they come, and as many as are let in."""
    held = []

    def flood():
        held.append(enemy.connect("smtp"))
        enemy.connect("imap").close()
        enemy.struck(2)
        if len(held) > 1500:
            held.pop(0).close()

    enemy.together(2, flood)


def k01_slow_talk(enemy):
    """Commands a byte at a time, on every port."""
    enemy.drip(400, ("smtp", "submission", "imap"), b"EHLO slow.test\r\nMAIL FROM:<x@remote.test>\r\n", 0.5)


def k01_slow_data(enemy):
    """Messages that come a byte at a time."""
    def begin():
        sock = enemy.connect("smtp")
        for words in (b"EHLO c\r\n", b"MAIL FROM:<x@remote.test>\r\n", b"RCPT TO:<alice@example.test>\r\n", b"DATA\r\n"):
            sock.recv(4096)
            sock.sendall(words)
        while True:
            sock.sendall(b"x")
            enemy.struck()
            time.sleep(0.5)

    enemy.together(100, begin)


def c17_slow_hello(enemy):
    """ClientHellos a byte at a time."""
    enemy.drip(400, ("imaps", "submissions"), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 500, 0.5)


def c15_handshakes(enemy):
    """Handshakes and nothing else."""
    def shake():
        enemy.connect("imaps", tls=True).close()
        enemy.struck()

    enemy.together(4, shake)


def c12_tiny_records(enemy):
    """A TLS record for every byte."""
    def trickle():
        with enemy.connect("imaps", tls=True) as sock:
            for byte in b"a NOOP\r\n" * 200:
                sock.send(bytes([byte]))
                enemy.struck()

    enemy.together(3, trickle)


def d09_passwords(enemy):
    """Logins with passwords that have to be hashed."""
    numbers = itertools.count()

    def guess():
        with contextlib.closing(Wire(enemy.site, "submissions", source=next(enemy.addresses))) as wire:
            wire.hello()
            name = f"nobody{next(numbers)}@example.test"
            wire.code("AUTH PLAIN " + base64.b64encode(f"\0{name}\0wrong".encode()).decode())
            enemy.struck()

    enemy.together(40, guess)


def i02_parentheses(enemy):
    """Megabytes of parentheses before a login."""
    def open_them():
        with enemy.connect("imaps", tls=True) as sock:
            enemy.struck()
            sock.sendall(b"a ID " + b"(" * 1_000_000)

    enemy.together(2, open_them)


# --- the attacks: by accounts


def f02_mime_bombs(enemy):
    """Messages with parts in parts and with very many parts, and whoever asks for their structure."""
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(5000))
    flat = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 50_000

    def deliver(body):
        sock = enemy.connect("smtp")
        for words in (b"EHLO c", b"MAIL FROM:<x@remote.test>", b"RCPT TO:<mallory0@example.test>", b"DATA", b"Subject: x\r\n" + body + b"\r\n."):
            sock.recv(4096)
            sock.sendall(words + b"\r\n")
        sock.recv(4096)
        sock.close()
        enemy.struck()

    def look():
        with contextlib.closing(enemy.login("mallory0")) as wire:
            wire.imap("SELECT INBOX")
            for _ in range(20):
                wire.imap("FETCH * (BODYSTRUCTURE ENVELOPE)")
                enemy.struck()

    enemy.together(1, deliver, deep)
    enemy.together(1, deliver, flat)
    enemy.together(2, look)


def i15_searches(enemy):
    """Searches that read everything, as deep as they may be."""
    enemy.fill("mallory1", 50, 100_000)
    key = "OR " * 50 + " ".join(f"TEXT nothing{i}" for i in range(51))

    def search():
        with contextlib.closing(enemy.login("mallory1")) as one:
            one.imap("SELECT INBOX")
            while one.imap(f"SEARCH {key}")[0]:
                enemy.struck()

    enemy.together(4, search)


def i17_inflated(enemy):
    """A megabyte of deflated bytes that becomes a gigabyte."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (deflater.compress(b" " * (1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)) * 1024

    def explode():
        with contextlib.closing(enemy.login("mallory2")) as wire:
            assert wire.imap("COMPRESS DEFLATE")[0] == "OK"
            enemy.struck()
            wire.send(bomb)
            wire.rest()

    enemy.together(2, explode)


def i19_deaf(enemy):
    """Clients that ask for much and read nothing."""
    enemy.fill("mallory3", 20, 1_000_000)

    def ask():
        with contextlib.closing(enemy.login("mallory3")) as one:
            one.imap("SELECT INBOX")
            one.send("c FETCH 1:* BODY[]\r\n" * 50)
            enemy.struck()
            time.sleep(2)

    enemy.together(20, ask)


def i23_idle(enemy):
    """As many idle sessions as an account may have, and others that knock; mail arrives for them."""
    def sit(user):
        with contextlib.closing(enemy.login(user)) as wire:
            wire.imap("SELECT INBOX")
            wire.send("c IDLE\r\n")
            enemy.struck()
            wire.rest()

    for user in ATTACKERS:
        enemy.together(55, sit, user)
    end = time.monotonic() + 30
    while enemy.strikes < 40 * len(ATTACKERS) and time.monotonic() < end:
        time.sleep(0.1)  # the logins are another attack


ATTACKS = (k02_connections, k01_slow_talk, k01_slow_data, c17_slow_hello, c15_handshakes, c12_tiny_records, d09_passwords, i02_parentheses,
           f02_mime_bombs, i15_searches, i17_inflated, i19_deaf, i23_idle)


# --- running them


class Siege:
    """An attack while the `with` lasts. strikes: what it said of itself at its end."""

    def __init__(self, site, attack):
        facts = {"ports": site.ports, "hostname": site.hostname, "domain": site.domain, "certificate": str(site.certificate)}
        self.words = [sys.executable, str(HERE / "siege.py"), attack.__name__, json.dumps(facts)]
        self.strikes = 0

    def __enter__(self):
        # the enemy's processors are elsewhere: his work yields to the server's
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.nice(10))
        assert self.process.stdout.readline() == "begun\n"
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.strikes = int(self.process.stdout.read() or 0)
        self.process.wait(30)


class Neighbour:
    """A user who logs in, reads and is sent mail; times: what → seconds of each time."""

    def __init__(self, site, user="alice"):
        self.site, self.user = site, user
        self.times = {"login": [], "fetch": [], "delivery": []}
        self.failures = []

    def work(self, seconds, pause=0.05):
        with contextlib.closing(self.begin_delivery()) as wire:
            self.delivery(wire)  # something to read
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.repeat, args=(what, end, pause)) for what in self.times]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def repeat(self, what, end, pause):
        session = None
        while time.monotonic() < end:
            try:
                if session is None and what != "login":
                    session = getattr(self, f"begin_{what}")()
                began = time.monotonic()
                getattr(self, what)(session)
                self.times[what].append(time.monotonic() - began)
            except BROKEN as e:
                self.failures.append(f"{what}: {type(e).__name__}: {e}")
                session = None
            time.sleep(pause)
        if session is not None:
            session.close()

    def open(self, service):
        return Wire(self.site, service, source=USER_ADDRESS)

    def login(self, _):
        with contextlib.closing(self.open("imaps")) as wire:
            wire.line()
            self.log_in(wire)

    def log_in(self, wire):
        answer = wire.imap(f"LOGIN {self.site.address(self.user)} {self.site.password(self.user)}")
        assert answer[0] == "OK", answer

    def begin_fetch(self):
        wire = self.open("imaps")
        wire.line()
        self.log_in(wire)
        assert wire.imap("SELECT INBOX")[0] == "OK"
        return wire

    def fetch(self, wire):
        assert wire.imap("NOOP")[0] == "OK"
        assert wire.imap("FETCH 1 (FLAGS ENVELOPE BODY.PEEK[TEXT])")[0] == "OK"

    def begin_delivery(self):
        wire = self.open("smtp")
        wire.hello()
        return wire

    def delivery(self, wire):
        wire.send(f"MAIL FROM:<friend@remote.test>\r\nRCPT TO:<{self.site.address(self.user)}>\r\nDATA\r\n")
        assert [wire.reply()[0] for _ in range(3)] == [250, 250, 354]
        assert wire.code("Subject: hello\r\n\r\n" + "some lines of text\r\n" * 100 + ".") == 250


def p99(times):
    return statistics.quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else max(times, default=float("inf"))


def main():
    facts = types.SimpleNamespace(**json.loads(sys.argv[2]))
    facts.tls = lambda: ssl.create_default_context(cafile=facts.certificate)
    enemy = Enemy(facts)

    def end(*_):
        os.write(1, str(enemy.strikes).encode())
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    globals()[sys.argv[1]](enemy)
    print("begun", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
