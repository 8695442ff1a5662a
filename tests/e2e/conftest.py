"""What several end-to-end tests start from."""
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def site():
    """A configuration that is right, with a state directory of its own (its path short enough for sockets) and cheap hashes."""
    with tempfile.TemporaryDirectory(prefix="postern-") as directory:
        top = Path(directory)
        top.chmod(0o755)
        conf = top / "postern.conf"
        conf.write_text(f'hostname = mx.example.test\ndomains = {{ example.test }}\nstate = "{top}/state"\n'
                        "auth { hash_memory = 64K hash_passes = 1 }\n")
        yield conf
