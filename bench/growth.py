"""Parts of bench-peers: saving, and how things grow with the program.

The program of the series is grow.c: so many megabytes that are all in use,
so many processes.  Saving is bailey's (save --stop, then resume, the second
time with the image unpacked) and CRIU's, of the native program.
"""
import os
import shutil
import socket
import time

import hostmem
import machine
import peer
import services
from density import place


def wait_port(address, port, seconds=30):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), 5).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.002)


def ms_since(start):
    return (time.monotonic() - start) * 1e3


# ---- saving -----------------------------------------------------------------
def save_bailey(p, address, port, ask):
    """Of what p started last: the times, the image's size."""
    image = os.path.join(p.share, "saved.bly")
    found = {}
    start = time.monotonic()
    p.save(image, "--stop")
    found["save"] = ms_since(start)
    found["image"] = os.path.getsize(image) / 1e6
    p.stop()
    for what in ("first answer after it", "the same, image unpacked"):
        if "unpacked" in what:
            p.b("warm", image)
        start = time.monotonic()
        p.resume(image, address, port)
        ask()
        found[what] = ms_since(start)
        p.stop()
    os.unlink(image)
    shutil.rmtree(os.path.join(p.share, "cache"), ignore_errors=True)
    return found


def save_criu(c, p, ask):
    """Of what p, the native program, started last."""
    where = os.path.join(p.share, "criu")
    found = {}
    found["save"] = c.save(p.children[-1], where)
    p.children.pop()
    try:
        found["image"] = c.size(where) / 1e6
        start = time.monotonic()
        c.resume(where)
        ask()
        found["first answer after it"] = ms_since(start)
    finally:
        c.end()
        shutil.rmtree(where)
    return found


def saved(b, p, address, port, ask):
    if isinstance(p, peer.Bailey):
        return save_bailey(p, address, port, ask)
    return save_criu(b.criu, p, ask)


def savers(b):
    """Peers whose programs can be saved, and the name of who does."""
    return [(p, "CRIU" if p.name == "native" else p.name) for p in b.peers
            if p.name == "bailey" or (p.name == "native" and b.criu.exe)]


def unit(what):
    return "MB" if "image" in what.split(", ")[-1] and \
        "unpacked" not in what else "ms"


def save(b):
    found = {name: {} for _, name in savers(b)}
    for _ in range(b.args.rounds):
        for p, name in savers(b):
            for service in ("nginx", "redis with 100 MB"):
                values = b.attempt(p, save_once, b, service) or {}
                p.stop()
                for what, v in values.items():
                    found[name].setdefault(f"{service}, {what}",
                                           []).append(v)
    for name, whats in found.items():
        for what, samples in whats.items():
            b.add(name, what, samples, unit(what))


def save_once(p, b, service):
    number = next(b.places)
    address, port = place(number)
    if service == "nginx":
        b.start(p, number)
        return saved(b, p, address, port, lambda: services.get_patiently(
            address, port, "/again"))
    host, inner = p.place(address, port)
    p.start(["redis-server", "--bind", host, "--port", str(inner), *b.REDIS],
            address, port)
    wait_port(address, port)
    services.fill_redis(address, port, 100)
    return saved(b, p, address, port, lambda: ask_redis(address, port))


def ask_redis(address, port, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection((address, port), 5) as s:
                s.sendall(b"*2\r\n$3\r\nGET\r\n$10\r\nkey:000077\r\n")
                if s.recv(100).startswith(b"$1000"):
                    return
        except OSError:
            pass
        time.sleep(0.002)
    raise RuntimeError("redis does not answer")


# ---- series -----------------------------------------------------------------
def start_grow(p, address, port, megabytes, count):
    host, inner = p.place(address, port)
    p.start([os.path.join(p.share, "grow"), host, str(inner), str(megabytes),
             str(count)], address, port)
    services.get_patiently(address, port, "/first", 60)


def grow_once(p, b, megabytes, count):
    """What is known of one program of that size, and of its saving."""
    address, port = place(next(b.places))
    b.group.fresh()
    group = hostmem.settled(b.group.used)
    before = hostmem.available()
    start = time.monotonic()
    start_grow(p, address, port, megabytes, count)
    found = {"start to first answer, ms": ms_since(start)}
    found["memory beyond its own, MB"] = max(0.001, (
        b.used(before, group) - megabytes * (1 << 20)) / 1e6)
    found["fork, exit and wait, ms"] = float(services.get(
        address, port, "/fork", 60)) / 1e3
    if p.name != "bailey" and (p.name != "native" or not b.criu.exe):
        return found, {}
    return found, saved(b, p, address, port, lambda: services.get_patiently(
        address, port, "/again"))


def collect(found, name, x, values):
    for what, v in values.items():
        found.setdefault((name, what), {}).setdefault(x, []).append(v)


def series(b, points, x_name):
    """points: [(x, megabytes, processes, rounds)]"""
    found, names = {}, dict((p, name) for p, name in savers(b))
    peers = [p for p in b.programs() if not isinstance(p, machine.Machine)]
    for x, megabytes, count, rounds in points:
        if megabytes * (1 << 20) * 2 > hostmem.available():
            b.lacks("all", f"{x} {x_name}: more than half of the memory")
            continue
        for _ in range(rounds):
            for p in list(peers):
                values = b.attempt(p, grow_once, b, megabytes, count)
                p.stop()
                if values is None:
                    peers.remove(p)
                    continue
                collect(found, p.name, x, values[0])
                collect(found, names.get(p), x, {
                    f"{k}, {unit(k)}": v for k, v in values[1].items()})
    for (name, what), xs in found.items():
        measure, _, u = what.rpartition(", ")
        for x, samples in xs.items():
            b.add(name, f"{measure}: {x} {x_name}", samples, u, x=x,
                  measure=measure, x_name=x_name)


def sizes(b):
    series(b, [(s, s, 1, 1 if s > 1000 else min(3, b.args.rounds))
               for s in b.args.sizes], "MB")


def processes(b):
    series(b, [(n, 1, n, min(3, b.args.rounds)) for n in b.args.processes],
           "processes")
