"""`postern trace': the life of messages, from a real server's record."""
import os
import re
import signal
import stat
import time

import pytest

import attack
from postern_site import CHEAP_HASHES, NOWHERE

FAR = "x@far.invalid"


def lines(story, kind="messages"):
    return [line for item in story[kind] for line in item["events"]]


def events(story, kind="messages"):
    return [line["event"] for line in lines(story, kind)]


def recorded(site):
    return sorted((site.state / "trace").iterdir())


def submit(site, recipients, msgid, user="alice"):
    site.submit(user, recipients, f"From: {user}@example.test\r\nMessage-ID: <{msgid}>\r\nSubject: secret subject\r\n\r\nsecret text\r\n")


MX = {"users": ("alice", "bob", "carol"), "extra": CHEAP_HASHES + NOWHERE}


def test_delivered(mx):
    submit(mx, ["bob"], "delivered@x")  # what has just been said is known at once
    story = mx.json("trace", "delivered@x")
    (message,) = story["messages"]
    assert message["waiting"] == [] and story["refused"] == [] and story["cut"] is False
    assert events(story) == ["deliver", "accept"]
    assert {line["qid"] for line in lines(story)} == {message["qid"]}
    for word in (message["qid"], "<delivered@x>", "DELIVERED@X", lines(story)[0]["sid"]):
        assert mx.json("trace", word) == story, word
    text = mx.postern("trace", message["qid"]).stdout
    first, taken, delivered = text.splitlines()
    assert message["qid"] in first and "<alice@example.test>" in first and "<delivered@x>" in first
    assert "accepted from 127.0.0.1" in taken and "TLS TLSv1.3" in taken and "login alice@example.test" in taken
    assert "delivered to bob@example.test" in delivered


def test_waiting(mx):
    submit(mx, ["carol", FAR], "waiting@x")
    mx.wait_for(lambda: mx.events("defer", to=FAR), 20, "the first attempt")
    story = mx.json("trace", FAR)
    (message,) = story["messages"]
    assert message["waiting"] == [FAR]
    assert sorted(set(events(story))) == ["accept", "defer", "deliver"]
    text = mx.postern("trace", FAR.upper()).stdout
    defer = next(line for line in lines(story) if line["event"] == "defer")
    assert f"not delivered yet to {FAR} " in text and f"{defer['dsn']} {defer['reply']}; TLS: none (wanted: none), because: " in text
    assert "Connection refused" in text
    assert f"still waits for {FAR}" in text and f"postern queue show {message['qid']}" in text
    mx.postern("queue", "delete", message["qid"])
    mx.settle_log()
    story = mx.json("trace", FAR)
    assert events(story)[-1] == "delete" and story["messages"][0]["waiting"] == []


def test_refused(mx):
    assert attack.send(mx, "stranger@remote.test", "nobody@example.test") == 550
    mx.settle_log()
    story = mx.json("trace", "nobody@example.test")
    assert story["messages"] == [] and events(story, "refused") == ["refuse"]
    text = mx.postern("trace", "nobody@example.test").stdout
    assert "<stranger@remote.test> to <nobody@example.test>: 550" in text and "no such user" in text
    everybody = lines(mx.json("trace", "@remote.test"), "refused")
    assert all(line in everybody for line in lines(story, "refused"))


def test_other_recipients_of_the_same_message(mx):
    """Who looks for the message sees that one of its recipients was refused; not what another sender in the session wanted."""
    with attack.connect(mx) as sock:
        attack.replies(sock)
        for words in ("EHLO c.test", "MAIL FROM:<other@remote.test>", "RCPT TO:<not.asked@example.test>", "RSET", "MAIL FROM:<mixed@remote.test>",
                      "RCPT TO:<gone@example.test>", "RCPT TO:<bob@example.test>", "DATA", "Message-ID: <mixed@x>\r\n\r\nx\r\n."):
            sock.sendall(words.encode() + b"\r\n")
            attack.replies(sock)
    mx.settle_log()
    story = mx.json("trace", "mixed@x")
    assert sorted(events(story)) == ["accept", "deliver"]
    assert [line["to"] for line in lines(story, "refused")] == ["gone@example.test"]


def test_no_logins_no_content(mx):
    submit(mx, ["bob"], "content@x")
    with mx.imap("carol"):
        pass
    mx.settle_log()
    data = b"".join(p.read_bytes() for p in recorded(mx))
    assert b"content@x" in data
    assert b"secret" not in data and b"event=login" not in data and b"event=tls" not in data
    if os.geteuid() == 0:
        status = (mx.state / "trace").stat()
        assert stat.S_IMODE(status.st_mode) == 0o700 and status.st_uid != 0
        assert {stat.S_IMODE(p.stat().st_mode) for p in recorded(mx)} == {0o600}


@pytest.mark.parametrize("words", [("trace",), ("trace", "a", "b"), ("trace", "a", "--days", "0"), ("trace", "a", "--days", "x")])
def test_wrong_usage(mx, words):
    assert mx.postern(*words, check=False).returncode == 2


def test_nothing_found(mx):
    done = mx.postern("trace", "unheard.of@example.test", check=False)
    assert done.returncode == 1 and "nothing is recorded of unheard.of@example.test" in done.stderr and done.stderr.count("\n") == 1
    assert mx.json("trace", "unheard.of@example.test") == {"messages": [], "refused": [], "cut": False}


def test_injection(mx):
    """What a stranger says cannot make a line, a field or a message of its own; nor move the operator's cursor."""
    bad = [b"a\x1b[2J.test", b"x event=accept qid=06gvhdfc692fujn1pj8vmqorag to=carol@example.test", b'"quoted" qid=1', b"%s%n%x", b"h" * 600, b"\xff\xfe\x00x",
           b"a\rMay  1 host postern: event=accept"]
    for i, words in enumerate(bad):
        with attack.connect(mx) as sock:
            attack.replies(sock)
            for line in (b"EHLO " + words, b"HELO c.test", b"MAIL FROM:<injector%d@remote.test>" % i, b"RCPT TO:<\"%s\"@example.test>" % words,
                         b"RCPT TO:<nobody@example.test>", b"RCPT TO:<bob@example.test>", b"DATA",
                         b"Message-ID: <" + words + b">\r\nSubject: " + words + b"\r\n\r\nx\r\n."):
                sock.sendall(line + b"\r\n")
                if not attack.replies(sock):
                    break
    mx.settle_log()
    story = mx.json("trace", "@remote.test")
    assert len([1 for line in lines(story, "refused") if line["from"].startswith("injector")]) >= len(bad)
    assert mx.json("trace", "06gvhdfc692fujn1pj8vmqorag")["messages"] == []
    for line in lines(story) + lines(story, "refused"):
        assert line.get("qid", line.get("sid")).isalnum()
    data = b"".join(p.read_bytes() for p in recorded(mx)) + mx.postern("trace", "@remote.test").stdout.encode()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", data)
    assert all(re.match(rb"\d{4}-\d\d-\d\dT[\d:.+-]+ info \w+ event=", line) for p in recorded(mx) for line in p.read_bytes().splitlines())


# --- sites of their own

def test_without_a_server_and_after_a_restart(make_site):
    site = make_site()
    submit(site, ["bob"], "first@x")
    assert attack.send(site, "s@remote.test", "nobody@example.test") == 550
    site.stop()
    alone = site.json("trace", "alice@example.test")
    assert events(alone) == ["deliver", "accept"]
    assert events(site.json("trace", "nobody@example.test"), "refused") == ["refuse"]
    before = {p.name: p.stat().st_size for p in recorded(site)}
    site.start()
    assert site.json("trace", "alice@example.test") == alone
    submit(site, ["bob"], "second@x")
    site.settle_log()
    assert len(site.json("trace", "alice@example.test")["messages"]) == 2
    # the day's file goes on
    assert {p.name for p in recorded(site)} == set(before) or time.gmtime().tm_hour == 0


def test_both_formats_and_every_level(make_site):
    site = make_site()
    submit(site, ["bob"], "text@x")
    site.write_conf(extra=CHEAP_HASHES + "log { format = json }")
    site.postern("reload")
    site.json("status")  # asks every process, behind the new configuration
    submit(site, ["bob"], "json@x")
    site.settle_log()  # what is still on its way is judged by the level that comes
    site.write_conf(extra=CHEAP_HASHES + "log { level = error }")
    site.postern("reload")
    site.json("status")
    submit(site, ["bob"], "quiet@x")
    site.settle_log()
    assert "quiet@x" not in site.log_path.read_text() and '"msgid":"<json@x>"' in site.log_path.read_text()
    story = site.json("trace", "bob@example.test")
    assert [next(line["msgid"] for line in m["events"] if "msgid" in line) for m in story["messages"]] == ["<text@x>", "<json@x>", "<quiet@x>"]
    assert events(story) == ["deliver", "accept"] * 3
    site.log_path.write_text("")  # was in JSON, as asked for


def test_bounded(make_site):
    """Strangers' refusals stay within their share, and what is known of mail stays."""
    site = make_site(extra=CHEAP_HASHES + "trace { size = 1M }")
    submit(site, ["bob"], "kept@x")
    with open(f"/proc/{site.process.pid}/fd/2", "wb", buffering=0) as pipe:
        for i in range(6000):
            pipe.write(b"2999-01-01T00:00:00.000+00:00 info smtp event=refuse sid=s%d to=a%d@example.test why=%s\n" % (i, i, b"x" * 300))
            if i % 500 == 0:
                site.settle_log()
    site.settle_log()
    site.json("status")  # log answers when the record is written, too
    sizes = {"mail": 0, "refused": 0}
    for path in recorded(site):
        sizes[path.suffix[1:]] += path.stat().st_size
    assert 100_000 < sizes["refused"] <= 262_144, sizes
    assert len(site.json("trace", "kept@x")["messages"]) == 1
    assert len(site.json("trace", "a5999@example.test")["refused"]) == 1
    assert site.json("trace", "a0@example.test")["refused"] == []
    # less is allowed now: the rest goes at once
    site.write_conf(extra=CHEAP_HASHES + "trace { size = 1M days = 1 }")
    site.reload()
    assert len(site.json("trace", "kept@x")["messages"]) == 1
    counters = next(p for p in site.json("status")["processes"] if p["role"] == "log")["counters"]
    assert counters["trace_lines"] > 6000 and counters["trace_failed"] == 0 and counters["lost"] == 0


def test_many_messages_come_page_by_page(make_site):
    site = make_site()
    with open(f"/proc/{site.process.pid}/fd/2", "wb", buffering=0) as pipe:
        for i in range(1500):
            pipe.write(b"2026-01-01T00:00:00.%03d+00:00 info smtp event=accept sid=s%d qid=q%04d from=many@remote.test msgid=<%d@x>\n" % (i % 1000, i, i, i))
            if i % 500 == 0:
                site.settle_log()
    site.settle_log()
    story = site.json("trace", "many@remote.test", "--days", "3000")
    assert story["cut"] is True and len(story["messages"]) == 1000
    assert {m["qid"] for m in story["messages"]} == {f"q{i:04}" for i in range(500, 1500)}
    assert "There is more" in site.postern("trace", "many@remote.test", "--days", "3000").stdout
    assert len(site.json("trace", "q0007", "--days", "3000")["messages"]) == 1


def test_trace_survives_the_log_process(make_site):
    with attack.watched() as site:
        site.start()
        assert attack.send(site, "s@remote.test", "bob@example.test") == 250
        site.settle_log()
        (pid,) = site.pids("log")
        attack.kill(site, pid, signal.SIGKILL)
        site.wait_for(lambda: site.pids("log") not in ([], [pid]), 10, "another log process")
        assert attack.send(site, "s@remote.test", "bob@example.test") == 250
        site.settle_log()
        assert len(site.json("trace", "bob@example.test")["messages"]) == 2
