"""The ways input reaches the laptop. Each relay names its packages, starts its server and viewer, and says its oddities.

Adding a relay: a subclass with `start`, in `RELAYS`. After `start`, a key pressed on `slot.operator` must arrive on
`slot.laptop`; the rig probes that before it records.
"""

import os
import shutil
import subprocess
import time

from .machine import BUILD, SCREEN, Failed

BASE_PROGRAMS = {"Xvfb": "xvfb", "ip": "iproute2", "ss": "iproute2", "xterm": "xterm"}
CHROMIUM = ["chromium", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--kiosk",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-position=0,0",
            "--window-size=%d,%d" % SCREEN, "--password-store=basic"]


class Relay:
    """What a relay is to the rig."""

    name = ""
    programs = {}          # program -> Debian package
    use = "fit"            # "report": measured with, never fitted or tuned on
    remote = True
    operator_sees = True   # whether a prompt on the laptop shows on the operator's display
    relative = False       # whether the pointer must be injected as relative steps
    click_first = False    # whether the viewer wants a click before it takes keys
    settle_s = 1.5

    def start(self, slot, condition):
        raise NotImplementedError

    def laptop_command(self, slot, command):
        """How a program is run where it sees the laptop's input: (command, side, display)."""
        return command, "laptop", slot.laptop

    def laptop_screen(self, slot, condition):
        slot.xvfb(slot.laptop, "laptop-x")
        self.contents(slot, condition)

    def contents(self, slot, condition):
        """Something on the laptop's screen that echoes what is typed."""
        if condition.get("browser"):
            condition["page"].start(slot)
        else:
            slot.start(["xterm", "-geometry", "80x30+0+0", "-e", "cat"], side="laptop", display=slot.laptop, name="xterm")


class Local(Relay):
    name, remote = "local", False

    def start(self, slot, condition):
        self.laptop_screen(slot, condition)
        slot.operator = slot.laptop


class Vnc(Relay):
    """A VNC server on the laptop; subclasses choose server and viewer."""

    port = 5901
    server = "x11vnc"

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        if self.server == "Xtigervnc":
            server = slot.start(
                ["Xtigervnc", slot.laptop, "-geometry", "%dx%d" % SCREEN, "-depth", "24", "-SecurityTypes", "None",
                 "-rfbport", str(self.port), "-interface", slot.laptop_ip, "-localhost", "no"], side="laptop", name="server")
            slot.await_display(slot.laptop, server)
            self.contents(slot, condition)
        elif self.server == "x0vncserver":
            self.laptop_screen(slot, condition)
            server = slot.start(
                ["X0tigervnc", "-display", slot.laptop, "-SecurityTypes", "None", "-rfbport", str(self.port)],
                side="laptop", display=slot.laptop, name="server")
        else:
            self.laptop_screen(slot, condition)
            server = slot.start(
                ["x11vnc", "-display", slot.laptop, "-forever", "-shared", "-nopw", "-listen", slot.laptop_ip,
                 "-rfbport", str(self.port), "-quiet"], side="laptop", display=slot.laptop, name="server")
        slot.await_port(self.port)
        self.viewer(slot, condition)
        slot.alive(server)

    def viewer(self, slot, condition):
        slot.start(["xtigervncviewer", "-FullScreen=1", "-SecurityTypes=None", f"{slot.laptop_ip}::{self.port}"],
                   side="operator", display=slot.operator, name="viewer")


class X11vnc(Vnc):
    name = "x11vnc"
    programs = {"x11vnc": "x11vnc", "xtigervncviewer": "tigervnc-viewer"}


class Tigervnc(Vnc):
    name, server = "xtigervnc", "Xtigervnc"
    programs = {"Xtigervnc": "tigervnc-standalone-server", "xtigervncviewer": "tigervnc-viewer"}


class Tightvnc(Vnc):
    """The viewer that many old products are made of; the server is x11vnc, since Xtightvnc knows no XInput2."""

    name = "tightvnc"
    programs = {"x11vnc": "x11vnc", "xtightvncviewer": "xtightvncviewer"}

    def viewer(self, slot, condition):
        slot.start(["xtightvncviewer", "-fullscreen", f"{slot.laptop_ip}::{self.port}"], side="operator",
                   display=slot.operator, name="viewer")


class GtkVnc(Vnc):
    """gtk-vnc, the widget of many desktop tools, against TigerVNC's server."""

    name, server = "gtkvnc", "Xtigervnc"
    programs = {"Xtigervnc": "tigervnc-standalone-server", "remote-viewer": "virt-viewer"}
    click_first, settle_s = True, 3.0

    def viewer(self, slot, condition):
        slot.start(["remote-viewer", "--full-screen", f"vnc://{slot.laptop_ip}:{self.port}"], side="operator",
                   display=slot.operator, name="viewer")


class NoVnc(Vnc):
    name, click_first = "novnc", True
    programs = {"x11vnc": "x11vnc", "websockify": "websockify", "chromium": "chromium"}
    settle_s = 2.0

    def viewer(self, slot, condition):
        slot.start(["websockify", "--web", "/usr/share/novnc", f"{slot.laptop_ip}:6080", f"{slot.laptop_ip}:{self.port}"],
                   side="laptop", name="websockify")
        slot.await_port(6080)
        slot.start(CHROMIUM + [f"--user-data-dir={slot.home}/operator-browser",
                               f"http://{slot.laptop_ip}:6080/vnc_lite.html?scale=false"],
                   side="operator", display=slot.operator, name="viewer")
        time.sleep(6 + 10 * condition["rtt_ms"] / 250)


class X0vnc(Vnc):
    """TigerVNC's server for a display that exists already, as on a laptop somebody is logged in to."""

    name, server = "x0vnc", "x0vncserver"
    programs = {"X0tigervnc": "tigervnc-scraping-server", "xtigervncviewer": "tigervnc-viewer"}


class Ssh(Relay):
    """A laptop reached by ssh: keys made for the occasion, a server of the rig's own on a port of its own."""

    port = 2222

    def server(self, slot):
        folder = slot.home / "ssh"
        folder.mkdir(mode=0o700)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress {slot.laptop_ip}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPermitRootLogin yes\nX11Forwarding yes\n"
            f"X11DisplayOffset 50\nSetEnv XAUTHORITY={folder}/xauthority\nPrintMotd no\n")
        server = slot.start(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "config"], side="laptop", name="sshd")
        slot.await_port(self.port)
        slot.alive(server)

    def command(self, slot, remote, forward=True):
        folder = slot.home / "ssh"
        return ["ssh", "-F", "none", "-i", folder / "user", "-p", str(self.port), "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=VERBOSE", *(["-Y"] if forward else ["-x"]),
                slot.laptop_ip, " ".join(str(part) for part in remote)]


class SshX(Ssh):
    """`ssh -X`: programs run on the laptop and show on the operator's display. What reaches them is recorded there."""

    name = "sshx"
    programs = {"ssh": "openssh-client", "/usr/sbin/sshd": "openssh-server", "xauth": "xauth"}

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        self.server(slot)
        slot.start(self.command(slot, ["exec xterm -geometry 80x30+0+0 -e cat"]), side="operator", display=slot.operator,
                   name="session")
        slot.laptop = slot.operator
        time.sleep(3 + 45 * (condition["rtt_ms"] + 2 * condition["jitter_ms"]) / 1000)

    def laptop_command(self, slot, command):
        # exec: so that the signal sent to end it reaches the program and not a shell.
        return self.command(slot, ["exec"] + command), "operator", slot.operator


class X2x(Ssh):
    """`ssh -X laptop x2x`: the operator's keyboard and mouse, handed over at the edge of the screen."""

    name, operator_sees = "x2x", False
    programs = dict(SshX.programs, x2x="x2x")

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        self.laptop_screen(slot, condition)
        self.server(slot)
        slot.start(self.command(slot, ["exec", "x2x", "-west", "-to", slot.laptop]), side="operator",
                   display=slot.operator, name="session")
        time.sleep(3 + 45 * (condition["rtt_ms"] + 2 * condition["jitter_ms"]) / 1000)
        slot.act(slot.operator, *((0.1, "M", x, 300) for x in (20, 5, 0, 0)))


class X2go(Ssh):
    """X2Go's session agent on the laptop, its proxy at the operator, as x2goclient starts them."""

    name, settle_s = "x2go", 3.0
    programs = {"nxagent": "nxagent", "nxproxy": "nxproxy"}

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        number = int(slot.laptop[1:])
        options = slot.home / "options"
        options.write_text(f"nx/nx,link=wan,type=unix-desktop,cache=8M,composite=1,listen=5000,accept={slot.operator_ip},"
                           f"geometry={SCREEN[0]}x{SCREEN[1]},fullscreen=1,clipboard=none:{number}\n")
        server = slot.start(["nxagent", "-D", "-ac", "-noreset", "-nolisten", "tcp", "-geometry",
                             "%dx%d+0+0" % SCREEN, slot.laptop],
                            side="laptop", name="server",
                            environment={"DISPLAY": f"nx/nx,options={options}:{number}",
                                         "NX_TEMP": str(slot.home), "X2GO_SESSION": "capture"})
        slot.await_port(5000)
        slot.start(["nxproxy", "-S", f"nx/nx,connect={slot.laptop_ip},port=5000:{number}"], side="operator",
                   display=slot.operator, name="viewer", environment={"NX_TEMP": str(slot.home)})
        slot.await_display(slot.laptop, server)
        time.sleep(2)
        self.contents(slot, condition)


class Barrier(Relay):
    """A software KVM: the operator's screen is the server, the laptop the client beside it."""

    name, operator_sees, relative = "barrier", False, True
    programs = {"barriers": "barrier", "barrierc": "barrier"}

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        self.laptop_screen(slot, condition)
        layout = slot.home / "barrier.conf"
        layout.write_text("section: screens\n\toperator:\n\tlaptop:\nend\nsection: links\n\toperator:\n\t\tright = laptop\n"
                          "\tlaptop:\n\t\tleft = operator\nend\nsection: options\n\tswitchDelay = 0\n\trelativeMouseMoves = false\nend\n")
        slot.start(["barriers", "-f", "--no-tray", "--disable-crypto", "--disable-client-cert-checking", "-n", "operator",
                    "-a", f"{slot.operator_ip}:24800", "-c", layout], side="operator", display=slot.operator, name="server")
        slot.await_port(24800, side="operator")
        slot.start(["barrierc", "-f", "--no-tray", "--disable-crypto", "-n", "laptop", f"{slot.operator_ip}:24800"],
                   side="laptop", display=slot.laptop, name="viewer")
        time.sleep(2 + 10 * condition["rtt_ms"] / 1000)
        slot.act(slot.operator, *((0.1, "M", x, 300) for x in (760, 790, 799, 799)))


class X2vnc(Vnc):
    """A software KVM over VNC: no picture, only the operator's keys and pointer, handed over at the screen's edge."""

    name, operator_sees, relative = "x2vnc", False, True
    programs = {"x11vnc": "x11vnc", "x2vnc": "x2vnc"}

    def viewer(self, slot, condition):
        slot.start(["x2vnc", "-west", f"{slot.laptop_ip}:{self.port - 5900}"], side="operator", display=slot.operator,
                   name="viewer")
        time.sleep(2 + 10 * condition["rtt_ms"] / 1000)
        slot.act(slot.operator, *((0.1, "M", x, 300) for x in (20, 5, 0, 0)))


class IpKvm(Relay):
    """The rig's own model of an IP-KVM (c/kvm.c): `poll_ms` of the gadget, `timer_ms` of the page, `auto_release`."""

    name = "ipkvm"

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        self.laptop_screen(slot, condition)
        kvm = condition["kvm"]
        slot.start([BUILD / "kvm", "host", "9000", kvm["poll_ms"], int(kvm["auto_release"])], side="laptop",
                   display=slot.laptop, name="server")
        slot.await_port(9000)
        slot.start([BUILD / "kvm", "viewer", slot.laptop_ip, "9000", kvm["timer_ms"]], side="operator",
                   display=slot.operator, name="viewer")


class Rdp(Relay):
    name, use, settle_s = "rdp", "report", 3.0
    programs = {"freerdp-shadow-cli": "freerdp2-shadow-x11", "xfreerdp": "freerdp2-x11"}

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        self.laptop_screen(slot, condition)
        slot.start(["freerdp-shadow-cli", "/port:3389", f"/bind-address:{slot.laptop_ip}", "-auth", "/sec:tls"],
                   side="laptop", display=slot.laptop, name="server")
        slot.await_port(3389)
        slot.start(["xfreerdp", f"/v:{slot.laptop_ip}:3389", "/cert:ignore", "/sec:tls", "/u:x", "/p:x",
                    "/size:%dx%d" % SCREEN, "-decorations", "/f"], side="operator", display=slot.operator, name="viewer")
        time.sleep(2 + 10 * condition["rtt_ms"] / 250)


class Xpra(Relay):
    name, use, click_first, settle_s = "xpra", "report", True, 4.0
    programs = {"xpra": "xpra"}

    def start(self, slot, condition):
        slot.xvfb(slot.operator, "operator-x")
        self.laptop_screen(slot, condition)
        quiet = ["--pulseaudio=no", "--speaker=off", "--microphone=off", "--notifications=no", "--mdns=no", "--opengl=no"]
        slot.start(["xpra", "shadow", slot.laptop, f"--bind-tcp={slot.laptop_ip}:14500", "--daemon=no", "--webcam=no",
                    "--printing=no", "--html=off", *quiet], side="laptop", display=slot.laptop, name="server")
        slot.await_port(14500, seconds=30)
        slot.start(["xpra", "attach", f"tcp://{slot.laptop_ip}:14500/", "--tray=no", "--desktop-fullscreen=yes", *quiet],
                   side="operator", display=slot.operator, name="viewer")
        time.sleep(5 + 10 * condition["rtt_ms"] / 250)


RELAYS = {relay.name: relay for relay in (
    Local(), X11vnc(), Tigervnc(), Tightvnc(), GtkVnc(), NoVnc(), X0vnc(), SshX(), X2x(), X2go(), Barrier(), X2vnc(),
    IpKvm(), Rdp(), Xpra())}


def missing(names):
    """Programs that are not installed: {program: Debian package}, for the relays named."""
    wanted = dict(BASE_PROGRAMS)
    for name in names:
        wanted.update(RELAYS[name].programs)
    return {program: package for program, package in wanted.items() if not shutil.which(program)}


def versions(relay, browser=None):
    """Debian versions of what a relay is made of: {package: version}."""
    packages = sorted({"xvfb", *relay.programs.values(), *({"chromium"} if browser == "chromium" else ()),
                       *({"firefox-esr"} if (browser or "").startswith("firefox") else ())})
    told = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages], capture_output=True, text=True)
    return dict(line.split(" ", 1) for line in told.stdout.splitlines())


__all__ = ["RELAYS", "Relay", "missing", "versions", "Failed"]
