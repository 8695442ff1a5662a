"""programs.py - running the mail programs that people use."""
import os
import pty
import select
import subprocess
import time

from postern_site import PATIENCE, deadline


def run(*words, stdin=b"", env=None, check=True, timeout=30):
    done = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, timeout=PATIENCE * timeout, env={**os.environ, **(env or {})})
    assert not check or done.returncode == 0, f"{words[0]}: status {done.returncode}\n{done.stdout[-4000:]!r}\n{done.stderr[-4000:]!r}"
    return done.stdout


def in_terminal(words, env, seconds=20):
    """Runs a program for the screen; what it painted."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, {**os.environ, **env})
    painted, end = b"", deadline(seconds)
    while True:
        ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
        try:
            data = os.read(master, 65536) if ready else b""
        except OSError:  # the other end of the terminal is closed
            data = b""
        painted += data
        if not data:
            break
    if not ready:
        os.kill(pid, 9)
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"{words[0]} ended with {status}\n{painted[-3000:]!r}"
    return painted
