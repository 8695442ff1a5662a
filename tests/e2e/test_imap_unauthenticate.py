"""UNAUTHENTICATE through the real server: one TLS connection, one user after the other (RFC 8437)."""
import base64
import imaplib
import socket
import ssl
import zlib

from conftest import CHEAP_HASHES
from mail import message

# several processes of each kind, so that the two users are likely to be in different ones
OFFERED = CHEAP_HASHES + "imap { compress = yes }\nstore { processes = 3 }\n"
USERS = ("alice", "bob", "carol")


class Wire:
    """Lines over TLS, compressed or not."""

    def __init__(self, site):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", site.ports["imaps"]), timeout=60)
        self.site, self.sock = site, context.wrap_socket(raw)
        self.half, self.out, self.back = b"", None, None
        assert self.line().startswith("* OK [CAPABILITY")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *lines):
        data = b"".join(line.encode() + b"\r\n" for line in lines)
        self.sock.sendall(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH) if self.out else data)

    def read(self):
        got = self.sock.recv(65536)
        assert got, "the server has closed"
        if self.back is None:
            self.half += got
            return
        self.half += self.back.decompress(got)
        if self.back.eof:
            self.half += self.back.unused_data
            self.back = None

    def line(self):
        while b"\n" not in self.half:
            self.read()
        line, self.half = self.half.split(b"\n", 1)
        return line.decode().rstrip("\r")

    def answer(self, tag):
        lines = [self.line()]
        while not lines[-1].startswith(tag + " "):
            lines.append(self.line())
        return lines

    def ok(self, tag, command):
        self.send(f"{tag} {command}")
        lines = self.answer(tag)
        assert lines[-1].startswith(tag + " OK"), lines
        return lines

    def login(self, tag, user):
        return self.ok(tag, self.login_command(user))

    def login_command(self, user):
        return f"LOGIN {self.site.address(user)} {self.site.password(user)}"

    def deflate(self, tag):
        self.ok(tag, "COMPRESS DEFLATE")
        self.out, self.back = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)


def subjects(wire, tag):
    wire.ok(tag, "SELECT INBOX")
    return [line for line in wire.ok(tag + "f", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") if line.startswith("Subject:")]


def site_with_mail(make_site):
    site = make_site(extra=OFFERED, users=USERS)
    for user in USERS:
        with site.imap(user) as client:
            assert client.append("INBOX", None, None, message(f"to {user}", "x\r\n"))[0] == "OK"
    return site


def test_users_after_each_other(make_site):
    site = site_with_mail(make_site)
    with Wire(site) as wire:
        for n, user in enumerate(USERS + USERS):
            assert "UNAUTHENTICATE" in wire.login(f"a{n}", user)[-1]
            assert subjects(wire, f"b{n}") == [f"Subject: to {user}"]
            wire.ok(f"c{n}", "ENABLE QRESYNC")
            wire.ok(f"d{n}", "UNAUTHENTICATE")
            wire.send(f"e{n} SELECT INBOX")
            assert wire.answer(f"e{n}") == [f"e{n} BAD unknown command, or not before login"]
    out = [line["user"] for line in site.events("logout")]
    for user in USERS:
        assert out.count(site.address(user)) >= 2
    logins = [line for line in site.events("login") if line.get("ok") != "no"]
    assert len({line["sid"] for line in logins[-2 * len(USERS):]}) == 1  # one connection, each login for itself


def test_pipelined(make_site):
    """Everything in one write: what the old user's process had read already reaches the next one's."""
    site = site_with_mail(make_site)
    with Wire(site) as wire:
        plain = base64.b64encode(f"\0{site.address('bob')}\0{site.password('bob')}".encode()).decode()
        wire.send("a " + wire.login_command("alice"), "b SELECT INBOX", "c UNAUTHENTICATE", f"d AUTHENTICATE PLAIN {plain}",
                  "e CREATE of-bob", "f UNAUTHENTICATE", "g " + wire.login_command("carol"), 'h LIST "" of-*', "i UNAUTHENTICATE",
                  "j " + wire.login_command("bob"), 'k LIST "" of-*', "l UNAUTHENTICATE", "m LOGIN nobody wrong", "n LOGOUT")
        for tag in "abcdefg":
            assert wire.answer(tag)[-1].startswith(f"{tag} OK"), tag
        assert wire.answer("h") == ["h OK done"]
        for tag in "ij":
            assert wire.answer(tag)[-1].startswith(f"{tag} OK"), tag
        assert any("of-bob" in line for line in wire.answer("k"))
        assert wire.answer("l")[-1].startswith("l OK")
        assert wire.answer("m")[-1].startswith("m NO [AUTHENTICATIONFAILED]")
        assert wire.answer("n")[-1].startswith("n OK")


def test_compression_ends(make_site):
    site = site_with_mail(make_site)
    with Wire(site) as wire:
        wire.login("a", "alice")
        wire.deflate("b")
        assert subjects(wire, "c") == ["Subject: to alice"]
        # the client's stream ends in the same write as the next login begins
        last = wire.out.compress(b"d UNAUTHENTICATE\r\n") + wire.out.flush(zlib.Z_FINISH)
        wire.out = None
        wire.sock.sendall(last + f"e {wire.login_command('bob')}\r\n".encode())
        assert wire.answer("d") == ["d OK nobody is logged in"]
        assert wire.back is None
        assert wire.answer("e")[-1].startswith("e OK")
        assert subjects(wire, "f") == ["Subject: to bob"]
        wire.deflate("g")
        assert subjects(wire, "h") == ["Subject: to bob"]


def test_too_much_behind_it(make_site):
    """What nobody may use is not kept without end."""
    site = site_with_mail(make_site)
    with Wire(site) as wire:
        wire.login("a", "alice")
        wire.sock.sendall(b"b UNAUTHENTICATE\r\n" + 100_000 * b"x")
        try:
            while wire.sock.recv(65536):
                pass
        except ConnectionError:
            pass
    with site.imap("alice") as client:
        assert client.noop()[0] == "OK"


def test_switched_off(make_site):
    site = make_site(extra=CHEAP_HASHES + "imap { unauthenticate = no }\n")
    with site.imap("alice") as client:
        assert b"UNAUTHENTICATE" not in client.capability()[1][0]
        try:
            assert client.xatom("UNAUTHENTICATE")[0] == "BAD"
        except imaplib.IMAP4.error as e:
            assert "BAD" in str(e)
        assert client.noop()[0] == "OK"
