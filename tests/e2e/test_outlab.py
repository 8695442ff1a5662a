"""The laboratory itself: what postern sees of its names, what the played server does."""
import smtplib
import socket
import ssl
import time

import pytest

import misdeeds
import outlab
from badmx import Server
from postern_site import deadline

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))


@pytest.fixture(scope="module")
def site(world):
    return world.site(start=True)


def until(condition, seconds=10):
    end = deadline(seconds)
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_zones_come_and_change(world, site):
    def mx(name):
        answer = world.lookup(site, "mx", name)
        return answer["status"], answer["records"]

    assert mx("example.test") == ("secure", ["10 mx.example.test"])
    world.zone("good.test", "@ MX 10 a")
    world.zone("plain.test", "@ MX 10 a", signed=False)
    world.zone("unvouched.test", "@ MX 10 a", vouched=False)
    world.zone("forged.test", "@ MX 10 abcd", wrecked=lambda text: text.replace("abcd", "abcde"))
    world.zone("gone.test", "@ MX 10 a", server=world.dead(), served=False)
    assert mx("good.test") == ("secure", ["10 a.good.test"])
    assert mx("plain.test") == ("insecure", ["10 a.plain.test"])
    assert mx("unvouched.test") == ("insecure", ["10 a.unvouched.test"])
    assert mx("forged.test") == ("bogus", [])
    world.zone("good.test", "@ MX 20 b")
    until(lambda: mx("good.test") == ("secure", ["20 b.good.test"]))


def test_a_name_server_that_rests(world, site):
    world.zone("other.test", "a A 192.0.2.99", server=outlab.OTHER)
    assert world.lookup(site, "a", "a.other.test")["records"] == ["192.0.2.99"]
    world.server(outlab.OTHER).stop()
    assert "NOERROR" not in world.server(outlab.OTHER).ask("A", "a.other.test")
    world.server(outlab.OTHER).start()
    assert world.lookup(site, "a", "a.other.test")["records"] == ["192.0.2.99"]


def test_addresses_that_do_not_answer(world):
    with socket.socket() as s, pytest.raises(TimeoutError):
        s.settimeout(0.5)
        s.connect((world.dead(), 25))


def test_the_played_server_is_honest(world):
    cert = world.authority.issue("mx.played.test")
    with Server(world.address6(), tls=cert, users={"us": "secret"}) as server:
        with smtplib.SMTP(server.address, 25, timeout=10) as client:
            client._host = "mx.played.test"
            client.starttls(context=ssl.create_default_context(cafile=world.authority.certificate.alone))
            client.login("us", "secret")
            client.sendmail("a@x.test", ["b@y.test"], b"Subject: s\r\n\r\n.\r\n..x\r\n")
        mail, session = server.mails[0], server.sessions[0]
        assert (mail.sender, mail.recipients, mail.parameters.upper()) == ("a@x.test", ["b@y.test"], "SIZE=22")
        assert mail.data == b"Subject: s\r\n\r\n.\r\n..x\r\n" and mail.wire.count(b"..") == 2
        assert (session.tls, session.sni, session.login) == ("TLSv1.3", "mx.played.test", "us")


def test_the_played_server_misbehaves(world):
    address = world.address()
    scripts = [{"greet": "421 4.3.2 later"}, {"rcpt": misdeeds.by_recipient({"no": "550 5.1.1 no"})}, {"dot": misdeeds.reset},
               {"rcpt": misdeeds.greylist(60)}]
    with Server(address, scripts=scripts) as server:
        with pytest.raises(smtplib.SMTPConnectError):
            smtplib.SMTP(address, 25)
        with smtplib.SMTP(address, 25) as client:
            assert set(client.sendmail("a@x.test", ["no@y.test", "yes@y.test"], b"x\r\n")) == {"no@y.test"}
        with smtplib.SMTP(address, 25) as client, pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@x.test", ["yes@y.test"], b"x\r\n")
        with smtplib.SMTP(address, 25) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("a@x.test", ["yes@y.test"], b"x\r\n")
        assert [m.recipients for m in server.mails] == [["yes@y.test"]]
        assert [len(s.mails) for s in server.sessions] == [0, 1, 1, 0]
