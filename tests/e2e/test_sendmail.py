"""sendmail, mailq and newaliases, as programs on the box call them, against a server that is played here."""
import socket
import threading

import pytest

from command import postern


class Server:
    """The local submission socket: notes what it is told and answers like an SMTP server, except where told otherwise."""

    def __init__(self, path, answers):
        self.heard, self.message, self.answers = [], None, answers
        path.parent.mkdir(parents=True, exist_ok=True)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        peer, _ = self.listening.accept()
        with peer, peer.makefile("rwb") as stream:
            self.say(stream, "220 mx ESMTP")
            for line in iter(stream.readline, b""):
                verb = line.split()[0].upper().decode() if line.split() else ""
                self.heard.append(line.decode().rstrip("\r\n"))
                self.say(stream, self.answers.get(verb, {"EHLO": "250-mx\r\n250 SIZE", "DATA": "354 go", "QUIT": "221 bye"}.get(verb, "250 ok")))
                if verb == "DATA" and "DATA" not in self.answers:
                    self.message = b"".join(iter(stream.readline, b".\r\n"))
                    self.say(stream, self.answers.get(".", "250 queued"))
                if verb == "QUIT":
                    return

    @staticmethod
    def say(stream, words):
        stream.write(words.encode() + b"\r\n")
        stream.flush()


@pytest.fixture
def server(site):
    def start(**answers):
        return Server(site.parent / "state/run/submit", {k.replace("END", "."): v for k, v in answers.items()})
    return start


def test_a_message_with_recipients_in_the_header(site, server):
    listener = server()
    message = "To: bob, Carol <carol@remote.test>\nBcc: dave@remote.test\nSubject: s\n\n.\n..x\nüber\n"
    assert postern("-t", "-i", "-f", "cron@example.test", conf=site, stdin=message, name="sendmail") == (0, "", "")
    listener.thread.join(10)
    size = len(listener.message.replace(b"\r\n.", b"\r\n"))
    assert listener.heard[0] == "EHLO mx.example.test"
    assert listener.heard[1] == f"MAIL FROM:<cron@example.test> SIZE={size} BODY=8BITMIME"
    assert listener.heard[2:] == ["RCPT TO:<bob@example.test>", "RCPT TO:<carol@remote.test>", "RCPT TO:<dave@remote.test>",
                                  "DATA", "QUIT"]
    head, body = listener.message.split(b"\r\n\r\n", 1)
    assert head.startswith(b"From: ") and b"<cron@example.test>\r\nTo: bob" in head
    assert body == "..\r\n...x\r\nüber\r\n".encode()


def test_options_in_one_word_and_a_dot_that_ends(site, server):
    listener = server()
    status, out, err = postern("-oi", "-oem", "-odb", "-fbob@example.test", "-FBob", "-NNEVER", "-R", "hdrs", "--", "x@remote.test",
                               conf=site, stdin="From: b@example.test\n\n.\nmore\n", name="/usr/sbin/sendmail")
    assert (status, out, err) == (0, "", "")
    listener.thread.join(10)
    assert listener.heard[1].startswith("MAIL FROM:<bob@example.test> SIZE=") and listener.heard[1].endswith(" RET=hdrs")
    assert listener.heard[2] == "RCPT TO:<x@remote.test> NOTIFY=NEVER"
    assert listener.message == b"From: b@example.test\r\n\r\n..\r\nmore\r\n"


def test_the_dot_ends_without_i(site, server):
    listener = server()
    assert postern("sendmail", "-f", "<>", "x@remote.test", conf=site, stdin="From: a\n\na\n.\nb\n")[0] == 0
    listener.thread.join(10)
    assert listener.heard[1].startswith("MAIL FROM:<> ")
    assert listener.message == b"From: a\r\n\r\na\r\n"


@pytest.mark.parametrize("answers,status,why", [
    ({"RCPT": "550 5.1.1 no such user here"}, 1, "x@remote.test: 550 5.1.1 no such user here"),
    ({"RCPT": "451 4.3.0 later"}, 75, "x@remote.test: 451 4.3.0 later"),
    ({"END": "452 4.3.1 full"}, 75, "the message: 452 4.3.1 full"),
    ({"END": "554 5.6.0 no"}, 1, "the message: 554 5.6.0 no"),
    ({"MAIL": "553 5.7.1 not yours"}, 1, "a@example.test: 553 5.7.1 not yours"),
])
def test_refusals(site, server, answers, status, why):
    server(**answers)
    got, out, err = postern("-f", "a@example.test", "x@remote.test", conf=site, stdin="\nhi\n", name="sendmail")
    assert (got, out, err) == (status, "", f"postern: {why}\n")


def test_without_a_server_nothing_is_lost_silently(site):
    status, out, err = postern("-t", conf=site, stdin="To: a@x.test\n\nhi\n", name="sendmail")
    assert (status, out) == (75, "") and "the server does not run, nothing was sent" in err


@pytest.mark.parametrize("words,stdin,status,why", [
    ([], "\nhi\n", 2, "no recipients"),
    (["-t"], "Subject: s\n\nhi\n", 2, "no recipients"),
    (["a@b@c"], "\nhi\n", 1, "a@b@c is no address"),
    (["-f", "a@b@c", "x@x.test"], "\nhi\n", 1, "a@b@c is no address for a sender"),
    (["-Z"], "", 2, "there is no option -Z"),
    (["-bz"], "", 2, "there is no mode -bz"),
    (["-f"], "", 2, "-f wants a value"),
])
def test_wrong_usage(site, words, stdin, status, why):
    got, out, err = postern(*words, conf=site, stdin=stdin, name="sendmail")
    assert (got, out) == (status, "") and err.startswith(f"postern: {why}")


def test_bs_is_a_pipe_to_the_server(site, server):
    listener = server()
    status, out, err = postern("-bs", conf=site, stdin="EHLO me\r\nQUIT\r\n", name="sendmail")
    assert (status, err) == (0, "") and out == "220 mx ESMTP\r\n250-mx\r\n250 SIZE\r\n221 bye\r\n"
    assert listener.heard == ["EHLO me", "QUIT"]


def test_the_other_names(site):
    assert postern(conf=site, name="newaliases") == (0, "", "")
    assert postern("-bi", conf=site, name="sendmail") == (0, "", "")
    assert postern(conf=site, name="/usr/bin/mailq")[0] == 75
    assert postern("-bp", conf=site, name="sendmail")[0] == 75
