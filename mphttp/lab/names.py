"""What the lab's parts and its guests agree on: environment variables, addresses, ports."""

from __future__ import annotations

INSIDE = "MPHTTP_LAB"
ORIGIN = "MPHTTP_LAB_ORIGIN"
ORIGIN_TLS = "MPHTTP_LAB_ORIGIN_TLS"
ORIGIN_PLAIN = "MPHTTP_LAB_ORIGIN_PLAIN"
ORIGIN_V6 = "MPHTTP_LAB_ORIGIN_V6"
ORIGIN_TLS_V6 = "MPHTTP_LAB_ORIGIN_TLS_V6"
SERVER = "MPHTTP_LAB_SERVER"
SERVER_V6 = "MPHTTP_LAB_SERVER_V6"
CA = "MPHTTP_LAB_CA"
CONTROL = "MPHTTP_LAB_CONTROL"
LINKS = "MPHTTP_LAB_LINKS"

# Programs that know nothing of the lab trust its certificate through these.
CA_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")

SERVER_ADDRESS = "10.78.0.1"
SERVER_ADDRESS_V6 = "fd78::1"

# Ports 80 and 443 stay free for servers that a test starts itself.
PORT = 8000
PORT_TLS = 8443
PORT_PLAIN = 8080

MAX_LINKS = 64

CONTROL_ADDRESS = "@mphttp-lab"
"""Where a running lab takes requests: abstract, so each network namespace has its own."""


def client_address(index: int) -> str:
    """Return the client's IPv4 address on the link with this index, counted from 0."""
    return f"10.77.{index}.2"


def gateway_address(index: int) -> str:
    """Return the IPv4 address of the link's far end, which is the server's."""
    return f"10.77.{index}.1"


def client_address_v6(index: int) -> str:
    """Return the client's IPv6 address on the link with this index, counted from 0."""
    return f"fd77:0:0:{index:x}::2"


def gateway_address_v6(index: int) -> str:
    """Return the IPv6 address of the link's far end, which is the server's."""
    return f"fd77:0:0:{index:x}::1"


def environment(ca: str, links: tuple[str, ...]) -> dict[str, str]:
    """Return what a command inside the lab finds in its environment.

    Args:
        ca: path of the certificate authority's PEM file.
        links: the links' names, the system's choice first.
    """
    return {
        INSIDE: "1",
        ORIGIN: f"http://{SERVER_ADDRESS}:{PORT}",
        ORIGIN_TLS: f"https://{SERVER_ADDRESS}:{PORT_TLS}",
        ORIGIN_PLAIN: f"http://{SERVER_ADDRESS}:{PORT_PLAIN}",
        ORIGIN_V6: f"http://[{SERVER_ADDRESS_V6}]:{PORT}",
        ORIGIN_TLS_V6: f"https://[{SERVER_ADDRESS_V6}]:{PORT_TLS}",
        SERVER: SERVER_ADDRESS,
        SERVER_V6: SERVER_ADDRESS_V6,
        CA: ca,
        CONTROL: CONTROL_ADDRESS,
        LINKS: ",".join(links),
        **dict.fromkeys(CA_VARIABLES, ca),
    }
