"""A broker in a process of its own, and clients that do what no good client does."""

from __future__ import annotations

import array
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mphttp.kernel.broker.messages import Answer, Hello, Request
from mphttp.kernel.broker.wire import decode_answer, encode_request

_RUN = """
import runpy, signal
from mphttp.lab.linux import die_with_parent
die_with_parent(signal.SIGKILL)
runpy.run_module("mphttp.broker", run_name="__main__", alter_sys=True)
"""
"""`python -m mphttp.broker`, which doesn't outlive a test that fails."""


class Broker:
    """A running broker.

    Args:
        options: of its command line.
        path: where it listens; None for a place of its own.
    """

    def __init__(self, *options: str, path: str | None = None) -> None:
        self.path = path or os.path.join(tempfile.mkdtemp(prefix="broker-"), "broker.sock")
        self._told = ""
        self._log = Path(os.path.dirname(self.path), f"log-{time.monotonic_ns()}")
        command = [sys.executable, "-c", _RUN, "--socket", self.path, *options]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log)
        os.chmod(os.path.dirname(self.path), 0o755)  # other users connect, too
        eventually(lambda: bool(self.log) or self.process.poll() is not None, True, within=50)
        assert "listening" in self.log[0], self.log

    @property
    def log(self) -> list[str]:
        """What it has told so far, without its name."""
        lines = (self._told or self._log.read_text()).splitlines()
        return [line.removeprefix("mphttpd: ") for line in lines]

    def descriptors(self) -> int:
        """Count those that it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self) -> int:
        """Tell its resident memory in bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def status(self, name: str) -> str:
        """Tell a line of /proc/PID/status."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(line.split(":\t")[1] for line in lines if line.startswith(f"{name}:"))

    def kill(self) -> None:
        """End it as a fault would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it as its supervisor would; fail if it didn't live until then."""
        assert self.process.poll() is None, self.log
        self.process.terminate()
        assert self.process.wait() == 0, self.log
        self._told = self._log.read_text()
        shutil.rmtree(os.path.dirname(self.path))


@contextmanager
def running(*options: str) -> Iterator[Broker]:
    """Run a broker for a while."""
    broker = Broker(*options)
    try:
        yield broker
    except BaseException:
        broker.kill()
        sys.stderr.write("\n".join(broker.log[-20:]))
        raise
    broker.stop()


class Stranger:
    """A client that sends what it likes.

    Args:
        path: where the broker listens.
        hello: whether it begins as it should.
    """

    def __init__(self, path: str, *, hello: bool = True) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.sock.connect(path)
        if hello:
            self.ask(Hello())

    def send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send one message."""
        rights = array.array("i", descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
        self.sock.sendmsg([message], ancillary, socket.MSG_NOSIGNAL)

    def receive(self) -> Answer | None:
        """Wait for an answer; None if the broker hangs up."""
        try:
            message = self.sock.recv(8192)
        except ConnectionResetError:  # it hung up over messages that it didn't read
            message = self.sock.recv(8192)  # what it said before
        return decode_answer(message) if message else None

    def ask(self, request: Request, *descriptors: int) -> Answer | None:
        """Send a request, and wait for the answer."""
        self.send(encode_request(request), descriptors)
        return self.receive()

    def close(self) -> None:
        self.sock.close()


def eventually(state: Callable[[], object], wanted: object, *, within: float = 10) -> None:
    """Wait for what another process does by and by."""
    end = time.monotonic() + within
    while (now := state()) != wanted:
        assert time.monotonic() < end, f"{now}, not {wanted}"
        time.sleep(0.01)
