"""Clients that come back to a mailbox and ask only for what changed: CONDSTORE and QRESYNC (RFC 7162)."""
import re

from mail import message


def deliver(site, *subjects):
    for subject in subjects:
        assert site.submit("alice", ["alice"], message(subject, subject.encode() + b" body\r\n")) == {}
    site.inbox("alice", len(subjects))


def change(site):
    """Another client flags the second message and removes the first."""
    with site.imap("alice") as client:
        client.select("INBOX")
        client.store("2", "+FLAGS.SILENT", r"(\Flagged)")
        client.store("1", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()


def ask(client, line):
    """A command that imaplib does not know: its untagged answers as one text."""
    tag = client._new_tag()
    client.send(tag + b" " + line.encode() + b"\r\n")
    said = b""
    while not said.startswith(tag) and b"\r\n" + tag + b" " not in said:
        got = client.readline()
        assert got, said
        said += got
    return said.decode()


def test_a_client_that_was_away(make_site):
    site = make_site()
    deliver(site, "one", "two", "three")
    with site.imap("alice") as client:
        assert client.enable("QRESYNC")[0] == "OK"
        first = ask(client, "SELECT INBOX")
    uidvalidity = re.search(r"\[UIDVALIDITY (\d+)\]", first)[1]
    modseq = re.search(r"\[HIGHESTMODSEQ (\d+)\]", first)[1]
    change(site)
    with site.imap("alice") as client:
        assert client.enable("QRESYNC")[0] == "OK"
        again = ask(client, f"SELECT INBOX (QRESYNC ({uidvalidity} {modseq} 1:3))")
        assert "* VANISHED (EARLIER) 1\r\n" in again, again
        assert re.findall(r"\* (\d+) FETCH \(UID (\d+) FLAGS \(([^)]*)\)", again) == [("1", "2", "\\Flagged")], again
        assert ask(client, "UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)").count("FETCH (") == 2
        assert "MODIFIED 2" in ask(client, f"UID STORE 2:3 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (\\Seen)")
