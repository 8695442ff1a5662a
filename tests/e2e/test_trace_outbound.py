"""`postern trace' of mail for other hosts: why is it still here, what TLS did it use, why that level. Its words alone must tell."""
import pytest

import outlab
from badmx import KEYWORDS, Server

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))


@pytest.fixture(scope="module")
def site(world):
    return world.site(start=True)


def submit(site, recipient):
    site.submit("alice", [recipient], "From: alice@example.test\r\nSubject: s\r\n\r\nx\r\n")


def told(site, event, recipient, seconds=20):
    """What the command says once the event has happened: the last line of the recipient, and all."""
    site.wait_for(lambda: site.events(event, to=recipient), seconds, f"{event} of {recipient}")
    text = site.postern("trace", recipient).stdout
    return [line for line in text.splitlines() if f" to {recipient}" in line][-1], text


def host(world, name, records="", tls=True, **options):
    """A mail server for the domain at mx.DOMAIN, its zone with more records; {tlsa} in them is its own."""
    cert = world.authority.issue(f"mx.{name}")
    address = world.address()
    world.zone(name, f"@ MX 10 mx\nmx A {address}\n" + records.format(tlsa=cert.tlsa()))
    return Server(address, name=f"mx.{name}", tls=cert if tls else None, **options)


def test_dane(world, site):
    with host(world, "dane.test", "_25._tcp.mx TLSA {tlsa}\n") as server:
        submit(site, "a@dane.test")
        line, text = told(site, "deliver", "a@dane.test")
        assert f"delivered to a@dane.test at mx.dane.test [{server.address}" in line
        assert "TLS: dane (wanted: dane), because: " in line and "TLSA" in line
        assert "TLSv1.3" in text and "still waits" not in text


def test_dane_that_does_not_match(world, site):
    with host(world, "mismatch.test", "_25._tcp.mx TLSA 3 1 1 " + "00" * 32 + "\n") as server:
        submit(site, "a@mismatch.test")
        line, text = told(site, "defer", "a@mismatch.test")
        assert "not delivered yet to a@mismatch.test" in line and "wanted: dane" in line and "TLSA" in line
        assert "still waits for a@mismatch.test" in text
        assert server.mails == []
        world.zone("mismatch.test", f"@ MX 10 mx\nmx A {server.address}\n")
        line, _ = told(site, "deliver", "a@mismatch.test", 60)
        assert "wanted: may" in line


def test_a_host_without_tls(world, site):
    with host(world, "plain.test", tls=False, keywords=[k for k in KEYWORDS if k != "STARTTLS"]):
        submit(site, "a@plain.test")
        line, _ = told(site, "deliver", "a@plain.test")
        assert "TLS: none (wanted: may), because: " in line


def test_nobody_there(world, site):
    world.zone("nobody.test", f"@ MX 10 mx\nmx A {world.address()}\n")
    submit(site, "a@nobody.test")
    line, text = told(site, "defer", "a@nobody.test")
    assert "refused" in line and "still waits for a@nobody.test" in text


def test_given_up(world, site):
    with host(world, "no.test", script={"rcpt": "550 5.1.1 no such user"}):
        submit(site, "a@no.test")
        line, text = told(site, "bounce", "a@no.test")
        assert "given up, not delivered to a@no.test at mx.no.test" in line and "5.1.1" in line and "no such user" in line
        assert "still waits" not in text
