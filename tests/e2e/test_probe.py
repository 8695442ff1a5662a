"""`postern tls probe`: postern's own ports, and servers that are wrong in one way each."""
import json
import re
import ssl
import threading
import time

import pytest

import misdeeds
import mtas
import outlab
import unpacked
from authority import EXPIRED
from badmx import Server
from command import postern
from policyhost import PolicyHost, http, policy
from resolver import Resolver

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))

PORTS = {"submission": 587, "submissions": 465, "imap": 143, "imaps": 993}
SECONDS = 40  # more than a probe may take


@pytest.fixture(scope="module")
def site(world):
    """postern on the ports that everybody knows, with a certificate of the laboratory's CA and a TLSA record."""
    site = world.site()
    site.listen |= {service: (f"{outlab.POSTERN}:{port}",) for service, port in PORTS.items()}
    site.write_conf()
    return site.start()


def probe(site, target, status=0):
    began = time.monotonic()
    done = site.postern("tls", "probe", target, "--json", check=False, timeout=SECONDS)
    assert done.returncode == status, done.stdout + done.stderr
    assert time.monotonic() - began < SECONDS and "Sanitizer" not in done.stderr, done.stderr
    return json.loads(done.stdout)


def only_port(answer):
    assert len(answer["hosts"]) == 1 and len(answer["hosts"][0]["ports"]) == 1
    return answer["hosts"][0]["ports"][0]


def found(port, check, level, words=""):
    """Is there such a finding?"""
    return any(f["check"] == check and f["level"] == level and words in f["words"] for f in port["findings"])


def worst(port):
    return [f for f in port["findings"] if f["level"] in ("warn", "bad")]


class Odd(Server):
    """A played server with a word about its ciphers, careful with what stands behind STARTTLS unless it is told otherwise."""

    def __init__(self, address, ciphers=None, careful=True, **options):
        self.ciphers, self.careful = ciphers, careful
        options["script"] = {"starttls": self.starttls} | options.get("script", {})
        super().__init__(address, **options)

    def starttls(self, session, _):
        session.say("220 2.0.0 go")
        kept, session.buffer = session.buffer, b""
        session.handshake()
        session.buffer = b"" if self.careful else kept

    def context(self, on_name):
        context = super().context(on_name)
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        return context


@pytest.fixture
def played(world):
    """Makes a played server mx.NAME.test for the domain NAME.test, with a right certificate and TLSA record unless told otherwise."""
    servers = []

    def make(name, cert=None, tlsa=True, signed=True, more="", **options):
        address = world.address()
        cert = cert or world.authority.issue(f"mx.{name}.test")
        record = "" if tlsa is False else f"_25._tcp.mx TLSA {cert.tlsa() if tlsa is True else tlsa}\n"
        world.zone(f"{name}.test", f"@ MX 10 mx\nmx A {address}\n{record}{more}", signed=signed)
        servers.append(Odd(address, tls=cert, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def test_postern_itself(site):
    answer = probe(site, "example.test")
    host = answer["hosts"][0]
    assert answer["by_mx"] and answer["grade"] == "A+" and host["name"] == "mx.example.test"
    assert [p["port"] for p in host["ports"]] == [25, 587, 465, 143, 993]
    for port in host["ports"]:
        assert (port["grade"], worst(port), port["complete"]) == ("A+", [], True), port
        tls = port["tls"]
        spoken = [v["version"] for v in tls["versions"] if v["spoken"]]
        assert spoken == ["TLS 1.2", "TLS 1.3"] and all(v["complete"] for v in tls["versions"])
        assert tls["groups"] == ["x25519", "secp256r1", "secp384r1"]
        assert tls["certificate"]["known_ca"] and tls["certificate"]["name_matches"]
        assert tls["certificate"]["chain"][0]["names"] == ["mx.example.test"]
        assert tls["auth_before_tls"] == "" and tls["renegotiation"] == "no"
        assert tls["injection"] == ("unknown" if port["implicit"] else "no")
        assert tls["dane_matches"] == ("yes" if port["port"] == 25 else "unknown")
        assert ("PLAIN" in tls["auth_inside_tls"]) == (port["port"] != 25)
        names = {c["name"] for v in tls["versions"] for c in v["ciphers"]}
        assert "TLS_AES_128_GCM_SHA256" in names and "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" in names
        assert not any(c["worth"] in ("weak", "broken", "anonymous") for v in tls["versions"] for c in v["ciphers"])


def test_in_words(site):
    done = site.postern("tls", "probe", "mx.example.test:993", timeout=SECONDS)
    assert f"mx.example.test [{outlab.POSTERN}] port 993, IMAP inside TLS: grade A+" in done.stdout
    assert "good    certificate" in done.stdout and done.stdout.endswith("Grade of mx.example.test: A+\n")


def test_by_address(site):
    """No name: nothing to compare with, no DANE; the loopback ports of the site are of no known service."""
    port = only_port(probe(site, f"127.0.0.1:{site.ports['imaps']}"))
    assert (port["protocol"], port["implicit"], port["reached"]) == ("imap", True, "tls")
    port = only_port(probe(site, f"[{outlab.POSTERN6}]:25"))
    assert (port["protocol"], port["implicit"], port["grade"]) == ("smtp", False, "A")
    assert found(port, "certificate", "notice", "no name to compare")


def test_played_server_is_good(site, played):
    played("well")
    port = probe(site, "well.test")["hosts"][0]["ports"][0]
    assert found(port, "dane", "good", "vouches") and port["tls"]["injection"] == "no"
    assert port["grade"] in ("A+", "A", "B"), port  # Python's defaults


def test_old_version_only(site, played):
    played("ancient", versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1), ciphers="ALL:@SECLEVEL=0")
    port = only_port(probe(site, "mx.ancient.test:25"))
    assert [v["version"] for v in port["tls"]["versions"] if v["spoken"]] == ["TLS 1.0"]
    assert found(port, "versions", "warn", "TLS 1.0 is spoken") and found(port, "versions", "bad", "neither TLS 1.2 nor")
    assert found(port, "dane", "bad", "do not deliver") and port["grade"] == "F"


def test_weak_ciphers(site, played):
    played("weak", versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2), ciphers="ECDHE:aNULL:eNULL:@SECLEVEL=0")
    port = only_port(probe(site, "mx.weak.test:25"))
    assert found(port, "ciphers", "bad", "nothing is encrypted") and found(port, "ciphers", "notice", "without a certificate")
    assert found(port, "versions", "notice", "no TLS 1.3") and port["grade"] == "D"


SSL3 = bytes.fromhex("160300002a" "020000260300" + 64 * "0" + "00000501")  # RC4, compressed


def test_what_openssl_does_not_speak(site, played):
    """A server that answers SSL 3 to whoever asks for it."""
    def handshake(session, _):
        hello = session.socket.recv(5, 2)
        if hello[1:3] == b"\3\0":
            session.send(SSL3)
            raise misdeeds.Over
        return session.shake_hands("")

    played("poodle", script={"handshake": handshake})
    port = only_port(probe(site, "mx.poodle.test:25"))
    assert found(port, "versions", "bad", "SSL 3") and found(port, "ciphers", "bad", "RC4") and port["grade"] == "D"
    assert found(port, "compression", "warn")


@pytest.mark.parametrize("name, names, when, words", [
    ("expired", ("mx.expired.test",), EXPIRED, "expired"),
    ("othername", ("mx.elsewhere.test",), {}, "other names"),
    ("nobody", None, {}, "self-signed"),
])
def test_wrong_certificates(site, world, played, name, names, when, words):
    """Without DANE they cost; a TLSA record of the certificate itself makes them good; a mail program refuses them."""
    cert = world.authority.issue(*names, **when) if names else world.authority.self_signed(f"mx.{name}.test", (f"mx.{name}.test",), ca=False)
    server = played(name, cert=cert, tlsa=False)
    port = only_port(probe(site, f"mx.{name}.test:25"))
    assert found(port, "certificate", "warn", words) and port["grade"] == "C", port["findings"]
    assert found(port, "dane", "notice", "no TLSA records")
    world.zone(f"{name}.test", f"@ MX 10 mx\nmx A {server.address}\n_25._tcp.mx TLSA {cert.tlsa()}\n")
    time.sleep(1.1)
    port = only_port(probe(site, f"mx.{name}.test:25"))
    assert found(port, "certificate", "notice", words) and found(port, "dane", "good") and not worst(port)
    with Odd(server.address, port=587, tls=cert):
        port = only_port(probe(site, f"mx.{name}.test:587"))
        assert found(port, "certificate", "bad", words) and port["grade"] == "D"


@pytest.mark.parametrize("record, level, words", [
    ("3 1 1 " + "ab" * 32, "bad", "no TLSA record matches"),
    ("1 1 1 " + "ab" * 32, "warn", "no TLSA record of mx.tlsa.test is usable"),
])
def test_tlsa_that_does_not_fit(site, played, record, level, words):
    played("tlsa", tlsa=record)
    port = probe(site, "tlsa.test")["hosts"][0]["ports"][0]
    assert found(port, "dane", level, words)
    assert (port["grade"] == "F") == (level == "bad")


def test_rollover(site, world, played):
    cert = world.authority.issue("mx.roll.test")
    played("roll", cert=cert, more=f"_25._tcp.mx TLSA 3 1 1 {'cd' * 32}\n")
    port = probe(site, "roll.test")["hosts"][0]["ports"][0]
    assert found(port, "dane", "good") and found(port, "dane", "notice", "1 of 2 TLSA records fits")


def test_no_dane_where_nothing_is_signed(site, played):
    played("plain", signed=False)
    port = probe(site, "plain.test")["hosts"][0]["ports"][0]
    assert found(port, "dane", "notice", "MX records are not signed") and found(port, "protection", "notice") and port["tls"]["dane_matches"] == "unknown"


def test_starttls_is_stripped(site, played):
    played("stripped", script={"ehlo": "250-mx.stripped.test\r\n250 SIZE"})
    port = only_port(probe(site, "mx.stripped.test:25"))
    assert (port["reached"], port["grade"]) == ("no tls", "F") and found(port, "starttls", "bad", "no STARTTLS is offered")


def test_starttls_is_not_obeyed(site, played):
    played("refusing", script={"starttls": "454 4.7.0 not now"})
    port = only_port(probe(site, "mx.refusing.test:25"))
    assert port["grade"] == "F" and found(port, "starttls", "bad", "then refused")


def test_no_handshake_behind_starttls(site, played):
    played("broken", script={"handshake": misdeeds.raw(b"\x15\x03\x01\x00\x02\x02\x28")})
    port = only_port(probe(site, "mx.broken.test:25"))
    assert port["grade"] == "F" and found(port, "starttls", "bad", "no handshake succeeds")


def test_injection_is_found(site, played):
    played("careless", careful=False)
    port = only_port(probe(site, "mx.careless.test:25"))
    assert port["tls"]["injection"] == "yes" and port["grade"] == "F" and found(port, "injection", "bad")


def test_passwords_in_the_clear(site, played):
    played("naive", script={"ehlo": "250-mx.naive.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"})
    port = only_port(probe(site, "mx.naive.test:25"))
    assert found(port, "login", "bad", "AUTH PLAIN LOGIN") and port["grade"] == "C"


def test_nobody_is_there(site, world):
    world.zone("empty.test", f"@ MX 10 mx\nmx A {world.address()}\n")
    assert "grade" in probe(site, "empty.test", status=75)
    assert probe(site, f"{world.dead()}:25", status=75)["grade"] == "-"
    assert probe(site, "no-such-name.test", status=1)["grade"] == "-"
    assert site.postern("tls", "probe", "a b", check=False).returncode == 2
    assert site.postern("tls", "probe", "mx.example.test:0", check=False).returncode == 2


def test_without_a_trust_anchor(site, tmp_path):
    conf = tmp_path / "conf"
    conf.write_text(re.sub(r'trust_anchor = "[^"]*"', f'trust_anchor = "{tmp_path}/none"', site.conf.read_text()))
    for words in (("tls", "probe", "example.test"), ("dns", "check")):
        status, out, err = postern(*words, conf=conf)
        assert (status, out) == (1, "") and "install dns-root-data or set dns.trust_anchor" in err


@pytest.mark.parametrize("script", [
    {"greet": misdeeds.endless(b"220-welcome\r\n")},
    {"greet": misdeeds.endless(b"x")},
    {"greet": misdeeds.silent},
    {"ehlo": misdeeds.endless(b"250-AUTH PLAIN\r\n")},
    {"starttls": misdeeds.endless(b"220-go\r\n")},
    {"handshake": misdeeds.endless(b"\x16\x03\x03\x40\x00" + bytes(0x4000))},
    {"handshake": misdeeds.endless(b"\x15\x03\x01\x00\x02\x01\x70")},
    {"handshake": misdeeds.silent},
    {"quit": misdeeds.endless(b"250-no\r\n")},
], ids=["greeting", "line", "silence", "capabilities", "starttls", "records", "warnings", "no handshake", "goodbye"])
def test_hostile_servers(site, world, script):
    """They cost no more than the time that a probe has."""
    address = world.address()
    server = Odd(address, tls=world.authority.issue("mx.hostile.test"), script=script)
    try:
        began = time.monotonic()
        done = site.postern("tls", "probe", f"{address}:25", check=False, timeout=SECONDS)
        assert done.returncode in (0, 75) and time.monotonic() - began < 32 and "Sanitizer" not in done.stderr, done.stdout + done.stderr
    finally:
        server.stop()


STS = '_mta-sts TXT "v=STSv1; id=1"\nmta-sts A {}\n'


@pytest.mark.parametrize("answer, level, words, grade", [
    (policy("enforce", "mx.sts.test"), "good", "enforced and met", "A+"),
    (policy("enforce", "*.sts.test"), "good", "enforced and met", "A+"),
    (policy("testing", "mx.sts.test"), "notice", "only tested", "A"),
    (policy("none"), "notice", "demands nothing", "A"),
    (policy("enforce", "mx.elsewhere.test"), "bad", "the host is not in it", "F"),
    (policy("testing", "mx.elsewhere.test"), "warn", "the host is not in it", "B"),
    ("version: STSv2\r\n", "warn", "the policy", "B"),
    (http("", status="404 Not Found"), "warn", "answers 404", "B"),
    (http(policy("enforce", "mx.sts.test"), kind="text/html"), "warn", "not text/plain", "B"),
])
def test_mta_sts(site, world, played, answer, level, words, grade):
    where = world.address()
    played("sts", tlsa=False, more=STS.format(where), ciphers="ECDHE+AESGCM")
    with PolicyHost(where, world.authority.issue("mta-sts.sts.test"), answer):
        time.sleep(1.1)  # what stood in DNS before is forgotten
        result = probe(site, "sts.test")
    port = result["hosts"][0]["ports"][0]
    assert found(port, "mta-sts", level, words) and port["grade"] == grade, port["findings"]
    assert result["mta_sts"]["status"] == "record"
    assert result["mta_sts"]["mode"] == ("" if level == "warn" and "host" not in words else answer.split("mode: ")[1].split("\r")[0])


def test_mta_sts_and_a_certificate_for_another_name(site, world, played):
    where = world.address()
    played("stsname", tlsa=False, cert=world.authority.issue("mx.elsewhere.test"), more=STS.format(where))
    with PolicyHost(where, world.authority.issue("mta-sts.stsname.test"), policy("enforce", "mx.stsname.test")):
        port = probe(site, "stsname.test")["hosts"][0]["ports"][0]
    assert found(port, "mta-sts", "bad", "certificate is not good") and port["grade"] == "F"


def test_mta_sts_records_that_make_no_sense(site, played):
    played("twosts", tlsa=False, more='_mta-sts TXT "v=STSv1; id=1"\n_mta-sts TXT "v=STSv1; id=2"\n')
    result = probe(site, "twosts.test")
    assert result["mta_sts"]["status"] == "broken" and found(result["hosts"][0]["ports"][0], "mta-sts", "warn")


def test_several_hosts(site, world):
    """The hosts of a domain in their order; the grade is that of the worst."""
    one, two = world.address(), world.address()
    good, bad = world.authority.issue("one.many.test"), world.authority.issue("elsewhere.test")
    world.zone("many.test", f"@ MX 20 two\n@ MX 10 one\n@ MX 30 three\none A {one}\ntwo A {two}\n_25._tcp.one TLSA {good.tlsa()}\n")
    with Odd(one, tls=good), Odd(two, tls=bad):
        answer = probe(site, "many.test")
    assert [h["name"] for h in answer["hosts"]] == ["one.many.test", "two.many.test", "three.many.test"]
    assert answer["hosts"][2]["ports"] == [] and answer["hosts"][2]["address_status"] == "nxdomain"
    assert answer["grade"] == answer["hosts"][1]["ports"][0]["grade"] == "C"


def test_without_a_running_server(world):
    """And with only so many connections at once."""
    site = world.site()
    address = world.address()
    seen, most, lock = [], [0], threading.Lock()

    class Counting(Odd):
        def starttls(self, session, argument):
            with lock:
                seen.append(session)
                most[0] = max(most[0], sum(1 for s in self.sessions if not s.end))
            return super().starttls(session, argument)

    server = Counting(address, tls=world.authority.issue("mx.quiet.test"))
    try:
        port = only_port(probe(site, f"{address}:25"))
        assert port["complete"] and len(seen) > 10 and most[0] <= 6  # some may still be seen to close
    finally:
        server.stop()


def test_a_server_that_takes_few_connections(site, world):
    """Refused connections are tried again, with fewer at once, until every question has its answer."""
    address = world.address()
    scripts = [{"greet": "421 4.3.2 too many"} if n % 3 == 1 else {} for n in range(100)]
    server = Odd(address, tls=world.authority.issue("mx.crowded.test"), script={})
    server.scripts = [{"starttls": server.starttls} | s for s in scripts]
    try:
        port = only_port(probe(site, f"{address}:25"))
        assert port["complete"] and all(v["complete"] for v in port["tls"]["versions"])
        assert len(server.sessions) > 30
    finally:
        server.stop()


@pytest.mark.parametrize("kind", [mtas.Postfix, mtas.Exim])
def test_servers_of_debian(site, world, kind):
    """As Debian installs them, with a certificate and a TLSA record; twice in a row, for Exim takes twenty connections at once."""
    if unpacked.missing(kind.__name__.lower()):
        pytest.skip(unpacked.missing(kind.__name__.lower()))
    resolver = Resolver(mtas.RESOLVER, world.anchor, world.hints)
    mta = kind(world)
    try:
        mta.start()
        for _ in range(2):
            port = probe(site, mta.domain)["hosts"][0]["ports"][0]
            assert (port["grade"], port["complete"], port["tls"]["injection"]) == ("B", True, "no"), port
            assert found(port, "dane", "good") and found(port, "versions", "warn", "TLS 1.0 and TLS 1.1")
            assert len(worst(port)) == 1 and "x25519" in port["tls"]["groups"]
    finally:
        mta.close()
        resolver.close()
