"""Why a strategy that would use several paths has one."""

from __future__ import annotations

from mphttp.engine.paths import why_alone
from mphttp.kernel import SocketAddress
from tests.kernel.namespaces import Net, in_child, ip

FAR = SocketAddress("203.0.113.7", 443)


def test_a_vpn_is_named_and_what_would_go_around_it() -> None:
    def ask() -> None:
        Net().start()
        ip("route add default via 10.0.1.2 dev c1")
        assert why_alone("c1", FAR)[0] == "only c1 reaches the server"
        ip(
            "route add default via 10.0.2.2 dev c2 table 51820",
            "rule add not fwmark 51820 table 51820",
        )
        what, hint = why_alone("c2", FAR)
        assert what == "the route to the server is a VPN's, c2: nothing goes around it, by c1"
        assert "paths=['c2', 'c1']" in hint
        assert why_alone("", FAR)[0] == "no path is left"

    in_child(ask)
