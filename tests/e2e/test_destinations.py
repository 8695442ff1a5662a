"""Where mail goes: MX records in every state, addresses that mail is not sent to, routes; with the answer that the sender gets."""
import contextlib
import socket
import threading
import time

import pytest

import outlab
from badmx import Server
from place import BODY, anchor, make  # noqa: F401

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))

FIXED, LMTP = "198.51.100.201", "127.0.0.9"
ROUTES = f"""
route private.test {{ private = yes }}
route fixed.test {{ to = "{FIXED}:2525" }}
route .fixed.test {{ to = "host.fixed.test:2525" tls = encrypt }}
route lmtp.test {{ to = "{LMTP}:24" protocol = lmtp }}
route typo.test {{ to = "nobody.typo.test" }}
"""


@pytest.fixture(scope="module")
def site(world):
    return world.site(start=True, extra=ROUTES)


BOUNCED = {
    "null MX": ("@ MX 0 .\n@ A {a}", "5.1.10", "null MX"),
    "no address": ("@ TXT nothing", "5.1.2", "neither MX nor address"),
    "MX without address": ("@ MX 10 gone", "5.4.4", "it has no address"),
    "MX that is an address": ("@ MX 10 192.0.2.77.", "5.4.4", "address instead of a name"),
    "our name": ("@ MX 10 mx.example.test.\n@ MX 20 mx\nmx A {a}", "5.4.6", "come back"),
    "our address": ("@ MX 10 mx\n@ MX 20 other\nmx A 198.51.100.1\nother A {a}", "5.4.6", "come back"),
    "loopback": ("@ MX 10 mx\nmx A 127.0.0.1", "5.4.6", "come back"),
    "loopback of IPv6": ("@ MX 10 mx\nmx AAAA ::1", "5.4.6", "come back"),
    "unspecified": ("@ MX 10 mx\nmx A 0.0.0.0", "5.4.6", "come back"),
    "private": ("@ MX 10 mx\nmx A 10.0.0.1", "5.4.4", "10.0.0.1 is a private address"),
    "metadata": ("@ MX 10 mx\nmx A 169.254.169.254", "5.4.4", "link-local"),
    "embedded": ("@ MX 10 mx\nmx AAAA 64:ff9b::7f00:1", "5.4.4", "loopback"),
}


@pytest.mark.parametrize("row", BOUNCED)
@pytest.mark.parametrize("signed", [True, False])
def test_what_comes_back_at_once(make, row, signed):
    zone, status, words = BOUNCED[row]
    place = make(zone, signed=signed)
    place.submit()
    line = place.bounced()
    assert line["dsn"] == status and words in line["reply"], line
    assert not place.site.events("defer", to=place.to) and not place.server.sessions


def test_no_such_domain(make):
    place = make("@ A {a}", server=None)
    for address, status in (("bob@zz.test", "5.1.2"), ("bob@[127.0.0.1]", "5.4.6"), ("bob@[10.0.0.1]", "5.4.4")):
        place.submit(to=address)
        assert place.bounced(to=address)["dsn"] == status
    time.sleep(2.5)  # the proof that there is no *.test goes from caches: it denies what the next test makes


def test_hosts_in_their_order(make):
    """The best is not there, the next one listens: null MX beside others is ignored, ourselves and what is worse is not tried."""
    place = make("@ MX 0 .\n@ MX 10 dead\n@ MX 20 mx\n@ MX 30 mx.example.test.\n@ MX 40 worse\ndead A 192.0.2.250\nmx A {a}\nworse A 192.0.2.251")
    with place.another("192.0.2.251") as worse:
        place.submit()
        assert place.delivered()["host"] == f"mx.{place.name}" and not worse.sessions


def test_no_mx(make):
    place = make("@ A {a}")
    place.submit()
    assert place.delivered()["host"] == place.name


def test_an_alias_of_the_domain(make):
    place = make("www MX 10 mx\nmx A {a}\n")
    place.submit(to=f"bob@www.{place.name}")
    assert place.wait("deliver", to=f"bob@www.{place.name}")["host"] == f"mx.{place.name}"


def test_aliases_without_end(make):
    place = make("@ MX 10 loop\nloop CNAME pool\npool CNAME loop\n")
    place.submit()
    assert place.kept()["dsn"] == "4.4.3"
    chain = make("@ MX 10 c0\n" + "".join(f"c{i} CNAME c{i + 1}\n" for i in range(20)) + "c20 A {a}")
    chain.submit()
    assert chain.kept()["dsn"] == "4.4.3" and not chain.server.sessions


def test_a_literal(make):
    place = make("@ A {a}")
    place.submit(to=f"bob@[{place.address}]")
    line = place.wait("deliver", to=f"bob@[{place.address}]")
    assert line["ip"] == f"{place.address}:25" and len(place.server.mails) == 1


class Counter:
    """Listens at many addresses, says 421 and counts."""

    def __init__(self, addresses):
        self.seen, self.sockets = [], []
        for address in addresses:
            s = socket.create_server((address, 25))
            self.sockets.append(s)
            threading.Thread(target=self.accept, args=(s, address), daemon=True).start()

    def accept(self, listening, address):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listening.accept()
                self.seen.append(address)
                with peer:
                    peer.sendall(b"421 4.3.2 not now\r\n")

    def close(self):
        for s in self.sockets:
            s.shutdown(socket.SHUT_RDWR)
            s.close()


def test_a_crowd_of_hosts(make):
    """30 hosts with 8 addresses each: a try goes to 5 addresses at most, and greets two hosts."""
    addresses = [f"198.51.100.{100 + n}" for n in range(8)]
    counter = Counter(addresses)
    place = make("".join(f"@ MX {i} h{i}\n" + "".join(f"h{i} A {a}\n" for a in addresses) for i in range(30)), server=None)
    try:
        place.submit()
        place.wait("defer")
        tried = len(counter.seen)
    finally:
        counter.close()
    assert 1 <= tried <= 5, counter.seen


def test_private_hosts_where_a_route_allows(make):
    address = "127.0.0.8"
    with Server(address) as server:
        place = make(f"@ MX 10 mx\nmx A {address}", name="private.test", server=None)
        place.submit()
        assert place.wait("deliver")["ip"] == f"{address}:25" and len(server.mails) == 1


def test_fixed_hosts(make):
    with Server(FIXED, port=2525) as server:
        place = make("@ MX 10 mx\nmx A {a}\nhost A " + FIXED, name="fixed.test")
        place.submit()
        assert place.wait("deliver")["ip"] == f"{FIXED}:2525"
        assert len(server.mails) == 1 and not place.server.sessions
        sub = f"bob@a.b.{place.name}"
        place.submit(to=sub)
        line = place.wait("defer", to=sub)
        assert "the rule demands encrypt" in line["tls_why"] and len(server.mails) == 1, line
        server.tls = place.cert
        assert place.wait("deliver", to=sub)["tls_got"] == "encrypt" and len(server.mails) == 2


def test_lmtp(make):
    place = make("@ A {a}", name="lmtp.test")
    with Server(LMTP, port=24, lmtp=True) as server:
        place.submit()
        assert place.wait("deliver")["ip"] == f"{LMTP}:24"
        assert [m.data.endswith(BODY) for m in server.mails] == [True] and server.heard("LHLO")


def test_a_route_to_nobody_waits(make):
    place = make("@ A {a}", name="typo.test")
    place.submit()
    assert place.kept(2)["dsn"] == "4.4.4"
