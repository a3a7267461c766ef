"""What NetworkManager says of metered connections, asked over D-Bus.

Needs the extra `metered` (jeepney) and a system bus; without either, nothing is known.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

_BUS_VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"
_BUS = Path("/run/dbus/system_bus_socket")
_NAME = "org.freedesktop.NetworkManager"
_OBJECT = "/org/freedesktop/NetworkManager"
_DEVICE = f"{_NAME}.Device"
_YES = (1, 3)
"""NM_METERED_YES, NM_METERED_GUESS_YES (NetworkManager's NMMetered)."""
_NO = (2, 4)
_TIMEOUT = 2.0
"""Seconds that one answer may take."""


def has_bus() -> bool:
    """Tell whether there is a system bus, for as little as a look at a file."""
    return _BUS_VARIABLE in os.environ or _BUS.exists()


def metered() -> dict[str, bool]:
    """Ask which interfaces are metered; may take seconds.

    Returns:
        By name, those of which it is known; none where NetworkManager, the bus or jeepney isn't.
    """
    try:
        from jeepney.io.blocking import open_dbus_connection
    except ImportError:
        return {}
    try:
        with open_dbus_connection(bus="SYSTEM") as connection:
            return _ask(connection)
    except Exception:  # whoever owns that name on the bus may answer anything
        return {}


def _ask(connection: Any) -> dict[str, bool]:
    from jeepney import DBusAddress, Properties, new_method_call

    manager = DBusAddress(_OBJECT, bus_name=_NAME, interface=_NAME)
    found = {}
    for path in _reply(connection, new_method_call(manager, "GetDevices"))[0]:
        device = DBusAddress(path, bus_name=_NAME, interface=_DEVICE)
        with suppress(Exception):  # it has gone meanwhile, or tells nothing
            (told,) = _reply(connection, Properties(device).get_all())
            # A modem's own name is its control port's; what carries packets is another.
            name = _of(told, "IpInterface") or _of(told, "Interface")
            word = _of(told, "Metered")
            if name and word in _YES + _NO:
                found[name] = word in _YES
    return found


def _reply(connection: Any, message: Any) -> Any:
    from jeepney import HeaderFields, MessageFlag

    message.header.flags |= MessageFlag.no_auto_start  # who asks starts nothing
    reply = connection.send_and_get_reply(message, timeout=_TIMEOUT)
    if HeaderFields.error_name in reply.header.fields:
        raise OSError(reply.header.fields[HeaderFields.error_name])
    return reply.body


def _of(told: Any, name: str) -> Any:
    return told.get(name, ("", None))[1]
