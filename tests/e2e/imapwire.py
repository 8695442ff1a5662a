"""imapwire.py - a client of IMAP that takes responses apart into atoms, strings and lists, and understands nothing."""
import re

PIECE = re.compile(rb'\(|\)|"(?:[^"\\]|\\.)*"|~?\{\d+\+?\}|[^\s()]+')


def quoted(text):
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", text) + b'"'


class Connection:
    """source, sink: bytes from and to the server. login: (user, password)."""

    def __init__(self, source, sink, login=None):
        self.source, self.sink, self.n = source, sink, 0
        self.response()  # the greeting
        if login:
            self.command(b"LOGIN " + b" ".join(quoted(word.encode()) for word in login))
        self.capabilities = {word.decode() for line in self.command(b"CAPABILITY") for word in line[1:]}

    def response(self):
        """One response as nested lists; text of a status response is words like any other."""
        tokens, literal = [], True
        while literal:
            line = self.source.readline()
            assert line.endswith(b"\r\n"), f"the server has closed: {line!r}"
            literal = None
            for piece in PIECE.findall(line[:-2]):
                literal = re.fullmatch(rb"~?\{(\d+)\}", piece)
                tokens.append(("string", self.source.read(int(literal[1]))) if literal else ("word", piece))
        return self.nest(iter(tokens))

    def nest(self, tokens):
        out = []
        for kind, value in tokens:
            if kind == "word" and value == b"(":
                out.append(self.nest(tokens))
            elif kind == "word" and value == b")":
                return out
            elif kind == "word" and value.startswith(b'"'):
                out.append(re.sub(rb"\\(.)", rb"\1", value[1:-1]))
            else:
                out.append(value)
        return out

    def send(self, data):
        self.sink.write(data)
        self.sink.flush()

    def command(self, line):
        """The untagged responses, without the star."""
        said, answer = self.ask(line)
        assert answer[0] == b"OK", f"{line[:200]!r}: {answer}"
        return said

    def ask(self, line):
        """(the untagged responses, the tagged one), both without their first word."""
        self.n += 1
        tag = b"c%d" % self.n
        self.send(tag + b" " + line + b"\r\n")
        return self.until(tag)

    def until(self, tag):
        said = []
        while (response := self.response())[0] != tag:
            said.append(response[1:])
        return said, response[1:]
