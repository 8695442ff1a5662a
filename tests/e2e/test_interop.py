"""Mail between postern and Debian's Postfix, Exim and OpenSMTPD: whole, over TLS, with DANE where they can."""
import time

import pytest

import mtas
import outlab
import unpacked
from elsewhere import Report, send
from mail import find, lines, message
from postern_site import deadline
from resolver import Resolver

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))
KINDS = {"postfix": mtas.Postfix, "exim": mtas.Exim, "opensmtpd": mtas.Opensmtpd}
BODIES = {
    "dots": b".\r\n..\r\n.x\r\nend\r\n",
    "eight bits": "grüße, жук\r\n".encode() + bytes(range(0xa0, 0x100)) + b"\r\n",
    "long lines": (b"y" * 998 + b"\r\n") * 3,
    "large": lines(300_000),
}


@pytest.fixture(scope="module")
def site(world):
    resolver = Resolver(mtas.RESOLVER, world.anchor, world.hints)
    yield world.site(start=True)
    resolver.close()


@pytest.fixture(scope="module")
def started(world, site):
    running = {}
    yield running
    for mta in running.values():
        mta.close()


def get(name, world, started):
    """The server of that name, running; skipped when it cannot be had."""
    if unpacked.missing(name):
        pytest.skip(unpacked.missing(name))
    if name not in started:
        started[name] = KINDS[name](world)
        started[name].start()
    return started[name]


@pytest.fixture(params=KINDS)
def mta(request, world, started):
    return get(request.param, world, started)


@pytest.fixture
def postfix(world, started):
    return get("postfix", world, started)


# --- to postern

@pytest.mark.parametrize("kind", BODIES)
def test_from_them(site, mta, kind):
    sent = message(f"{kind} from {mta.name}", BODIES[kind])
    before = len(site.inbox("bob", 0))
    mta.send("reader@" + mta.domain, ["bob@example.test"], sent, options=["BODY=8BITMIME"] if kind == "eight bits" else ())
    find(site.inbox("bob", before + 1), sent)
    accept = site.events("accept", **{"from": f"reader@{mta.domain}"})[-1]
    assert accept["helo"] == mta.host and accept["tls"].startswith("TLSv1.3"), accept


@pytest.mark.parametrize("mta", ["postfix", "exim"], indirect=True)  # OpenSMTPD has no DANE
def test_they_prove_us_by_dane(site, mta):
    sent = message(f"dane from {mta.name}")
    mta.send("reader@" + mta.domain, ["alice@example.test"], sent)
    words = {"postfix": "Verified TLS connection established to mx.example.test", "exim": "CV=dane"}[mta.name]
    site.wait_for(lambda: words in mta.log(), 20, words)


def test_posttls_finger_verifies_us(world, site, postfix):
    assert "Verified TLS connection established to mx.example.test" in postfix.finger("dane", "example.test")
    assert "Verified TLS connection established to mx.example.test" in postfix.finger("dane-only", "example.test")


def test_posttls_finger_sees_a_wrong_record(world, site, postfix):
    """The counter-test: with a TLSA record of another key the same program does not verify."""
    zone = world.leaves["example.test."]
    right = zone.records
    try:
        world.zone("example.test", right[:-3] + ("00\n" if right[-3:-1] != "00" else "11\n"))
        time.sleep(2.1)
        assert "Verified" not in postfix.finger("dane", "example.test")
    finally:
        world.zone("example.test", right)
        time.sleep(2.1)


def test_their_bounces_arrive(site, mta):
    """A recipient we refuse comes back to the sender as their report, from the null sender."""
    nobody = f"nobody-{mta.name}"
    before = len(site.inbox("alice", 0))
    mta.send("alice@example.test", [f"{nobody}@example.test"], message(f"to nobody from {mta.name}"))
    reports = [m for m in site.inbox("alice", before + 1) if nobody.encode() in m and m.startswith(b"Return-Path: <>\r\n")]
    assert len(reports) == 1 and b"550" in reports[0]


# --- from postern

def in_inbox(site, words, seconds=20):
    """The one message of alice's that has these words."""
    end = deadline(seconds)
    while not (found := [m for m in site.inbox("alice", 0) if words.lower().encode() in m.lower()]):
        assert time.monotonic() < end, f"no message with {words}"
        time.sleep(0.3)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("kind", BODIES)
def test_to_them(site, mta, kind):
    """What lies in their mailbox is what was sent, line ends as they keep them; the way there was proved by DANE where they have it,
    and where their TLS does not work the mail goes by the rule of `may'."""
    sent = message(f"{kind} to {mta.name}", BODIES[kind])
    qid = send(site, f"reader@{mta.domain}", sent, mail="BODY=8BITMIME" if kind == "eight bits" else "")
    kept = sent.replace(b"\r\n", b"\n")
    site.wait_for(lambda: [m for m in mta.mailbox() if m.endswith(kept)], 20, f"the mail at {mta.name}")
    event, = site.events("deliver", qid=qid)
    wanted, got = ("dane", ("dane",)) if mta.dane else ("may", ("none", "encrypt", "verify"))
    assert (event["tls_wanted"], event["host"]) == (wanted, mta.host) and event["tls_got"] in got, event
    assert len([m for m in mta.mailbox() if m.endswith(kept)]) == 1


def test_they_refuse_and_we_report(site, mta):
    nobody = f"nobody@{mta.domain}"
    send(site, nobody, message(f"nobody at {mta.name}"))
    report = Report(in_inbox(site, f"Final-Recipient: rfc822; {nobody}"))
    assert report.recipients[0]["action"] == "failed" and report.recipients[0]["remote-mta"] == f"dns; {mta.host}"


@pytest.mark.parametrize("mta", ["postfix", "exim"], indirect=True)
def test_they_report_what_we_passed_on(site, mta):
    """NOTIFY=SUCCESS goes along with the mail, and the other server's report comes back; ours does not."""
    send(site, f"reader@{mta.domain}", message(f"success at {mta.name}"), rcpt="NOTIFY=SUCCESS", mail=f"ENVID=success-{mta.name}")
    report = Report(in_inbox(site, f"Original-Envelope-Id: success-{mta.name}"))
    assert report.about["original-envelope-id"] == f"success-{mta.name}" and report.recipients[0]["action"] == "delivered"
    assert mta.host in report.about["reporting-mta"]


def test_many_over_few_connections(site, postfix):
    for i in range(30):
        send(site, f"reader@{postfix.domain}", message(f"many {i}"))
    site.wait_for(lambda: len([m for m in postfix.mailbox() if b"\nSubject: many " in m]) == 30, 20, "all of them")
    peers = [line for line in postfix.log().splitlines() if "connect from" in line and "disconnect" not in line]
    assert len(peers) < 60
