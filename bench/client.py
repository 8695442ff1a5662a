"""Clients as thin as they can be, so that what is measured is the server."""

import re
import selectors
import socket
import ssl
import statistics
import time

from servers import DOMAIN, password

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE
CHUNK = 1 << 18
PATIENCE_SECONDS = 1800


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), 60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Session:
    """A logged-in IMAP session over TLS."""

    def __init__(self, server, user):
        self.socket = CONTEXT.wrap_socket(connect(server.imaps))
        self.socket.settimeout(PATIENCE_SECONDS)  # the first login of a large Maildir takes it in
        self.until(rb"^\* OK")
        self.command(f"LOGIN {user}@{DOMAIN} {password(user)}")

    def until(self, pattern):
        """Reads until the last line matches; a prefix of the answer is not kept."""
        got = b""
        while True:
            bytes_ = self.socket.recv(CHUNK)
            if not bytes_:
                raise RuntimeError(f"the server closed: {got[-200:]!r}")
            got = (got + bytes_)[-4096:]
            last = got.rstrip(b"\r\n").rfind(b"\n") + 1
            if got.endswith(b"\n") and re.match(pattern, got[last:]):
                return got

    def command(self, words):
        self.socket.sendall(f"a {words}\r\n".encode())
        got = self.until(rb"a (OK|NO|BAD)")
        if re.search(rb"^a OK", got, re.M) is None:
            raise RuntimeError(f"{words}: {got[-200:]!r}")

    def idle(self):
        self.socket.sendall(b"a IDLE\r\n")
        self.until(rb"\+")

    def close(self):
        self.socket.close()


def idle_session(server, user):
    s = Session(server, user)
    s.command("SELECT INBOX")
    s.idle()
    return s


def greeting(server):
    s = connect(server.imap)
    s.recv(CHUNK)
    s.close()


def greeting_over_tls(server):
    """A full handshake: the context keeps no sessions."""
    s = CONTEXT.wrap_socket(connect(server.imaps))
    s.recv(CHUNK)
    s.close()


class Sender:
    """One SMTP connection that sends message after message."""

    def __init__(self, server, user):
        self.to = f"{user}@{DOMAIN}"
        self.socket = connect(server.smtp)
        self.reply()
        self.say("EHLO load.test")

    def reply(self):
        got = b""
        while not re.search(rb"^\d{3} [^\n]*\n\Z", got, re.M):
            got += self.socket.recv(CHUNK)
        return got

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def begin(self):
        for line in ("MAIL FROM:<sender@load.test>", f"RCPT TO:<{self.to}>", "DATA"):
            got = self.say(line)
            if got[:1] not in b"23":
                raise RuntimeError(f"{line}: {got!r}")


def delivery_latency(server, user, count):
    """Medians of the time from the 250, and from the last byte sent, to the EXISTS of a client in IDLE."""
    idler, sender = idle_session(server, user), Sender(server, user)
    body = (f"From: <sender@load.test>\r\nTo: <{sender.to}>\r\nSubject: latency\r\n\r\n" + ("x" * 76 + "\r\n") * 50 + ".\r\n").encode()
    from_250, from_sent = [], []
    for _ in range(count):
        sender.begin()
        sent = time.monotonic()
        sender.socket.sendall(body)
        accepted, seen = both(sender.socket, idler.socket)
        from_250.append((seen - accepted) * 1000)
        from_sent.append((seen - sent) * 1000)
        time.sleep(0.02)
    idler.close()
    sender.socket.close()
    return {"from 250": statistics.median(from_250), "from sent": statistics.median(from_sent)}


def both(smtp, imap):
    """When the SMTP reply came and when EXISTS came, in whichever order."""
    accepted = seen = None
    end = time.monotonic() + 40
    with selectors.DefaultSelector() as ready:
        ready.register(smtp, selectors.EVENT_READ)
        ready.register(imap, selectors.EVENT_READ)
        while accepted is None or seen is None:
            events = ready.select(1)
            if time.monotonic() > end:
                raise RuntimeError(f"no {'EXISTS' if seen is None else '250'} in 40 s")
            for key, _ in events:
                got = key.fileobj.recv(CHUNK)
                if key.fileobj is imap and b" EXISTS" in got:
                    seen = time.monotonic()
                elif key.fileobj is smtp and got.startswith(b"250"):
                    accepted = time.monotonic()
    return accepted, seen
