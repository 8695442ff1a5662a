"""Mail to destinations that demand nothing: TLS where it is to be had, plain text where and when the operator's rule says, each step told."""
import pytest

import misdeeds
import outlab
from place import anchor, make  # noqa: F401

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))

MX = "@ MX 10 mx\nmx A {a}\n"


def nonsense(session, argument):
    """Garbage for an answer to the ClientHello. Before it, it would be taken for an attempt to inject commands."""
    session.need()
    return misdeeds.garbage(session, argument)


NO_HANDSHAKE = {"cut": {"handshake": misdeeds.close}, "nonsense": {"handshake": nonsense}}


@pytest.fixture(scope="module")
def sites(world):
    """plain_after → a server; all of them are one host to the world, so one at a time runs."""
    made = {}

    def site(plain_after):
        for other in made.values():
            other.stop()
        if plain_after not in made:
            made[plain_after] = world.site(relay=f"plain_after = {plain_after}", extra="route strict.test { tls = encrypt }\nroute none.test { tls = none }")
        return made[plain_after].start()

    return site


@pytest.fixture
def site(sites, request):
    return sites(getattr(request, "param", 1))


at = pytest.mark.parametrize


@at("signed", [True, False])
def test_a_certificate_that_proves_something_is_told(make, world, signed):
    """Nobody demanded it; a name that came from unsigned MX records is never called verified."""
    place = make(MX, cert=lambda p: world.authority.issue(f"mx.{p.name}"), signed=signed)
    place.submit()
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == ("may", "verify" if signed else "encrypt"), line


def test_no_starttls(make):
    place = make(MX, server={"tls": None})
    place.submit()
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == ("may", "none") and "no STARTTLS" in line["tls_why"], line
    assert len(place.server.sessions) == 1


def test_starttls_refused(make):
    place = make(MX, server={"script": {"starttls": "454 4.7.0 not now"}})
    place.submit()
    assert place.delivered()["tls_got"] == "none"


@at("how", NO_HANDSHAKE)
def test_plain_at_once(make, how):
    """plain_after = 1: on a new connection, in the same try."""
    place = make(MX, server={"script": NO_HANDSHAKE[how]})
    place.submit()
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == ("may", "none") and "plain text" in line["tls_why"], line
    assert not place.site.events("defer", to=place.to) and len(place.server.sessions) == 2


@at("site", [3], indirect=True)
def test_plain_after_three(make, site):
    place = make(MX, server={"script": NO_HANDSHAKE["cut"]})
    place.submit()
    assert place.delivered()["tls_got"] == "none"
    lines = site.events("defer", to=place.to)
    assert len(lines) == 2 and all(line["tls_got"] == "none" and line["tls_wanted"] == "may" for line in lines), lines
    assert len(place.server.sessions) == 4
    # the next connection tries TLS again; the one without serves for some seconds more
    place.server.script = {}
    site.wait_for(lambda: all(s.end for s in place.server.sessions), 60, "the end of the connection")
    place.submit()
    site.wait_for(lambda: len(place.server.mails) == 2, 20, "the second message")
    assert place.server.mails[1].tls != ""


@at("site", [0], indirect=True)
def test_plain_never(make, site):
    place = make(MX, server={"script": NO_HANDSHAKE["cut"]})
    place.submit()
    place.kept(3)
    assert all("MAIL" not in heard for s in place.server.sessions for heard in s.heard)
    place.server.script = {}
    assert place.delivered()["tls_got"] == "encrypt"


@at("server", [{"tls": None}, {"script": NO_HANDSHAKE["cut"]}])
def test_a_rule_forbids_it(make, server):
    place = make(MX, name="strict.test", server=server)
    place.submit()
    place.kept()
    assert all("MAIL" not in heard for s in place.server.sessions for heard in s.heard)


def test_a_rule_wants_no_tls(make):
    place = make(MX, name="none.test")
    place.submit()
    line = place.delivered()
    assert (line["tls_wanted"], line["tls_got"]) == ("none", "none") and not place.server.heard("STARTTLS"), line


@at("site", [3], indirect=True)
def test_every_step_is_seen(make, site):
    """In the log, by `queue show' and by `tls show': each failure that counts, and the way out."""
    place = make(MX, server={"script": NO_HANDSHAKE["cut"]})
    place.submit()
    assert "time 1 of 3 before plain text is tried" in place.kept()["reply"]
    waits, = [m for m in site.json("queue", "list") if m["recipients"][0]["address"] == place.to]
    shown = site.postern("queue", "show", waits["id"]).stdout
    assert "before plain text is tried" in shown and "wanted may" in shown and place.address in shown, shown
    known = site.json("tls", "show", place.name)
    assert known["handshakes_failed"] in (1, 2) and (known["plain"], known["plain_at"], known["tls_wanted"]) == (False, None, "may"), known
    assert place.delivered()["tls_why"].endswith("plain text instead, as nothing forbids")
    known = site.json("tls", "show", place.name)
    assert (known["plain"], known["tls_got"], known["handshakes_failed"]) == (True, "none", 3) and known["plain_at"], known
    assert "fell back to plain text" in site.postern("tls", "show", place.name).stdout
    assert len(site.events("tls", qid=waits["id"])) >= 3


@at("site", [0], indirect=True)
def test_that_plain_text_is_forbidden_is_said(make, site):
    place = make(MX, server={"script": NO_HANDSHAKE["cut"]})
    place.submit()
    assert "relay.plain_after = 0 allows no plain text" in place.kept()["reply"]
