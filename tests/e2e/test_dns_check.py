"""`postern dns records' and `postern dns check': what is printed is what is right, and each fault is told with what mends it."""
import json

import pytest

import outlab
from outlab import LEAVES, ROOT, Zone
from policyhost import PolicyHost, policy

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))

REVERSE = {outlab.POSTERN: "1.100.51.198.in-addr.arpa", outlab.POSTERN6: "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"}


@pytest.fixture(scope="module")
def site(world):
    """Not running: nothing here needs a server."""
    return world.site()


@pytest.fixture(scope="module")
def printed(site):
    """What is to be published, as `dns records` prints it."""
    return site.postern("dns", "records").stdout


@pytest.fixture(scope="module")
def reverse(world):
    """Makes the zone arpa., with a PTR for each of the addresses."""
    zone = Zone(world, "arpa", "", server=LEAVES)

    def publish(names):
        zone.change("".join(f"{REVERSE[address]}. PTR {name}.\n" for address, name in names.items()))
        world.server(LEAVES).publish(zone)
        world.root.records = world.top.delegation() + zone.delegation()
        world.server(ROOT).publish(world.root)

    publish({address: "mx.example.test" for address in REVERSE})
    return publish


@pytest.fixture
def right(world, printed, reverse):
    """Publishes what was printed, changed by a function."""
    def publish(change=lambda text: text, **options):
        world.zone("example.test", change(printed), **options)

    publish()
    yield publish
    publish()
    reverse({address: "mx.example.test" for address in REVERSE})


def check(site, *words, status=0):
    done = site.postern("dns", "check", *words, "--json", check=False)
    assert done.returncode == status and "Sanitizer" not in done.stderr, done.stdout + done.stderr
    return json.loads(done.stdout)


def found(findings, about, level, words="", name=""):
    return [f for f in findings if f["about"] == about and f["level"] == level and words in f["words"] and name in f["name"]]


def faults(findings):
    return [f for f in findings if f["level"] in ("warn", "bad")]


def test_what_is_printed_is_right(site, right):
    findings = check(site)
    assert not faults(findings)
    for about, count in {"MX": 1, "SPF": 2, "TLS reports": 1, "services": 4, "address": 2, "PTR": 2, "DNSSEC": 2, "TLSA": 1}.items():
        assert len(found(findings, about, "good")) == count, about
    assert found(findings, "DMARC", "notice", "asks for nothing") and found(findings, "MTA-STS", "notice", "mode: enforce")
    assert sorted({f["about"] for f in findings if f["level"] != "good"}) == ["DMARC", "MTA-STS"]


def test_in_words(site, right):
    right(lambda text: text.replace("v=spf1 mx -all", "v=spf1 -all"))
    done = site.postern("dns", "check", check=False)
    assert done.returncode == 1 and "1 of these findings are bad" in done.stderr
    assert "bad     SPF" in done.stdout and "does not allow this server to send" in done.stdout
    assert done.stdout.split("To publish")[1].splitlines()[2].split() == ["example.test.", "IN", "TXT", '"v=spf1', "mx", '-all"']


def drop(name):
    """Without the records of a name."""
    return lambda text: "".join(line + "\n" for line in text.splitlines() if not line.startswith(name))


def put(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new)
    return change


def more(line):
    return lambda text: text + line + "\n"


def instead(name, line):
    return lambda text: drop(name)(text) + line + "\n"


HASH = "ab" * 32
FAULTS = [
    (drop("example.test. "), "MX", "bad", "no MX record", "IN MX   10 mx.example.test."),
    (put("MX   10 mx.example.test.", "MX 10 mail.other.test."), "MX", "bad", "points to mail.other.test, not here", "IN MX   10 mx.example.test."),
    (put("MX   10 mx.example.test.", "MX 0 ."), "MX", "bad", "takes no mail", "IN MX"),
    (more("example.test. MX 20 mail.other.test."), "MX", "notice", "1 other hosts", ""),
    (drop("example.test. "), "SPF", "warn", "no record", '"v=spf1 mx -all"'),
    (put("v=spf1 mx -all", "v=spf1 mx"), "SPF", "warn", "forbids nobody", '"v=spf1 mx -all"'),
    (put("v=spf1 mx -all", "v=spf1 +all"), "SPF", "bad", "everybody may send", '"v=spf1 mx -all"'),
    (put("v=spf1 mx -all", "v=spf1 ip4:192.0.2.0/24 -all"), "SPF", "bad", "does not allow", '"v=spf1 mx -all"'),
    (put("v=spf1 mx -all", "v=spf1 include:x.test -all"), "SPF", "notice", "includes", ""),
    (put("v=spf1 mx -all", "v=spf1 mxx -all"), "SPF", "bad", "makes no sense", '"v=spf1 mx -all"'),
    (more('example.test. TXT "v=spf1 a -all"'), "SPF", "bad", "2 records", ""),
    (drop("_dmarc."), "DMARC", "warn", "no record", "p=none"),
    (put("p=none", "p=reject"), "DMARC", "good", "p=reject", ""),
    (put("p=none", "p=reject; t=y; pct=10"), "DMARC", "notice", "not to do it yet", ""),
    (put("p=none", "p=reject; t=y; pct=10"), "DMARC", "notice", "count no more", ""),
    (put("p=none", "p=block"), "DMARC", "bad", "none of none, quarantine, reject", "p=none"),
    (more('_dmarc.example.test. TXT "v=DMARC1; p=reject"'), "DMARC", "bad", "2 records", ""),
    (drop("_smtp."), "TLS reports", "notice", "no record", "rua=mailto:postmaster@example.test"),
    (instead("_smtp.", '_smtp._tls.example.test. TXT "v=TLSRPTv1; rua=postmaster"'), "TLS reports", "bad", "neither mailto: nor https:", "rua=mailto:"),
    (drop("_imaps."), "services", "notice", "by hand", "IN SRV  0 1 "),
    (instead("_imaps.", "_imaps._tcp.example.test. SRV 0 1 9 mail.other.test."), "services", "warn", "leads to mail.other.test port 9", "IN SRV"),
    (instead("_imaps.", "_imaps._tcp.example.test. SRV 0 0 0 ."), "services", "warn", "no such service", "IN SRV"),
    (drop("mx.example.test. "), "address", "bad", "no address", "IN A"),
    (put(f"IN A    {outlab.POSTERN}", "IN A 203.0.113.77"), "address", "notice", "203.0.113.77 is no address of this machine", ""),
    (put(f"IN A    {outlab.POSTERN}", "IN A 203.0.113.77"), "address", "notice", f"{outlab.POSTERN} of this machine is not published", f"IN A    {outlab.POSTERN}"),
    (put(f"IN A    {outlab.POSTERN}", "IN A 10.1.2.3"), "address", "bad", "10.1.2.3 is a private address", ""),
    (put(f"IN A    {outlab.POSTERN}", "IN A 203.0.113.77"), "PTR", "bad", "no PTR record", "77.113.0.203.in-addr.arpa."),
    (put("v=spf1 a -all", "something else"), "SPF", "notice", "bounces", '"v=spf1 a -all"'),
    (drop("_25._tcp"), "TLSA", "notice", "no record", "TLSA 3 1 1 "),
    (instead("_25._tcp", f"_25._tcp.mx.example.test. TLSA 3 1 1 {HASH}"), "TLSA", "bad", "fits another certificate", "TLSA 3 1 1 "),
    (put("TLSA 3 1 1 ", "TLSA 1 1 1 "), "TLSA", "warn", "PKIX usages do not count", "TLSA 3 1 1 "),
    (more(f"_25._tcp.mx.example.test. TLSA 3 1 1 {HASH}"), "TLSA", "notice", "right before and after a change", ""),
    (more('_mta-sts.example.test. TXT "v=STSv1"'), "MTA-STS", "bad", "", '"v=STSv1; id=1"'),
    (more('_mta-sts.example.test. TXT "v=STSv1; id=1"'), "MTA-STS", "bad", "a record and no policy", ""),
]


@pytest.mark.parametrize("change, about, level, words, mends", FAULTS, ids=[f"{f[1]}: {f[3]}" for f in FAULTS])
def test_faults(site, right, change, about, level, words, mends):
    right(change)
    done = site.postern("dns", "check", "--json", check=False)
    findings = json.loads(done.stdout)
    hits = found(findings, about, level, words)
    assert hits and mends in hits[0]["publish"] and bool(hits[0]["publish"]) == bool(mends), findings
    assert done.returncode == any(f["level"] == "bad" for f in findings)


def test_nothing_is_signed(site, right):
    right(signed=False)
    findings = check(site)
    assert len(found(findings, "DNSSEC", "notice", "not signed")) == 2 and found(findings, "TLSA", "notice", "nobody looks at them")
    assert not faults(findings)


def test_a_zone_that_validates_nowhere(site, right):
    right(wrecked=lambda text: text.replace("v=spf1 mx -all", "v=spf1 mx ~all"))
    findings = check(site, status=1)
    assert found(findings, "SPF", "bad", "DNSSEC proves the answer wrong")


def test_ptr_of_another_name(site, right, reverse):
    reverse({outlab.POSTERN: "pool-7.provider.test", outlab.POSTERN6: "mx.example.test"})
    findings = check(site)
    hits = found(findings, "PTR", "warn", "leads to pool-7.provider.test")
    assert hits and hits[0]["publish"].split() == [REVERSE[outlab.POSTERN] + ".", "IN", "PTR", "mx.example.test."]


def test_host_is_an_alias(site, world, right):
    world.zone("elsewhere.test", f"real A {outlab.POSTERN}\n")
    right(lambda text: "".join(line + "\n" for line in text.splitlines() if not line.startswith(("mx.", "_25"))) +
          "mx.example.test. CNAME real.elsewhere.test.\n")
    assert found(check(site, status=1), "address", "bad", "alias of real.elsewhere.test")


def test_mta_sts(site, world, right):
    where = world.address()
    right(lambda text: text + f'_mta-sts.example.test. TXT "v=STSv1; id=1"\nmta-sts.example.test. A {where}\n')
    with PolicyHost(where, world.authority.issue("mta-sts.example.test"), policy("enforce", "mx.example.test")) as host:
        assert found(check(site), "MTA-STS", "good", "enforced and lists this server")
        host.answer = host.answer.replace(b"mx: mx.", b"mx: my.")
        assert found(check(site, status=1), "MTA-STS", "bad", "does not list mx.example.test")
        host.answer = host.answer.replace(b"enforce", b"testing")
        assert found(check(site), "MTA-STS", "warn", "does not list mx.example.test")


def test_domains_of_the_directory_and_of_the_command(site, world, right):
    site.postern("domain", "add", "second.test")
    try:
        world.zone("second.test", "@ MX 10 mx.example.test.\n")
        assert "_dmarc.second.test." in site.postern("dns", "records").stdout
        findings = check(site)
        assert found(findings, "MX", "good", name="second.test") and found(findings, "DMARC", "warn", name="second.test")
        findings = check(site, "second.test")
        assert not found(findings, "MX", "good", name="example.test") and found(findings, "MX", "good", name="second.test")
    finally:
        site.postern("domain", "del", "second.test")
    assert site.postern("dns", "check", "not a name", check=False).returncode == 2


def test_policy_of_a_parent(site, world, right):
    world.zone("corp.test", '_dmarc TXT "v=DMARC1; p=reject; sp=quarantine"\na.b MX 10 mx.example.test.\n')
    hits = found(check(site, "a.b.corp.test"), "DMARC", "notice", "_dmarc.corp.test applies, with quarantine")
    assert hits and hits[0]["publish"].startswith("_dmarc.a.b.corp.test.")


def test_dns_is_out_of_order(site, world, right):
    world.zone("mute.test", "@ MX 10 mx", server=outlab.DEAD.split("/")[0], served=False)
    findings = check(site, "mute.test", status=1)
    assert found(findings, "MX", "bad", "no answer")
