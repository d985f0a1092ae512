"""Small web services that mostly do nothing, for density.py and peers.py.

Each is one shell command that runs alike natively and in any kind of sandbox.
It writes the files it needs into a directory of its own, listens on one port,
and answers  GET /WORD  with 200.  Every request is appended to a file of that
directory, and  GET /log  answers that file: who asks can see that the files
are the instance's own.
"""
import os
import socket
import time

NGINX = """daemon off; user root; worker_processes 1; error_log stderr crit;
pid DIR/nginx.pid; events { worker_connections 64; }
http { client_body_temp_path DIR/t; proxy_temp_path DIR/t; fastcgi_temp_path \
DIR/t; uwsgi_temp_path DIR/t; scgi_temp_path DIR/t;
log_format path "$request_uri"; access_log DIR/access.log path;
server { listen ADDRESS:PORT; root DIR/www;
location = /log { access_log off; alias DIR/access.log; }
location / { try_files /index.html =404; } } }
"""

PYTHON = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("DIR/access.log", "a+") as f:
            if self.path != "/log":
                f.write(self.path + "\\n")
            f.seek(0)
            body = (f.read() if self.path == "/log" else "hello\\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.HTTPServer(("ADDRESS", PORT), Handler).serve_forever(None)
"""

NODE = """
const fs = require("fs"), log = "DIR/access.log";
require("http").createServer((q, r) => {
  fs.appendFileSync(log, q.url == "/log" ? "" : q.url + "\\n");
  r.end(q.url == "/log" ? fs.readFileSync(log) : "hello\\n");
}).listen(PORT, "ADDRESS");
"""

# name: (the program's text, how it is run, what must be installed)
SERVICES = {
    "nginx": (NGINX, "exec nginx -c DIR/text", "nginx"),
    "nginx-unlogged": (NGINX.replace("access_log DIR/access.log path;",
                                     "access_log off; keepalive_requests "
                                     "1000000;"),
                       "exec nginx -c DIR/text", "nginx"),
    "python": (PYTHON, "exec /usr/bin/python3 -S DIR/text",
               "/usr/bin/python3"),
    "node": (NODE, "exec node DIR/text", "node"),
}
START = 'mkdir -p DIR/www; echo "$2" >DIR/www/index.html; ' \
        'printf %s "$1" >DIR/text; '


def command(service, number, directory="/srv", address="0.0.0.0", port=80):
    """The words of the command; number goes into the served page."""
    text, run, _ = SERVICES[service]
    words = ["sh", "-c", START + run, "sh", text, f"instance {number}"]
    return [w.replace("DIR", directory).replace("ADDRESS", address)
            .replace("PORT", str(port)) for w in words]


def fill_redis(address, port, megabytes):
    """Values of 1,000 bytes, half of each like no other."""
    with socket.create_connection((address, port), 30) as s:
        reader = s.makefile("rb")
        for start in range(0, megabytes * 1000, 1000):
            s.sendall(b"".join(
                b"*3\r\n$3\r\nSET\r\n$10\r\nkey:%06d\r\n$1000\r\n%b\r\n"
                % (i, os.urandom(500) + b"x" * 500)
                for i in range(start, start + 1000)))
            for _ in range(1000):
                reader.readline()


def needs(service):
    return SERVICES[service][2]


def get(address, port, path, timeout=10):
    """The answer's body; an OSError if there is none, or it is not 200."""
    with socket.create_connection((address, port), timeout) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: a\r\n\r\n".encode())
        answer = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise OSError(f"answered {head[:40]!r}")
    return body.decode()


def get_patiently(address, port, path, seconds=60):
    """As get(), of one that may still be starting."""
    end = time.monotonic() + seconds
    while True:
        try:
            return get(address, port, path)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.002)
