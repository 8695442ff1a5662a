"""tap.py - listens to what a mail program and the server say to each other, in the clear: TLS ends here on both sides, and a stream that
was compressed by COMPRESS (RFC 4978) is read plain.

    with Tap(site) as tap:
        program(port=tap.port)
        assert tap.said("UID FETCH")
"""
import re
import select
import socket
import ssl
import threading
import zlib


class Side:
    """One direction of a connection as lines of plain bytes."""

    def __init__(self):
        self.half, self.inflater, self.wire = b"", None, 0

    def feed(self, data):
        self.wire += len(data)
        self.half += self.inflater.decompress(data) if self.inflater else data
        *whole, self.half = self.half.split(b"\n")
        return [line.rstrip(b"\r") for line in whole]

    def inflate(self):
        self.inflater = zlib.decompressobj(wbits=-15)


class Conversation:
    """What was said on one connection: [(who, line)], who is C or S."""

    def __init__(self, lines):
        self.lines, self.sides, self.compress = lines, {"C": Side(), "S": Side()}, None

    def hear(self, who, data):
        for line in self.sides[who].feed(data):
            self.lines.append((who, line))
            self.look_for_compress(who, line)

    def look_for_compress(self, who, line):
        """The compressed bytes begin behind the tagged OK; the client waits for it."""
        asked = re.fullmatch(rb"(\S+) COMPRESS DEFLATE", line, re.I)
        if who == "C" and asked:
            self.compress = asked[1]
        elif who == "S" and self.compress and line.startswith(self.compress + b" OK"):
            self.compress = None
            for side in self.sides.values():
                side.inflate()


class Tap:
    def __init__(self, site, service="imaps"):
        self.site, self.service, self.lines, self.connections = site, service, [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(site.certificate, site.certificate.with_suffix(".key"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            client = self.context.wrap_socket(sock, server_side=True)
        except OSError:  # a client that does not like the certificate
            return
        far = socket.create_connection(("127.0.0.1", self.site.ports[self.service]))
        server = self.site.tls().wrap_socket(far, server_hostname=self.site.hostname)
        talk = Conversation(self.lines)
        self.connections.append(talk)
        with client, server:
            pump({client: (server, "C"), server: (client, "S")}, talk)

    def said(self, words):
        """The client's lines with a command of these words."""
        return [line for who, line in list(self.lines) if who == "C" and re.match(rb"\S+ " + words.encode() + rb"( |$)", line, re.I)]

    def answered(self, words):
        """The server's lines with these words in them."""
        return [line for who, line in list(self.lines) if who == "S" and words.encode() in line]

    def text(self):
        return b"\n".join(who.encode() + b": " + line for who, line in list(self.lines)).decode(errors="backslashreplace")

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        print(self.text()[-20000:])  # shown by pytest when the test failed


def take(source):
    """What there is to read; None: only a part of a record of TLS."""
    source.settimeout(0)
    try:
        data = source.recv(65536)
        while source.pending():
            data += source.recv(65536)
        return data
    except ssl.SSLWantReadError:
        return None
    finally:
        source.settimeout(60)


def pump(ways, talk):
    """Until one side closes."""
    try:
        while True:
            for source in select.select(ways, [], [])[0]:
                data = take(source)
                if data == b"":
                    return
                if data:
                    sink, who = ways[source]
                    talk.hear(who, data)
                    sink.sendall(data)
    except OSError:
        pass
