"""A signed XML file whose signature is about the whole of it and stands within it (XML Signature, enveloped).

Only this shape is taken, the one that `pskctool --sign` writes: one signature, right under the root, with one reference to the whole file. So
there is nothing that could be signed and something else read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import InvalidVersion, load_pem_x509_certificate
from lxml import etree

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

_SIGNATURES = {
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1": hashes.SHA1(),  # noqa: S303  see below
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": hashes.SHA512(),
}
"""SHA-1 too: pskctool signs with nothing else, and whoever tampers would need a second file to a digest that he did not choose."""

_DIGESTS = {
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1", "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}


def is_signed(root: etree._Element) -> bool:
    """Whether there is any signature in it."""
    return root.find(f".//{_DS}Signature") is not None


def holds(root: etree._Element, certificate: bytes) -> bool:
    """Whether the whole file was signed with this certificate's key. The signature is taken out of the tree.

    Args:
        root: of the file; its comments are taken out.
        certificate: of whoever is trusted to sign, PEM. Its dates are not looked at: it is this one that is trusted.

    """
    found = root.findall(f".//{_DS}Signature")
    key = _key(certificate)
    if len(found) != 1 or found[0].getparent() is not root or key is None:
        return False
    signature, info = found[0], found[0].find(f"{_DS}SignedInfo")
    references = [] if info is None else info.findall(f"{_DS}Reference")
    if info is None or len(references) != 1 or not _is_right(key, signature, info):
        return False
    _take_out(root, signature)
    return _is_whole(root, references[0])


def _key(certificate: bytes) -> RSAPublicKey | None:
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm, InvalidVersion):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _is_right(key: RSAPublicKey, signature: etree._Element, info: etree._Element) -> bool:
    made_by = _SIGNATURES.get(_algorithm(info, "SignatureMethod"))
    told = _bytes(signature.findtext(f"{_DS}SignatureValue"))
    form = _canonical(info, _algorithm(info, "CanonicalizationMethod"))
    if made_by is None or told is None or form is None:
        return False
    try:
        key.verify(told, form, PKCS1v15(), made_by)
    except InvalidSignature:
        return False
    return True


def _is_whole(root: etree._Element, reference: etree._Element) -> bool:
    """Whether the digest is that of the whole file without its signature."""
    transforms = [one.get("Algorithm", "") for one in reference.iterfind(f"{_DS}Transforms/{_DS}Transform")]
    digest, told = _DIGESTS.get(_algorithm(reference, "DigestMethod")), _bytes(reference.findtext(f"{_DS}DigestValue"))
    form = _canonical(root, transforms[1] if len(transforms) == 2 else _INCLUSIVE)
    if reference.get("URI", "") or transforms[:1] != [_ENVELOPED] or len(transforms) > 2 or digest is None or told is None or form is None:
        return False
    return hmac.compare_digest(hashlib.new(digest, form).digest(), told)


def _canonical(element: etree._Element, way: str) -> bytes | None:
    if way not in {_EXCLUSIVE, _INCLUSIVE}:
        return None
    try:
        return etree.tostring(element, method="c14n", exclusive=way == _EXCLUSIVE, with_comments=False, with_tail=False)
    except etree.C14NError:
        # As of a namespace without a scheme: it has no canonical form (Canonical XML section 1.3).
        return None


def _take_out(root: etree._Element, signature: etree._Element) -> None:
    """The text after it stays where it is."""
    before = signature.getprevious()
    if before is None:
        root.text = (root.text or "") + (signature.tail or "")
    else:
        before.tail = (before.tail or "") + (signature.tail or "")
    root.remove(signature)


def _algorithm(element: etree._Element, name: str) -> str:
    found = element.find(f"{_DS}{name}")
    return "" if found is None else found.get("Algorithm", "")


def _bytes(text: str | None) -> bytes | None:
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        return None


__all__ = ["holds", "is_signed"]
