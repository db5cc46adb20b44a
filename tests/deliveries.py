"""Containers of tokens (PSKC, RFC 6030) written sign by sign, so that each of them can be wrong."""

import base64

SEED = b"12345678901234567890"
KIND = "urn:ietf:params:xml:ns:keyprov:pskc"
SECRET = f"<Secret><PlainValue>{base64.b64encode(SEED).decode()}</PlainValue></Secret>"


def container(*packages, version="1.0"):
    return f'<KeyContainer Version="{version}" xmlns="{KIND}">{"".join(packages)}</KeyContainer>'


def package(data=SECRET, *, kind="hotp", serial="A-1", about="", key="", ident=""):
    """One token. `data`, `about` and `key` are elements of its seed and figures, of its device, and of what its key is for."""
    named = f' Id="{ident}"' if ident else ""
    return (
        f"<KeyPackage><DeviceInfo><SerialNo>{serial}</SerialNo>{about}</DeviceInfo>"
        f'<Key{named} Algorithm="{KIND}:{kind}">{key}<Data>{data}</Data></Key></KeyPackage>'
    )


def figure(name, value):
    """A seed, and one figure beside it."""
    return f"{SECRET}<{name}><PlainValue>{value}</PlainValue></{name}>"
