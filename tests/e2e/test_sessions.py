"""Who is connected, and ending it: `postern session list` and `session end`."""
import imaplib
import smtplib
import time

import pytest


def rows(mx, **wanted):
    return [r for r in mx.json("session", "list") if all(r[k] == v for k, v in wanted.items())]


def ended(client):
    """The session hears of its end with the next answers; soon."""
    with pytest.raises(imaplib.IMAP4.abort):
        for _ in range(100):
            client.noop()
            time.sleep(0.1)


def test_sessions_are_listed_with_their_user(mx):
    client = mx.imap("alice")
    with mx.smtp("submission") as sender:
        sender.ehlo()
        assert [r["client"] for r in rows(mx, service="imaps", user="alice@example.test")] == ["127.0.0.1"]
        assert len(rows(mx, service="submission", user="")) == 1
        sender.starttls(context=mx.tls())
        sender.login("bob@example.test", mx.password("bob"))
        assert len(rows(mx, service="submission", user="bob@example.test")) == 1
    assert "alice@example.test" in mx.postern("session", "list").stdout
    client.logout()
    mx.wait_for(lambda: not rows(mx), 10, "all sessions to end")
    assert "nobody is connected" in mx.postern("session", "list").stdout


def test_a_session_is_ended_by_its_id(mx):
    client = mx.imap("alice")
    [sid] = [row["sid"] for row in rows(mx, user="alice@example.test")]
    other = mx.imap("alice")
    mx.postern("session", "end", sid)
    ended(client)
    assert other.noop()[0] == "OK"
    other.logout()


def test_all_sessions_of_an_account_are_ended(mx):
    client = mx.imap("bob")
    sender = mx.smtp("submissions")
    sender.login("bob@example.test", mx.password("bob"))
    other = mx.imap("alice")
    mx.postern("session", "end", "bob@example.test")
    ended(client)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        for _ in range(100):
            if sender.noop()[0] == 421:
                sender.noop()
            time.sleep(0.1)
    assert other.noop()[0] == "OK"
    other.logout()


def test_a_session_that_is_not_there(mx):
    done = mx.postern("session", "end", "nosuchsession", check=False)
    assert done.returncode == 1 and "session list" in done.stderr
