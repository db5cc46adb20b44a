"""The little of curl that the README uses, for machines without it: -s, -w, -H, -d, -X and one address."""

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def main(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-w", default="")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("-X")
    parser.add_argument("address")
    given = parser.parse_args(words)
    headers = dict(line.split(": ", 1) for line in given.H)
    body = None if given.d is None else given.d.encode()
    sys.stdout.buffer.write(_answer(Request(given.address, body, headers, method=given.X)))
    sys.stdout.write(given.w.replace("\\n", "\n"))


def _answer(request):
    try:
        with urlopen(request) as answer:
            return answer.read()
    except HTTPError as no:
        return no.read()


if __name__ == "__main__":
    main(sys.argv[1:])
