"""The systems that are measured: Pollux, etcd and Redis, each started, loaded and stopped here."""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POLLUX_BUILD", ROOT / "build"))
MEDIA = {"disk": "disk, each write synced", "memory": "emulated persistent memory"}


def folder_of(medium):
    if medium == "disk":
        return os.environ.get("POLLUX_BENCH_DISK", "/var/tmp")
    return os.environ.get("POLLUX_BENCH_MEMORY", "/dev/shm")


def run_script(command, **options):
    """Runs a script that starts others. When this is interrupted the script has time to end them:
    subprocess.run would kill it."""
    with subprocess.Popen(command, **options) as process:
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status != 0:
        raise subprocess.CalledProcessError(status, command)


class Pollux:
    """A cluster of real processes behind the switch, on this machine."""

    def __init__(self, medium, nodes=5, shards=1, lanes=1, **settings):
        environment = dict(os.environ, POLLUX_BUILD=str(BUILD), **settings)
        self.process = subprocess.Popen(
            [ROOT / "bench/figures/cluster", str(nodes), str(shards), str(lanes), medium],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.servers = self.process.stdout.readline().strip()
        if not self.servers:
            raise RuntimeError(f"{nodes} nodes did not start on {medium}")

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def loads(self, *options):
        """One result for each step of --rate, or the one of a closed loop."""
        done = subprocess.run(
            [BUILD / "bench/pollux-bench", "--servers", self.servers, "--cluster", "figures",
             *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        if not results:
            raise RuntimeError(f"pollux-bench: {done.stderr.strip()}")
        return results

    def load(self, *options):
        return self.loads(*options)[0]

    def pids(self):
        return [int(pid) for pid in self.tell("pids").split()]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Missing(RuntimeError):
    """A peer that this machine does not have."""


def _need(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise Missing(f"{', '.join(missing)}: not installed")


@functools.cache
def etcd_driver():
    _need("etcd", "go")
    driver = BUILD / "bench/etcd-bench"
    subprocess.run([ROOT / "bench/peers/etcd/build", driver], check=True)
    return driver


class Etcd:
    def __init__(self, medium):
        self.driver = etcd_driver()
        self.folder = tempfile.mkdtemp(prefix="pollux-figures-etcd-", dir=folder_of(medium))
        started = subprocess.run([ROOT / "bench/peers/etcd/cluster", "start", self.folder],
                                 stdout=subprocess.PIPE, text=True, check=True)
        self.endpoints = started.stdout.strip()
        self._run("-op", "ready")

    def _run(self, *options):
        done = subprocess.run([self.driver, "-endpoints", self.endpoints, *map(str, options)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=True)
        return done.stdout

    def load(self, operation, clients, seconds, rate=0):
        return json.loads(self._run("-op", operation, "-clients", clients, "-seconds", seconds,
                                    "-rate", rate))

    def close(self):
        subprocess.run([ROOT / "bench/peers/etcd/cluster", "stop", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    """One server, in memory, replicated nowhere: what a set costs without consensus."""

    def __init__(self):
        _need("redis-server", "redis-benchmark")
        self.port = str(_free_port())
        self.process = subprocess.Popen(
            ["redis-server", "--port", self.port, "--save", "", "--appendonly", "no",
             "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL)
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", int(self.port))).close()
                return
            time.sleep(0.02)
        raise RuntimeError("redis-server did not start")

    def sets_per_second(self, pipeline, seconds):
        """redis-benchmark counts requests, not seconds: as many as last about that long."""
        count = int(seconds * (60_000 if pipeline == 1 else 500_000))
        done = subprocess.run(
            ["redis-benchmark", "-p", self.port, "-t", "set", "-n", str(count), "-d", "64", "-r",
             "10000", "-c", "64", "-P", str(pipeline), "--csv"],
            stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))

    def close(self):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def running(system):
    try:
        yield system
    finally:
        system.close()


def machine():
    """What a figure must name: the processor, its cores, the kernel."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    kernel = os.uname().release
    return f"{model}, {os.cpu_count()} cores shared by all processes, Linux {kernel}"


def load_average():
    return round(os.getloadavg()[0], 2)
