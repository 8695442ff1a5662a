"""Attacks on what postern does not have: no port, verb, key of the configuration or header field offers it (docs/attacks.md)."""
import pytest

from wire import Wire

FIELDS = (b"authentication-results:", b"received-spf:", b"dkim-signature:", b"arc-seal:")


@pytest.fixture(scope="module")
def delivered(mx):
    """The header of a message as the server stores it."""
    with Wire(mx, "smtp") as wire:
        wire.hello()
        for line in ("MAIL FROM:<x@remote.test>", "RCPT TO:<alice@example.test>", "DATA",
                     "From: <a@remote.test>\r\nFrom: <b@remote.test>\r\nDKIM-Signature: v=1; d=remote.test; l=1; b=x\r\n\r\ntext\r\n."):
            code = wire.code(line)
        assert code == 250
    return mx.inbox("alice", 1)[0].partition(b"\r\n\r\n")[0].lower()


def words_of(mx, service):
    """What EHLO or CAPABILITY offers, inside TLS."""
    with Wire(mx, service) as wire:
        if service == "imaps":
            wire.line()
            return " ".join(wire.imap("CAPABILITY")[1]).upper()
        return " ".join(wire.hello()).upper()


def refused(make_site, listen):
    """A service that the configuration does not know."""
    site = make_site(start=False)
    site.conf.write_text(site.conf.read_text() + f"\nlisten {{ {listen} = {{ \"127.0.0.1:9\" }} }}\n")
    return site.postern("config", "check", check=False).returncode != 0


def test_b15_lmtp(mx, make_site):
    with Wire(mx, "smtp") as wire:
        wire.reply()
        assert wire.code("LHLO client.test") == 500
    assert refused(make_site, "lmtp")


def test_d18_oauth(mx):
    for service in ("submissions", "imaps"):
        assert "BEARER" not in words_of(mx, service) and "XOAUTH" not in words_of(mx, service)
    with Wire(mx, "submissions") as wire:
        wire.hello()
        assert wire.code("AUTH OAUTHBEARER bixhPWFsaWNlQGV4YW1wbGUudGVzdCwB") == 504


def test_g01_spf(delivered):
    assert b"received-spf:" not in delivered


def test_g03_g09_dkim(delivered):
    """A signature is a field like others: not looked at, not made."""
    assert delivered.count(b"dkim-signature:") == 1


def test_g04_two_froms(delivered):
    """On port 25 nobody vouches for From: no result is written that could be believed. Submissions with two are refused (d15)."""
    assert delivered.count(b"\nfrom:") == 2 and not any(field in delivered for field in FIELDS if field != b"dkim-signature:")


def test_g12_g13_dmarc(delivered):
    assert b"dmarc" not in delivered and b"authentication-results:" not in delivered


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
def test_j01_j02_pop3(make_site, service):
    assert refused(make_site, service)


@pytest.mark.parametrize("service", ["sieve", "managesieve"])
def test_j04_j06_j08_j10_sieve(mx, make_site, service):
    assert refused(make_site, service)
    assert "SIEVE" not in words_of(mx, "imaps")


def test_k19_quarantine(mx):
    """A message that ends a process each time is tried again like any other, until it expires or the operator deletes it."""
    listed = mx.postern("queue", "--help").stdout
    assert "quarantine" not in listed and "queue delete" in listed
