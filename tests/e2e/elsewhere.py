"""elsewhere.py - hosts on the other side, mail to them, and what comes back as a report."""
import email
import re
import time

from badmx import Server
from mail import message
from postern_site import deadline

TRACE = re.compile(rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


class Hosts:
    """Played servers of a test, each with a domain of its own; all are stopped at the end."""

    def __init__(self, world):
        self.world, self.servers = world, []

    def serve(self, address, **options):
        server = Server(address, **options)
        self.servers.append(server)
        return server

    def make(self, name, signed=False, dane=None, tls=True, address=None, **options):
        """<name>.test with one MX host, mx.<name>.test. tls: it has a certificate of our authority (or the one given); dane: TLSA
        records' data, or True for the right one."""
        host = f"mx.{name}.test"
        cert = tls if not isinstance(tls, bool) else self.world.authority.issue(host, f"{name}.test") if tls else None
        address = address or self.world.address()
        dane = cert.tlsa() if dane is True else dane
        records = f"@ MX 10 mx\nmx A {address}\n" + "".join(f"_25._tcp.mx TLSA {data}\n" for data in ([dane] if isinstance(dane, str) else dane or []))
        self.world.zone(f"{name}.test", records, signed=signed or bool(dane))
        return self.serve(address, name=host, tls=cert, **options)

    def close(self):
        for server in self.servers:
            server.stop()


def send(site, recipients, sent, user="alice", sender=None, mail="", rcpt="", service="submission"):
    """Submits; returns the queue id. recipients: one or a list; mail, rcpt: parameters. service "smtp": without a login."""
    with site.smtp(service) as client:
        if service == "submission":
            client.starttls(context=site.tls())
            client.login(site.address(user), site.password(user))
        client.ehlo_or_helo_if_needed()
        client.command_encoding = "utf-8"
        sender = site.address(user) if sender is None else sender
        said(client.docmd("MAIL", f"FROM:<{sender}> {mail}".strip()), 250)
        for recipient in [recipients] if isinstance(recipients, str) else recipients:
            said(client.docmd("RCPT", f"TO:<{recipient}> {rcpt}".strip()), 250)
        code, text = client.data(sent)
        assert code == 250, text
        return re.search(rb"queued as (\w+)", text)[1].decode()


def said(reply, code):
    assert reply[0] == code, reply


def received(data):
    """A message as it was handed on: (trace fields, the rest)."""
    trace = TRACE.match(data)
    assert trace, data[:200]
    return trace.group(), data[trace.end():]


def entries(site):
    """Recipients in the queue by address."""
    return {r["address"]: r for m in site.json("queue", "list") for r in m["recipients"]}


def emptied(site, seconds=20):
    site.wait_for(lambda: not site.json("queue", "list"), seconds, "the queue to be empty")


class Report:
    """A notification of RFC 3464 taken apart: words, message and recipient fields (lower-case names), what was returned."""

    def __init__(self, data):
        self.data = data
        self.mail = email.message_from_bytes(data)
        assert self.mail.get_content_type() == "multipart/report" and self.mail.get_param("report-type") == "delivery-status"
        words, status, returned = self.mail.get_payload()
        self.words = words.get_payload(decode=True).decode()
        self.about, *self.recipients = [{k.lower(): v for k, v in part.items()} for part in status.get_payload()]
        self.returned_type = returned.get_content_type()
        part = data.split(b"\r\n--" + self.mail.get_boundary().encode())[3]
        self.returned = part.split(b"\r\n\r\n", 1)[1]


def reports(site, user, about, count=1, seconds=20):
    """The notifications in a user's INBOX that are about a recipient, once there are so many."""
    end = deadline(seconds)
    while True:
        found = [Report(m) for m in site.inbox(user, 0) if b"report-type=delivery-status" in m and about.encode() in m]
        if len(found) >= count:
            assert len(found) == count, f"{len(found)} notifications about {about}"
            return found
        assert time.monotonic() < end, f"no notification about {about}\n{site.log_tail()}"
        time.sleep(0.2)


def no_report(site, user, about, seconds=1.0):
    time.sleep(seconds)
    assert not [m for m in site.inbox(user, 0) if b"report-type=delivery-status" in m and about.encode() in m]


def text(subject, body=b"hello\r\n"):
    return message(subject, body)
