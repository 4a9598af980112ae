"""One slot of the rig: two network namespaces joined by the link, two displays, and every process started for them.

A slot owns names derived from its number (namespaces, displays, ports), so that slots run side by side and a crashed
run can be swept up by the next one. Everything is started in a process group of its own and ended by that group.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
BUILD = HERE / "build"
SCREEN = (800, 600)


class Failed(Exception):
    """A recording could not be made; the text says what to look at."""


class Slot:
    def __init__(self, number, work):
        self.number, self.work = number, pathlib.Path(work) / f"slot{number}"
        self.displays = (f":{220 + 2 * number}", f":{221 + 2 * number}")
        self.operator, self.laptop = self.displays
        self.operator_ns, self.laptop_ns = f"capture{number}a", f"capture{number}b"
        self.operator_ip, self.laptop_ip = f"10.{120 + number}.0.1", f"10.{120 + number}.0.2"
        self.networked = False
        self.nice = -10
        self.processes = []
        self.work.mkdir(parents=True, exist_ok=True)
        self.home = self.work / "home"

    # Processes

    def start(self, command, side=None, display=None, name="process", environment=None, nice=None, output=None):
        """Starts a program: on the network of `side` ("operator", "laptop"), on a display, its output in NAME.log."""
        full = dict(os.environ, HOME=str(self.home), XDG_RUNTIME_DIR=str(self.home / "run"))
        full.pop("WAYLAND_DISPLAY", None)
        full.pop("DISPLAY", None)
        if display:
            full["DISPLAY"] = display
        full.update(environment or {})
        prefix = []
        if side and self.networked:
            prefix = ["ip", "netns", "exec", self.operator_ns if side == "operator" else self.laptop_ns]
        nice = self.nice if nice is None else nice
        if nice:
            prefix += ["nice", "-n", str(nice)]
        with open(output or self.work / f"{name}.log", "w") as log:
            process = subprocess.Popen(prefix + [str(part) for part in command], env=full, stdout=log,
                                       stderr=subprocess.STDOUT if not output else subprocess.DEVNULL,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        process.name = name
        self.processes.append(process)
        return process

    def run(self, command, side=None, display=None, name="run", timeout=60, environment=None):
        """Runs a program to its end; raises when it fails."""
        process = self.start(command, side, display, name, environment)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop(process)
            raise Failed(f"{command[0]} took over {timeout} s (see {self.work / (name + '.log')})") from None
        if status:
            raise Failed(f"{command[0]} ended with {status} (see {self.work / (name + '.log')})")

    def act(self, display, *steps):
        """Plays (seconds since the step before, kind, a, b) on a display: real device events, which a warp is not."""
        at, lines = 0.0, []
        for wait, kind, a, b in steps:
            at += wait
            lines.append(f"{round(at * 1e6)} {kind} {a} {b}\n")
        plan = self.work / "act.txt"
        plan.write_text("".join(lines))
        self.run([BUILD / "inject", plan, self.work / "act.out"], display=display, name="act", timeout=at + 20)

    def click(self, display, x, y):
        self.act(display, (0, "M", x - 1, y), (0.05, "M", x, y), (0.1, "B", 1, 1), (0.08, "B", 1, 0))

    def stop(self, *processes, patience=2.0):
        """Ends process groups: asks first, then insists."""
        for process in processes:
            if process.poll() is None:
                _signal(process, signal.SIGTERM)
        end = time.monotonic() + patience
        for process in processes:
            try:
                process.wait(max(0.05, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
            else:
                # Children of a program that ended by itself may live on in its group.
                _signal(process, signal.SIGKILL)

    def alive(self, *processes):
        for process in processes:
            if process.poll() is not None:
                raise Failed(f"{process.name} ended with {process.returncode} (see {self.work / (process.name + '.log')})")

    def clean(self):
        """Ends everything of this slot, also what an earlier run left behind, and removes namespaces and locks."""
        self.stop(*reversed(self.processes))
        self.processes = []
        for namespace in (self.operator_ns, self.laptop_ns):
            inside = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True)
            for process in inside.stdout.split():
                try:
                    os.kill(int(process), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            subprocess.run(["ip", "netns", "del", namespace], stderr=subprocess.DEVNULL)
        for display in self.displays:
            lock = pathlib.Path(f"/tmp/.X{display[1:]}-lock")
            if lock.exists():
                # Nobody else uses these display numbers: a lock left here is ours, and so is its server.
                try:
                    os.kill(int(lock.read_text().strip() or 0), signal.SIGKILL)
                except (ProcessLookupError, ValueError):
                    pass
                lock.unlink(missing_ok=True)
            pathlib.Path(f"/tmp/.X11-unix/X{display[1:]}").unlink(missing_ok=True)
        self.networked = False
        self.operator, self.laptop = self.displays
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.home.chmod(0o700)
        (self.home / "run").chmod(0o700)

    # Network and displays

    def network(self, condition):
        """Joins the two sides by the emulated link; all of a slot's traffic stays inside it."""
        for namespace in (self.operator_ns, self.laptop_ns):
            subprocess.run(["ip", "netns", "add", namespace], check=True)
        self.link = self.start(
            [BUILD / "link", self.operator_ns, "wan", self.laptop_ns, "wan", condition["rtt_ms"] / 2,
             condition["jitter_ms"], condition["loss"], condition["seed"]], name="link", output=self.work / "link.out")
        ends = ((self.operator_ns, self.operator_ip, self.laptop_ip), (self.laptop_ns, self.laptop_ip, self.operator_ip))
        for namespace, own, peer in ends:
            for _ in range(50):
                if not subprocess.run(["ip", "-n", namespace, "link", "show", "wan"], capture_output=True).returncode:
                    break
                time.sleep(0.05)
            for command in (["link", "set", "lo", "up"], ["addr", "add", own, "peer", peer, "dev", "wan"],
                            ["link", "set", "wan", "up"]):
                subprocess.run(["ip", "-n", namespace] + command, check=True)
        self.networked = True

    def xvfb(self, display, name):
        server = self.start(["Xvfb", display, "-screen", "0", "%dx%dx24" % SCREEN, "-nolisten", "tcp"], name=name)
        self.await_display(display, server)
        return server

    def await_display(self, display, server, seconds=15.0):
        socket = pathlib.Path(f"/tmp/.X11-unix/X{display[1:]}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.alive(server)
            if socket.exists():
                time.sleep(0.3)
                return
            time.sleep(0.1)
        raise Failed(f"display {display} did not come up")

    def await_port(self, port, side="laptop", seconds=15.0):
        """Waits until something listens on a TCP port of a side."""
        namespace = self.laptop_ns if side == "laptop" else self.operator_ns
        prefix = ["ip", "netns", "exec", namespace] if self.networked else []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            listening = subprocess.run(prefix + ["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True)
            if listening.stdout.strip():
                return
            time.sleep(0.15)
        raise Failed(f"nothing listens on port {port} of the {side}'s side")

    def screenshot(self, display, path):
        """What a display shows, for finding out why a relay does not work."""
        subprocess.run(["import", "-window", "root", "-display", display, str(path)], check=False)


def _signal(process, number):
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def busy():
    """Processor time so far: (busy, whole) in ticks, all cores."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
