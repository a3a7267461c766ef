"""nginx in the lab's server namespace, twice: with MPTCP by mptcpize, and as it is."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from mphttp.lab import LabClient, names
from mphttp.lab.content import blocks

PLAIN, MPTCP = 9080, 9180
"""Ports of HTTP; those of HTTPS are one above."""

_CONFIGURATION = """
daemon off;
master_process off;
user root root;
pid {folder}/pid-{port};
error_log {folder}/log-{port} notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address}:{port};
        listen {address}:{port_tls} ssl http2;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        root {folder}/root;
    }}
}}
"""


def url(size: int, *, mptcp: bool, tls: bool) -> str:
    """Return the address of a file."""
    port = (MPTCP if mptcp else PLAIN) + tls
    return f"{'https' if tls else 'http'}://{names.SERVER_ADDRESS}:{port}/{size}"


@contextmanager
def both(lab: LabClient, *sizes: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Serve files of these sizes until the end of the block; SSL_CERT_FILE names who vouches."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "root").mkdir()
        for size in sizes:
            (folder / "root" / str(size)).write_bytes(b"".join(blocks(size)))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        server = authority.issue_cert(names.SERVER_ADDRESS)
        server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        os.environ["SSL_CERT_FILE"] = str(folder / "authority.pem")
        with (
            _one(lab, folder, PLAIN) as plain,
            _one(lab, folder, MPTCP, "mptcpize", "run") as multipath,
        ):
            yield [plain, multipath]


@contextmanager
def _one(
    lab: LabClient, folder: Path, port: int, *through: str
) -> Iterator[subprocess.Popen[bytes]]:
    configuration = folder / f"nginx-{port}.conf"
    places = {"folder": folder, "address": names.SERVER_ADDRESS, "port": port}
    configuration.write_text(_CONFIGURATION.format(**places, port_tls=port + 1))
    command = [*through, "nginx", "-p", str(folder), "-c", str(configuration)]
    with lab.in_server(command, stderr=subprocess.DEVNULL) as process:
        log = folder / f"log-{port}"
        while not (log.exists() and "event method" in log.read_text()):  # it listens before that
            if process.poll() is not None:
                raise SystemExit(f"error: nginx ended with {process.returncode}")
            time.sleep(0.02)
        try:
            yield process
        finally:
            process.terminate()
