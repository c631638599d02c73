"""nginx with TLS and HTTP/2 in front of a server of the tests, as the documentation configures it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentdata.embedded.lifeline import lifeline
from tests.databases import reachable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

# Debian installs it in /usr/sbin, which is not in the PATH of users.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
NGINX, CURL, OPENSSL = (shutil.which(name, path=_PATH) for name in ("nginx", "curl", "openssl"))
WAIT_S = 20

# `make test` also runs on machines without nginx; CI installs it.
needs_nginx = pytest.mark.skipif(
    not (NGINX and CURL and OPENSSL),
    reason="nginx, curl or openssl is not installed (Debian and Ubuntu: apt install nginx curl openssl)",
)


def documented_configuration() -> str:
    """Return the configuration in the documentation."""
    page = (Path(__file__).parents[1] / "docs/operating.md").read_text(encoding="utf-8")
    [found] = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    return str(found)


@contextmanager
def nginx(upstream_port: int) -> Iterator[str]:
    """Run nginx in front of a port, and provide its URL; nobody signed its certificate."""
    assert NGINX
    assert OPENSSL
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with reachable_folder() as folder:
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(  # noqa: S603 found above
            [
                *(OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
                *("-days", "1", "-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        server = documented_configuration()
        for documented, here in (
            ("127.0.0.1:8000", f"127.0.0.1:{upstream_port}"),
            ("listen 443 ", f"listen 127.0.0.1:{port} "),
            ("/etc/ssl/agentdata.pem", str(certificate)),
            ("/etc/ssl/agentdata.key", str(key)),
        ):
            assert server.count(documented) == 1
            server = server.replace(documented, here)
        temporary = "".join(
            f"{name}_temp_path {folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = folder / "nginx.conf"
        configuration.write_text(
            ("user root;\n" if os.geteuid() == 0 else "")
            + f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nevents {{}}\n"
            + f"http {{\naccess_log off;\n{temporary}{server}}}\n"
        )
        log = str(folder / "log")
        with lifeline() as process_guard:
            process = subprocess.Popen(  # noqa: S603 found above
                [NGINX, "-e", log, "-c", str(configuration)], cwd="/", **process_guard.arguments
            )
            try:
                process_guard.hold(process.pid)
                _wait_until_listening(process, port)
                yield f"https://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(WAIT_S)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "nginx exited; its output says why"
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)  # nginx does not tell when it listens, so it is asked until the deadline
    raise TimeoutError("nginx does not accept connections")
