"""badmx.py - a mail server that is played: behaves, or misbehaves at any step just as a test says, and keeps what it hears.

    server = Server(address, tls=certificate)                             # an honest one
    server = Server(address, script={"rcpt": "550 5.1.1 nobody"})         # for every connection
    server = Server(address, scripts=[{"greet": "421 4.3.2 later"}, {}])  # for the first connection, then for all others
    server.script = {}                                                    # from the next connection on

A script says what becomes of a step: greet ehlo helo lhlo starttls handshake auth mail rcpt data dot rset noop quit. A string is
the whole reply; a function is given (session, argument), see misdeeds.py. keywords: what EHLO offers besides STARTTLS and AUTH.
dot is also the step after the last BDAT. lmtp: a reply for each recipient at the dot."""
import base64
import contextlib
import dataclasses
import socket
import ssl
import threading
import time

from misdeeds import Over

KEYWORDS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING")
IDLE_SECONDS = 300


@dataclasses.dataclass
class Mail:
    """A message that was heard to its end: the envelope as it was said (recipients and their parameters side by side), the bytes
    without the dots before dots, and as they came. reply: to its end; "" when there was none."""
    sender: str
    parameters: str
    recipients: list
    rcpt_parameters: list
    data: bytes
    wire: bytes
    tls: str
    at: float
    reply: str = ""


class Session:
    """A connection and what was heard on it."""

    def __init__(self, server, plain, peer, script):
        self.server, self.socket, self.peer, self.script = server, plain, peer, script
        self.buffer = b""
        self.heard = []       # lines, as they came
        self.mails = []
        self.last = ""        # our last reply
        self.tls = ""         # version; "" without
        self.sni = self.cipher = self.client_certificate = None
        self.failed = ""      # why the handshake failed
        self.login = None
        self.end = ""         # quit, or how else; "" while it lives
        self.began = time.monotonic()
        self.forget()

    def forget(self):
        self.sender, self.parameters, self.recipients, self.rcpt_parameters, self.chunks = "", "", [], [], b""

    # --- bytes

    def send(self, data):
        self.socket.sendall(data)

    def say(self, reply):
        self.last = reply
        self.send(reply.encode() + b"\r\n")

    def need(self):
        data = self.socket.recv(65536)
        if not data:
            raise Over
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self.need()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def octets(self, n):
        while len(self.buffer) < n:
            self.need()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def to_the_dot(self):
        at = 0
        while True:
            if self.buffer.startswith(b".\r\n"):
                return self.octets(3)[:0]
            found = self.buffer.find(b"\r\n.\r\n", max(0, at - 4))
            if found >= 0:
                return self.octets(found + 5)[:-3]
            at = len(self.buffer)
            self.need()

    # --- the dialogue

    def serve(self):
        try:
            self.step("greet", "", lambda _: self.say(f"220 {self.server.name} ESMTP"))
            while True:
                self.heard.append(self.line().decode("utf-8", "replace").rstrip("\r\n"))
                verb, _, argument = self.heard[-1].partition(" ")
                self.command(verb.lower(), argument)
        except Over:
            self.end = self.end or "closed"
        except (OSError, ValueError) as e:
            self.end = f"broken: {e}"
        finally:
            with contextlib.suppress(OSError):
                self.socket.close()

    def step(self, name, argument, honest):
        """What the script says of this step, else what an honest server does."""
        said = self.script.get(name, honest)
        reply = said if isinstance(said, str) else honest(argument) if said is honest else said(self, argument)
        if reply is not None:
            self.say(reply)

    def command(self, verb, argument):
        if verb == "bdat":
            self.bdat(argument)
        elif hasattr(self, f"do_{verb}"):
            self.step(verb, argument, getattr(self, f"do_{verb}"))
            self.after(verb, argument)
        else:
            self.say("500 5.5.1 what?")

    def after(self, verb, argument):
        """What follows from a reply, whoever gave it."""
        good = self.last[:1] in ("2", "3")
        if verb == "mail" and good:
            self.forget()
            self.sender, self.parameters = self.path(argument)
        elif verb == "rcpt" and good:
            address, parameters = self.path(argument)
            self.recipients.append(address)
            self.rcpt_parameters.append(parameters)
        elif verb == "data" and self.last.startswith("354"):
            self.finish(self.to_the_dot())

    @staticmethod
    def path(argument):
        """An address without its brackets, and the parameters behind it."""
        path, _, parameters = argument.partition(":")[2].strip().partition("> ")
        return path.strip("<>"), parameters

    def do_ehlo(self, _):
        keywords = list(self.server.keywords)
        if self.server.tls and not self.tls:
            keywords.append("STARTTLS")
        if self.server.users and (self.tls or not self.server.tls):
            keywords.append("AUTH PLAIN LOGIN")
        self.forget()
        return "\r\n".join([*(f"250-{line}" for line in [self.server.name, *keywords][:-1]), f"250 {[self.server.name, *keywords][-1]}"])

    do_lhlo = do_ehlo

    def do_helo(self, _):
        return f"250 {self.server.name}"

    def do_starttls(self, _):
        if not self.server.tls:
            return "502 5.5.1 not here"
        self.say("220 2.0.0 go")
        self.handshake()
        return None

    def handshake(self):
        assert not self.buffer, f"in the clear behind STARTTLS: {self.buffer[:100]!r}"
        self.step("handshake", "", self.shake_hands)

    def shake_hands(self, _):
        names = []
        try:
            self.socket = self.server.context(names.append).wrap_socket(self.socket, server_side=True)
        except OSError as e:
            self.failed = str(e)
            raise Over from None
        self.tls, self.cipher, self.sni = self.socket.version(), self.socket.cipher()[0], names[0] if names else None
        self.client_certificate = self.socket.getpeercert(True)
        self.forget()

    def do_auth(self, argument):
        kind, _, first = argument.partition(" ")
        if kind.upper() == "PLAIN":
            _, user, password = base64.b64decode(first or self.asked("")).decode().split("\0")
        else:
            user, password = (base64.b64decode(self.asked(q)).decode() for q in ("VXNlcm5hbWU6", "UGFzc3dvcmQ6"))
        if self.server.users.get(user) != password:
            return "535 5.7.8 no"
        self.login = user
        return "235 2.7.0 welcome"

    def asked(self, question):
        self.say(f"334 {question}")
        return self.line()

    def do_mail(self, _):
        return "250 2.1.0 ok"

    def do_rcpt(self, _):
        return "250 2.1.5 ok"

    def do_data(self, _):
        return "354 go on" if self.recipients else "503 5.5.1 no recipients"

    def bdat(self, argument):
        size, _, last = argument.partition(" ")
        self.chunks += self.octets(int(size))
        if last:
            self.finish(self.chunks, chunked=True)
        else:
            self.say("250 2.0.0 ok")

    def finish(self, wire, chunked=False):
        data = wire if chunked else (b"\r\n" + wire).replace(b"\r\n.", b"\r\n")[2:]
        mail = Mail(self.sender, self.parameters, self.recipients, self.rcpt_parameters, data, wire, self.tls, time.monotonic())
        self.mails.append(mail)
        self.last = ""
        for recipient in self.recipients if self.server.lmtp else ["all"]:
            self.step("dot", recipient, lambda _: "250 2.0.0 taken")
        mail.reply = self.last
        self.forget()

    def do_rset(self, _):
        self.forget()
        return "250 2.0.0 ok"

    def do_noop(self, _):
        return "250 2.0.0 ok"

    def do_quit(self, _):
        self.say("221 2.0.0 bye")
        self.end = "quit"
        raise Over


class Server:
    """See the head of the file. ask: an Authority whose client certificates are asked for; versions: of TLS, lowest and highest."""

    def __init__(self, address, port=25, name="mx.played.test", tls=None, script=None, scripts=(), keywords=KEYWORDS, users=None,
                 lmtp=False, ask=None, versions=None):
        self.name, self.tls, self.keywords, self.users, self.lmtp, self.ask = name, tls, keywords, users or {}, lmtp, ask
        self.script, self.scripts, self.versions = script or {}, list(scripts), versions
        self.address, self.port = address, port
        self.sessions, self.seen = [], {}
        self.stopping = threading.Event()
        self.start()

    def start(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.stopping.clear()
        self.listening = socket.create_server((self.address, self.port), family=family, backlog=200)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                plain, peer = self.listening.accept()
            except OSError:
                return
            plain.settimeout(IDLE_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, plain, peer[0], self.script_for(plain))
            self.remember(session)
            threading.Thread(target=session.serve, daemon=True).start()

    def script_for(self, _):
        return self.scripts[min(len(self.sessions), len(self.scripts) - 1)] if self.scripts else self.script

    def remember(self, session):
        self.sessions.append(session)

    def context(self, on_name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.versions:
            context.minimum_version, context.maximum_version = self.versions
        context.load_cert_chain(self.tls.chain, self.tls.key)
        context.sni_callback = lambda _, name, __: on_name(name)
        if self.ask:
            context.load_verify_locations(self.ask.certificate.alone)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    @property
    def mails(self):
        """Messages that were taken, in the order of their ends."""
        return sorted((m for s in self.sessions for m in s.mails if m.reply.startswith("2")), key=lambda m: m.at)

    def heard(self, verb):
        """All lines of that verb."""
        return [line for s in self.sessions for line in s.heard if line.upper().startswith(verb)]

    def stop(self):
        """Nobody is there any more: connections end, new ones are refused."""
        self.stopping.set()
        for ended in (self.listening, *(s.socket for s in self.sessions)):
            with contextlib.suppress(OSError):
                ended.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
