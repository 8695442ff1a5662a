"""Programs that keep a Maildir of the client and the mailboxes of the server alike: each there and back, with what it asks the server for."""
import hashlib
import re
import ssl

import pytest

from conftest import CHEAP_HASHES
from mail import find, flags_of, message
from programs import run
from tap import Tap

OFFERED = CHEAP_HASHES + "imap { compress = yes }\n"
OWN_FIELDS = re.compile(rb"(?m)^X-(TUID|OfflineIMAP): .*\r?\n")  # by which they find again what they stored


class Client:
    """Mirrors all mailboxes of a user in directory/mail."""

    def __init__(self, site, user, directory, port):
        self.dir, self.rc = directory, directory / "rc"
        (directory / "mail").mkdir()
        self.write_rc(site, site.address(user), site.password(user), port)

    def files(self, mailbox="INBOX"):
        return {OWN_FIELDS.sub(b"", p.read_bytes()): p for sub in ("new", "cur") for p in (self.dir / "mail" / mailbox / sub).iterdir()}

    def subjects(self, mailbox="INBOX"):
        """Subject → file."""
        return {re.search(rb"(?m)^Subject: (.*?)\r?$", data)[1].decode(): path for data, path in self.files(mailbox).items()}

    def run(self, *words):
        run(*words, env={"HOME": str(self.dir)})


class Mbsync(Client):
    def write_rc(self, site, user, password, port):
        self.rc.write_text(
            f"IMAPAccount mx\nHost 127.0.0.1\nPort {port}\nUser {user}\nPass {password}\n"
            f"SSLType IMAPS\nCertificateFile {site.certificate}\n\nIMAPStore far\nAccount mx\n\n"
            f"MaildirStore near\nPath {self.dir}/mail/\nInbox {self.dir}/mail/INBOX\nSubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSync All\nSyncState *\n")

    def sync(self):
        self.run("mbsync", "-c", self.rc, "-a")

    def check_what_it_used(self, tap):
        """All it knows: compression, literals without waiting, UIDPLUS."""
        assert tap.said("COMPRESS DEFLATE") and tap.answered("COMPRESSIONACTIVE") == []
        assert any(line.endswith(b"+}") for who, line in tap.lines if who == "C")
        assert tap.answered("[APPENDUID ") and tap.said("UID EXPUNGE") + tap.said("CLOSE") + tap.said("EXPUNGE")


class OfflineImap(Client):
    # imaplib2, which it uses, waits for the socket while it still holds compressed bytes that became more than 32 KiB
    def write_rc(self, site, user, password, port):
        certificate = ssl.PEM_cert_to_DER_cert(site.certificate.read_text())
        self.rc.write_text(
            f"[general]\naccounts = mx\nmetadata = {self.dir}/state\nui = basic\n\n"
            "[Account mx]\nlocalrepository = near\nremoterepository = far\n\n"
            f"[Repository near]\ntype = Maildir\nlocalfolders = {self.dir}/mail\nsync_deletes = yes\n\n"
            f"[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {port}\nremoteuser = {user}\nremotepass = {password}\n"
            f"ssl = yes\ncert_fingerprint = {hashlib.sha256(certificate).hexdigest()}\nusecompression = yes\n"
            "expunge = yes\nauth_mechanisms = PLAIN\n")

    def sync(self):
        self.run("offlineimap", "-c", self.rc, "-o")

    def check_what_it_used(self, tap):
        assert tap.said("COMPRESS DEFLATE") and tap.answered("[APPENDUID ")


def change_near(client):
    """Flags, a deletion and a new message; what was written."""
    paths = client.subjects()
    paths["down 0"].rename(paths["down 0"].parent.parent / "cur" / (paths["down 0"].name.split(":")[0] + ":2,FS"))
    paths["down 1"].unlink()
    up = message("up", "written here: grüße\r\n")
    (client.dir / "mail/INBOX/cur/1700000000.M1P1.client:2,S").write_bytes(up.replace(b"\r\n", b"\n"))
    return up


def check_far(imap, up):
    imap.select("INBOX")
    assert flags_of(imap, "down 0") == {b"\\Flagged", b"\\Seen"}
    assert flags_of(imap, "down 1") is None
    assert flags_of(imap, "up") == {b"\\Seen"}
    _, data = imap.search(None, "SUBJECT", "up")
    _, data = imap.fetch(data[0].decode(), "(BODY.PEEK[] INTERNALDATE)")
    assert OWN_FIELDS.sub(b"", data[0][1]) == up


def change_far(imap):
    _, data = imap.search(None, "SUBJECT", '"down 2"')
    imap.store(data[0].decode(), "+FLAGS", r"(\Answered)")
    _, data = imap.search(None, "SUBJECT", '"down 3"')
    imap.store(data[0].decode(), "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.create("Trips/2026")
    imap.append("Trips/2026", "", None, message("archived"))


@pytest.mark.parametrize("kind", [Mbsync, OfflineImap])
def test_two_ways(make_site, tmp_path, kind):
    site = make_site(extra=OFFERED)
    sent = [message(f"down {i}", f"number {i}\r\n".encode() * (1 + i * 300)) for i in range(5)]
    for one in sent:
        site.submit("alice", ["bob"], one)
    site.inbox("bob", len(sent))
    with Tap(site) as tap:
        client = kind(site, "bob", tmp_path, tap.port)
        client.sync()
        crlf = [re.sub(rb"\r?\n", b"\r\n", data) for data in client.files()]
        for one in sent:                                                       # new mail came down
            find(crlf, one)
        up = change_near(client)
        client.sync()                                                          # goes up
        with site.imap("bob") as imap:
            check_far(imap, up)
            change_far(imap)
        site.submit("alice", ["bob"], message("down 9"))
        client.sync()                                                          # comes down
        paths = client.subjects()
        assert set(paths) == {"down 0", "down 2", "down 4", "down 9", "up"}
        assert "R" in paths["down 2"].name.split(":2,")[1]
        assert list(client.subjects("Trips/2026" if kind is Mbsync else "Trips.2026")) == ["archived"]
        client.check_what_it_used(tap)
        tap.lines.clear()
        client.sync()                                                          # nothing is left to do
        assert not tap.said("APPEND") + tap.said("UID STORE") + tap.said("UID FETCH")[10:]
        with site.imap("bob") as imap:
            assert imap.select("INBOX")[1] == [b"5"]
