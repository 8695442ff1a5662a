"""place.py - for tests of outbound mail: a domain of its own as its zones have it, its played mail server with a certificate, and what
became of a message for it.

    @pytest.fixture(scope="module")
    def site(world): return world.site(start=True)

    def test(make):                       # from place import anchor, make
        p = make("@ MX 10 mx\\nmx A {a}\\n_25._tcp.mx TLSA {t311}")
        p.submit()
        assert p.delivered()["tls_got"] == "dane"

A zone's text may say {a}: the server's address; {name}: the domain; {beside}: the other zone; {t311}, {t201}, …: TLSA data that fits (usage,
selector, matching; usages 0 and 2 are of the anchor); {w311}: data of somebody else."""
import itertools

import pytest

import authority
from badmx import KEYWORDS, Server

BODY = b"\r\n\r\nhello\r\n"
MESSAGE = b"From: alice@example.test\r\nSubject: hello" + BODY
WAIT = 30
# downwards: what denies a DS record at an unsigned domain denies all names up to the next one, for a second (RFC 8198)
numbers = itertools.count(999, -1)


# --- certificates: functions of a place

def self_signed(place):
    """Signed by nobody, for another name."""
    return place.anchor.self_signed("wrong.test", names=("wrong.test",), ca=False)


def issued(*names, **options):
    """By the anchor."""
    return lambda place: place.anchor.issue(*[n.format(name=place.name) for n in names], **options)


def expired(place):
    return issued("wrong.test", **authority.EXPIRED)(place)


class Words(dict):
    """The words of a zone's text, TLSA data made when it is asked for."""

    def __init__(self, place):
        super().__init__(a=place.address, name=place.name, beside=place.beside)
        self.place = place

    def __missing__(self, key):
        usage, selector, matching = map(int, key[1:])
        if key[0] == "w":
            return self.place.other.tlsa(usage, selector, matching)
        return (self.place.anchor.certificate if usage in (0, 2) else self.place.cert).tlsa(usage, selector, matching)


class Place:
    """See above. beside: the text of another zone, unsigned; beside_signed: or signed. server: what Server is told, or None. forge: (this, that) in
    the signed zone, after signing. zone_server: who answers for it. lies: of World.zone."""

    def __init__(self, world, site, anchor, zone, cert=self_signed, server=(), name=None, beside=None, beside_signed=False, forge=None,
                 zone_server=None, **lies):
        self.world, self.site, self.anchor = world, site, anchor
        self.name = name or f"d{next(numbers)}.test"
        self.beside = f"b{self.name}"
        self.address = world.address()
        self.cert = cert(self)
        self.other = anchor.self_signed("other.test")
        self.server = None if server is None else Server(self.address, **{"tls": self.cert, **dict(server)})
        if beside is not None:
            world.zone(self.beside, self.words(beside), signed=beside_signed)
        if zone_server:
            lies["server"] = zone_server
        if forge:
            this, that = (self.words(text) for text in forge)
            lies["wrecked"] = lambda text: text.replace(this, that)
        self.publish(zone, **lies)

    def words(self, zone):
        return zone.format_map(Words(self))

    def publish(self, zone, **lies):
        self.world.zone(self.name, self.words(zone), **lies)

    @property
    def to(self):
        return f"bob@{self.name}"

    def another(self, address):
        """A second server with the same certificate."""
        return Server(address, tls=self.cert)

    def submit(self, to=None, **options):
        self.site.submit("alice", [to or self.to], MESSAGE, **options)

    def wait(self, event, n=1, to=None, wait=WAIT):
        to = to or self.to
        self.site.wait_for(lambda: len(self.site.events(event, to=to)) >= n, wait, f"{event} {to}")
        return self.site.events(event, to=to)[-1]

    def delivered(self, wait=WAIT):
        line = self.wait("deliver", wait=wait)
        assert len(self.server.mails) == 1 and self.server.mails[0].data.endswith(BODY)
        assert (self.server.mails[0].tls != "") == (line["tls_got"] != "none"), line
        return line

    def kept(self, n=1, wait=WAIT):
        """After n tries the mail is here and nowhere else."""
        line = self.wait("defer", n, wait=wait)
        assert not self.site.events("bounce", to=self.to) and not self.site.events("deliver", to=self.to)
        assert not self.server or not self.server.mails
        return line

    def bounced(self, to=None):
        line = self.wait("bounce", to=to)
        assert not self.server or not self.server.mails
        return line

    def close(self):
        if self.server:
            self.server.stop()
        self.site.postern("queue", "delete", "--to", self.name)


@pytest.fixture(scope="module")
def anchor(world):
    """A trust anchor that nobody but TLSA records knows."""
    return authority.Authority(world.dir / "anchors", name="Anchor")


@pytest.fixture
def make(world, site, anchor):
    made = []

    def place(zone, **options):
        made.append(Place(world, site, anchor, zone, **options))
        return made[-1]

    yield place
    for p in made:
        p.close()


WITH_REQUIRETLS = (*KEYWORDS, "REQUIRETLS")
