"""SORT and THREAD through the real server, with imaplib's own commands for them (RFC 5256)."""


def test_sort_and_thread(make_site):
    site = make_site()
    for subject, date, extra in (("beta", 3, b"Message-ID: <1@x.test>\r\n"),
                                 ("Re: Alpha", 2, b"Message-ID: <2@x.test>\r\nReferences: <1@x.test>\r\n"),
                                 ("alpha", 1, b"Message-ID: <3@x.test>\r\n")):
        with site.imap("alice") as client:
            text = (b"Subject: " + subject.encode() + f"\r\nDate: Wed, {date} Jan 2020 10:00:00 +0000\r\n".encode() + extra +
                    b"\r\nbody\r\n")
            assert client.append("INBOX", None, None, text)[0] == "OK"
    with site.imap("alice") as client:
        client.select("INBOX")
        assert client.sort("(DATE)", "UTF-8", "ALL") == ("OK", [b"3 2 1"])
        assert client.sort("(SUBJECT REVERSE DATE)", "UTF-8", "ALL") == ("OK", [b"2 3 1"])
        assert client.uid("SORT", "(REVERSE SUBJECT)", "UTF-8", "SUBJECT", "alpha") == ("OK", [b"2 3"])
        assert client.thread("REFERENCES", "UTF-8", "ALL") == ("OK", [b"(3)(1 2)"])
        assert client.thread("ORDEREDSUBJECT", "UTF-8", "ALL") == ("OK", [b"(3 2)(1)"])
