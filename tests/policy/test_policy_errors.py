"""Every error stands at its place and says what would be right; all of them come at once; nothing else ever comes out."""

from pathlib import Path

import pytest
from scale import times

from sekisho.policy import PolicyError, load, parse
from sekisho.policy.rows import rows_of

SMALL = (Path(__file__).parent / "small.yaml").read_text(encoding="utf-8")
MANY = times(50, full=100)
"""Items in each of so many operations: ten thousand rows in all, with full counts."""


def errors(source):
    with pytest.raises(PolicyError) as caught:
        parse(source, "p.yaml")
    return caught.value.errors


def place(text, mark):
    before, found, _ = text.partition(mark)
    assert found, f"`{mark}` is not in the text"
    return f"p.yaml:{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}: "


def changed(old, new):
    assert SMALL.count(old) == 1, f"`{old}` stands {SMALL.count(old)} times"
    return SMALL.replace(old, new)


def test_the_small_policy_is_right():
    assert parse(SMALL).file.policy == "small"


# What is changed, into what, where the error stands, what it says.
DEVICES = "devices:\n  known_by: [login]\n  remembered: 2\n  kept: 30d\n"

CELLS = [
    # unknown keys and words
    ("zone: Asia/Tokyo", "zone: Asia/Tokio", "Asia/Tokio", "did you mean `Asia/Tokyo`?"),
    ('article: "1"', 'artikle: "1"', "artikle", "did you mean `article`?"),
    ('article: "1"', "nonsense: 1", "nonsense", "unknown key `nonsense`; there are"),
    ("title: {ja: 小さな表, en: A small table}", "title: {ja: 小さな表, en: A table, a small one}", "a small one", "a text with a comma in it stands in quotes"),
    ("one_run: in-total", "one_run: in-totl", "in-totl", "did you mean `in-total`?"),
    ("right_entry: clears-own", "right_entry: clears-all", "clears-all", "did you mean `clears-own`?"),
    ("{wrong: 15, of: procedure", "{wrong: 15, of: procedures", "procedures, penalty", "did you mean `procedure`?"),
    ("penalty: [end-session], undo: [start-over]}\n          - {wrong: 10", "penalty: [end-sesion], undo: [start-over]}\n"
     "          - {wrong: 10", "end-sesion", "did you mean `end-session`?"),
    ("kind: totp", "kind: topt", "topt", "did you mean `totp`?"),
    ("in_session: true\n    steps: [amount, token]", "in_session: true\n    adds_device: true\n    steps: [amount]", "[amount]",
     "a stolen password must add no device"),
    ("in_session: true\n    steps: [token]", "in_session: false\n    adds_device: true\n    steps: [token]", "true\n    steps: [token]",
     "a device is added by a customer from his session"),
    ("desk:\n  second-line:", "desk:\n  channel:", "channel: {ja: 窓口", "`channel` is no desk; there are `first-line`"),
    ("may: [lift-stop]", "may: [lift-stopp]", "lift-stopp", "did you mean `lift-stop`?"),
    ("  feed: {ja: 通知, en: Feed, keep: 30d}\n", "", "retention:\n", "`feed` is missing"),
    ("feed: {ja", "fed: {ja", "fed: {ja", "did you mean `feed`?"),
    ("en: Strangers, keep: 30d", "en: Strangers, keep: for ever", "for ever", "a length of time"),
    # what goes by letter
    ("password: {kind: password,", "password: {kind: password, by_letter: 21d,", "21d", "an item of kind `password` has no `by_letter:`"),
    ("amount: {kind: data,", "amount: {kind: code, of: customer, by_letter: 21d,", "21d", "no way back of kind `desk` gives this code"),
    # names of nothing
    ("steps: [amount, token]", "steps: [amuont, token]", "amuont", "unknown item `amuont`; did you mean `amount`?"),
    ("10, count: password-in-a-row", "10, count: pasword-in-a-row", "pasword-in", "did you mean `password-in-a-row`?"),
    ("undo: [paper, reset]", "undo: [papr, reset]", "papr,", "unknown way back `papr`; did you mean `paper`?"),
    ("undo: [desk]", "undo: []", "[]\n  stranger", "at least 1"),
    ("{lock: login, for: 60m}", "{lock: logn, for: 60m}", "logn", "did you mean `login`?"),
    ("when: not watched", "when: not wached", "not wached", "unknown flag `wached`; did you mean `watched`?"),
    ("when: not watched", "when: first-time:tokn", "first-time:tokn", "unknown item `tokn`"),
    ("when: not watched", "when: frst-time:token", "frst-time", "unknown kind of flag `frst-time`; did you mean `first-time`?"),
    ("when: not watched", "when: exemption:sigt", "exemption:sigt", "did you mean `sight`?"),
    ("operation: reset,", "operation: rest,", "rest,", "did you mean `reset`?"),
    ("needs: [number, card]", "needs: [number, crad]", "crad", "did you mean `card`?"),
    ("form: paper", "form: papers", "papers", "did you mean `paper`?"),
    ("rows_as: login", "rows_as: lgin", "lgin", "did you mean `login`?"),
    ("items: [password], wrong", "items: [pasword], wrong", "pasword]", "did you mean `password`?"),
    ("desk: {kind: desk, roles: [second-line]", "desk: {kind: desk, roles: [first-line]", "first-line", "`desk:` has no `first-line`"),
    ("spares: [login]", "spares: [logn]", "logn]", "did you mean `login`?"),
    # wrong types and figures
    ("wrong: 3,", "wrong: 0,", "0, of: procedure", "from 1 to 1000000"),
    ("wrong: 3,", "wrong: -1,", "-1,", "out of range"),
    ("wrong: 3,", "wrong: 1000000000,", "1000000000", "out of range"),
    ("wrong: 3,", "wrong: three,", "three", "`three` is not a whole number"),
    ("wrong: 3,", 'wrong: "3",', '"3"', "is not a whole number"),
    ("wrong: 3,", "wrong: 3.5,", "3.5", "is not a whole number"),
    ("wrong: 3,", "wrong: ,", "wrong: ,", "`wrong` is empty"),
    ("wrong: 3,", f"wrong: {'9' * 5_000},", "99999", "out of range"),
    ("for: 60m", "for: 0m", "0m}", "is not a length of time"),
    ("for: 60m", "for: 60", "60}", "such as `60m` or `365d`"),
    ("for: 60m", "for: 60min", "60min", "is not a length of time"),
    ("for: 60m", "for: 1000000000000d", "1000000000000d", "is not a length of time"),
    ("for: 60m", "for: 999999999d", "999999999d", "longer than a century"),
    ("in_session: true\n    steps: [amount", "in_session: yes\n    steps: [amount", "yes", "write `true` or `false`"),
    ("known_devices: true", "known_devices: [true]", "[true]", "this is a list; write `true` or `false`"),
    ("steps: [number, password]\n    items", "steps: number\n    items", "number\n    items", "this is one value; write a list"),
    ("undo: [desk]", "undo: {desk: 1}", "{desk: 1}", "this is a mapping; write a list"),
    ("code: {digits: 8, valid: 10m}", "code: 8", "8\n  resend", "write a mapping with `digits`, `valid`"),
    ('open: "09:00-21:00"', 'open: "9:00-21:00"', '"9:00', "is not hours of the day"),
    ('open: "09:00-21:00"', 'open: "21:00-09:00"', '"21:00', "ends before it begins"),
    ('since: "2019-04-21"', 'since: "2019-13-21"', '"2019-13', "is not a day"),
    ('pattern: "[0-9]+"', 'pattern: "[0-9"', '"[0-9"', "no regular expression"),
    ("languages: [ja, en]", "languages: [ja, ja]", "[ja, ja]", "a language stands here twice"),
    ("idle: 10m", "idle: 9h", "9h", "longer than `8h`"),
    # known devices
    ("known_devices: true\n", "known_devices: false\n" + DEVICES, "devices:\n  known_by", "no device is known"),
    ("known_devices: true\n", "known_devices: true\n" + DEVICES.replace("login", "lgin"), "lgin", "did you mean `login`?"),
    ("known_devices: true\n", "known_devices: true\n" + DEVICES.replace("2", "0"), "0\n  kept", "from 1 to 20"),
    ("wrong: 20, count", "wrong: 20, known_device: 2, count", "2, count", "how a device becomes known is not said"),
    ("[{block: login}], undo: [paper]}\nproc", "[{ask-more: unknown-devices, in: [login]}], undo: [paper]}\nproc", "[{ask-more",
     "how a device becomes known is not said"),
    ("365d, penalty: [{block: login}]", "365d, penalty: [{block: login, first: token}]", "token}]", "goes with `ask-more`"),
    # texts in both languages
    ("title: {ja: 小さな表, en: A small table}", "title: {ja: 小さな表}", "title:", "`en` is missing"),
    ("  transfer:\n    ja: 振込\n", "  transfer:\n", "transfer:\n    en", "`ja` is missing"),
    ("ja: 待つ", 'ja: ""', '""', "this text is empty"),
    # repeats that count once
    ("password: {kind: password,", "password: {kind: password, repeats: {kept: 11, for: 24h},", "11, for", "from 1 to 10"),
    ("password: {kind: password,", "password: {kind: password, repeats: {kept: 4, for: 24h},", "4, for", "falls at 3; remember no more"),
    ("token: {kind: totp,", "token: {kind: totp, repeats: {kept: 3, for: 24h},", "repeats: {kept", "only a password that is compared here has `repeats:`"),
    # cells that decide and are left out
    ("  new_code: keeps-count\n", "", "rules:", "`new_code` is missing; write `new_code:`"),
    ("  no_code: refused\n", "", "rules:", "`no_code` is missing; write `no_code:`"),
    (", after: keep", "", "{wrong: 10, count: pass", "write `after: zero` or `after: keep`"),
    ("{of: customer, in_a_row: true}\n  token", "{of: customer}\n  token", "password-in-a-row: {of", "how this count forgets"),
    ("{wrong: 3, of: procedure,", "{wrong: 3,", "{wrong: 3,", "whose count it is"),
    ("{wrong: 3, of: procedure,", "{wrong: 3, of: customer,", "{wrong: 3,", "must say how it forgets"),
    ("    in_session: true\n    steps: [amount", "    steps: [amount", "transfer:\n    ja", "`in_session` is missing"),
    ("roles: [second-line], approve: two, clears: [everything]", "roles: [second-line], clears: [everything]", "paper: {days: 7",
     "write `approve: one` or `approve: two`"),
    ("kind: procedure, operation: reset,", "kind: procedure,", "reset: {kind: procedure,", "whose end walks this way"),
    ("password: {kind: password, of: customer,", "password: {kind: password,", "password: {kind: password,", "needs `of:`"),
    ("kind: identifier, names: customer,", "kind: identifier,", "number: {kind: identifier,", "needs `names:`"),
    # cells that contradict each other
    (", undo: [paper, reset]}", ", undo: [paper, reset], after: zero}", "zero}", "no lock here ends by itself"),
    ("count: token-in-a-row, penalty: [{block: login}], undo: [paper]}\n  pay",
     "count: token-in-a-row, of: customer, penalty: [{block: login}], undo: [paper]}\n  pay", "customer, penalty: [{block",
     "keep `count:` or `of:`"),
    ("{of: customer, in_a_row: true}\n  token", "{of: customer, in_a_row: true, in_total: true}\n  token", "true}\n  token",
     "forgets in one way only"),
    ("{lock: login, for: 60m}", "{lock: login, block: login, for: 60m}", "{lock: login, block", "`lock` and `block` at once"),
    ("{lock: login, for: 60m}", "{for: 60m}", "{for: 60m}", "says nothing that happens"),
    ("{lock: login, for: 60m}", "{erase: token, for: 60m}", "60m}", "`erase` does not end by time"),
    ("[{lock: login, for: 60m}], undo: [wait], after: keep", "[{ask-more: unknown-devices, for: 60m}], undo: [wait], after: keep",
     "{ask-more", "in which operations"),
    ("penalty: [end-session], undo: [start-over]}\n          - {wrong: 10", "penalty: [{lock: login}], undo: [paper]}\n"
     "          - {wrong: 10", "{lock: login}]", "say whom with `on:`"),
    ("[{block: login}], undo: [paper, reset]", "[{block: login, on: session}], undo: [paper, reset]", "session}]",
     "holds no lock"),
    ("          - {wrong: 20, count: password-in-a-row, penalty: [{block: login}], undo: [paper, reset]}\n", "", "keep}",
     "no stage above 10"),
    ("stages:\n          - {wrong: 99, count: token-in-a-row, penalty: [{block: login}], undo: [paper]}\n  pay", "stages: none\n  pay",
     "none\n  pay", "guessed without end"),
    ("{wrong: 3, of: procedure,", "{wrong: 3, of: account, in_a_row: true,", "[end-session], undo: [start-over]}\n          - {wrong: 10",
     "no lock stands that could be lifted"),
    ("365d, penalty: [{block: login}]", "365d, penalty: [void]", "[void]", "no lock stands that could be lifted"),
    ("within: 365d, penalty", "in_a_row: true, penalty", "true, penalty: [{block: login}], undo: [paper]}\nproc", "cleared by no right entry"),
    ("wrong: 100, of: customer", "wrong: 100, of: bank", "[{block: login}], undo: [paper]}\nproc", "never refuses known devices"),
    ("rows_as: login\n    steps: [number, password]", "steps: [number, password]", "password]\nceil",
     "no row says what wrong entries of `password` cost"),
    ("steps: [amount, token]", "steps: [amount]", "token:\n        row: S-TR", "no step of this operation takes `token`"),
    ("    - {wrong: 15, of: procedure, penalty: [end-session], undo: [start-over]}\n", "    []\n", "[]", "at least 1"),
    ("kind: wait, ja", "kind: wait, operation: reset, ja", "reset, ja: 待つ", "is no operation"),
    ("suspend: everything, spares: [login]}", "suspend: everything, spares: [login], for: 60m}", "60m}], undo: [paper], ja",
     "stands until it is lifted"),
    ("  card: {ja: カード", "  token: {ja: カード", "token: {ja: カード", "`token` is also in `items:`"),
    ("counters:\n", "counters:\n  runs: {of: actor, in_a_row: true}\n", "runs: {of", "`runs` is a count that sekisho keeps itself"),
    ("  password-a-year:\n", "  emergency-stops:\n", "emergency-stops:", "`emergency-stops` is a count that sekisho keeps itself"),
    # paper as the declared way
    ("rules:\n", "paper: [{rows: [S-OTHER], form: paper, stranger_knows: [number], say: {ja: 書面, en: Paper}}]\nrules:\n", "S-OTHER], form",
     "sets no lock, so a stranger closes nothing by it"),
    ("rules:\n", "paper: [{rows: [S-LOGIN], form: paper, stranger_knows: [nmber], say: {ja: 書面, en: Paper}}]\nrules:\n", "nmber]",
     "did you mean `number`?"),
    # new addresses
    ("amount: {kind: data,", "amount: {kind: data, of: customer, registers: mail,", "amount, token]", "nothing confirms what is entered as `amount`"),
    ("amount: {kind: data,", "amount: {kind: data, registers: mail,", "amount: {kind: data", "needs `of:`"),
    ("amount: {kind: data,", "amount: {kind: data, of: app, registers: mail,", "app, registers", "write `of: customer` or `of: account`"),
    ("token: {kind: totp,", "token: {kind: totp, registers: mail,", "mail, of", "new addresses are of kind `data`"),
    ("token: {kind: totp,", "token: {kind: totp, without: paper,", "paper, of", "only codes that are sent have"),
    ("token: {kind: totp,", "token: {kind: totp, without: papr,", "papr, of", "unknown way back `papr`; did you mean `paper`?"),
]


@pytest.mark.parametrize(("old", "new", "mark", "says"), CELLS, ids=[f"{n}-{case[3][:30]}" for n, case in enumerate(CELLS)])
def test_an_error_stands_at_its_place_and_says_what_would_be_right(old, new, mark, says):
    text = changed(old, new)
    found = errors(text)
    here = [error for error in found if error.startswith(place(text, mark))]
    assert here and any(says in error for error in here), "\n".join(found)
    assert all("; " in error for error in found)


WITH_DEVICES = SMALL.replace("known_devices: true\n", "known_devices: true\n" + DEVICES)

# The same with `devices:`.
OF_DEVICES = [
    ("wrong: 20, count", "wrong: 20, known_device: 2, count", "{wrong: 10, count: pass", "write `known_device:` here too"),
    ("wrong: 99, count: token-in-a-row, penalty: [{block: login}]", "wrong: 99, known_device: 50, count: token-in-a-row, penalty: [{block: login}]",
     "50, count", "leave nothing of 99 for all others"),
    ("365d, penalty: [{block: login}]", "365d, known_device: 2, penalty: [{erase: token}]", "2, penalty", "`erase` concerns all devices alike"),
    ("{wrong: 3, of: procedure,", "{wrong: 3, known_device: 1, of: procedure,", "1, of: procedure", "only their counts have shares"),
    ("{wrong: 3, of: procedure,", "{wrong: 3, of: bank, in_total: true,", "{wrong: 3, of: bank", "stands in `ceilings:`"),
    ("365d, penalty: [{block: login}]", "365d, devices: known, penalty: [{ask-more: unknown-devices, in: [login]}]", "[{ask-more",
     "refuses no known device"),
    ("wrong: 100, of: customer, within: 365d, penalty: [{block: login}]", "wrong: 100, of: bank, within: 1d, penalty: [{ask-more: unknown-devices, "
     "in: [login]}]", "[{ask-more", "it is counted in `reset` too"),
    ("365d, penalty: [{block: login}]", "365d, penalty: [{ask-more: unknown-devices, in: [login], first: amount}]", "amount}]",
     "proves nothing by it"),
    ("{items: [password], wrong: 100, of: customer, within: 365d, penalty: [{block: login}]",
     "{items: [password], wrong: 100, count: password-in-a-row, penalty: [{ask-more: unknown-devices, in: [login, reset]}]", "password-a-year:",
     "counts unknown devices alone"),
    ("{items: [password], wrong: 100, of: customer, within: 365d, penalty", "{items: [password], wrong: 5, count: password-in-a-row, devices: known, penalty",
     "{wrong: 10, count: pass", "at 5 in line 88 it counts known devices alone"),
]


@pytest.mark.parametrize(("old", "new", "mark", "says"), OF_DEVICES, ids=[case[3][:30] for case in OF_DEVICES])
def test_what_tells_devices_apart_must_fit_together(old, new, mark, says):
    assert WITH_DEVICES.count(old), old
    text = WITH_DEVICES.replace(old, new, 1)
    found = errors(text)
    assert any(error.startswith(place(text, mark)) and says in error for error in found), "\n".join(found)


def test_shares_rise_from_stage_to_stage():
    text = WITH_DEVICES.replace("wrong: 10, count", "wrong: 10, known_device: 4, count").replace("wrong: 20, count", "wrong: 20, known_device: 4, count")
    (error,) = errors(text)
    assert "a share is no larger" in error and error.startswith(place(text, "4, count: password-in-a-row, penalty: [{block"))


def test_stages_of_one_count_must_agree():
    text = changed("when: not watched\n        stages:\n          - {wrong: 99, count: token-in-a-row, penalty: [{block: login}], undo: [paper]}",
                   "when: not watched\n        stages:\n          - {wrong: 99, count: token-in-a-row, penalty: [{lock: pay}], undo: [paper]}")
    (error,) = errors(text)
    assert error.startswith(place(text, "{wrong: 99, count: token-in-a-row, penalty: [{lock"))
    assert "in line 63; make them the same" in error


def test_one_id_has_one_meaning():
    (error,) = errors(changed("row: S-TRANSFER", "row: S-LOGIN"))
    assert "the id `S-LOGIN` stands in line 48 with other stages" in error


def test_all_errors_come_at_once_in_the_order_of_the_file():
    text = SMALL.replace("wrong: 3,", "wrong: 0,").replace("undo: [paper, reset]", "undo: [papr, reset]").replace("zone: Asia", "zome: Asia")
    lines = [int(error.split(":")[1]) for error in errors(text)]
    assert lines == sorted(lines)
    assert len(lines) == 4  # the key, the missing `zone`, the figure, the way back


# Text that is no YAML, or YAML that no policy needs: text, line and column, what is said.
TEXTS = [
    ("", "1:1", "the file is empty"),
    ("# only a comment\n", "1:1", "the file is empty"),
    ("just words", "1:1", "this is one value"),
    ("- a\n- b\n", "1:1", "this is a list"),
    ("policy: &a x\narticle: *a\n", "1:9", "anchors"),
    ("policy: *a\n", "1:9", "aliases"),
    ("policy: !!python/object:os.system x\n", "1:9", "tags"),
    ("policy: !x y\n", "1:9", "tags"),
    ("<<: {policy: x}\n", "1:1", "merges"),
    ("policy: a\npolicy: b\n", "2:1", "stands here a second time, first in line 1"),
    ("policy: a\n---\npolicy: b\n", "2:1", "a second document"),
    ("rules:\n\tnew_code: x\n", "2:1", "indent with spaces"),
    ("policy: [a\n", "2:1", "not YAML"),
    ("policy: {a: b\n", "2:1", "not YAML"),
    ("policy: 'a\n", "2:1", "not YAML"),
    ("? [a, b]\n: c\n", "1:3", "a key must be a word"),
    ("policy: \x07\n", "1:9", "U+0007"),
    (b"policy: \xff\n", "1:9", "not UTF-8"),
    ("policy: x".encode("utf-16"), "1:1", "not UTF-8"),
    ("a: " + "[" * 100_000, "1:27", "nested more than 24 deep"),
    ("a: " + "{a: " * 50_000, "1:96", "nested more than 24 deep"),
]


@pytest.mark.parametrize(("text", "at", "says"), TEXTS, ids=[f"{n}-{case[2][:25]}" for n, case in enumerate(TEXTS)])
def test_text_that_is_no_policy_is_refused_where_it_goes_wrong(text, at, says):
    found = errors(text)
    assert any(error.startswith(f"p.yaml:{at}: ") and says in error for error in found), "\n".join(found)


def test_a_byte_order_mark_is_let_through():
    assert parse(b"\xef\xbb\xbf" + SMALL.encode()).file.policy == "small"


def test_lines_may_end_as_they_do_on_windows():
    assert parse(SMALL.replace("\n", "\r\n")).file.policy == "small"


def test_an_error_repeats_little_of_what_stands_there():
    (error,) = [error for error in errors(changed("kind: totp", f"kind: {'x' * 9_000}")) if "unknown word" in error]
    assert len(error) < 400


def test_words_that_other_yaml_readers_would_turn_into_something_else_stay_words():
    small = parse(changed("en: Pay", "en: no").replace('article: "1"', "article: 12:30:00")).file
    assert (small.operations["pay"].en, small.article) == ("no", "12:30:00")


@pytest.mark.parametrize(("path", "says"), [("nowhere.yaml", "cannot be opened"), (".", "cannot be opened")])
def test_a_file_that_cannot_be_opened_is_an_error_like_any_other(path, says, tmp_path):
    with pytest.raises(PolicyError, match=says):
        load(tmp_path / path)


def test_thousands_of_rows_are_read_in_seconds():
    items = "".join(f"  item-{n}: {{kind: totp, of: customer, ja: 項目, en: Item}}\n" for n in range(MANY))
    steps = ", ".join(f"item-{n}" for n in range(MANY))
    rows = "".join(f"      item-{n}: {{row: R-{n}, stages: [others]}}\n" for n in range(MANY))
    operation = f"    ja: 多\n    en: Many\n    for: customer\n    in_session: false\n    steps: [{steps}]\n    items:\n{rows}"
    text = changed("counters:\n", items + "counters:\n")
    text = text.replace("operations:\n", "operations:\n" + "".join(f"  many-{n}:\n{operation}" for n in range(MANY)), 1)
    assert sum(len(operation.items) for operation in parse(text).file.operations.values()) == MANY**2 + 3


def test_thousands_of_wrong_names_are_told_in_seconds():
    wrong = "".join(f"  wrong-{n}: {{form: papper-{n}, items: [token], ja: 免除, en: Exemption}}\n" for n in range(MANY**2))
    assert len(errors(changed("exemptions:\n", "exemptions:\n" + wrong))) == MANY**2


def test_what_unknown_devices_are_asked_first_costs_what_other_entries_cost():
    asking = WITH_DEVICES.replace("365d, penalty: [{block: login}]", "365d, penalty: [{ask-more: unknown-devices, in: [login], first: token}]")
    assert [row.cell.row for row in rows_of(parse(asking).file, "login") if row.item == "token"] == ["S-OTHER"]
    without = asking[:asking.index("others:")] + asking[asking.index("operations:"):]
    assert any("no row says what wrong entries of `token` cost in `login`" in error for error in errors(without))


@pytest.mark.parametrize(("reason", "fault"), [
    ("why: {ja: そのため}", "`en` is missing; write `en:` (the English text)"),
    ("why: {en: Because}", "`ja` is missing; write `ja:` (the Japanese text)"),
    ("why: Because", "this is one value; write a mapping with `ja`, `en`"),
])
def test_a_reason_that_the_manual_prints_is_told_in_both_languages(reason, fault):
    source = SMALL.replace("when: not watched", f"when: not watched\n        {reason}", 1)
    found = errors(source)
    assert [one.split(": ", 1)[1] for one in found] == [fault]
    assert found[0].startswith(place(source, reason).rpartition(":")[0].rpartition(":")[0])
