"""policyhost.py - a web server that is played: HTTPS on port 443 of an address, for MTA-STS policies.

    host = PolicyHost(address, certificate, policy("enforce", "mx.good.test"))
    host.answer = b"HTTP/1.1 302 Found\\r\\n…"      # from the next request on
    host.answer = None                             # silence until the client goes
    host.requests                                  # what was asked: heads of requests, as they came
"""
import socket
import ssl
import threading


def policy(mode, *hosts, max_age=86400):
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {h}" for h in hosts), f"max_age: {max_age}"]
    return "".join(line + "\r\n" for line in lines)


def http(body, status="200 OK", kind="text/plain"):
    """A whole answer. kind: of its media; None for none."""
    body = body.encode() if isinstance(body, str) else body
    media = f"Content-Type: {kind}\r\n" if kind else ""
    return f"HTTP/1.1 {status}\r\n{media}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


class PolicyHost:
    def __init__(self, address, certificate, answer=b""):
        self.address = address
        self.answer = http(answer) if isinstance(answer, str) else answer
        self.requests, self.names, self.lock = [], [], threading.Lock()
        self.show(certificate)
        self.listener = socket.create_server((address, 443), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=1000)
        threading.Thread(target=self.serve, daemon=True).start()

    def show(self, certificate):
        """Another certificate, from the next connection on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.context = context

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.attend, args=(client,), daemon=True).start()

    def attend(self, plain):
        try:
            with plain, self.context.wrap_socket(plain, server_side=True) as client:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = client.recv(4096)
                    if not piece:
                        return
                    head += piece
                with self.lock:
                    self.requests.append(head.decode())
                answer = self.answer
                if answer is None:
                    client.recv(1)
                else:
                    client.sendall(answer)
        except OSError:
            pass  # the client did not like what it saw

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
