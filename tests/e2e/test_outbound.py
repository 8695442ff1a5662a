"""Mail to other hosts: found by MX, delivered, tried again, reported, and what the operator can do with it."""
import email
import time

import pytest

import misdeeds
import outlab
from badmx import KEYWORDS
from elsewhere import emptied, entries, no_report, received, reports, send, text
from mail import lines

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))


@pytest.fixture(scope="module")
def routes(world):
    """Addresses for the hosts that routes name."""
    return {name: world.address() for name in ("smarthost", "lmtp", "fixed", "badlogin")}


@pytest.fixture(scope="module")
def site(world, routes):
    password = world.dir / "password"
    password.write_text("smart-password\nnot this\n")
    password.chmod(0o600)
    wrong = world.dir / "wrong"
    wrong.write_text("another\n")
    wrong.chmod(0o600)
    for name in ("smarthost", "badlogin"):
        world.zone(f"{name}-host.test", f"@ A {routes[name]}\n")
    return world.site(start=True, users=("alice", "bob", "carol"), extra=f"""
relay_from = {{ "127.0.0.1" }}
route "smart.test" {{ to = "smarthost-host.test:587" user = "us" password_file = "{password}" }}
route ".sub.smart.test" {{ to = "smarthost-host.test:587" user = "us" password_file = "{password}" }}
route "badlogin.test" {{ to = "badlogin-host.test:587" user = "us" password_file = "{wrong}" }}
route "lmtp.test" {{ to = "{routes['lmtp']}:24" protocol = lmtp }}
route "fixed.test" {{ to = "{routes['fixed']}:2525" }}
""")


@pytest.fixture(autouse=True)
def queue_cleared(site):
    """What a test that failed leaves behind is not the next one's trouble."""
    yield
    site.postern("queue", "delete", "--all", check=False)


# --- delivery

def test_delivered_whole(site, hosts):
    server = hosts.make("plain")
    sent = text("Whole", b".\r\n..x\r\n" + "grüße\r\n".encode() + lines(200_000))
    qid = send(site, "r@plain.test", sent, mail="BODY=8BITMIME")
    site.wait_for(lambda: server.mails, 10, "the mail")
    mail, = server.mails
    trace, rest = received(mail.data)
    assert rest == sent and trace.startswith(b"Received: from ") and qid.encode() in trace and b"ESMTPSA" in trace
    assert (mail.sender, mail.recipients, mail.tls) == ("alice@example.test", ["r@plain.test"], "TLSv1.3")
    assert server.sessions[0].heard[0] == "EHLO mx.example.test" and server.sessions[0].sni == "mx.plain.test"
    emptied(site)
    event, = site.events("deliver", qid=qid)
    assert (event["from"], event["to"], event["host"], event["ip"]) == \
        ("alice@example.test", "r@plain.test", "mx.plain.test", f"{server.address}:25"), event
    assert event["dsn"] == "2.0.0" and "250 2.0.0 taken" in event["reply"] and event["delays"].count("/") == 2
    assert event["tls_wanted"] == "may" and event["tls_got"] == "verify" and event["tls_why"], event


def test_without_a_login_from_where_it_is_allowed(site, hosts):
    server = hosts.make("relayed")
    send(site, "r@relayed.test", text("Relayed"), service="smtp", sender="somebody@elsewhere.example")
    site.wait_for(lambda: server.mails, 10, "the mail")
    assert server.mails[0].sender == "somebody@elsewhere.example"


def test_recipients_of_one_domain_share_a_transaction(site, hosts):
    one, two = hosts.make("one"), hosts.make("two")
    send(site, [f"r{i}@one.test" for i in range(20)] + ["r@two.test", "bob@example.test"], text("Many"))
    site.wait_for(lambda: one.mails and two.mails, 10, "the mail")
    assert sorted(one.mails[0].recipients) == sorted(f"r{i}@one.test" for i in range(20)) and len(one.mails) == 1
    assert [m.recipients for m in two.mails] == [["r@two.test"]]
    emptied(site)


def test_some_recipients_are_refused_some_wait(site, hosts):
    refused = {"no": "550 5.1.1 nobody", "later": "452 4.2.2 full"}
    server = hosts.make("mixed", script={"rcpt": misdeeds.by_recipient(refused)})
    qid = send(site, ["yes@mixed.test", "no@mixed.test", "later@mixed.test"], text("Mixed"))
    site.wait_for(lambda: site.events("defer", qid=qid), 10, "the delay")
    assert server.mails[0].recipients == ["yes@mixed.test"]
    report, = reports(site, "alice", "no@mixed.test")
    assert [r["final-recipient"] for r in report.recipients] == ["rfc822; no@mixed.test"]
    site.wait_for(lambda: list(entries(site)) == ["later@mixed.test"], 10, "one to be left")
    assert "452 4.2.2 full" in entries(site)["later@mixed.test"]["reason"]
    refused.clear()  # also on the connection that is still open
    site.wait_for(lambda: len(server.mails) == 2, 10, "the second delivery")
    assert server.mails[1].recipients == ["later@mixed.test"]


def test_after_greylisting(site, hosts):
    server = hosts.make("grey", script={"rcpt": misdeeds.greylist(2)})
    qid = send(site, "r@grey.test", text("Grey"))
    site.wait_for(lambda: server.mails, 15, "the mail")
    defers = site.events("defer", qid=qid)
    assert defers and "451 4.7.1 greylisted" in defers[0]["reply"] and defers[0]["dsn"] == "4.7.1" and defers[0]["host"] == "mx.grey.test"
    assert len(server.mails) == 1


@pytest.mark.parametrize("step", ["greet", "ehlo", "mail", "rcpt", "data", "dot"])
def test_a_temporary_failure_at_any_step(site, hosts, step):
    script = {step: "451 4.3.0 not now", "helo": "451 4.3.0 not now"}
    server = hosts.make(f"temp-{step}", script=script)
    qid = send(site, f"r@temp-{step}.test", text("Temporary"))
    site.wait_for(lambda: site.events("defer", qid=qid), 15, "the delay")
    script.clear()  # also on a connection that is still open
    site.wait_for(lambda: server.mails, 15, "the mail")
    emptied(site)


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
def test_a_final_failure_at_any_step(site, hosts, step):
    hosts.make(f"perm-{step}", script={step: "554 5.7.0 never"})
    send(site, f"r@perm-{step}.test", text("Final"))
    report, = reports(site, "alice", f"r@perm-{step}.test")
    assert report.recipients[0]["status"] == "5.7.0" and "554 5.7.0 never" in report.recipients[0]["diagnostic-code"]
    emptied(site)


def test_a_backup_takes_it(site, world, hosts):
    address = world.address()
    backup = hosts.serve(address, name="backup.second.test", tls=world.authority.issue("backup.second.test"))
    world.zone("second.test", f"@ MX 20 backup\n@ MX 10 first\nfirst A {world.address()}\nbackup A {address}\n", signed=False)
    send(site, "r@second.test", text("Backup"))
    site.wait_for(lambda: backup.mails, 10, "the mail")


def test_no_mx_and_only_ipv6(site, world, hosts):
    address = world.address6()
    server = hosts.serve(address, name="direct.test", tls=world.authority.issue("direct.test"))
    world.zone("direct.test", f"@ AAAA {address}\n", signed=False)
    send(site, "r@direct.test", text("Direct"))
    site.wait_for(lambda: server.mails, 10, "the mail")
    assert site.events("deliver", to="r@direct.test")[0]["ip"] == f"[{address}]:25"


def test_ipv6_that_goes_nowhere_costs_little(site, world, hosts):
    """RFC 8305: the other address is tried soon."""
    address = world.address()
    server = hosts.serve(address, name="mx.happy.test", tls=world.authority.issue("mx.happy.test"))
    world.zone("happy.test", f"@ MX 10 mx\nmx A {address}\nmx AAAA 2001:db8:dead::25\n", signed=False)
    began = time.monotonic()
    send(site, "r@happy.test", text("Happy"))
    site.wait_for(lambda: server.mails, 10, "the mail")
    assert time.monotonic() - began < 5


def test_connections_are_used_again(site, hosts):
    server = hosts.make("again")
    for i in range(10):
        send(site, f"r{i}@again.test", text(f"Again {i}"))
        site.wait_for(lambda: len(server.mails) == i + 1, 10, "the mail")
    assert len(server.sessions) <= 3, f"{len(server.sessions)} connections for 10 messages one after the other"
    site.wait_for(lambda: all(s.end for s in server.sessions), 20, "the connections to end")
    assert {s.end for s in server.sessions} == {"quit"}


def test_mail_waits_over_a_restart(site, world, hosts):
    address = world.address()
    world.zone("restart.test", f"@ MX 10 mx\nmx A {address}\n", signed=False)
    send(site, "r@restart.test", text("Restart"))
    site.wait_for(lambda: site.events("defer", to="r@restart.test"), 10, "the delay")
    site.stop()
    server = hosts.serve(address, name="mx.restart.test")
    site.start()
    site.wait_for(lambda: server.mails, 15, "the mail")
    emptied(site)


# --- reports

def test_a_bounce_says_everything(site, hosts):
    hosts.make("refuses", script={"rcpt": "550 5.1.1 nobody of that name"})
    sent = text("Refused")
    qid = send(site, "r@refuses.test", sent, mail="RET=FULL ENVID=env+2B1", rcpt="NOTIFY=FAILURE ORCPT=rfc822;first@other.test")
    report, = reports(site, "alice", "r@refuses.test")
    assert report.data.startswith(b"Return-Path: <>\r\n")
    assert report.mail["to"] == "alice@example.test" or "alice@example.test" in report.mail["to"]
    assert report.mail["auto-submitted"].startswith("auto-") and report.mail["message-id"] and report.mail["date"]
    assert report.about["reporting-mta"] == "dns; mx.example.test" and report.about["original-envelope-id"] == "env+1"
    assert report.about["arrival-date"]
    recipient, = report.recipients
    assert recipient["final-recipient"] == "rfc822; r@refuses.test" and recipient["original-recipient"] == "rfc822;first@other.test"
    assert (recipient["action"], recipient["status"]) == ("failed", "5.1.1")
    assert recipient["remote-mta"] == "dns; mx.refuses.test"
    assert recipient["diagnostic-code"] == "smtp; 550 5.1.1 nobody of that name"
    assert recipient["last-attempt-date"]
    assert report.returned_type == "message/rfc822" and received(report.returned)[1] == sent
    assert "r@refuses.test" in report.words and "nobody of that name" in report.words
    event, = site.events("bounce", qid=qid)
    assert event["dsn"] == "5.1.1" and event["host"] == "mx.refuses.test" and "nobody of that name" in event["reply"]


def test_ret_hdrs_returns_the_header_only(site, hosts):
    hosts.make("hdrs", script={"rcpt": "550 5.1.1 nobody"})
    send(site, "r@hdrs.test", text("Header", b"secret body\r\n"), mail="RET=HDRS")
    report, = reports(site, "alice", "r@hdrs.test")
    assert report.returned_type == "text/rfc822-headers"
    assert b"Subject: Header" in report.data and b"secret body" not in report.data


def test_nobody_is_told_who_did_not_want_to_be(site, hosts):
    hosts.make("never", script={"rcpt": "550 5.1.1 nobody"})
    qid = send(site, "r@never.test", text("Never"), rcpt="NOTIFY=NEVER")
    site.wait_for(lambda: site.events("bounce", qid=qid), 10, "the failure")
    emptied(site)
    no_report(site, "alice", "r@never.test")


def test_e20_the_null_sender_is_never_told(site, hosts):
    hosts.make("null-sender", script={"rcpt": "550 5.1.1 nobody"})
    qid = send(site, "r@null-sender.test", text("Null"), sender="", service="smtp")
    site.wait_for(lambda: site.events("bounce", qid=qid), 10, "the failure")
    emptied(site)
    for user in ("alice", "bob", "carol"):
        no_report(site, user, "r@null-sender.test", seconds=0.2)


def test_a_bounce_that_cannot_be_delivered_goes_to_the_postmaster(site, hosts):
    hosts.make("bounced", script={"rcpt": "550 5.1.1 nobody"})
    sender = hosts.make("sender", script={"rcpt": "550 5.1.1 we did not send this"})
    send(site, "r@bounced.test", text("Double"), sender="s@sender.test", service="smtp")
    assert reports(site, "alice", "r@bounced.test")  # the first account is postmaster
    assert [line for line in sender.heard("MAIL") if "<>" in line] and sender.mails == [], site.log_tail()
    emptied(site)


def test_dsn_is_passed_on(site, hosts):
    server = hosts.make("dsn")
    send(site, "r@dsn.test", text("DSN"), mail="RET=HDRS ENVID=e1", rcpt="NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@x.test")
    site.wait_for(lambda: server.mails, 10, "the mail")
    mail, = server.mails
    assert "RET=HDRS" in mail.parameters and "ENVID=e1" in mail.parameters
    assert sorted(mail.rcpt_parameters[0].split()) == ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;o@x.test"]
    no_report(site, "alice", "r@dsn.test")


def test_relayed_is_told_where_dsn_ends(site, hosts):
    server = hosts.make("nodsn", keywords=[k for k in KEYWORDS if k != "DSN"])
    send(site, "r@nodsn.test", text("No DSN"), rcpt="NOTIFY=SUCCESS")
    report, = reports(site, "alice", "r@nodsn.test")
    assert report.recipients[0]["action"] == "relayed" and report.recipients[0]["status"].startswith("2.")
    assert report.returned_type == "text/rfc822-headers"
    assert "NOTIFY" not in server.mails[0].rcpt_parameters[0] and "RET" not in server.mails[0].parameters
    send(site, "other@nodsn.test", text("No DSN, not asked"))
    site.wait_for(lambda: len(server.mails) == 2, 10, "the mail")
    no_report(site, "alice", "other@nodsn.test")


# --- what cannot be delivered

def test_a_domain_that_takes_no_mail(site, world):
    world.zone("nomail.test", "@ MX 0 .\n")
    send(site, "r@nomail.test", text("Null MX"))
    report, = reports(site, "alice", "r@nomail.test")
    assert report.recipients[0]["status"] == "5.1.10"


def test_a_domain_that_is_not(site, world):
    send(site, "r@nosuchdomain.test", text("Nowhere"))
    report, = reports(site, "alice", "r@nosuchdomain.test")
    assert report.recipients[0]["status"] == "5.1.2"


@pytest.mark.parametrize("name, address", [("rfc1918", "10.1.2.3"), ("shared", "100.64.0.1"), ("linklocal", "169.254.1.1")])
def test_private_addresses_are_not_connected_to(site, world, name, address):
    world.zone(f"{name}.test", f"@ MX 10 mx\nmx A {address}\n", signed=False)
    qid = send(site, f"r@{name}.test", text("Private"))
    site.wait_for(lambda: site.events("defer", qid=qid) or site.events("bounce", qid=qid), 10, "the refusal")
    event = (site.events("defer", qid=qid) + site.events("bounce", qid=qid))[0]
    assert address in event["reply"] and "ip" not in event, event
    site.postern("queue", "delete", "--all", check=False)


# --- routes

def test_a_smarthost_with_a_login(site, world, hosts, routes):
    server = hosts.serve(routes["smarthost"], port=587, tls=world.authority.issue("smarthost-host.test"), users={"us": "smart-password"})
    send(site, ["r@smart.test"], text("Smart"))
    send(site, ["r@deep.sub.smart.test"], text("Smart, below"))
    site.wait_for(lambda: len(server.mails) == 2, 10, "the mail")
    assert all(s.login == "us" and s.tls for s in server.sessions)
    assert site.events("deliver", to="r@smart.test")[0]["tls_wanted"] == "verify"


def test_a_login_that_is_refused_waits(site, world, hosts, routes):
    server = hosts.serve(routes["badlogin"], port=587, tls=world.authority.issue("badlogin-host.test"), users={"us": "right"})
    qid = send(site, "r@badlogin.test", text("Bad login"))
    site.wait_for(lambda: site.events("defer", qid=qid), 10, "the delay")
    assert "535" in site.events("defer", qid=qid)[0]["reply"]
    assert server.mails == [] and not server.heard("MAIL")
    site.postern("queue", "delete", qid)


def test_a_login_never_goes_to_an_unproved_host(site, world, hosts, routes):
    other = world.authority.self_signed("smarthost-host.test", names=("smarthost-host.test",), ca=False)
    server = hosts.serve(routes["smarthost"], port=587, tls=other, users={"us": "smart-password"})
    qid = send(site, "r@smart.test", text("Smart, false"))
    site.wait_for(lambda: site.events("defer", qid=qid), 10, "the delay")
    assert not server.heard("AUTH") and not server.heard("MAIL")
    site.postern("queue", "delete", qid)


def test_a_delivery_agent_answers_for_each_recipient(site, hosts, routes):
    server = hosts.serve(routes["lmtp"], port=24, lmtp=True, script={"dot": lambda session, rcpt: "550 5.2.2 full" if rcpt.startswith("no") else "250 2.1.5 kept"})
    qid = send(site, ["a@lmtp.test", "no@lmtp.test", "b@lmtp.test"], text("LMTP"))
    report, = reports(site, "alice", "no@lmtp.test")
    assert report.recipients[0]["status"] == "5.2.2" and len(report.recipients) == 1
    assert {e["to"] for e in site.events("deliver", qid=qid)} == {"a@lmtp.test", "b@lmtp.test"}
    assert server.sessions[0].heard[0].startswith("LHLO ")
    emptied(site)


def test_a_fixed_host(site, hosts, routes):
    server = hosts.serve(routes["fixed"], port=2525)
    send(site, "r@fixed.test", text("Fixed"))
    site.wait_for(lambda: server.mails, 10, "the mail")


# --- what the other side cannot

def test_eight_bits_are_converted_or_returned(site, hosts):
    """RFC 6152 3: a host without 8BITMIME gets seven bits that say the same, or nothing."""
    server = hosts.make("seven", keywords=[k for k in KEYWORDS if k not in ("8BITMIME", "SMTPUTF8")])
    sent = text("Seven").replace(b"\r\n\r\nhello", b"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                                 + "grüße".encode())
    send(site, "r@seven.test", sent, mail="BODY=8BITMIME")
    site.wait_for(lambda: server.mails or site.events("bounce", to="r@seven.test"), 10, "an outcome")
    if server.mails:
        assert all(b < 128 for b in server.mails[0].wire), server.mails[0].wire
        assert email.message_from_bytes(server.mails[0].data).get_payload(decode=True) == "grüße\r\n".encode()
    else:
        report, = reports(site, "alice", "r@seven.test")
        assert report.recipients[0]["status"] == "5.6.3"


def test_an_address_in_unicode_needs_smtputf8(site, hosts):
    able, unable = hosts.make("able"), hosts.make("unable", keywords=[k for k in KEYWORDS if k != "SMTPUTF8"])
    send(site, "grüße@able.test", text("Able"), mail="SMTPUTF8 BODY=8BITMIME")
    site.wait_for(lambda: able.mails, 10, "the mail")
    assert able.mails[0].recipients == ["grüße@able.test"] and "SMTPUTF8" in able.mails[0].parameters
    send(site, "grüße@unable.test", text("Unable"), mail="SMTPUTF8 BODY=8BITMIME")
    site.wait_for(lambda: site.events("bounce", to="grüße@unable.test"), 10, "the bounce")
    assert site.events("bounce", to="grüße@unable.test")[0]["dsn"] == "5.6.7"
    assert unable.mails == [] and not unable.heard("RCPT")


def test_too_large_for_the_other_side(site, hosts):
    server = hosts.make("small", keywords=["PIPELINING", "SIZE 1000"])
    send(site, "r@small.test", text("Large", lines(5000)))
    report, = reports(site, "alice", "r@small.test")
    assert report.recipients[0]["status"] == "5.3.4" and not server.heard("DATA")


# --- what the operator does

def waiting(site, world, name):
    """A message that waits for a host that is not there; (queue id, address of the host)."""
    address = world.address()
    world.zone(f"{name}.test", f"@ MX 10 mx\nmx A {address}\n", signed=False)
    qid = send(site, f"r@{name}.test", text(name))
    site.wait_for(lambda: site.events("defer", qid=qid), 10, "the delay")
    return qid, address


def test_hold_and_release(site, world, hosts):
    qid, address = waiting(site, world, "held")
    site.postern("queue", "hold", qid)
    server = hosts.serve(address, name="mx.held.test")
    time.sleep(4)
    assert server.sessions == [] and entries(site)["r@held.test"]["state"] == "held"
    site.postern("queue", "release", qid)
    site.wait_for(lambda: server.mails, 10, "the mail")
    emptied(site)


def test_show_says_why(site, world):
    qid, address = waiting(site, world, "shown")
    shown = site.postern("queue", "show", qid).stdout
    assert "r@shown.test" in shown and address in shown and "mx.shown.test" in shown, shown
    assert site.postern("queue", "list").stdout.count(qid) == 1
    site.postern("queue", "delete", qid)
    emptied(site)
    assert site.postern("queue", "show", qid, check=False).returncode == 1


def test_reroute(site, world, hosts):
    qid, _ = waiting(site, world, "lost")
    address = world.address()
    server = hosts.serve(address, port=2526)
    site.postern("queue", "reroute", qid, f"{address}:2526")
    site.wait_for(lambda: server.mails, 10, "the mail")
    assert server.mails[0].recipients == ["r@lost.test"]
    emptied(site)


def test_retry_now(world, hosts):
    """With pauses that a test cannot wait for."""
    site = world.site(start=True, public=False, limits="retry_first = 10m\nretry_last = 1h")
    qid, address = waiting(site, world, "retried")
    server = hosts.serve(address, name="mx.retried.test")
    time.sleep(1)
    assert server.sessions == []
    site.postern("queue", "retry", "--to", "retried.test")
    site.wait_for(lambda: server.mails, 10, "the mail")
    emptied(site)
    site.end_well()


def test_warning_and_expiry(world, hosts):
    """Days in seconds: the sender is told once that it takes long, then that it is over."""
    site = world.site(start=True, public=False, limits="retry_first = 1s\nretry_last = 1s\nwarn = 3s\nexpire = 16s")
    hosts.make("slowly", script={"rcpt": "450 4.2.1 not today"})
    send(site, "r@slowly.test", text("Slowly"))
    warning, = reports(site, "alice", "r@slowly.test")
    assert warning.recipients[0]["action"] == "delayed" and warning.recipients[0]["status"] == "4.2.1"
    assert warning.recipients[0]["will-retry-until"] and "not today" in warning.words
    site.wait_for(lambda: site.events("bounce", to="r@slowly.test"), 30, "the end")
    found = reports(site, "alice", "r@slowly.test", count=2)
    failure, = [r for r in found if r.recipients[0]["action"] == "failed"]
    assert failure.recipients[0]["status"] in ("4.2.1", "4.4.7", "5.4.7") and "not today" in failure.words
    emptied(site)
    site.end_well()


def test_delay_is_told_only_to_whom_it_concerns(world, hosts):
    site = world.site(start=True, public=False, limits="retry_first = 1s\nretry_last = 1s\nwarn = 2s\nexpire = 1h")
    hosts.make("silently", script={"rcpt": "450 4.2.1 not today"})
    send(site, "r@silently.test", text("Silently"), rcpt="NOTIFY=SUCCESS,FAILURE")
    no_report(site, "alice", "r@silently.test", seconds=5)
    site.postern("queue", "delete", "--all")
    site.end_well()
