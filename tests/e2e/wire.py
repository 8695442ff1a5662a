"""wire.py - a client that says exactly the bytes a test wants and hears exactly what the server says."""
import base64
import re
import socket


class Wire:
    """A connection to one of a site's services; TLS from the start where the service has it. source: our address."""

    def __init__(self, site, service, tls=None, timeout=30, source=""):
        self.site, self.service = site, service
        self.socket = socket.create_connection(("127.0.0.1", site.ports[service]), timeout, (source, 0))
        self.heard = b""
        if service in ("submissions", "imaps") if tls is None else tls:
            self.handshake()

    def handshake(self, context=None):
        self.socket = (context or self.site.tls()).wrap_socket(self.socket, server_hostname=self.site.hostname)
        return self

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def more(self):
        """Hears more; False at the end of the connection, however it came."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.heard += data
        return bool(data)

    def line(self):
        """The next line without its end; b"" when the connection ended before one."""
        while b"\n" not in self.heard:
            if not self.more():
                return b""
        line, self.heard = self.heard.split(b"\n", 1)
        assert line.endswith(b"\r"), f"a line without CR: {line!r}"
        return line[:-1]

    def rest(self):
        """All that comes until the server closes."""
        while self.more():
            pass
        return self.heard

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- SMTP

    def reply(self):
        """A whole SMTP reply: (code, text). Code 0: the connection ended."""
        text = []
        while True:
            line = self.line()
            if not line:
                return 0, "\n".join(text)
            match = re.fullmatch(rb"(\d{3})([ -])(.*)", line)
            assert match, f"no reply: {line!r}"
            text.append(match[3].decode())
            if match[2] == b" ":
                return int(match[1]), "\n".join(text)

    def smtp(self, command):
        self.send(command if isinstance(command, bytes) else command + "\r\n")
        return self.reply()

    def code(self, command):
        return self.smtp(command)[0]

    def hello(self, name="client.test"):
        """Greeting and EHLO; the lines of the EHLO reply."""
        code, _ = self.reply()
        assert code == 220
        return self.ehlo(name)

    def ehlo(self, name="client.test"):
        code, text = self.smtp(f"EHLO {name}")
        assert code == 250, text
        return text.splitlines()

    def starttls(self):
        assert self.code("STARTTLS") == 220
        return self.handshake()

    def auth_plain(self, user):
        secret = f"\0{self.site.address(user)}\0{self.site.password(user)}".encode()
        return self.smtp("AUTH PLAIN " + base64.b64encode(secret).decode())

    def submission(self, user):
        """To the state after a login, as submission with STARTTLS."""
        self.hello()
        if self.service == "submission":
            self.starttls()
            self.ehlo()
        assert self.auth_plain(user)[0] == 235
        return self

    # --- IMAP

    def imap(self, command, tag="a"):
        """A command without literals: (OK, NO, BAD or "" at the end, all lines of the answer)."""
        self.send(f"{tag} {command}\r\n")
        lines = []
        while True:
            line = self.line()
            if not line:
                return "", lines
            lines.append(line.decode(errors="replace"))
            if line.startswith(tag.encode() + b" "):
                return line.split()[1].decode(), lines
