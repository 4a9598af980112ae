"""The page a browser on the laptop shows: it records what a login page could see, and posts it back each second."""

import http.server
import pathlib
import threading
import time

from .relays import CHROMIUM

PAGE = b"""<!doctype html><body style="background:#fff"><textarea id="t" style="width:500px;height:200px"></textarea>
<script>
let rows = [];
const put = (kind, a, b, event, repeat) => rows.push([kind, a, b, event.timeStamp, performance.now(), repeat ? 1 : 0]);
addEventListener('keydown', e => put('k', e.keyCode, 1, e, e.repeat), true);
addEventListener('keyup', e => put('k', e.keyCode, 0, e), true);
addEventListener('pointermove', e => put('m', e.clientX, e.clientY, e), true);
addEventListener('pointerrawupdate', e => { for (const c of e.getCoalescedEvents()) put('r', c.clientX, c.clientY, c); }, true);
addEventListener('pointerdown', e => put('b', e.button, 1, e), true);
addEventListener('pointerup', e => put('b', e.button, 0, e), true);
document.getElementById('t').focus();
setInterval(() => {
  if (!rows.length) return;
  const body = rows.map(row => JSON.stringify(row)).join('\\n') + '\\n';
  rows = [];
  fetch('/rows', {method: 'POST', body});
}, 1000);
</script>"""


class Page:
    """Serves the page on the laptop's loopback and keeps the rows it posts in `rows_path`."""

    def __init__(self, slot, kind="chromium"):
        self.kind, self.rows_path = kind, slot.work / "page.ndjson"
        self.server = None

    def start(self, slot):
        rows = open(self.rows_path, "w")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(PAGE)

            def do_POST(self):
                rows.write(self.rfile.read(int(self.headers["Content-Length"])).decode())
                rows.flush()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        # The browser runs outside the namespaces: the page never crosses the link, as it would not on a real laptop.
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{self.server.server_address[1]}/"
        profile = slot.home / "laptop-browser"
        if self.kind == "chromium":
            command = CHROMIUM + [f"--user-data-dir={profile}", address]
        else:
            profile.mkdir(parents=True)
            resist = self.kind == "firefox_resist"
            preferences = {"privacy.resistFingerprinting": resist, "browser.shell.checkDefaultBrowser": False,
                           "datareporting.policy.dataSubmissionEnabled": False, "browser.aboutwelcome.enabled": False,
                           "app.update.enabled": False, "network.captive-portal-service.enabled": False,
                           "network.connectivity-service.enabled": False, "privacy.resistFingerprinting.letterboxing": False}
            pathlib.Path(profile / "user.js").write_text(
                "".join(f'user_pref("{key}", {str(value).lower()});\n' for key, value in preferences.items()))
            command = ["firefox-esr", "--no-remote", "--profile", str(profile), "--kiosk", address]
        slot.start(command, display=slot.laptop, name="browser")
        time.sleep(9)
        slot.click(slot.laptop, 300, 150)

    def stop(self):
        if self.server:
            time.sleep(1.3)
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def lines(self):
        return self.rows_path.read_text().splitlines() if self.rows_path.exists() else []
