"""What the store keeps of each message for IMAP is made in the background, without anybody asking (RFC 8970 LAZY shows it)."""
import time

from postern_site import deadline


def test_every_message_gets_its_row(make_site):
    site = make_site()
    with site.imap("alice") as client:
        for batch in range(4):  # many at once: some files are still on their way when their rows are made
            tag = client._new_tag()
            client.send(tag + b" APPEND INBOX" + b"".join(b" {28+}\r\nSubject: x\r\n\r\nmessage %04d\r\n" % (batch * 100 + i)
                                                          for i in range(100)) + b"\r\n")
            while not client.readline().startswith(tag + b" OK"):
                pass
        client.select("INBOX")
        end = deadline(30)
        while time.monotonic() < end:
            rows = [r if isinstance(r, bytes) else r[0] for r in client.fetch("1:*", "(PREVIEW (LAZY))")[1]]
            if not any(b"NIL" in row for row in rows):
                break
            time.sleep(0.5)
        assert rows == [b'%d (PREVIEW "message %04d")' % (i + 1, i) for i in range(400)]
