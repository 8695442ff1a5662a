"""Annotations and rights through the real server: they outlive a restart, a kill and a lost index (RFC 5464, RFC 4314)."""
import imaplib

from postern_site import CHEAP_HASHES

COLOR = "/private/vendor/example/color"
OFFERED = CHEAP_HASHES + 'imap { comment = "the house server" }\n'

for verb in ("GETMETADATA", "SETMETADATA"):
    imaplib.Commands[verb] = ("AUTH", "SELECTED")


def done(client, *args):
    typ, data = client._simple_command(*args)
    assert typ == "OK", data


def told(client, name, *args):
    """The untagged response of that name to the command, which holds no literal."""
    done(client, *args)
    return client.response(name)[1][-1]


def check(site, where):
    with site.imap("alice") as client:
        assert told(client, "METADATA", "GETMETADATA", "box", COLOR) == b'"box" (%s "#b71c1c")' % COLOR.encode(), where
        assert told(client, "METADATA", "GETMETADATA", '""', "/private/x") == b'"" (/private/x "mine")', where
        assert told(client, "METADATA", "GETMETADATA", '""', "/shared/comment") == b'"" (/shared/comment "the house server")', where
        assert told(client, "ACL", "GETACL", "box") == b'"box" alice@example.test lrswipkxteacd bob@example.test lr', where
        assert told(client, "MYRIGHTS", "MYRIGHTS", "box") == b'"box" lrswipkxteacd', where


def test_what_they_outlive(make_site):
    site = make_site(extra=OFFERED)
    with site.imap("alice") as client:
        assert client.create("box")[0] == "OK"
        done(client, "SETMETADATA", "box", f'({COLOR} "#b71c1c")')
        done(client, "SETMETADATA", '""', '(/private/x "mine")')
        assert client.setacl("box", "bob", "lr")[0] == "OK"
    site.kill()
    site.start()
    check(site, "kill -9")
    site.postern("store", "rebuild", "alice@example.test")
    check(site, "rebuild")
    assert site.stop() == 0
    (site.state / "mail/example.test/alice/index.mdb").unlink()
    site.start()
    check(site, "no index")
    with site.imap("bob") as client:
        assert client.select("box")[0] == "NO"
