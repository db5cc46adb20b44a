"""Whatever the text, the answer is a policy or a `PolicyError`; every error has its place."""

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.policy import PolicyError, compile_policy, parse, reference

SMALL = (Path(__file__).parent / "small.yaml").read_text(encoding="utf-8")
LINES = SMALL.splitlines(keepends=True)
WORDS = re.findall(r"[\w-]+|[^\w\s]", SMALL)
MUTATED = settings(max_examples=min(settings().max_examples // 2, 1_000))
"""Reading a whole policy takes a while."""
PLACE = re.compile(r"^p\.yaml:[1-9][0-9]*:[1-9][0-9]*: .", re.DOTALL)


def errors(text):
    """Read and compile; any exception but the one fails the test."""
    try:
        policy = parse(text, "p.yaml")
    except PolicyError as error:
        return error.errors
    compile_policy(policy)
    return []


def read(text):
    assert all(PLACE.match(line) and line.isprintable() for line in errors(text))


@given(st.text(max_size=200))
def test_any_text(text):
    read(text)


@given(st.binary(max_size=200))
def test_any_bytes(raw):
    read(raw)


@given(st.text(alphabet=" \t\n-?:,[]{}#&*!|>'\"%@`~<=a1é\u2028\ufeff\x85", max_size=60))
def test_any_punctuation(text):
    read(text)


@MUTATED
@given(st.integers(0, len(SMALL)), st.integers(0, 30), st.one_of(
    st.sampled_from(WORDS), st.text(max_size=5), st.sampled_from(["[", "{", "- ", ": ", "\n", "\n  ", "null", "~", "0", "-1", "9" * 30, "1d", "*a", "&a "])))
def test_a_policy_with_a_piece_replaced(at, length, piece):
    read(SMALL[:at] + piece + SMALL[at + length:])


@MUTATED
@given(st.lists(st.integers(0, len(LINES) - 1), max_size=8))
def test_a_policy_with_lines_left_out(left_out):
    read("".join(line for number, line in enumerate(LINES) if number not in left_out))


@MUTATED
@given(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1))
def test_a_policy_with_two_lines_exchanged(one, other):
    lines = list(LINES)
    lines[one], lines[other] = lines[other], lines[one]
    read("".join(lines))


@MUTATED
@given(st.data())
def test_a_policy_with_words_exchanged(data):
    spots = [match.span() for match in re.finditer(r"[\w-]+", SMALL)]
    start, end = data.draw(st.sampled_from(spots))
    read(SMALL[:start] + data.draw(st.sampled_from(WORDS)) + SMALL[end:])


@MUTATED
@given(st.integers(0, 40_000), st.sampled_from(WORDS))
def test_a_shipped_policy_with_a_piece_replaced(at, piece):
    text = reference("major-bank").read_text(encoding="utf-8")
    read(text[:at] + piece + text[at + len(piece):])
