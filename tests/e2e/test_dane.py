"""DANE, row by row: a domain as its zones have it, a played mail server with a certificate, and what postern does with mail for
it: delivered under which demand, or kept, and the reason in the log."""
import time

import pytest

import authority
import misdeeds
import outlab
from dnslab import DAY
from place import MESSAGE, WITH_REQUIRETLS, anchor, expired, issued, make, self_signed  # noqa: F401

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))


@pytest.fixture(scope="module")
def site(world):
    return world.site(start=True, extra='route mandatory.test { tls = dane }')


MX = "@ MX 10 mx\nmx A {a}\n"
ONE = MX + "_25._tcp.mx TLSA "

USABLE = {
    "3 1 1": (ONE + "{t311}", self_signed),
    "3 0 1": (ONE + "{t301}", self_signed),
    "3 1 2": (ONE + "{t312}", self_signed),
    "3 0 0": (ONE + "{t300}", self_signed),
    "3 1 1, expired, wrong name": (ONE + "{t311}", expired),
    "2 0 1": (ONE + "{t201}", issued("mx.{name}")),
    "2 1 1": (ONE + "{t211}", issued("mx.{name}")),
    "2 0 1, name of the domain": (ONE + "{t201}", issued("{name}")),
    "2 1 1, any label": (ONE + "{t211}", issued("*.{name}")),
    "rollover": (ONE + "{w311}\n_25._tcp.mx TLSA {t311}", self_signed),
    "rollover to an anchor": (ONE + "{w311}\n_25._tcp.mx TLSA {t211}", issued("mx.{name}")),
    "unusable ones beside it": (ONE + "{t111}\n_25._tcp.mx TLSA {t311}", self_signed),
    "CNAMEd MX host, TLSA at its end": ("@ MX 10 mx\nmx CNAME real\nreal A {a}\n_25._tcp.real TLSA {t311}", self_signed),
    "CNAMEd MX host, TLSA at its beginning": ("@ MX 10 mx\nmx CNAME real\nreal A {a}\n_25._tcp.mx TLSA {t211}", issued("mx.{name}")),
    "CNAMEd TLSA": (MX + "_25._tcp.mx CNAME tlsa\ntlsa TLSA {t311}", self_signed),
    "no MX": ("@ A {a}\n_25._tcp TLSA {t211}", issued("{name}")),
}


@pytest.mark.parametrize("row", USABLE)
def test_what_vouches(make, row):
    zone, cert = USABLE[row]
    place = make(zone, cert=cert)
    place.submit()
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == ("dane", "dane") and line["tls_why"].startswith("DANE: "), line
    assert place.server.sessions[0].tls.startswith("TLSv1.")


WRONG = {
    "another key": (ONE + "{w311}", self_signed),
    "another certificate": (ONE + "{w301}", self_signed),
    "2 0 1, wrong name": (ONE + "{t201}", issued("wrong.test")),
    "2 1 1, wrong name": (ONE + "{t211}", issued("wrong.test")),
    "2 1 1, expired": (ONE + "{t211}", issued("mx.{name}", **authority.EXPIRED)),
    "2 0 1, another anchor": (ONE + "{w201}", issued("mx.{name}")),
    "2 1 1, nobody's signature": (ONE + "{t211}", self_signed),
}


@pytest.mark.parametrize("row", WRONG)
def test_what_does_not_vouch(make, row):
    zone, cert = WRONG[row]
    place = make(zone, cert=cert)
    place.submit()
    line = place.kept()
    assert line["tls_wanted"] == "dane" and line["tls_got"] != "dane" and line["dsn"].startswith("4.7."), line
    # the zone is mended, and nobody does anything else
    place.publish(ONE + "{t311}")
    assert place.delivered()["tls_got"] == "dane"


NOT_DANE = {
    "all unusable": (ONE + "{t111}\n_25._tcp.mx TLSA {t001}", {}, "encrypt"),
    "matching type that nobody knows": (ONE + "3 1 9 0011", {}, "encrypt"),
    "denied by NSEC": (MX, {}, "may"),
    "denied by NSEC3": (MX, {"signed": ("-n",)}, "may"),
    "TLSA on the wrong port": (MX + "_465._tcp.mx TLSA {w311}", {}, "may"),
    "delegation without DS": (ONE + "{w311}", {"vouched": False}, "may"),
    "not signed": (ONE + "{w311}", {"signed": False}, "may"),
    "insecure address": ("@ MX 10 mx.{beside}.", {"beside": "mx A {a}\n_25._tcp.mx TLSA {w311}"}, "may"),
    "insecure MX with TLSA": ("@ MX 10 mx.{beside}.", {"signed": False, "beside": "mx A {a}\n_25._tcp.mx TLSA {w311}", "beside_signed": True},
                              "may"),
    "insecure alias to a secure name": ("@ MX 10 mx.{beside}.\nreal A {a}\n_25._tcp.real TLSA {w311}",
                                        {"beside": "mx CNAME real.{name}.\n_25._tcp.mx TLSA {w311}"}, "may"),
}


@pytest.mark.parametrize("row", NOT_DANE)
def test_what_is_no_dane(make, row):
    """The certificate is worth nothing, and TLSA records that do not count do not fit it."""
    zone, options, wanted = NOT_DANE[row]
    place = make(zone, **options)
    place.submit()
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == (wanted, "encrypt"), line


def test_secure_alias_to_an_insecure_name(make):
    """The TLSA records of the alias itself count (RFC 7672 2.2.2)."""
    place = make("@ MX 10 mx\nmx CNAME host.{beside}.\n_25._tcp.mx TLSA {t311}", beside="host A {a}\n_25._tcp.host TLSA {w311}")
    place.submit()
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == ("dane", "dane") and f"of mx.{place.name}" in line["tls_why"], line


def past():
    return "-i", str(int(time.time()) - 20 * DAY), "-e", str(int(time.time()) - 10 * DAY)


KEPT = {
    "bogus TLSA": (ONE + "{t311}", {"forge": ("{t311}", "{w311}")}),
    "TLSA whose denial is forged": (MX + "_26._tcp.mx TLSA {t311}", {"forge": ("_26._tcp", "_25._tcp")}),
    "bogus MX": ("@ MX 10 mx\nmx A {a}\nnx A {a}\n_25._tcp.mx TLSA {t311}", {"forge": ("\t10 mx.", "\t10 nx.")}),
    "bogus address": (ONE + "{t311}", {"forge": ("\tA\t{a}", "\tA\t198.51.100.250")}),
    "expired signatures": (ONE + "{t311}", {"signed": past()}),
    "TLSA without an answer": (MX + "_tcp.mx NS ns.nowhere\nns.nowhere A 203.0.113.200", {}),
    "no name server": (ONE + "{t311}", {"served": False}),
}


@pytest.mark.parametrize("row", KEPT)
def test_what_keeps_mail(make, row):
    zone, options = KEPT[row]
    place = make(zone, **options)
    place.submit()
    line = place.kept(2)
    assert line["dsn"].startswith("4."), line
    assert not place.server.sessions


def test_the_other_host_when_one_is_bogus(make):
    place = make("@ MX 10 bad\n@ MX 20 mx\nbad A {a}\nmx A {a}\n_25._tcp.bad TLSA {t311}\n_25._tcp.mx TLSA {t312}",
                 forge=("{t311}", "{w311}"))
    place.submit()
    line = place.delivered()
    assert (line["host"], line["tls_got"]) == (f"mx.{place.name}", "dane"), line


def test_the_other_host_when_one_has_another_key(make):
    place = make("@ MX 10 bad\n@ MX 20 mx\nbad A {a}\nmx A 192.0.2.200\n_25._tcp.bad TLSA {w311}\n_25._tcp.mx TLSA {t311}")
    with place.another("192.0.2.200") as second:
        place.submit()
        line = place.wait("deliver")
    assert (line["host"], line["tls_got"]) == (f"mx.{place.name}", "dane") and len(second.mails) == 1 and not place.server.mails, line


def test_starttls_that_is_not_there(make):
    place = make(ONE + "{t311}", server={"tls": None})
    place.submit()
    line = place.kept(2)
    assert (line["tls_wanted"], line["tls_got"]) == ("dane", "none") and "not offered" in line["tls_why"], line
    assert all(word not in heard for s in place.server.sessions for heard in s.heard for word in ("MAIL", "RCPT", "DATA"))
    place.server.tls = place.cert
    assert place.delivered()["tls_got"] == "dane"


@pytest.mark.parametrize("step", ["refused", "dropped", "broken"])
def test_starttls_that_fails(make, step):
    script = {"refused": {"starttls": "454 4.7.0 not now"}, "dropped": {"handshake": misdeeds.close}, "broken": {"handshake": misdeeds.garbage}}
    place = make(ONE + "{t311}", server={"script": script[step]})
    place.submit()
    line = place.kept()
    assert (line["tls_wanted"], line["tls_got"]) == ("dane", "none"), line
    place.server.script = {}
    assert place.delivered()["tls_got"] == "dane"


def test_an_hour_without_dns(make, world):
    """Compressed: retries begin with a second. Nothing comes back, nobody asks without pause, and when the servers are there again it goes."""
    place = make(ONE + "{t311}", zone_server=outlab.OTHER)
    world.server(outlab.OTHER).stop()
    place.submit()
    lines = [place.kept(n, wait=120) for n in (1, 2, 3)]
    assert {line["dsn"] for line in lines} == {"4.4.3"}, lines
    world.server(outlab.OTHER).start()
    assert place.delivered(wait=120)["tls_got"] == "dane"


def test_a_rule_that_demands_dane(make):
    place = make(MX, name="mandatory.test")
    place.submit()
    assert "the rule demands dane" in place.kept()["reply"]
    place.publish(ONE + "{t311}")
    assert place.delivered()["tls_got"] == "dane"


# --- RFC 8689

def test_requiretls_over_dane(make):
    place = make(ONE + "{t311}", server={"keywords": WITH_REQUIRETLS})
    place.submit(mail_options=["REQUIRETLS"])
    assert place.delivered()["tls_got"] == "dane"
    assert "REQUIRETLS" in place.server.mails[0].parameters.upper()


def test_requiretls_that_is_not_offered(make):
    place = make(ONE + "{t311}")
    place.submit(mail_options=["REQUIRETLS"])
    assert place.bounced()["dsn"] == "5.7.30"


def test_requiretls_to_a_name_that_nothing_proves(make):
    place = make(MX, signed=False, server={"keywords": WITH_REQUIRETLS})
    place.submit(mail_options=["REQUIRETLS"])
    assert place.bounced()["dsn"] == "5.7.10"


def test_tls_required_no(make):
    place = make(ONE + "{w311}")
    place.site.submit("alice", [place.to], b"TLS-Required: No\r\n" + MESSAGE)
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == ("may", "encrypt") and "TLS-Required: No" in line["tls_why"], line
