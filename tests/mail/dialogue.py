"""A relay that says what a test wants it to say, over a real socket."""

import socketserver
import ssl
import threading
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("relay.pem")
"""Made for these tests: key and certificate of `localhost`."""


class Dialogue:
    """One relay on a thread.

    Args:
        says: verb to what is answered, instead of yes. A list: one after the other, the last for good. For `.` also None: nothing is
            ever answered, or `close`: the connection ends.
        offers: lines of the answer to EHLO.
        greets: the first line.

    """

    def __init__(self, says=None, offers=("DSN", "8BITMIME"), greets="220 relay ready"):
        self.says = dict(says or {})
        self.offers = list(offers)
        self.greets = greets
        self.lines = []
        """Commands as they came, of all connections."""
        self.mails = []
        self.connections = 0
        self.came = threading.Event()
        """Set when a whole mail has come."""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer._serve(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._stopped = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, verb, default):
        said = self.says.get(verb, default)
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        return said

    def _serve(self, to):
        self.connections += 1
        files, held = [to.rfile, to.wfile], []

        def send(text):
            files[1].write(f"{text}\r\n".encode())
            files[1].flush()

        try:
            send(self.greets)
            while line := files[0].readline().decode("utf-8").rstrip("\r\n"):
                self.lines.append(line)
                verb = line.split()[0].upper()
                if verb == "EHLO":
                    send("\r\n".join(f"250-{one}" for one in ["relay", *self.offers]) + "\r\n250 HELP")
                elif verb == "STARTTLS" and "STARTTLS" in self.offers:
                    send("220 go on")
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(CERTIFICATE)
                    wrapped = context.wrap_socket(to.connection, server_side=True)
                    held.append(wrapped)
                    files[:] = wrapped.makefile("rb"), wrapped.makefile("wb")
                elif verb == "DATA":
                    said = self._answer("DATA", "354 go on")
                    send(said)
                    if said.startswith("354") and not self._take(files[0], send):
                        return
                else:
                    send(self._answer(verb, "250 2.0.0 yes"))
        except (OSError, ValueError):
            return
        finally:
            for one in (*files, *held):
                one.close()

    def _take(self, file, send):
        lines = []
        while (line := file.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b".") else line)
        self.mails.append(b"".join(lines))
        self.came.set()
        said = self._answer(".", "250 2.0.0 Ok: queued as 4XyZabc123")
        if said is None:
            self._stopped.wait(30)
        if said in {None, "close"}:
            return False
        send(said)
        return True
