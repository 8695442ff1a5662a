"""Roundcube against postern: what a person does with web mail in a day. Its log must stay empty."""
import email
import email.policy

import pytest

pytest.importorskip("selenium")
from mail import flags_of, message  # noqa: E402
from roundcube import Browser, Roundcube, wait_for  # noqa: E402


@pytest.fixture
def cube(site, tap, tmp_path):
    server = Roundcube(site, tmp_path, tap.port)
    yield server
    try:
        assert server.errors() == ""
    finally:
        server.close()


@pytest.fixture
def browser(cube, site, shots):
    browser = Browser(cube.port, shots)
    browser.log_in("alice@example.test", site.password("alice"))
    yield browser
    browser.close()


def put(site, *messages, mailbox="INBOX"):
    with site.imap("alice") as client:
        for one in messages:
            assert client.append(mailbox, "", None, one)[0] == "OK"


def stored(site, mailbox, user="alice"):
    """The messages of a mailbox, taken apart."""
    with site.imap(user) as client:
        n = int(client.select(mailbox, readonly=True)[1][0])
        data = client.fetch("1:*", "(BODY.PEEK[])")[1] if n else []
        return [email.message_from_bytes(d[1], policy=email.policy.default) for d in data if isinstance(d, tuple)]


def flags(site, subject, mailbox="INBOX"):
    with site.imap("alice") as client:
        client.select(mailbox)
        return flags_of(client, subject)


def test_list_search_and_move(site, browser, tap):
    put(site, *(message(f"letter {i}", f"words of {i} grüße\r\n") for i in range(12)), message("=?utf-8?q?invoice_=C3=A4=C3=B6=C3=BC?=", "please pay\r\n"))
    browser.mailbox("INBOX")
    letters = [f"letter {i}" for i in range(12)]
    browser.wait_for_subjects(letters + ["invoice äöü"])
    browser.shot("list")

    browser.fill(q="invoice")
    browser.command("search")
    browser.wait_for_subjects(["invoice äöü"])
    browser.command("reset-search")
    browser.wait_for_subjects(letters + ["invoice äöü"])

    browser.row("letter 3")
    browser.command("move", "Archive")
    browser.wait_for_subjects([s for s in letters if s != "letter 3"] + ["invoice äöü"])
    browser.row("letter 5")
    browser.command("delete")
    browser.row("letter 6")
    browser.command("mark", "flagged")
    wait_for(lambda: [m["Subject"] for m in stored(site, "Archive")] == ["letter 3"], "the message in Archive")
    wait_for(lambda: [m["Subject"] for m in stored(site, "Trash")] == ["letter 5"], "the message in Trash")
    wait_for(lambda: flags(site, "letter 6") == {b"\\Flagged"}, "the flag")
    assert flags(site, "letter 3") is None and flags(site, "letter 5") is None
    assert tap.said("UID MOVE") and tap.said("UID SEARCH") + tap.said("SEARCH")


def test_threads(site, browser, tap):
    first = message("trip", "who comes?\r\n")
    answers = [message(f"Re: trip {i}", f"me {i}\r\n", b"In-Reply-To: <trip@example.test>\r\nReferences: <trip@example.test>\r\n")
               for i in range(3)]
    put(site, message("alone"), first, *answers, message("last"))
    browser.mailbox("INBOX")
    browser.script("rcmail.set_list_options(['threads', 'subject', 'status', 'fromto', 'date', 'size', 'flag', 'attachment'], '', 'DESC', 1)")
    browser.settle()
    browser.wait_for_subjects(["alone", "trip", "last"])
    browser.command("expand-all")
    browser.wait_for_subjects(["alone", "trip", *(f"Re: trip {i}" for i in range(3)), "last"])
    browser.shot("threads")
    assert tap.said("UID THREAD REFERENCES") + tap.said("THREAD REFERENCES")


def compose(browser, to, subject, text):
    browser.open("?_task=mail&_action=compose")
    browser.one("#composebody")
    browser.fill(to=to, subject=subject, message=text)


def test_compose_and_send(site, browser):
    compose(browser, "bob@example.test", "grüße aus dem Netz", "Hallo Bob,\n.\nFrom here: жук\n")
    browser.shot("compose")
    browser.command("send", {})
    (arrived,) = site.inbox("bob", 1)
    got = email.message_from_bytes(arrived, policy=email.policy.default)
    assert got["Subject"] == "grüße aus dem Netz" and got["From"].addresses[0].addr_spec == "alice@example.test"
    flowed = got.get_content().replace("\r\n", "\n").replace("\n ", "\n")  # RFC 3676 4.4: From has a space before it
    assert flowed.strip() == "Hallo Bob,\n.\nFrom here: жук"
    wait_for(lambda: [m["Subject"] for m in stored(site, "Sent")] == ["grüße aus dem Netz"], "the copy in Sent")
    assert flags(site, "aus dem Netz", "Sent") == {b"\\Seen"}


def test_drafts(site, browser):
    """Saved twice there is one draft; taken up again and sent there is none."""
    compose(browser, "bob@example.test", "half", "one")
    browser.command("savedraft")
    wait_for(lambda: [m.get_content().strip() for m in stored(site, "Drafts")] == ["one"], "the draft")
    browser.fill(message="one and two")
    browser.command("savedraft")
    wait_for(lambda: [m.get_content().strip() for m in stored(site, "Drafts")] == ["one and two"], "the new draft in place of the old")
    assert flags(site, "half", "Drafts") == {b"\\Seen"}
    with site.imap("alice") as client:
        client.select("Drafts")
        uid = client.uid("SEARCH", "ALL")[1][0].decode()
    browser.open(f"?_task=mail&_action=compose&_draft_uid={uid}&_mbox=Drafts")
    assert browser.one("#composebody").get_property("value").strip() == "one and two"
    browser.fill(message="all of it")
    browser.command("send", {})
    (arrived,) = site.inbox("bob", 1)
    assert email.message_from_bytes(arrived, policy=email.policy.default).get_content().strip() == "all of it"
    wait_for(lambda: stored(site, "Drafts") == [], "no draft any more")
