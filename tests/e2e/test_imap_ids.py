"""Object identifiers through the real server: what keeps its id, and what does not (RFC 8474)."""
import re


def test_ids_follow_copies_and_renames(make_site):
    site = make_site()

    def ids(client):
        return re.findall(rb"EMAILID \((M[0-9a-z]+)\)", b" ".join(client.fetch("1:*", "(EMAILID)")[1]))

    with site.imap("alice") as client:
        for body in (b"A: b\r\n\r\n1", b"A: b\r\n\r\n2"):
            assert client.append("INBOX", None, None, body)[0] == "OK"
        assert client.create("foo")[0] == "OK"
        before = client.status("foo", "(MAILBOXID)")[1][0].split()[1:]
        client.select("INBOX")
        here = ids(client)
        assert len(set(here)) == 2
        assert client.copy("2", "foo")[0] == "OK"
        assert client.xatom("MOVE", "1", "foo")[0] == "OK"
        assert client.rename("foo", "bar")[0] == "OK"
        assert client.status("bar", "(MAILBOXID)")[1][0].split()[1:] == before
        client.select("bar")
        assert ids(client) == [here[1], here[0]]
        assert client.search(None, "EMAILID", here[0].decode())[1] == [b"2"]
