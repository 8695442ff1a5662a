"""Accounts, aliases and domains from the command line, without a server: the same commands work on the directory itself."""
import json
import os
import pty

import pytest

from command import POSTERN, postern


def add(site, address, *options, password="a good password"):
    return postern("user", "add", address, "--password-stdin", *options, conf=site, stdin=password + "\n")


def listed(site, noun):
    status, out, err = postern(noun, "list", "--json", conf=site)
    assert (status, err) == (0, "")
    return json.loads(out)


def test_a_user_from_first_to_last(site):
    assert add(site, "Alice@Example.Test", "--quota", "5G") == (0, "", "")
    assert [(u["address"], u["quota"], u["disabled"]) for u in listed(site, "user")] == [("alice@example.test", 5 << 30, False)]
    status, out, err = postern("user", "show", "alice@example.test", conf=site)
    assert (status, err) == (0, "") and "argon2id" in out and "5G" in out
    assert postern("user", "quota", "alice@example.test", "none", conf=site)[0] == 0
    assert listed(site, "user")[0]["quota"] == 0
    assert postern("user", "quota", "alice@example.test", "default", conf=site)[0] == 0
    assert listed(site, "user")[0]["quota"] is None
    assert postern("user", "disable", "alice@example.test", conf=site)[0] == 0
    assert listed(site, "user")[0]["disabled"] is True
    assert postern("user", "enable", "alice@example.test", conf=site)[0] == 0
    assert postern("user", "del", "alice@example.test", conf=site)[0] == 0
    status, out, err = postern("user", "list", conf=site)
    assert (status, out) == (0, "no accounts, add one with `postern user add ADDRESS'\n")


def check(site, address, password):
    return postern("user", "check", address, "--password-stdin", conf=site, stdin=password + "\n")[0]


def test_passwords(site):
    assert add(site, "bob@example.test", password="first one")[0] == 0
    assert check(site, "bob@example.test", "first one") == 0
    assert check(site, "bob@example.test", "another") == 1
    assert check(site, "nobody@example.test", "first one") == 1
    assert postern("user", "passwd", "bob@example.test", "--password-stdin", conf=site, stdin="second one\n")[0] == 0
    assert (check(site, "bob@example.test", "first one"), check(site, "bob@example.test", "second one")) == (1, 0)
    hashed = "{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
    assert postern("user", "passwd", "bob@example.test", "--hash-stdin", conf=site, stdin=hashed + "\n")[0] == 0
    assert check(site, "bob@example.test", "password") == 0


def at_terminal(site, words, answers):
    """Runs a command at a terminal of its own; returns (exit status, everything the terminal showed)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(POSTERN, ["postern", "-c", str(site), *words])
    shown = b""
    for prompt, answer in answers:
        while prompt not in shown.rsplit(b"\n", 1)[-1]:
            shown += os.read(terminal, 1000)
        os.write(terminal, answer + b"\n")
    try:
        while more := os.read(terminal, 1000):
            shown += more
    except OSError:  # the terminal's other end is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_passwords_at_the_terminal_are_not_shown(site):
    add_dave = ["user", "add", "dave@example.test"]
    status, shown = at_terminal(site, add_dave, [(b"new password: ", b"a quiet one"), (b"again: ", b"another one")])
    assert status == 1 and "the two passwords differ" in shown and listed(site, "user") == []
    status, shown = at_terminal(site, add_dave, [(b"new password: ", b"a quiet one"), (b"again: ", b"a quiet one")])
    assert status == 0 and "quiet" not in shown
    assert at_terminal(site, ["user", "check", "dave@example.test"], [(b"password: ", b"a quiet one")])[0] == 0


@pytest.mark.parametrize("words,stdin,status,why", [
    (["user", "add", "carol@example.test"], "", 2, "there is no terminal to ask for the password"),
    (["user", "add", "carol@example.test", "--password-stdin"], "", 2, "standard input has no line"),
    (["user", "add", "carol@example.test", "--password-stdin"], "x" * 2000 + "\n", 1, "the password is longer than"),
    (["user", "add", "carol@example.test", "--password-stdin", "--quota", "much"], "x\n", 2, "much is no quota"),
    (["user", "add", "carol@example.test", "--quota"], "x\n", 2, "--quota wants a value: SIZE"),
    (["user", "add", "carol@other.test", "--password-stdin"], "a good password\n", 1, "other.test is not a domain of this server"),
    (["user", "add", "carol", "--password-stdin"], "a good password\n", 1, '"carol" is no address'),
    (["user", "del", "carol@example.test"], "", 1, "there is no account carol@example.test"),
    (["user", "add", "--password-stdin"], "x\n", 2, "something is missing"),
    (["domain", "del", "example.test"], "", 1, "example.test is in the configuration, delete it at "),
    (["queue", "list"], "", 75, "no server runs on "),
    (["queue", "hold"], "", 2, "say which messages"),
    (["queue", "hold", "--all", "--to", "x.test"], "", 2, "say which messages"),
    (["status"], "", 75, "no server runs on "),
    (["status", "--health"], "", 1, "no server runs on "),
    (["stop"], "", 75, "no server runs on "),
    (["store", "check", "carol@example.test"], "", 1, "there is no account carol@example.test"),
    (["store", "check", "nonsense"], "", 2, '"nonsense" is no address'),
])
def test_refusals_say_why_in_one_line(site, words, stdin, status, why):
    got, out, err = postern(*words, conf=site, stdin=stdin)
    assert (got, out) == (status, "")
    assert err.startswith(f"postern: {why}") and err.count("\n") == 1


def test_aliases_domains_and_what_they_do(site):
    assert add(site, "bob@example.test")[0] == 0
    assert postern("alias", "add", "info@example.test", "bob@example.test", "x@remote.test", conf=site) == (0, "", "")
    assert [(a["alias"], a["targets"]) for a in listed(site, "alias")] == [
        ("info@example.test", ["bob@example.test", "x@remote.test"])]
    assert postern("domain", "add", "bücher.test", conf=site)[0] == 0
    assert [(d["domain"], d["configured"]) for d in listed(site, "domain")] == [
        ("example.test", True), ("xn--bcher-kva.test", False)]
    status, out, err = postern("explain", "info@example.test", conf=site)
    assert (status, err) == (0, "") and "alias" in out and "bob@example.test" in out
    answer = json.loads(postern("explain", "nobody@example.test", "--json", conf=site)[1])
    assert (answer["verdict"], answer["code"]) == ("refuse", 550)
    assert postern("alias", "del", "info@example.test", conf=site)[0] == 0
    assert postern("alias", "list", conf=site)[1] == "no aliases\n"
    assert postern("domain", "del", "bücher.test", conf=site)[0] == 0


def test_long_lists_come_page_by_page(site):
    for i in range(120):
        assert postern("alias", "add", f"a{i:03}@example.test", *[f"{'t' * 40}{j}@remote.test" for j in range(20)], conf=site)[0] == 0
    aliases = listed(site, "alias")
    assert [a["alias"] for a in aliases] == [f"a{i:03}@example.test" for i in range(120)]
    assert all(len(a["targets"]) == 20 and a["omitted"] == 0 for a in aliases)
    site.write_text(site.read_text().replace("{ example.test }", "{ " + ", ".join(f"d{i}.test" for i in range(400)) + " }"))
    assert len(listed(site, "domain")) == 400


def test_init_makes_a_site(site):
    conf = site.parent / "new" / "postern.conf"
    status, out, err = postern("init", "alice@example.test", "--password-stdin", conf=site, stdin="a good password\n")
    assert status == 0 and "example.test.                           IN MX   10 mx.example.test." in out
    assert "_25._tcp.mx.example.test.               IN TLSA 3 1 1 " in out
    assert (site.parent / "state/keys/self-signed.key").stat().st_mode & 0o777 == 0o600
    assert [u["address"] for u in listed(site, "user")] == ["alice@example.test"]
    again = postern("init", "alice@example.test", "--password-stdin", conf=site, stdin="a good password\n")
    assert (again[0], again[1]) == (0, out)
    assert postern("dns", "records", conf=site)[1] in out
    status, out, err = postern("init", "nonsense", conf=conf)
    assert status == 2 and not conf.exists()
