"""played.py - one role alone, with all its neighbours played by this program: honestly, until the question comes that is to be
answered otherwise."""
import os
import select
import socket
import ssl
import struct
import threading
import time

import attack
import hostile
import taken
from authority import openssl
from postern_site import PROGRAM

ROWS = taken.rows()
BY_NUMBER = {row.number: row for row in ROWS.values()}
DEFAULT_TTL = 60
NODATA = 5                # enum dns_status
FETCH_ERROR = 9           # enum tlsrpt_result
DONE, TEMP, PERM = range(3)  # enum queue_verdict
CHALLENGE, LOGGED_IN = 0, 1  # enum login_verdict
DELIVER, PUBLISH = 0, 0      # enum queue_mode, enum queue_settle
LOCAL = b"@example.test"


def unpacked(fields, data, fds):
    """The fields of a message as a dict."""
    values, at, fds = {}, 0, list(fds)

    def text():
        nonlocal at
        (n,) = struct.unpack_from("=I", data, at)
        at += 4 + n
        return data[at - n:at]

    for kind, name in fields:
        if kind == "str":
            values[name] = text()
        elif kind == "strs":
            (n,) = struct.unpack_from("=I", data, at)
            at += 4
            values[name] = [text() for _ in range(n)]
        elif kind == "id":
            values[name] = data[at:at + 16]
            at += 16
        elif kind == "fd":
            values[name] = fds.pop(0) if data[at] else -1
            at += 1
        else:
            (values[name],) = struct.unpack_from("=" + taken.NUMBERS[kind], data, at)
            at += struct.calcsize("=" + taken.NUMBERS[kind])
    assert at == len(data) and not fds
    return values


class Asked:
    """A question of the role's to the neighbour (role, index, sign)."""

    def __init__(self, peer, row, call, values):
        self.peer, self.row, self.call, self.values = peer, row, call, values

    def close(self):
        for kind, name in self.row.fields:
            if kind == "fd" and self.values[name] != -1:
                os.close(self.values[name])


class Neighbours:
    """What honest neighbours answer; a test may put others in."""

    def __init__(self, key):
        self.key = key
        self.streams = []      # of the sessions that were opened, the last is also in opened
        self.opened = None     # its sid and stream
        self.done = set()      # who was delivered to, by what we say
        self.prepared = {}     # the id of a delivery, and for whom

    def rcpt(self, q):
        local = q["address"].endswith(LOCAL)
        return {"code": 250, "kinds": b"l" if local else b"r", "targets": [q["address"]], "details": [b""]}

    def may_send(self, _):
        return {}

    def sasl_start(self, q):
        return self.sasl_step(q) if q["has_initial"] else {"verdict": CHALLENGE, "exchange": 5}

    def sasl_step(self, _):
        return {"verdict": LOGGED_IN, "user": b"alice@example.test", "ticket": os.urandom(16)}

    def spool_file(self, _):
        return {"ok": 1, "file": os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o600)}

    def submit(self, _):
        return {"code": 250, "enhanced": b"2.0.0"}

    def sign(self, q):
        assert q["scheme"] == 0x0403
        return {"ok": 1, "signature": openssl("dgst", "-sha256", "-sign", self.key, stdin=q["data"])}

    def open_mail(self, q):
        self.streams.append(socket.socket(fileno=os.dup(q["stream"])))
        self.streams[-1].sendall(q["tag"] + b" OK you are in\r\n")
        self.opened = q["sid"], self.streams[-1]
        return {}

    def take_back(self, _):
        return {"ok": 1}

    def owner(self, _):
        return {"known": 1}

    def deliver(self, q):
        n = len(q["users"])
        if q["mode"] == DELIVER:
            self.done.update(q["users"])
        else:
            self.prepared[q["delivery"]] = q["users"]
        return {"verdicts": bytes([DONE] * n), "statuses": [b"2.1.5"] * n, "texts": [b""] * n}

    def settle(self, q):
        users = self.prepared.pop(q["delivery"], []) if q["how"] == PUBLISH else []
        self.done.update(users)
        return {"verdicts": bytes([DONE] * len(users)), "statuses": [b"2.1.5"] * len(users), "texts": [b""] * len(users)}

    def lookup(self, q):
        return {"status": NODATA, "ttl": DEFAULT_TTL, "canonical": q["name"]}

    def relay_mail(self, q):
        n = len(q["addresses"])
        return {"verdicts": bytes([TEMP] * n), "hop_of": b"\xff" * n, "statuses": [b"4.4.1"] * n, "texts": [b"later"] * n}

    def fetch_policy(self, _):
        return {"result": FETCH_ERROR, "why": b"not there"}


class Cast:
    """peers: (role, index, sign) of those that we play. doors: services the role listens on."""

    def __init__(self, site, role, peers, doors=(), conf="", program=PROGRAM):
        self.site, self.doors = site, {}
        self.certificate, key = site.dir / "played.pem", site.dir / "played.key"
        if not key.exists():
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mx.example.test",
                    "-addext", "subjectAltName=DNS:mx.example.test", "-days", "2", "-keyout", key, "-out", self.certificate)
        self.honest = Neighbours(key)
        self.role = attack.alone(site, role, conf, program)
        for service in doors:
            self.open_door(service)
        if role == "queue":
            self.open_control()
        self.channels = {peer: self.role.peer(peer[0], peer[1], int(peer[2])) for peer in peers}
        self.hand_certificates()
        self.role.start()
        self.calls, self.answers = 0, {}

    def open_door(self, service):
        door = socket.create_server(("127.0.0.1", 0))
        self.doors[service] = door.getsockname()[1]
        self.role.tell("listen", service=service.encode(), socket=door.fileno())
        door.close()

    def open_control(self):
        """For `postern queue`."""
        path = self.site.state / "run" / self.role.role
        path.parent.mkdir(exist_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.bind(str(path))
            door.listen()
            self.role.tell("listen", service=b"control", socket=door.fileno())

    def hand_certificates(self):
        keys = ("keys", 0, False)
        if keys in self.channels:
            taken.send(self.channels[keys], *taken.message(ROWS["certificate"], {
                "key": b"played", "fallback": 1, "chain": self.certificate.read_bytes()}))
            taken.send(self.channels[keys], *taken.message(ROWS["certificates_end"], {}))

    def again(self, peer):
        self.channels[peer].close()
        self.channels[peer] = self.role.peer(*peer[:2], int(peer[2]))
        if peer == ("keys", 0, False):
            self.hand_certificates()

    def tell(self, peer, name, **values):
        """A statement or question of ours to the role; the number of the question."""
        self.calls += 1
        taken.send(self.channels[peer], *taken.message(ROWS[name], values, self.calls))
        return self.calls

    def ask(self, peer, name, **values):
        """In a client's thread, while the play goes on: the answer to a question of ours."""
        call, end = self.tell(peer, name, **values), time.monotonic() + 30
        while call not in self.answers:
            if time.monotonic() > end:
                raise TimeoutError(name)
            time.sleep(0.002)
        return self.answers.pop(call)

    def receive(self, peer):
        """The next question to this neighbour; None for a statement, or for an answer to ours, which is kept."""
        data, fds, _, _ = socket.recv_fds(self.channels[peer], taken.MESSAGE_MAX, 4)
        assert data, f"the role ended its channel to {peer}\n{self.site.log_tail(10)}"
        _, kind, number, call = hostile.HEAD.unpack_from(data)
        row = BY_NUMBER[number]
        if kind == taken.ASK:
            return Asked(peer, row, call, unpacked(row.fields, data[8:], fds))
        if kind == taken.ANSWER:
            self.answers[call] = unpacked(row.answers, data[8:], fds)
        for fd in fds:
            os.close(fd)
        return None

    def answer(self, asked):
        values = getattr(self.honest, asked.row.name)(asked.values)
        taken.answer(self.channels[asked.peer], asked.row, asked.call, **values)
        for kind, name in asked.row.answers:
            if kind == "fd" and values.get(name, -1) != -1:
                os.close(values[name])
        asked.close()

    def readable(self, seconds):
        """The neighbours of whom the role wants something, after so many seconds at most."""
        poll = select.poll()
        for sock in self.channels.values():
            poll.register(sock, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(1000 * seconds)}
        return [peer for peer, sock in self.channels.items() if sock.fileno() in ready]

    def until(self, name, seconds=20):
        """Plays on until the question of that name comes, which it returns. name: a function, too, that ends the play."""
        wanted = name if callable(name) else lambda asked: asked is not None and asked.row.name == name
        while not (callable(name) and name(None)):
            ready = self.readable(0.05 if callable(name) else seconds)
            assert ready or callable(name), f"no question {name}\n{self.site.log_tail(10)}"
            for peer in ready:
                asked = self.receive(peer)
                if asked is not None and wanted(asked):
                    return asked
                if asked is not None:
                    self.answer(asked)
        return None

    def play_out(self, client):
        """Goes on honestly until the client has ended; what came of it."""
        self.until(lambda asked: asked is None and not client.is_alive())
        return client.result

    def settle(self, most, seconds=20):
        """Plays on until the role holds no more than so many descriptors, or for so long; their number."""
        end = time.monotonic() + seconds
        while self.role.descriptors() > most and time.monotonic() < end:
            pause = time.monotonic() + 0.2
            self.until(lambda asked: asked is None and time.monotonic() > pause)
        return self.role.descriptors()

    def lives(self):
        self.calls += 1
        taken.ask(self.role.parent, ROWS["counters"], number=self.calls)

    def close(self):
        for sock in self.channels.values():
            sock.close()
        for stream in self.honest.streams:
            stream.close()
        self.role.end()


class Client(threading.Thread):
    """Talks to a door of the cast: result is what the function returned, or the error that ended it."""

    def __init__(self, talk, *args):
        super().__init__(daemon=True)
        self.talk, self.args, self.result = talk, args, None
        self.start()

    def run(self):
        try:
            self.result = self.talk(*self.args)
        except (OSError, EOFError) as e:
            self.result = e


class Line:
    """A client's connection, in lines."""

    def __init__(self, cast, service):
        self.sock = socket.create_connection(("127.0.0.1", cast.doors[service]), 15)
        if service.endswith("s"):
            context = ssl.create_default_context(cafile=str(cast.certificate))
            self.sock = context.wrap_socket(self.sock, server_hostname="mx.example.test")
        self.file = self.sock.makefile("rb")

    def hear(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        return line

    def say(self, data):
        self.sock.sendall(data)

    def smtp(self, *commands):
        """The last line of the reply to each; the greeting's without any."""
        replies = []
        for command in commands or (b"",):
            self.say(command + b"\r\n" if command else b"")
            line = self.hear()
            while line[3:4] == b"-":
                line = self.hear()
            replies.append(line)
        return replies

    def imap(self, tag, command):
        """Untagged lines and the tagged one."""
        self.say(tag + b" " + command + b"\r\n")
        lines = [self.hear()]
        while not lines[-1].startswith((tag + b" ", b"* BYE", b"+ ")):
            lines.append(self.hear())
        return lines

    def close(self):
        self.file.close()
        self.sock.close()
