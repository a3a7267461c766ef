"""What `mphttp proxy` costs: throughput beside a direct connection, idle tunnels, cut links.

    python benchmarks/proxy.py                       throughput and idle tunnels, over loopback
    mphttp lab run -- python benchmarks/proxy.py --cuts 200

Direct and proxied transfers take turns, so that what else the machine does hits both. Origin, proxy
and client are three processes. Where socat and haproxy are installed they take turns, too: what any
program in between reaches on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from mphttp.network.dial import IPPROTO_MPTCP

ORIGIN = """
import socket, sys, threading, hashlib
body = bytes(1 << 20)
def serve(sock):
    with sock:
        size = int(sock.makefile("rb").readline() or 0)
        for start in range(0, size, len(body)):
            sock.sendall(body[:min(size - start, len(body))])
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(sys.argv[1]))
listener.bind((sys.argv[2], 0))
listener.listen(4096)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


ECHO = ORIGIN.replace(
    """        size = int(sock.makefile("rb").readline() or 0)
        for start in range(0, size, len(body)):
            sock.sendall(body[:min(size - start, len(body))])
""",
    """        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := sock.recv(65536):
            sock.sendall(data)
""",
)


@contextmanager
def origin(protocol: int, program: str = ORIGIN) -> Iterator[int]:
    """Serve as many zeros as are asked for, or what another program does; give the port."""
    command = [sys.executable, "-c", program, str(protocol), "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def proxy(*options: str) -> Iterator[tuple[int, int]]:
    """Run the proxy; give its port and its process."""
    command = [sys.executable, "-m", "mphttp", "proxy", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            first = process.stderr.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", first)
            assert found, first
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield int(found[1]), process.pid
        finally:
            process.terminate()


def socks(port: int, host: str, target: int) -> socket.socket:
    """Connect through the proxy."""
    sock = socket.create_connection(("127.0.0.1", port))
    packed = socket.inet_aton(host) + struct.pack("!H", target)
    sock.sendall(b"\x05\x01\x00\x05\x01\x00\x01" + packed)
    answer = b""
    while len(answer) < 12:
        answer += sock.recv(12 - len(answer)) or b"?" * 12
    assert answer[:2] == b"\x05\x00", answer
    assert answer[3] == 0, answer
    return sock


def direct(protocol: int, target: int) -> socket.socket:
    """Connect without it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    sock.connect(("127.0.0.1", target))
    return sock


Connect = Callable[[], socket.socket]
HAPROXY = """
global
    nbthread 1
    tune.pipesize 524288
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    option splice-auto
    option splice-response
listen l
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{target}
"""


@contextmanager
def rival(name: str, target: int) -> Iterator[int]:
    """Run another program that forwards a port over TCP; give the port."""
    with socket.socket() as sock, tempfile.NamedTemporaryFile("w") as file:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
        sock.close()
        file.write(HAPROXY.format(port=port, target=target))
        file.flush()
        forward = (f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"TCP:127.0.0.1:{target}")
        words = {"socat": ("-b", "262144", *forward), "haproxy": ("-f", file.name)}[name]
        with subprocess.Popen([name, *words], stderr=subprocess.DEVNULL) as process:
            try:
                for _ in range(100):  # until it listens
                    with socket.socket() as probe:
                        if not probe.connect_ex(("127.0.0.1", port)):
                            break
                    time.sleep(0.05)
                yield port
            finally:
                process.terminate()


def seconds(sock: socket.socket, size: int) -> float:
    """Ask for so many bytes; return how long they take."""
    buffer, came = bytearray(1 << 20), 0
    began = time.perf_counter()
    with sock:
        sock.sendall(b"%d\n" % size)
        while count := sock.recv_into(buffer):
            came += count
    assert came == size, came
    return time.perf_counter() - began


def throughput(size: int, rounds: int) -> None:
    """Print all ways side by side, as ratios to the direct one of the same turn."""
    for name, protocol in (("MPTCP", IPPROTO_MPTCP), ("TCP", 0)):
        with ExitStack() as stack:
            target = stack.enter_context(origin(protocol))
            took: dict[str, list[float]] = {}
            ways: dict[str, Connect] = ways_to(protocol, target, stack)
            for turn in range(rounds + 1):
                for way, connect in ways.items():
                    found = seconds(connect(), size)
                    if turn:  # the first warms up
                        took.setdefault(way, []).append(found)
        print(f"an origin by {name}, {size / 1e6:.0f} MB, load {os.getloadavg()[0]:.1f}")
        for way, times in took.items():
            ratios = [a / b for a, b in zip(took["direct"], times, strict=True)]
            print(
                f"  {way:<22} {size / 1e6 / statistics.median(times):6.0f} MB/s, "
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )


def ways_to(protocol: int, target: int, stack: ExitStack) -> dict[str, Connect]:
    """Return how each way is connected by; their processes end with the stack."""
    ways: dict[str, Connect] = {"direct": partial(direct, protocol, target)}
    for name, options in (("mphttp proxy", ()), ("the same, plain TCP", ("--multipath", "off"))):
        port, _ = stack.enter_context(proxy("--strategy", "handover", *options))
        ways[name] = partial(socks, port, "127.0.0.1", target)
    for name in [name for name in ("socat", "haproxy") if shutil.which(name)]:
        ways[name] = partial(direct, 0, stack.enter_context(rival(name, target)))
    return ways


def keystrokes(count: int) -> None:
    """Print how long a byte and its echo take, directly and by both ways, in turns."""
    with ExitStack() as stack:
        target = stack.enter_context(origin(IPPROTO_MPTCP, program=ECHO))
        port, _ = stack.enter_context(proxy("--strategy", "handover"))
        words = ["connect", "--strategy", "handover", "127.0.0.1", str(target)]
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "mphttp", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
        )
        assert process.stdin is not None
        assert process.stdout is not None
        straight = stack.enter_context(direct(IPPROTO_MPTCP, target))
        proxied = stack.enter_context(socks(port, "127.0.0.1", target))
        ways = {
            "direct": (straight.send, straight.recv),
            "mphttp connect": (process.stdin.write, process.stdout.read),
            "mphttp proxy": (proxied.send, proxied.recv),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(count):
            for name, (send, receive) in ways.items():
                time.sleep(0.005)
                began = time.perf_counter()
                send(b"k")
                assert receive(1) == b"k"
                times[name].append((time.perf_counter() - began) * 1e3)
        process.kill()
    for name, found in times.items():
        most = sorted(found)[count * 9 // 10]
        print(f"{name:<16} {statistics.median(found):.3f} ms, 90% {most:.3f} ms")


def idle(count: int) -> None:
    """Print what idle tunnels cost."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        target = stack.enter_context(origin(IPPROTO_MPTCP))
        port, process = stack.enter_context(proxy("--strategy", "handover"))
        before, began = resident(process), time.perf_counter()
        for _ in range(count):
            stack.enter_context(socks(port, "127.0.0.1", target))
        print(f"{count} tunnels after {time.perf_counter() - began:.1f} s", flush=True)
        time.sleep(15)  # they rest after ten seconds
        after, began = resident(process), cpu(process)
        time.sleep(10)
        share = (cpu(process) - began) / 10
    print(
        f"{count} idle tunnels: {after / 1e6:.0f} MB resident ({before / 1e6:.0f} without any, "
        f"{(after - before) / count / 1e3:.1f} kB each), {share:.1%} of a core"
    )


def cuts(count: int, size: int) -> None:
    """Print what becomes of tunnels while links are cut; each body is held against its digest."""
    from mphttp.lab import inside, names
    from mphttp.lab.content import sha256_of

    lab, stop = inside(), threading.Event()
    failed: list[str] = []
    for link in ("wifi", "lte"):
        lab.change(link, rate="100mbit", delay="5ms")
    request = f"GET /bytes/{size} HTTP/1.0\r\n\r\n".encode()

    def fetch(port: int) -> None:
        data, how = bytearray(), ""
        try:
            with socks(port, names.SERVER_ADDRESS, names.PORT) as sock:
                sock.settimeout(120)
                sock.sendall(request)
                while came := sock.recv(1 << 16):
                    data += came
        except OSError as error:
            how = str(error)
        body = data.partition(b"\r\n\r\n")[2]
        if hashlib.sha256(body).digest() != sha256_of(size):
            failed.append(f"{len(body)} bytes {how}")

    def break_links() -> None:
        for turn in range(1000):
            link = ("wifi", "lte")[turn % 2]
            if stop.wait(1.5):
                return
            (lab.cut if turn % 4 < 2 else lab.blackhole)(link)
            if stop.wait(1.5):
                return
            lab.restore(link)
            lab.change(link, rate="100mbit", delay="5ms")

    report = Path(f"/tmp/proxy-cuts-{os.getpid()}")
    with proxy("--strategy", "handover", "--report", str(report)) as (port, process):
        breaking = threading.Thread(target=break_links)
        began = time.perf_counter()
        threads = [threading.Thread(target=fetch, args=(port,)) for _ in range(count)]
        breaking.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
        stop.set()
        breaking.join()
        memory = resident(process)
    lab.reset()
    right = count - len(failed)
    problems = Counter(
        problem["what"]
        for line in report.read_text().splitlines()
        for problem in json.loads(line)["problems"]
    )
    report.unlink()
    for what, often in problems.most_common(8):
        print(f"{often:4} {what}")
    print(f"{right} of {count} right in {took:.1f} s, {memory / 1e6:.0f} MB; wrong: {failed}")


def resident(process: int) -> int:
    """Return the bytes of memory that a process has."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu(process: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2**30, help="bytes of the large body")
    parser.add_argument("--rounds", type=int, default=5, help="turns for it")
    parser.add_argument("--idle", type=int, default=2000, help="idle tunnels")
    parser.add_argument("--keystrokes", type=int, default=500, help="bytes that are echoed")
    parser.add_argument("--cuts", type=int, default=0, help="tunnels while links are cut, in a lab")
    given = parser.parse_args()
    if given.cuts:
        cuts(given.cuts, 1_000_000)
        return
    if given.keystrokes:
        keystrokes(given.keystrokes)
    if given.idle:
        idle(given.idle)
    if given.rounds:
        throughput(given.size, given.rounds)


if __name__ == "__main__":
    main()
