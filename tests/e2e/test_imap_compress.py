"""COMPRESS=DEFLATE through the real server: imaplib over a compressing file (RFC 4978)."""
import zlib

from conftest import CHEAP_HASHES
from mail import lines, message

OFFERED = CHEAP_HASHES + "imap { compress = yes }\n"


class Deflated:
    """What imaplib reads from and writes to, compressed on the way."""

    def __init__(self, sock):
        self.sock, self.plain = sock, b""
        self.out, self.back = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        self.wire = 0

    def fill(self, enough):
        while not enough():
            got = self.sock.recv(65536)
            assert got, "the server has closed"
            self.wire += len(got)
            self.plain += self.back.decompress(got)

    def take(self, n):
        head, self.plain = self.plain[:n], self.plain[n:]
        return head

    def read(self, n):
        self.fill(lambda: len(self.plain) >= n)
        return self.take(n)

    def readline(self, limit=-1):
        self.fill(lambda: b"\n" in self.plain)
        return self.take(self.plain.index(b"\n") + 1)

    def sendall(self, data):
        self.sock.sendall(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def close(self):
        self.sock.close()

    shutdown = close


def compress(client):
    assert client.xatom("COMPRESS", "DEFLATE")[0] == "OK"
    deflated = Deflated(client.sock)
    client.read, client.readline, client.send = deflated.read, deflated.readline, deflated.sendall
    return deflated


def test_imaplib_over_deflate(make_site):
    site = make_site(extra=OFFERED)
    text = message("compressed", lines(300_000))
    with site.imap("alice") as client:
        assert "COMPRESS=DEFLATE" in client.capabilities or b"COMPRESS=DEFLATE" in client.capability()[1][0]
        deflated = compress(client)
        assert client.append("INBOX", None, None, text)[0] == "OK"
        client.select("INBOX")
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == text
        assert deflated.wire < len(text) / 2
        assert client.search(None, "SUBJECT", "compressed")[1] == [b"1"]


def test_not_offered_by_default(make_site):
    site = make_site()
    with site.imap("alice") as client:
        assert b"COMPRESS" not in client.capability()[1][0]
