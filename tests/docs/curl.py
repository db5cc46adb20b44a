"""The little of curl that the README uses, for machines without it: -s, -w, -H, -d, -X and one address.

It is started for every call of the page, so it takes from Python no more than a socket.
"""

import socket
import sys

WITH_VALUE = ("-w", "-H", "-d", "-X")


def main(words):
    given, left = {"-H": []}, iter(words)
    for word in left:
        if word == "-H":
            given["-H"].append(next(left))
        elif word in WITH_VALUE:
            given[word] = next(left)
        elif word != "-s":
            given["address"] = word
    body = given.get("-d", "").encode()
    host, _, path = given["address"].removeprefix("http://").partition("/")
    method = given.get("-X") or ("POST" if "-d" in given else "GET")
    head = [f"{method} /{path} HTTP/1.0", f"Host: {host}", f"Content-Length: {len(body)}", *given["-H"]]
    sys.stdout.buffer.write(_answer(host, "\r\n".join([*head, "", ""]).encode() + body))
    sys.stdout.write(given.get("-w", "").replace("\\n", "\n"))


def _answer(host, request):
    """The body of what comes back, whatever its status."""
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port))) as line:
        line.sendall(request)
        came = b"".join(iter(lambda: line.recv(65536), b""))
    return came.partition(b"\r\n\r\n")[2]


if __name__ == "__main__":
    main(sys.argv[1:])
