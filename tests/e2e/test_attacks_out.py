"""Hostile answers to our own questions: what DNS and other mail servers can send to a server that delivers (rows H, A09, C06)."""
import base64
import os
import re
import time

import pytest

import misdeeds
import outlab
from authority import EXPIRED, Authority
from dnslab import COLLIDING_TAG, colliding_keys
from elsewhere import emptied, received, reports, send, text
from policyhost import PolicyHost, http, policy
from wire import Wire

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))
LONG = bool(os.environ.get("POSTERN_LONG"))


@pytest.fixture(scope="module")
def site(world):
    return world.site(start=True, relay="connect_timeout = 2s\nplain_after = 0")


@pytest.fixture(autouse=True)
def nothing_stays(world, site):
    """A test's mail does not come to the next one; nobody died, memory is bounded, and others are served meanwhile."""
    starts = {(p["role"], p["index"]): p["starts"] for p in site.json("status")["processes"]}
    yield
    site.postern("queue", "delete", "--all", check=False)
    emptied(site)
    after = site.json("status")["processes"]
    assert {(p["role"], p["index"]): p["starts"] for p in after} == starts, site.log_tail()
    for role in ("relay", "queue", "dns"):
        for pid in site.pids(role):
            rss = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
            assert rss < 400_000, f"{role} has {rss} KiB"  # built with sanitizers


def outcome(site, qid, seconds=15):
    """The first thing that became of a message with one recipient."""
    def found():
        return [e for name in ("deliver", "defer", "bounce") for e in site.events(name, qid=qid)]

    site.wait_for(found, seconds, f"an outcome of {qid}")
    return min(found(), key=lambda e: e["time"])


def deferred(site, recipient, **options):
    event = outcome(site, send(site, recipient, text("Hostile"), **options))
    assert event["event"] == "defer", event
    return event


# --- H01: back to ourselves, or into the house

@pytest.mark.parametrize("name, records", [
    ("v4", "mx A 127.0.0.1"), ("v6", "mx AAAA ::1"), ("any", "mx A 0.0.0.0"), ("any6", "mx AAAA ::"), ("mapped", "mx AAAA ::ffff:127.0.0.1"),
])
def test_h01_loopback(site, world, hosts, name, records):
    inside = [hosts.serve("127.0.0.1"), hosts.serve("::1")]
    world.zone(f"h01-{name}.test", f"@ MX 10 mx\n{records}\n")
    event = outcome(site, send(site, f"r@h01-{name}.test", text("Inside")))
    assert event["event"] in ("defer", "bounce") and "ip" not in event, event
    assert not [s for server in inside for s in server.sessions]


@pytest.mark.parametrize("name, records", [
    ("name", "@ MX 10 mx.example.test.\n"),
    ("address", f"@ MX 10 mx\nmx A {outlab.POSTERN}\n"),
    ("address6", f"@ MX 10 mx\nmx AAAA {outlab.POSTERN6}\n"),
    ("best", "@ MX 10 mx.example.test.\n@ MX 20 mx\nmx A {there}\n"),
    ("equal", "@ MX 10 mx.example.test.\n@ MX 10 mx\nmx A {there}\n"),
])
def test_h01_ourselves(site, world, hosts, name, records):
    """RFC 5321 5.1: we and all that are no better than we are not asked; nobody is left."""
    server = hosts.serve(world.address())
    world.zone(f"h01-us-{name}.test", records.format(there=server.address))
    began = len(site.events("accept"))
    send(site, f"r@h01-us-{name}.test", text("Loop"))
    report, = reports(site, "alice", f"r@h01-us-{name}.test")
    assert report.recipients[0]["status"] == "5.4.6"
    assert server.sessions == [] and len(site.events("accept")) == began + 1


def test_h01_a_better_one_than_ourselves(site, world, hosts):
    server = hosts.serve(world.address())
    world.zone("h01-backup.test", f"@ MX 20 mx.example.test.\n@ MX 10 mx\nmx A {server.address}\n@ MX 30 worse\nworse A {world.address()}\n")
    send(site, "r@h01-backup.test", text("Better"))
    site.wait_for(lambda: server.mails, 10, "the mail")


# --- H03: no mail wanted

def test_h03_null_mx(site, world, hosts):
    server = hosts.serve(world.address())
    world.zone("h03.test", f"@ MX 0 .\n@ A {server.address}\n")
    send(site, "r@h03.test", text("Null"))
    report, = reports(site, "alice", "r@h03.test")
    assert report.recipients[0]["status"] == "5.1.10" and server.sessions == []


def test_h03_null_mx_beside_others(site, world, hosts):
    server = hosts.serve(world.address())
    world.zone("h03-mixed.test", f"@ MX 0 .\n@ MX 10 mx\nmx A {server.address}\n")
    send(site, "r@h03-mixed.test", text("Mixed"))
    site.wait_for(lambda: server.mails, 10, "the mail")


# --- H04: many, and in circles

@pytest.mark.parametrize("name, records", [
    ("loop", "@ MX 10 mx\nmx CNAME mx2\nmx2 CNAME mx\n"),
    ("chain", "@ MX 10 c0\n" + "".join(f"c{i} CNAME c{i + 1}\n" for i in range(20)) + "c20 A 203.0.113.9\n"),
    ("crowd", "".join(f"@ MX 10 mx{i}\n" for i in range(500)) + "".join(f"mx{i} A 203.0.113.{100 + j}\n" for i in range(500) for j in range(20))),
], ids=["loop", "chain", "crowd"])
def test_h04_too_much(site, world, name, records):
    world.zone(f"h04-{name}.test", records)
    event = outcome(site, send(site, f"r@h04-{name}.test", text("Too much")), seconds=70)
    assert event["event"] == "defer", event


def test_h04_an_alias_for_a_host(site, world, hosts):
    server = hosts.serve(world.address())
    world.zone("h04-alias.test", f"@ MX 10 mx\nmx CNAME real\nreal A {server.address}\n")
    send(site, "r@h04-alias.test", text("Alias"))
    site.wait_for(lambda: server.mails, 10, "the mail")


@pytest.mark.parametrize("name, script, most", [("broken", {"greet": misdeeds.reset}, 5), ("busy", {"greet": "421 4.3.2 busy"}, 2)])
def test_h04_tries_are_bounded(site, world, hosts, name, script, most):
    """Ten hosts with two addresses each: at most five addresses, at most two that greet, in one try."""
    servers = [hosts.serve(world.address(), script=script) for _ in range(20)]
    world.zone(f"h04-{name}.test", "".join(f"@ MX {i} mx{i}\nmx{i} A {servers[2 * i].address}\nmx{i} A {servers[2 * i + 1].address}\n" for i in range(10)))
    qid = send(site, f"r@h04-{name}.test", text("Bounded"))
    site.wait_for(lambda: site.events("defer", qid=qid), 15, "the delay")
    site.postern("queue", "hold", qid)
    tries = len(site.events("defer", qid=qid))
    time.sleep(0.5)
    assert 1 <= sum(len(s.sessions) for s in servers) <= most * (tries + 1)


# --- H05: no DNS

def test_h05_dns_is_gone_for_a_while(site, world, hosts):
    server = hosts.serve(world.address())
    world.zone("h05.test", f"@ MX 10 mx\nmx A {server.address}\n", server=outlab.OTHER)
    world.server(outlab.OTHER).stop()
    began = time.monotonic()
    qid = send(site, "r@h05.test", text("DNS"))
    if LONG:  # 30 s for each question
        event = outcome(site, qid, seconds=70)
        assert event["event"] == "defer" and event["dsn"] == "4.4.3", event
    time.sleep(3)
    world.server(outlab.OTHER).start()
    site.wait_for(lambda: server.mails, 120, "the mail")
    assert not site.events("bounce", qid=qid)
    assert len(site.events("defer", qid=qid)) <= 2 + (time.monotonic() - began) / 0.8, "asked without pause"
    emptied(site)


def test_h05_a_server_that_only_fails(site, world):
    """A zone that its server cannot load: SERVFAIL."""
    world.zone("h05-fail.test", "@ MX 10 mx\n", wrecked=lambda text: "nonsense\n", loads=False)
    assert deferred(site, "r@h05-fail.test")["dsn"] == "4.4.3"


# --- H06, H07: what is proved wrong, and what is not proved

def test_h06_bogus_mx(site, world, hosts):
    server = hosts.serve(world.address())
    world.zone("h06-mx.test", f"@ MX 10 mxone\nmxone A {server.address}\nmxtwo A {server.address}\n",
               wrecked=lambda t: re.sub(r"(MX\s+10 )mxone", r"\1mxtwo", t))
    assert deferred(site, "r@h06-mx.test")["dsn"] == "4.4.3" and server.sessions == []


def test_h06_bogus_tlsa_skips_the_host(site, world, hosts):
    """The host whose TLSA cannot be trusted is not connected to, not even without TLS; the next one is."""
    cert = world.authority.issue("good.h06.test")
    bad, good = hosts.serve(world.address(), tls=cert), hosts.serve(world.address(), tls=cert)
    data = cert.data(1, 1)
    forged = lambda t: re.sub(data, "ab" * 32, t, count=1)  # noqa: E731
    world.zone("h06.test", f"@ MX 10 bad\n@ MX 20 good\nbad A {bad.address}\ngood A {good.address}\n_25._tcp.bad TLSA {cert.tlsa()}\n", wrecked=forged)
    qid = send(site, "r@h06.test", text("Next host"))
    site.wait_for(lambda: good.mails, 15, "the mail")
    assert bad.sessions == [] and outcome(site, qid)["host"] == "good.h06.test"
    world.zone("h06-alone.test", f"@ MX 10 bad\nbad A {bad.address}\n_25._tcp.bad TLSA {cert.tlsa()}\n", wrecked=forged)
    deferred(site, "r@h06-alone.test")
    assert bad.sessions == []


@pytest.mark.parametrize("name", ["mx", "address"])
def test_h07_not_proved_no_dane(site, world, hosts, name):
    """TLSA says another certificate; it does not count where the way to it is not proved."""
    server = hosts.make(f"h07-{name}-host", tls=True)
    wrong = f"@ MX 10 mx\nmx A {server.address}\n_25._tcp.mx TLSA 3 1 1 {'ab' * 32}\n"
    if name == "mx":
        world.zone("h07-mx-host.test", wrong, signed=True)
        world.zone("h07-mx.test", "@ MX 10 mx.h07-mx-host.test.\n", signed=False)
    else:
        world.zone("h07-address-host.test", wrong, signed=False)
        world.zone("h07-address.test", "@ MX 10 mx.h07-address-host.test.\n", signed=True)
    event = outcome(site, send(site, f"r@h07-{name}.test", text("Not proved")))
    assert event["event"] == "deliver" and event["tls_wanted"] == "may" and server.mails[0].tls, event


# --- H08, H09: DANE

def test_h08_only_the_key_counts(site, world, hosts):
    cert = Authority(world.dir / "h08", name="nobody's").issue("wrong.name.test", **EXPIRED)
    server = hosts.make("h08", tls=cert, dane=True)
    event = outcome(site, send(site, "r@h08.test", text("Key")))
    assert event["event"] == "deliver" and (event["tls_wanted"], event["tls_got"]) == ("dane", "dane") and server.mails


def test_h09_an_authority_with_the_wrong_name(site, world, hosts):
    server = hosts.make("h09-name", tls=world.authority.issue("wrong.name.test"), dane=world.authority.certificate.tlsa(2, 1, 1))
    event = deferred(site, "r@h09-name.test")
    assert event["tls_wanted"] == "dane" and server.mails == [] and not server.heard("MAIL")


@pytest.mark.parametrize("name, data", [("usage0", "0 1 1 " + "ab" * 32), ("usage1", "1 0 1 " + "ab" * 32), ("digest", "3 1 9 " + "ab" * 32)])
def test_h09_unusable_records_demand_tls_all_the_same(site, world, hosts, name, data):
    server = hosts.make(f"h09-{name}", tls=world.authority.self_signed("whoever", ca=False), dane=data)
    event = outcome(site, send(site, f"r@h09-{name}.test", text("Unusable")))
    assert event["event"] == "deliver" and (event["tls_wanted"], event["tls_got"]) == ("encrypt", "encrypt") and server.mails[0].tls, event
    server = hosts.make(f"h09-{name}-plain", tls=False, dane=data)
    deferred(site, f"r@h09-{name}-plain.test")
    assert not server.heard("MAIL")


def test_h09_no_starttls_where_dane_is(site, world, hosts):
    server = hosts.make("h09-none", tls=False, dane="3 1 1 " + "ab" * 32)
    assert "STARTTLS" in deferred(site, "r@h09-none.test")["reply"] and not server.heard("MAIL")


# --- H11: MTA-STS

@pytest.fixture
def enforced(world, hosts):
    """Makes <name>.test with a played MX and an MTA-STS policy in force: (server, web server)."""
    made = []

    def make(name, answer=None, mx=None, **options):
        server = hosts.make(name, **options)
        web = PolicyHost(world.address(), world.authority.issue(f"mta-sts.{name}.test"), answer or policy("enforce", mx or f"mx.{name}.test"))
        made.append(web)
        zone = world.leaves[f"{name}.test."]
        world.zone(f"{name}.test", zone.records + f'_mta-sts TXT "v=STSv1; id=1;"\nmta-sts A {web.address}\n', signed=False)
        return server, web

    yield make
    for web in made:
        web.close()


def test_h11_a_policy_is_obeyed_and_stays(site, world, enforced):
    """Once known it is in force whatever comes after: a redirect, 70 KB, nothing."""
    server, web = enforced("h11")
    event = outcome(site, send(site, "r@h11.test", text("Policy")))
    assert event["event"] == "deliver" and (event["tls_wanted"], event["tls_got"]) == ("verify", "verify"), event
    records = world.leaves["h11.test."].records
    server.tls = world.authority.self_signed("mx.h11.test", ca=False)
    site.wait_for(lambda: all(s.end for s in server.sessions), 20, "the old connection to end")
    for number, answer in enumerate((http("", status="302 Found"), http("version: STSv1\r\n" + "x" * 70_000), http("<html>", kind="text/html"))):
        web.answer = answer
        world.zone("h11.test", records.replace("id=1", f"id=changed{number}"), signed=False)
        qid = send(site, "r@h11.test", text("Policy stays"))
        event = outcome(site, qid)
        assert event["event"] == "defer" and event["tls_wanted"] == "verify", event
        site.postern("queue", "delete", qid)
    assert len(server.mails) == 1


def test_h11_a_host_that_the_policy_does_not_name(site, enforced):
    server, _ = enforced("h11-other", mx="another.h11-other.test")
    deferred(site, "r@h11-other.test")
    assert not server.heard("MAIL")


def test_h11_testing_is_only_a_test(site, enforced):
    server, _ = enforced("h11-testing", answer=policy("testing", "another.h11-testing.test"))
    event = outcome(site, send(site, "r@h11-testing.test", text("Testing")))
    assert event["event"] == "deliver" and server.mails


# --- H13, H15, C06: the peer

@pytest.mark.parametrize("name, script", [
    ("endless", {"ehlo": misdeeds.endless(b"250-more\r\n"), "helo": "500 no"}),
    ("greeting", {"greet": misdeeds.endless(b"220-hello\r\n")}),
    ("line", {"ehlo": misdeeds.raw(b"250-" + b"x" * 100_000 + b"\r\n250 ok\r\n"), "helo": misdeeds.close}),
    ("noline", {"greet": misdeeds.endless(b"2" * 100)}),
    ("nul", {"greet": misdeeds.raw(b"220 a\0b\r\n"), "ehlo": misdeeds.raw(b"250-\0\0\r\n2\x0050 x\r\n"), "helo": misdeeds.close}),
    ("nonsense", {"greet": misdeeds.raw(b"HTTP/1.0 400 Bad Request\r\n\r\n")}),
    ("codes", {"rcpt": misdeeds.raw(b"250-yes\r\n550 no\r\n")}),
    ("early", {"mail": misdeeds.raw(b"250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n")}),
    ("rst", {"mail": misdeeds.reset}),
])
def test_h13_replies_that_are_none(site, world, hosts, name, script):
    server = hosts.make(f"h13-{name}", tls=False, script=script)
    event = outcome(site, send(site, f"r@h13-{name}.test", text("Noise")), seconds=30)
    assert event["event"] == "defer", event
    assert server.mails == []


def test_h13_a_long_line_is_still_a_reply(site, hosts):
    server = hosts.make("h13-4k", script={"ehlo": misdeeds.raw(b"250-mx.h13-4k.test\r\n250-X" + b"x" * 4000 + b"\r\n250 8BITMIME\r\n")}, tls=False)
    event = outcome(site, send(site, "r@h13-4k.test", text("Long line")))
    assert event["event"] in ("deliver", "defer") and (server.mails != []) == (event["event"] == "deliver")


def test_h13_a_byte_a_second(site, hosts):
    """While one host takes its time, others get their mail; and it does not take all the time of the world."""
    hosts.make("h13-drip", script={"greet": misdeeds.drip(b"220-" + b"x" * 2000)}, tls=False)
    other = hosts.make("h13-other")
    qid = send(site, "r@h13-drip.test", text("Drip"))
    time.sleep(1)
    send(site, "r@h13-other.test", text("Meanwhile"))
    site.wait_for(lambda: other.mails, 5, "the other mail")
    if LONG:
        assert outcome(site, qid, seconds=330)["event"] == "defer"


def test_h15_a_reset_instead_of_the_last_reply(site, hosts):
    """Nobody knows whether it was taken: it is sent again."""
    server = hosts.make("h15", scripts=[{"dot": misdeeds.reset}, {}])
    send(site, "r@h15.test", text("Reset"))
    site.wait_for(lambda: server.mails, 15, "the second delivery")
    emptied(site)
    assert [len(s.mails) for s in server.sessions] == [1, 1]
    one, two = (received(s.mails[0].data)[1] for s in server.sessions)
    assert one == two


def test_h15_a_reset_behind_the_last_reply(site, hosts):
    server = hosts.make("h15-after", scripts=[{"dot": misdeeds.then("250 2.0.0 taken", misdeeds.reset)}, {}])
    send(site, "r@h15-after.test", text("Reset after"))
    site.wait_for(lambda: site.events("deliver", to="r@h15-after.test"), 10, "the delivery")
    emptied(site)
    time.sleep(2)
    assert sum(len(s.mails) for s in server.sessions) == 1


@pytest.mark.parametrize("injected", [b"250-fake\r\n", b"250-mx\r\n250 AUTH PLAIN\r\n", b"x"])
def test_c06_bytes_before_the_handshake(site, hosts, injected):
    server = hosts.make(f"c06-{len(injected)}", script={"starttls": misdeeds.inject(injected)})
    deferred(site, f"r@c06-{len(injected)}.test")
    assert server.mails == [] and not server.heard("MAIL")


# --- H16: DNS that costs

def test_h16_keytrap(site, world, hosts):
    """A hundred keys with one tag, a hundred signatures by it: CVE-2023-50387."""
    server = hosts.serve(world.address())

    def trap(finished):
        origin = "h16.test."
        sigs = "".join(f"{name} 1 IN RRSIG {kind} 13 {labels} 1 20361218110942 20261101110942 {COLLIDING_TAG} {origin} {base64.b64encode(os.urandom(64)).decode()}\n"
                       for name, kind, labels in ((origin, "MX", 2), (f"mx.{origin}", "A", 3)) for _ in range(100))
        kept = [line for line in finished.splitlines() if not re.search(r"RRSIG\s+(MX|A) ", line)]
        return "\n".join(kept) + "\n" + sigs

    world.zone("h16.test", f"@ MX 10 mx\nmx A {server.address}\n{colliding_keys(100)}", wrecked=trap)
    other = hosts.make("h16-other")
    qid = send(site, "r@h16.test", text("Trap"))
    began = time.monotonic()
    send(site, "r@h16-other.test", text("Meanwhile"))
    site.wait_for(lambda: other.mails, 5, "the other mail")
    assert time.monotonic() - began < 5
    event = outcome(site, qid, seconds=70)
    assert event["event"] == "defer" and server.sessions == [], event


def test_h16_hash_iterations(site, world, hosts):
    """NSEC3 with 2500 iterations: not proved, and soon (RFC 9276)."""
    world.zone("h16-hash.test", "@ TXT x\n", signed=("-n", "-t", "2500"))
    began = time.monotonic()
    answer = world.lookup(site, "mx", "h16-hash.test")
    assert time.monotonic() - began < 5 and not answer["secure"], answer


# --- H18: somebody on the path

STRIPPED = {
    "hidden": {"ehlo": "250-mx\r\n250 8BITMIME"},
    "refused": {"starttls": "454 4.7.0 TLS not available"},
    "dropped": {"handshake": misdeeds.silent},
    "cut": {"handshake": misdeeds.reset},
}


@pytest.mark.parametrize("name", STRIPPED)
def test_h18_dane_waits(site, hosts, name):
    if name == "dropped" and not LONG:
        pytest.skip("30 s: with --long")
    server = hosts.make(f"h18-{name}", dane=True, script=STRIPPED[name])
    event = outcome(site, send(site, f"r@h18-{name}.test", text("Stripped")), seconds=60)
    assert event["event"] == "defer" and event["tls_wanted"] == "dane", event
    assert not server.heard("MAIL")
    server.script = {}
    site.wait_for(lambda: server.mails, 60, "the mail")
    assert server.mails[0].tls


@pytest.mark.parametrize("name", ["hidden", "refused", "cut"])
def test_h18_sts_enforce_waits(site, enforced, name):
    server, _ = enforced(f"h18-sts-{name}", script=STRIPPED[name])
    event = outcome(site, send(site, f"r@h18-sts-{name}.test", text("Stripped")))
    assert event["event"] == "defer" and event["tls_wanted"] == "verify" and not server.heard("MAIL"), event
    server.script = {}
    site.wait_for(lambda: server.mails, 20, "the mail")
    assert server.mails[0].tls


@pytest.mark.parametrize("name", ["hidden", "refused"])
def test_h18_without_a_policy_plain_is_allowed_and_said(site, hosts, name):
    """plain_after = 0 forbids it after a failed handshake; where the host does not have TLS there is none to fail."""
    server = hosts.make(f"h18-may-{name}", script=STRIPPED[name])
    event = outcome(site, send(site, f"r@h18-may-{name}.test", text("Plain")))
    if event["event"] == "deliver":
        assert (event["tls_wanted"], event["tls_got"]) == ("may", "none") and event["tls_why"] and server.mails[0].tls == ""
    else:
        assert name == "refused" and not server.heard("MAIL")


def test_h18_a_cut_handshake_is_no_reason_for_plain_when_forbidden(site, hosts):
    server = hosts.make("h18-may-cut", script=STRIPPED["cut"])
    assert deferred(site, "r@h18-may-cut.test")["tls_wanted"] == "may" and not server.heard("MAIL")


# --- A09: line ends

@pytest.mark.parametrize("body", [b"a\n.\nb\r\n", b"a\rb\r\n", b"a\r\r\n.\r\nb\r\n", b"a\n.\r\nMAIL FROM:<x@y.test>\r\n", b"\n\n.\n"])
def test_a09_what_goes_out_has_only_crlf(site, hosts, body):
    """By BDAT anything can come in. It is refused, or goes out with line ends that nobody can read in two ways."""
    name = f"a09-{base64.b32encode(body).decode().strip('=').lower()[:20]}"
    server = hosts.make(name)
    with Wire(site, "submission") as wire:
        wire.submission("alice")
        sent = text("Line ends").replace(b"hello\r\n", body)
        for command in ("MAIL FROM:<alice@example.test>", f"RCPT TO:<r@{name}.test>"):
            assert wire.code(command) == 250
        code = wire.smtp(f"BDAT {len(sent)} LAST\r\n".encode() + sent)[0]
    if code == 250:
        site.wait_for(lambda: server.mails, 10, "the mail")
        assert len(server.mails) == 1 and not re.search(rb"(?<!\r)\n|\r(?!\n)", server.mails[0].wire), server.mails[0].wire
    else:
        assert code // 100 in (4, 5) and server.mails == []
