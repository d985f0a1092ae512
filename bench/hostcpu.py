"""Processor time of all that a command starts, the end of each process too.

A command's rusage lacks what nobody waited for (the picoprocesses of a
sandbox); a control group has it all.  Needs root.
"""
import os
import subprocess
import time

V1, V2 = "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"


def _place():
    top = V1 if os.path.exists(V1 + "/cpuacct.usage") else V2
    return os.path.join(top, f"bailey-bench.{os.getpid()}")


def _used_us(place):
    try:
        with open(place + "/cpuacct.usage") as f:
            return int(f.read()) / 1000
    except FileNotFoundError:
        with open(place + "/cpu.stat") as f:
            return float(f.readline().split()[1])


def can_measure():
    place = _place()
    try:
        os.mkdir(place)
        os.rmdir(place)
    except OSError:
        return False
    return True


def processor_us(cmd):
    """Runs cmd to its end; microseconds."""
    place = _place()
    os.mkdir(place)
    try:
        subprocess.run(["sh", "-c", f'echo $$ >{place}/cgroup.procs && '
                        'exec "$@"', "sh", *cmd], check=True,
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        time.sleep(0.2)
        return _used_us(place)
    finally:
        _remove(place)


def _remove(place):
    for _ in range(50):
        try:
            os.rmdir(place)
            return
        except OSError:
            time.sleep(0.1)
