"""MTA-STS end to end: a domain, its mail server, its web server with a policy, and what postern does with mail for it."""
import itertools
import os
import signal
import time

import pytest

import authority
import outlab
from place import MESSAGE, anchor, expired, issued, make, self_signed  # noqa: F401
from policyhost import PolicyHost, http, policy

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))

MX = "@ MX 10 mx\nmx A {a}\n"
LOOK_SECONDS = 60  # a record is not looked for more often (src/queue/policy.c)
numbers = itertools.count(999, -1)  # downwards: place.py tells why
trusted = issued("mx.{name}")


@pytest.fixture(scope="module")
def site(world):
    return world.site(start=True, limits="retry_first = 1s\nretry_last = 3s")


@pytest.fixture(scope="module")
def anchor(world):  # noqa: F811
    """What certificates are issued by is what relay.ca_file trusts."""
    return world.authority


class Domain:
    """A domain with a policy. hosts: of the policy; web: names in the web server's certificate; answer: the web server's, instead of the
    policy; more: further records; options: of Place."""

    def __init__(self, world, make, mode="enforce", hosts=("mx.{name}",), max_age=86400, cert=trusted, web=("mta-sts.{name}",), web_options=None,
                 answer=None, more="", signed=False, **options):
        self.name = f"s{next(numbers)}.test"
        self.signed, self.more = signed, more
        self.policy = self.text(mode, *hosts, max_age=max_age)
        certificate = world.authority.issue(*(n.format(name=self.name) for n in web), **(web_options or {}))
        self.web = PolicyHost(world.address(), certificate, self.policy if answer is None else answer)
        self.place = make(self.zone("one"), name=self.name, cert=cert, signed=signed, **options)
        self.submit, self.delivered, self.kept = self.place.submit, self.place.delivered, self.place.kept
        self.site, self.server = self.place.site, self.place.server

    def text(self, mode, *hosts, **options):
        return policy(mode, *(h.format(name=self.name) for h in hosts), **options)

    def zone(self, policy_id):
        """The zone's text; without an id: no record of a policy."""
        record = f'_mta-sts TXT "v=STSv1; id={policy_id};"\n' if policy_id else ""
        return f"{MX}{record}mta-sts A {self.web.address}\n{self.more}"

    def publish(self, policy_id):
        self.place.publish(self.zone(policy_id), signed=self.signed)

    def told(self):
        """What the log says of looking for the policy."""
        return [e["why"] for e in self.site.events("sts") if e["why"].startswith(f"{self.name}: ")]

    def known(self):
        """What `tls show' tells: the policy, and what is counted for TLS reports under it."""
        shown = self.site.json("tls", "show", self.name)
        return shown["sts"], next((r for r in shown["reports"] if r["policy"] == "sts"), None)

    def fetched(self):
        return len(self.web.requests)


@pytest.fixture
def domain(world, make):  # noqa: F811
    made = []

    def one(**options):
        made.append(Domain(world, make, **options))
        return made[-1]

    yield one
    for d in made:
        d.web.close()


def levels(line):
    return line["tls_wanted"], line["tls_got"]


# --- enforce

@pytest.mark.parametrize("hosts", [("mx.{name}",), ("*.{name}",), ("other.test", "MX.{name}")])
def test_enforced_and_right(domain, hosts):
    d = domain(hosts=hosts)
    d.submit()
    line = d.delivered()
    assert levels(line) == ("verify", "verify") and "MTA-STS" in line["tls_why"], line
    assert d.fetched() == 1 and d.told() == []
    policy, report = d.known()
    assert (policy["id"], policy["mode"], policy["mx"]) == ("one", "enforce", [h.format(name=d.name) for h in hosts])
    assert (report["successful"], report["failed"]) == (1, 0)


WRONG_CERTIFICATES = {
    "signed by nobody": (self_signed, "certificate-not-trusted"),
    "another name": (issued("wrong.{name}"), "certificate-host-mismatch"),
    "the domain's name": (issued("{name}"), "certificate-host-mismatch"),
    "expired": (issued("mx.{name}", **authority.EXPIRED), "certificate-expired"),
}


@pytest.mark.parametrize("row", WRONG_CERTIFICATES)
def test_enforced_and_the_certificate_is_wrong(domain, row):
    cert, result = WRONG_CERTIFICATES[row]
    d = domain(cert=cert)
    d.submit()
    line = d.kept(2)
    assert line["tls_wanted"] == "verify" and line["tls_got"] != "verify" and line["dsn"].startswith("4.7."), line
    assert set(d.known()[1]["results"]) == {result}
    d.server.tls = trusted(d.place)  # mended; nobody does anything else
    assert levels(d.delivered()) == ("verify", "verify")
    assert d.fetched() == 1


def test_enforced_and_no_starttls(domain):
    d = domain(server={"tls": None})
    d.submit()
    line = d.kept(2)
    assert levels(line) == ("verify", "none"), line
    assert not d.server.heard("MAIL")
    assert set(d.known()[1]["results"]) == {"starttls-not-supported"}


@pytest.mark.parametrize("hosts", [("other.test",), ("*.mx.{name}",), ("{name}",)])
def test_enforced_and_the_host_is_not_listed(domain, hosts):
    d = domain(hosts=hosts)
    d.submit()
    line = d.kept(2)
    assert levels(line) == ("verify", "none") and line["dsn"].startswith("4.7.") and "MTA-STS" in line["tls_why"], line
    assert d.server.sessions == []
    assert set(d.known()[1]["results"]) == {"validation-failure"}


def test_the_listed_host_when_another_is_better(domain, world):
    d = domain(more="@ MX 5 stray\nstray A 192.0.2.201\n")
    with d.place.another("192.0.2.201") as stray:
        d.submit()
        assert d.delivered()["host"] == f"mx.{d.name}"
    assert stray.sessions == []


# --- testing, none

def test_testing_delivers_and_tells(domain):
    d = domain(mode="testing", cert=self_signed)
    d.submit()
    line = d.delivered()
    assert levels(line) == ("may", "encrypt") and "testing" in line["tls_why"], line
    assert d.fetched() == 1
    policy, report = d.known()
    assert policy["mode"] == "testing" and report["results"] == {"certificate-not-trusted": 1}


def test_testing_and_the_host_is_not_listed(domain):
    d = domain(mode="testing", hosts=("other.test",))
    d.submit()
    assert levels(d.delivered()) == ("may", "encrypt")
    assert d.known()[1]["results"] == {"validation-failure": 1}


def test_none(domain):
    d = domain(mode="none", cert=self_signed, hosts=())
    d.submit()
    assert levels(d.delivered()) == ("may", "encrypt")
    policy, report = d.known()
    assert policy["mode"] == "none" and report is None


# --- what is no policy: mail goes as if there were none (RFC 8461 3.3)

FETCH, WEBPKI, INVALID = "sts-policy-fetch-error", "sts-webpki-invalid", "sts-policy-invalid"
NOTHING_TO_OBEY = {
    "another name in the web server's certificate": ({"web": ("www.{name}",)}, "certificate", WEBPKI),
    "the web server's certificate has expired": ({"web_options": authority.EXPIRED}, "certificate", WEBPKI),
    "redirect": ({"answer": http("", "302 Found\r\nLocation: https://example.test/")}, "302", FETCH),
    "70 KB": ({"answer": http("x" * 70000)}, "more than 65536 bytes", FETCH),
    "wrong type": ({"answer": http(policy("enforce", "other.test"), kind="text/html")}, "text/plain", INVALID),
    "gone": ({"answer": http("", "404 Not Found")}, "404", FETCH),
    "nonsense": ({"answer": http("hello")}, "line 1", INVALID),
}


@pytest.mark.parametrize("row", NOTHING_TO_OBEY)
def test_what_is_no_policy(domain, row):
    options, words, result = NOTHING_TO_OBEY[row]
    d = domain(hosts=("other.test",), **options)
    d.submit()
    line = d.delivered()
    assert line["tls_wanted"] == "may", line
    assert len(d.told()) == 1 and words in d.told()[0], d.told()
    policy, report = d.known()
    assert policy is None and report["results"] == {result: 1}


@pytest.mark.parametrize("record", ['"v=STSv1; id=a-b;"', '"v=STSv2; id=one;"', '"v=STSv1; id=one;"\n_mta-sts TXT "v=STSv1; id=two;"'])
def test_what_is_no_record(domain, record):
    d = domain(hosts=("other.test",))
    d.place.publish(d.zone(None) + f"_mta-sts TXT {record}\n", signed=False)
    d.submit()
    assert d.delivered()["tls_wanted"] == "may"
    assert d.fetched() == 0


def test_a_record_behind_an_alias_and_in_pieces(domain):
    d = domain(hosts=("other.test",))
    d.place.publish(d.zone(None) + '_mta-sts CNAME real\nreal TXT "v=STSv1; " "id=one" ";"\n', signed=False)
    d.submit()
    d.kept()
    assert d.fetched() == 1


def test_a_policy_is_not_that_of_the_subdomain(domain):
    """RFC 8461 3.4"""
    d = domain(hosts=("other.test",), more="sub MX 10 mx\n")
    d.submit(to=f"bob@sub.{d.name}")
    line = d.place.wait("deliver", to=f"bob@sub.{d.name}")
    assert line["tls_wanted"] == "may", line
    assert d.fetched() == 0


# --- with DANE

def test_dane_comes_first(domain):
    d = domain(hosts=("other.test",), signed=True, cert=self_signed, more="_25._tcp.mx TLSA {t311}\n")
    d.submit()
    assert levels(d.delivered()) == ("dane", "dane")


def test_dane_that_fails_is_not_saved_by_a_policy(domain):
    d = domain(signed=True, more="_25._tcp.mx TLSA {w311}\n")
    d.submit()
    assert d.kept()["tls_wanted"] == "dane"


# --- what is known

def test_what_is_known_is_not_fetched_again(domain):
    d = domain()
    for n in range(1, 4):
        d.site.submit("alice", [d.place.to], MESSAGE)
        d.place.wait("deliver", n)
    assert d.fetched() == 1


def test_what_is_known_survives_a_restart(domain):
    d = domain(hosts=("other.test",))
    d.submit()
    d.kept()
    d.site.stop()
    d.web.answer = http("", "404 Not Found")
    before = len(d.site.events("defer", to=d.place.to))
    d.site.start()
    d.site.postern("queue", "retry", "--to", d.name)
    assert d.kept(before + 1)["dsn"].startswith("4.7.")
    assert d.fetched() == 1


def test_the_end_of_the_process_that_fetches(domain):
    """Nobody knows whether there is a policy: mail goes as without one, and the process is there again."""
    d = domain(hosts=("other.test",))
    d.web.answer = None
    d.submit()
    d.site.wait_for(lambda: d.fetched() == 1, 20, "the request")
    pid = d.site.pids("fetch")[0]
    os.kill(pid, signal.SIGKILL)
    assert d.delivered()["tls_wanted"] == "may"
    d.site.wait_for(lambda: d.site.pids("fetch") not in ([], [pid]), 20, "another fetch process")
    # a log of its own for a death that was meant
    d.site.stop()
    d.site.check_log(killed=True)
    d.site.log_path.unlink()
    d.site.start()


def test_time_goes_by(domain, world):
    """All that takes its minute, side by side: a policy that changes, one that goes, one that grows old, one that never comes."""
    changes, gone, old = domain(hosts=("other.test",)), domain(hosts=("other.test",)), domain(max_age=90)
    hangs = domain(answer=b"")
    hangs.web.answer = None
    for d in (changes, gone, old, hangs):
        d.submit()
    changes.kept()
    gone.kept()
    old.delivered()
    begin = time.monotonic()

    changes.web.answer = http(changes.text("enforce", "mx.{name}"))
    changes.publish("two")
    gone.web.answer = http("", "404 Not Found")
    gone.publish(None)
    assert levels(changes.delivered(wait=LOOK_SECONDS + 60)) == ("verify", "verify")
    assert changes.fetched() == 2

    assert hangs.delivered(wait=60)["tls_wanted"] == "may"
    assert "imed out" in hangs.told()[0]

    # the id is the same, and half of its time is over
    old.site.wait_for(lambda: time.monotonic() > begin + LOOK_SECONDS + 5, LOOK_SECONDS + 10, "the time of the old policy")
    old.submit()
    old.place.wait("deliver", 2)
    assert old.fetched() == 2

    # the record is not there any more: what is known stays in force
    seen = len(gone.site.events("defer", to=gone.place.to))
    gone.kept(seen + 1)
    assert gone.fetched() == 1
