"""What people type is compared as they mean it; nothing else is forgiven."""

import pytest

from sekisho.core.fold import fold
from sekisho.terms import ItemKind

SAME = (
    (ItemKind.CODE, "12345678", ("1234 5678", "１２３４５６７８", "1234-5678", "１２３４－５６７８", " 1234ー5678 ", "1234−5678", "1234\u30005678")),
    (ItemKind.PIN, "2580", ("２５８０", "25 80", "2-5-8-0")),
    (ItemKind.TOTP, "398714", ("398 714", "３９８－７１４")),
    (ItemKind.IDENTIFIER, "10000-12345671", ("１００００－１２３４５６７１", "10000 - 12345671", "10000ー12345671", "10000‐12345671", "10000−12345671")),
    (ItemKind.PAIR, "0012345678", ("００１２３４５６７８", "0012 345 678")),
    (ItemKind.KNOWLEDGE, "セキモリ ハナ", ("ｾｷﾓﾘ ﾊﾅ", "せきもり はな", "セキモリハナ", "セキモリ\u3000ハナ")),
    (ItemKind.KNOWLEDGE, "ガッキ ユーコ", ("ｶﾞｯｷ ﾕｰｺ", "がっき ゆーこ", "ガッキ ユ-コ")),
    (ItemKind.KNOWLEDGE, "Hana Sekimori 1980-04-01", ("HANA SEKIMORI １９８０－０４－０１", "hana  sekimori 1980‐04‐01")),
    (ItemKind.KNOWLEDGE, "123456", ("123,456", "１２３，４５６")),
)


@pytest.mark.parametrize(("kind", "meant", "typed"), [(kind, meant, one) for kind, meant, many in SAME for one in many])
def test_forgiven(kind, meant, typed):
    assert fold(kind, typed) == fold(kind, meant)


DIFFERENT = (
    (ItemKind.PASSWORD, "ｃorrect", "correct"), (ItemKind.PASSWORD, "two  spaces", "two spaces"), (ItemKind.PASSWORD, "River", "river"),
    (ItemKind.PASSCODE, "12 34", "1234"), (ItemKind.IDENTIFIER, "10000-12345671", "1000012345671"), (ItemKind.KNOWLEDGE, "ハナ", "バナ"),
    (ItemKind.KNOWLEDGE, "a=1\x1fb=2", "a=1b=2"), (ItemKind.KNOWLEDGE, "1234.56", "123456"), (ItemKind.CODE, "1234.5678", "12345678"),
)


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_not_forgiven(kind, one, other):
    assert fold(kind, one) != fold(kind, other)
