"""A real bus, with NetworkManager on it as python-dbusmock's template plays it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jeepney import DBusAddress, HeaderFields, new_method_call
from jeepney.io.blocking import open_dbus_connection

PYTHON = "/usr/bin/python3"
"""Which has python3-dbusmock, a package of Debian's."""
MOCK = Path("/usr/lib/python3/dist-packages/dbusmock/__init__.py")
UNKNOWN, YES, NO, GUESSED = 0, 1, 2, 3
"""NMMetered."""
_NAME, _OBJECT = "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager"
_DEVICE = f"{_NAME}.Device"
_CONNECTED = 100  # NM_DEVICE_STATE_ACTIVATED


class NetworkManager:
    """A mock on a bus.

    Args:
        address: of the bus.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def add(self, interface: str, metered: int) -> None:
        """Let there be a device that is connected, and metered or not."""
        self._call(_OBJECT, "AddEthernetDevice", "ssu", interface, interface, _CONNECTED)
        self._call(self._path(interface), "AddProperty", "ssv", _DEVICE, "Metered", ("u", metered))

    def set(self, interface: str, metered: int) -> None:
        """Let a device be metered, or not."""
        changed = {"Metered": ("u", metered)}
        self._call(self._path(interface), "UpdateProperties", "sa{sv}", _DEVICE, changed)

    def is_there(self) -> bool:
        """Tell whether it answers."""
        try:
            self._call(_OBJECT, "SetNetworkingEnabled", "b", True)
        except (AssertionError, OSError):
            return False
        return True

    @staticmethod
    def _path(interface: str) -> str:
        return f"{_OBJECT}/Devices/{interface}"

    def _call(self, path: str, method: str, signature: str, *values: Any) -> None:
        mock = DBusAddress(path, _NAME, "org.freedesktop.DBus.Mock")
        message = new_method_call(mock, method, signature, values)
        with open_dbus_connection(bus=self._address) as connection:
            reply = connection.send_and_get_reply(message, timeout=10)
        assert HeaderFields.error_name not in reply.header.fields, reply.body


@contextmanager
def bus() -> Iterator[str]:
    """Run a bus; give its address."""
    if shutil.which("dbus-daemon") is None or not MOCK.exists():
        pytest.skip("dbus-daemon and python3-dbusmock are missing")
    folder = tempfile.mkdtemp(prefix="bus-")
    address = f"unix:path={folder}/bus"
    command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"]
    with _running(command):
        _until(Path(folder, "bus").exists)
        yield address
    shutil.rmtree(folder)


@contextmanager
def network_manager(devices: Mapping[str, int]) -> Iterator[NetworkManager]:
    """Run a bus, the system's meanwhile, with NetworkManager, who knows these interfaces.

    Args:
        devices: whether each is metered (NMMetered).
    """
    with bus() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with _running([PYTHON, "-m", "dbusmock", "--system", "--template", "networkmanager"]):
            manager = NetworkManager(address)
            _until(manager.is_there)
            for name, word in devices.items():
                manager.add(name, word)
            yield manager


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ, stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.terminate()


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
