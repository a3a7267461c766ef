"""Web servers that nobody here wrote, each serving one folder over plain TCP.

They run as they would for an ordinary user: on high ports, their files in one folder, and under
another user's number, since Apache won't be root, who is the only user in a lab without root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from mphttp.lab import LabClient, names
from mphttp.lab.content import blocks

from .servers import serving

HTTP, HTTPS = 9080, 9443
PORTS = {"http": HTTP, "https": HTTPS}
NOT_ROOT = ("unshare", "--user", "--map-user=1", "--map-group=1")

NGINX = """
daemon off;
master_process off;  # one process, which ends with its own pid
pid {folder}/pid;
error_log {folder}/log notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address}:{http};
        listen {address}:{https} ssl http2;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        root {folder}/root;
        {more}
    }}
}}
"""

APACHE = """
ServerRoot {folder}
ServerName {address}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule ssl_module {modules}/mod_ssl.so
Listen {address}:{http}
Listen {address}:{https}
SSLSessionCache none
DocumentRoot {folder}/root
{more}
<VirtualHost *:{https}>
    SSLEngine on
    SSLCertificateFile {folder}/server.pem
    SSLCertificateKeyFile {folder}/server.pem
</VirtualHost>
"""

CADDY = """
{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2
    }}
}}
(site) {{
    bind {address}
    root * {folder}/root
    file_server
    {more}
}}
http://{address}:{http} {{
    import site
}}
https://{address}:{https} {{
    import site
    tls {folder}/server.pem {folder}/server.pem
}}
"""

LIGHTTPD = """
server.modules = ( "mod_openssl" )
server.document-root = "{folder}/root"
server.bind = "{address}"
server.port = {http}
server.errorlog = "{folder}/log"
mimetype.assign = ( "" => "application/octet-stream" )  # without a type there is no entity tag
$SERVER["socket"] == "{address}:{https}" {{
    ssl.engine = "enable"
    ssl.pemfile = "{folder}/server.pem"
}}
{more}
"""


@dataclass(frozen=True)
class Program:
    """A web server.

    Args:
        command: starts it, in the foreground, with the file of its configuration as `{file}`.
        configuration: a template.
    """

    command: tuple[str, ...]
    configuration: str


PROGRAMS = {
    "nginx": Program(("nginx", "-p", "{folder}", "-c", "{file}"), NGINX),
    "apache": Program(("apache2", "-D", "FOREGROUND", "-f", "{file}"), APACHE),
    "caddy": Program(("caddy", "run", "--adapter", "caddyfile", "--config", "{file}"), CADDY),
    "lighttpd": Program(("lighttpd", "-D", "-f", "{file}"), LIGHTTPD),
}


def make_site(folder: Path, size: int, name: str = "") -> Path:
    """Make a file to serve, some days old, and a certificate with its authority's."""
    file = folder / "root" / "bytes" / (name or str(size))
    file.parent.mkdir(parents=True)
    file.write_bytes(b"".join(blocks(size)))
    os.utime(file, (1_700_000_000, 1_700_000_000))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    server = authority.issue_cert(names.SERVER_ADDRESS)
    server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder


def configured(name: str, folder: Path, more: str = "") -> list[str]:
    """Write a web server's configuration, and return the command that starts it.

    Args:
        name: in `PROGRAMS`.
        folder: made by `make_site`.
        more: lines for its configuration.
    """
    program, file = PROGRAMS[name], folder / f"{name}.conf"
    places = {"folder": folder, "address": names.SERVER_ADDRESS, "http": HTTP, "https": HTTPS}
    modules = "/usr/lib/apache2/modules"
    file.write_text(program.configuration.format(**places, more=more, modules=modules))
    return [*NOT_ROOT, *(word.format(folder=folder, file=file) for word in program.command)]


@contextmanager
def web_server(lab: LabClient, name: str, folder: Path, more: str = "") -> Iterator[None]:
    """Run one in the lab's server namespace, from when it listens to the end of the block."""
    command = configured(name, folder, more)
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    environment = {**os.environ, **home}
    with (
        (folder / "output").open("w") as output,
        serving(lab, command, HTTP, HTTPS, env=environment, stdout=output, stderr=output),
    ):
        yield
