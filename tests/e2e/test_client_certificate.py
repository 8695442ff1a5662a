"""The certificate that postern shows to hosts which ask for one: the server's own, in TLS 1.3, when the operator wants it."""
import ssl

import pytest

import outlab
from place import anchor, make  # noqa: F401

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))

ZONE = "@ MX 10 mx\nmx A {a}\n_25._tcp.mx TLSA {t311}"


@pytest.fixture(scope="module")
def site(world):
    return world.site(start=True, relay="client_certificate = yes")


def shown(world, make, **server):
    """What the host saw of the client's certificate when it had taken a message."""
    place = make(ZONE, server={"ask": world.authority, **server})
    place.submit()
    assert place.delivered()["tls_got"] == "dane"
    return place.server.sessions[-1].client_certificate


def own(site):
    """The certificate in postern.conf, as the host should see it."""
    path = next(line.split('"')[1] for line in site.conf.read_text().splitlines() if "certificate =" in line and "client" not in line)
    with open(path) as chain:
        return ssl.PEM_cert_to_DER_cert(chain.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")


def test_shown_to_who_asks(world, site, make):
    assert shown(world, make) == own(site)


def test_not_in_older_tls(world, make):
    assert shown(world, make, versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)) is None


def test_not_to_who_does_not_ask(make):
    place = make(ZONE)
    place.submit()
    place.delivered()
    assert place.server.sessions[-1].client_certificate is None


def test_no_longer_after_a_reload(world, site, make):
    site.write_conf(extra=site.extra.replace("client_certificate = yes", "client_certificate = no"))
    site.postern("reload")
    assert shown(world, make) is None
