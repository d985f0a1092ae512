#!/usr/bin/env python3
"""browser.py - a headless Chromium that a test script drives, line by line.

Reads commands from stdin and answers each with one line on stdout: "ok", a
value, or "error: ...".  Speaks the DevTools protocol over two pipes.

    open URL           a new page, which is the current one from then on
    page N             the N-th page that was opened is the current one
    close              the current page goes
    eval JAVASCRIPT    its value (a promise's, when it is settled)
    type TEXT          keys, as on a US keyboard
    key CODE KEY [MODIFIERS [COMMAND]]   MODIFIERS: 1 Alt, 2 Ctrl, 4 Meta, 8 Shift
    text TEXT          characters without keys, as an input method gives them
    mouse TYPE X Y [BUTTON]   in pixels of the window; TYPE as in CDP
    wheel X Y DX DY
    size WIDTH HEIGHT  of the window
    grant ORIGIN PERMISSION...   and no others
    shot FILE          the page as it looks, as PNG
    canvas FILE        the picture of its first canvas, as PNG
"""
import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

NAMES = ("chromium-headless-shell", "chromium")
SHIFTED = dict(zip('!@#$%^&*()_+{}|:"<>?~', '1234567890-=[]\\;\',./`'))
CODES = {"-": "Minus", "=": "Equal", "[": "BracketLeft", "]": "BracketRight",
         "\\": "Backslash", ";": "Semicolon", "'": "Quote", ",": "Comma",
         ".": "Period", "/": "Slash", "`": "Backquote", " ": "Space"}


class Browser:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="bailey-browser.")
        to_read, self.to = os.pipe()
        self.answers, from_write = os.pipe()
        name = next(n for n in NAMES if shutil.which(n))
        command = [name, "--headless", "--remote-debugging-pipe",
                   "--no-first-run", "--disable-gpu", "--mute-audio",
                   "--disable-dev-shm-usage", "--hide-scrollbars",
                   f"--user-data-dir={self.dir}", "--window-size=1000,760"]
        if os.getuid() == 0:
            command.append("--no-sandbox")  # it refuses root without

        def pipes():  # the protocol's are 3 and 4
            low, high = os.dup(to_read), os.dup(from_write)
            os.dup2(low, 3)
            os.dup2(high, 4)
        self.process = subprocess.Popen(
            command, preexec_fn=pipes, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.rest, self.number, self.pages, self.session = b"", 0, [], None

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") != self.number:
                continue
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            return answer["result"]

    def receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.answers, 1 << 20)
            if not more:
                raise RuntimeError("the browser has gone")
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def here(self, method, **params):
        return self.call(method, self.session[1], **params)

    # ---- commands -------------------------------------------------------
    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")
        target = target["targetId"]
        session = self.call("Target.attachToTarget", targetId=target,
                            flatten=True)["sessionId"]
        self.session = (target, session)
        self.pages.append(self.session)
        self.here("Emulation.setFocusEmulationEnabled", enabled=True)
        self.here("Page.navigate", url=url)

    def page(self, number):
        self.session = self.pages[int(number) - 1]
        self.call("Target.activateTarget", targetId=self.session[0])

    def close(self):
        self.call("Target.closeTarget", targetId=self.session[0])

    def eval(self, text):
        r = self.here("Runtime.evaluate", expression=text, awaitPromise=True,
                      returnByValue=True, userGesture=True)
        if "exceptionDetails" in r:
            raise RuntimeError(r["exceptionDetails"].get(
                "exception", {}).get("description", "exception").split("\n")[0])
        return r["result"].get("value")

    def key(self, code, key, modifiers="0", *commands):
        common = {"code": code, "key": key, "modifiers": int(modifiers)}
        if len(key) == 1 and not int(modifiers) & 7:
            common["text"] = key
        if code[:3] == "Key":  # a browser's own shortcuts look at this
            common["windowsVirtualKeyCode"] = ord(code[3])
        self.here("Input.dispatchKeyEvent", type="keyDown",
                  commands=list(commands), **common)
        common.pop("text", None)
        self.here("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        for c in text:
            base = SHIFTED.get(c, c.lower())
            code = (f"Key{base.upper()}" if base.isalpha() else
                    f"Digit{base}" if base.isdigit() else CODES[base])
            shift = {"code": "ShiftLeft", "key": "Shift"}
            if base != c:
                self.here("Input.dispatchKeyEvent", type="rawKeyDown",
                          modifiers=8, **shift)
            self.key(code, c, "8" if base != c else "0")
            if base != c:
                self.here("Input.dispatchKeyEvent", type="keyUp", **shift)

    def text(self, text):
        self.here("Input.insertText", text=text)

    def mouse(self, kind, x, y, button="none", buttons="0"):
        self.here("Input.dispatchMouseEvent", type=kind, x=float(x), y=float(y),
                  button=button, buttons=int(buttons), clickCount=1)

    def wheel(self, x, y, dx, dy):
        self.here("Input.dispatchMouseEvent", type="mouseWheel", x=float(x),
                  y=float(y), deltaX=float(dx), deltaY=float(dy))

    def size(self, width, height):
        self.here("Emulation.setDeviceMetricsOverride", width=int(width),
                  height=int(height), deviceScaleFactor=1, mobile=False)

    def grant(self, origin, *permissions):
        self.call("Browser.grantPermissions", permissions=permissions,
                  origin=origin)

    def shot(self, name):
        data = self.here("Page.captureScreenshot", format="png")["data"]
        self.write(name, data)

    def canvas(self, name):
        data = self.eval("document.querySelector('canvas').toDataURL()")
        self.write(name, data.split(",", 1)[1])

    @staticmethod
    def write(name, data):
        with open(name, "wb") as f:
            f.write(base64.b64decode(data))


def main():
    b = Browser()
    try:
        for line in sys.stdin:
            word, _, rest = line.rstrip("\n").partition(" ")
            words = [rest] if word in ("eval", "type", "text") else \
                shlex.split(rest)
            try:
                value = getattr(b, word)(*words)
                answer = "ok" if value is None else str(value)
            except Exception as e:  # whatever it is, the script is to know
                answer = f"error: {e}"
            print(answer.replace("\n", " "), flush=True)
    finally:
        b.process.terminate()
        b.process.wait()
        shutil.rmtree(b.dir, ignore_errors=True)


main()
