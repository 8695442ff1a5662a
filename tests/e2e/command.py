"""command.py - running the program as an operator or another program does."""
import os
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
POSTERN = Path(os.environ.get("POSTERN", TOP / "build/postern"))


def postern(*words, conf=None, stdin="", env=None, name="postern"):
    """Runs a command; returns (exit status, standard output, standard error). conf goes before the words with -c, or,
    for the names that other programs call, into the environment."""
    environment = {k: v for k, v in os.environ.items() if k != "POSTERN_CONF"}
    environment.update(env or {})
    before = []
    if conf and name == "postern":
        before = ["-c", str(conf)]
    elif conf:
        environment["POSTERN_CONF"] = str(conf)
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run([name, *before, *words], executable=POSTERN, input=data, capture_output=True, env=environment,
                          start_new_session=True, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
