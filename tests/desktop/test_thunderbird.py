"""Thunderbird against postern: the mailbox appears, changes of others arrive while it looks, what it does is done."""
import shutil

import pytest

from mail import flags_of, message
from thunderbird import Thunderbird

pytestmark = pytest.mark.skipif(not (shutil.which("thunderbird") and shutil.which("Xvfb")), reason="thunderbird or xvfb is not installed")


def test_a_mailbox_is_shown_and_followed(site, tap, tmp_path, shots):
    with site.imap("alice") as client:
        for i in range(8):
            assert client.append("INBOX", r"(\Flagged)" if i == 2 else "", None, message(f"letter {i}", f"grüße {i}\r\n"))[0] == "OK"
    bird = Thunderbird(site, tmp_path, shots, tap.port)
    try:
        letters = [f"letter {i}" for i in range(8)]
        bird.open("Inbox")
        bird.wait("named('inbox').getNewMessages(null, null); return true", "asking for mail")
        bird.wait_for_subjects(letters)
        site.wait_for(lambda: tap.said("IDLE"), 30, "IDLE")

        site.submit("alice", ["alice"], message("just came"))                    # while it looks
        bird.wait_for_subjects(letters + ["just came"])
        with site.imap("alice") as client:
            client.select("INBOX")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.store("2", "+FLAGS", r"(\Flagged)")
            client.expunge()
        letters.remove("letter 0")
        bird.wait_for_subjects(letters + ["just came"])
        bird.wait("return [...named('inbox').messages].filter(m => m.isFlagged).length == 2", "the flag of the other session")
        bird.shot("list")

        bird.script("pane().gDBView.selection.select([...Array(pane().gDBView.rowCount).keys()].find(i => "
                    "pane().gDBView.getMsgHdrAt(i).mime2DecodedSubject == arguments[0]))", "letter 5")
        bird.script("MailServices.copy.copyMessages(named('inbox'), pane().gDBView.getSelectedMsgHdrs(), named('archive'), true, null, null, false)")
        letters.remove("letter 5")
        bird.wait_for_subjects(letters + ["just came"])
        bird.open("Archive")
        bird.wait_for_subjects(["letter 5"])
        with site.imap("alice") as client:
            client.select("INBOX")
            assert flags_of(client, "letter 5") is None
            client.select("Archive")
            assert flags_of(client, "letter 5") is not None
    finally:
        bird.close()
    assert tap.said("COMPRESS DEFLATE") and tap.said("UID MOVE")
