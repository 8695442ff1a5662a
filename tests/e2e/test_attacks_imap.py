"""The IMAP rows of the attacks against the real server: what an enemy can make grow stays small in the processes that hold it."""
import socket
import ssl
import zlib

import pytest

import attack
from postern_site import PROGRAM, is_sanitized

# AddressSanitizer keeps what is freed for a while: then only growth without any bound would show
GROWTH_KIB = 400_000 if is_sanitized(PROGRAM) else 12_000


@pytest.fixture
def running():
    """A started site with one process of each kind; at its end nothing may have crashed."""
    sites = []

    def start(extra=""):
        sites.append(attack.site("imap { processes = 1 compress = yes }\nstore { processes = 1 }\n" + extra))
        return sites[-1].start()

    yield start
    for one in sites:
        try:
            attack.assert_sound(one)
        finally:
            one.close()


class Peer:
    def __init__(self, site):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", site.ports["imaps"]), timeout=60))
        self.text = b""
        self.until(b"\r\n")

    def until(self, what):
        """Reads to these bytes, or to the end."""
        while what not in self.text:
            try:
                piece = self.sock.recv(65536)
            except ConnectionError:
                piece = b""
            if not piece:
                break
            self.text += piece
        head, _, self.text = self.text.partition(what)
        return head

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # the server has had enough

    def login(self, site, user="alice"):
        self.send(f"a LOGIN {site.address(user)} {site.password(user)}\r\n".encode())
        return self.until(b"\r\n")


def resident(site, role):
    """KiB of the only process of that role."""
    (pid,) = [pid for name, _, pid in site.processes() if name == role]
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def test_i02_parentheses_before_login(running):
    """A megabyte of "(" on many connections: the limit is a line's, and nothing is kept."""
    site = running("limits { connections_per_source = 200 }\n")
    before = resident(site, "imap")
    peers = [Peer(site) for _ in range(60)]
    for peer in peers:
        peer.send(b"a ID " + b"(" * 1_000_000)
    grown = resident(site, "imap") - before
    for peer in peers:
        assert b"BYE" in peer.until(b"never said")
    assert grown < GROWTH_KIB


@pytest.mark.parametrize("plain", [b"a NOOP " + b" " * (1 << 30), b"a APPEND INBOX {1073741824+}\r\n" + b"\0" * (1 << 30)], ids=["line", "literal"])
def test_i17_a_gigabyte_of_nothing(running, plain):
    """A megabyte on the wire that becomes a gigabyte: all limits count what comes out."""
    site = running("limits { message_size = 10M }\n")
    peer = Peer(site)
    assert b"OK" in peer.login(site)
    peer.send(b"b COMPRESS DEFLATE\r\n")
    assert b"OK" in peer.until(b"\r\n")
    before = resident(site, "store")
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(plain) + deflater.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 2_000_000
    peer.send(bomb)
    peer.until(b"never said")  # the server closes
    assert resident(site, "store") - before < GROWTH_KIB


def test_i19_who_never_reads(running):
    """FETCH of much, never read: what waits for the client is bounded, whatever he asks for."""
    site = running()
    with site.imap("alice") as client:
        for _ in range(20):
            assert client.append("INBOX", None, None, b"Subject: x\r\n\r\n" + b"0123456789abcde\n" * 65536)[0] == "OK"
    before = resident(site, "store") + resident(site, "imap")
    peers = [Peer(site) for _ in range(10)]
    for peer in peers:
        assert b"OK" in peer.login(site)
        peer.send(b"b SELECT INBOX\r\n" + b"c FETCH 1:* BODY[]\r\n" * 20)
    for peer in peers:
        assert b"OK" in peer.until(b"b OK")
    grown = resident(site, "store") + resident(site, "imap") - before
    assert grown < GROWTH_KIB + 10 * 2048  # each has what a connection may queue in both processes
    with site.imap("bob") as client:
        assert client.noop()[0] == "OK"


def test_i23_idle_sessions_of_one_user(running):
    """Too many are refused by name; the others go on, and each costs little."""
    site = running("limits { sessions_per_user = 40 connections_per_source = 200 }\n")
    first = Peer(site)
    assert b"OK" in first.login(site)
    before = resident(site, "store") + resident(site, "imap")
    peers = [first] + [Peer(site) for _ in range(39)]
    for peer in peers[1:]:
        assert b"OK" in peer.login(site)
    for peer in peers:
        peer.send(b"b SELECT INBOX\r\nc IDLE\r\n")
        peer.until(b"+ ")
    one_more = Peer(site)
    assert b"BYE [LIMIT]" in one_more.login(site)
    grown = resident(site, "store") + resident(site, "imap") - before
    assert grown < GROWTH_KIB
    peers.pop().sock.close()
    site.wait_for(lambda: b"OK" in Peer(site).login(site), 20, "a place for one more")
