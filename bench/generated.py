"""Policies of any size, made for the bench: sound ones, in which every item is counted in a row and over the year."""

HEAD = """policy: generated
article: "1"
title: {ja: 大きな表, en: A large table}
languages: [ja, en]
zone: Asia/Tokyo
known_devices: false
rules:
  entries_during_lock: refused
  new_code: keeps-count
  no_code: refused
  right_entry: clears-own
  release: zeroes-source
  no_verdict: counts-as-wrong
  one_run: in-total
  lasting_lock: told-once
timing: {reservation: 30s, procedure: 30m, stranger_procedure: 15m, session: {idle: 10m, total: 8h}}
things:
  document: {ja: 本人確認書類, en: Proof of identity}
"""

TAIL = """procedures:
  start-over: {kind: start-over, ja: やり直す, en: Start over}
  desk:
    kind: desk
    ja: 窓口
    en: Desk
    needs: [document]
    gives: [GIVEN]
    roles: [second-line]
    approve: two
    clears: [everything]
emergency_stop:
  penalty: [{block: everything}]
  undo: [desk]
  stranger_for: 24h
  stranger_once_in: 7d
desk:
  second-line: {ja: 窓口, en: Desk, open: "09:00-21:00", every: day, may: [lift-stop], approve: two}
mail:
  addresses: 3
  code: {digits: 8, valid: 10m}
  resend: {wait: 30s, per_challenge: 5}
  overdue: 3m
retention:
  audit: {ja: 記録, en: Audit, keep: 365d}
  feed: {ja: 通知, en: Feed, keep: 30d}
  strangers: {ja: 未登録, en: Strangers, keep: 30d}
"""

KINDS = ("password", "pin", "code", "totp", "knowledge")
ROWS_EACH = 5
"""Rows of one operation."""


def policy(rows):
    """The text of a policy with at least that many rows, in operations of five."""
    operations = -(-rows // ROWS_EACH)
    families = max(1, operations // 6)
    parts = [HEAD, "items:\n", "  number: {kind: identifier, names: customer, pattern: '[0-9]+', ja: 番号, en: Number}\n"]
    parts += [f"  {kind}-{family}: {{kind: {kind}, of: customer, ja: 項目, en: Item}}\n" for family in range(families) for kind in KINDS]
    parts += ["counters:\n", *(f"  {kind}-{family}: {{of: customer, in_a_row: true}}\n" for family in range(families) for kind in KINDS)]
    parts += ["operations:\n", *(_operation(number, number % families) for number in range(operations))]
    parts += ["ceilings:\n", *(_ceiling(kind, family) for family in range(families) for kind in KINDS)]
    parts.append(TAIL.replace("GIVEN", ", ".join(f"{kind}-{family}" for family in range(families) for kind in KINDS)))
    return "".join(parts)


def _operation(number, family):
    rows = "".join(_row(number, kind, family) for kind in KINDS)
    opens = "    opens_session: true\n" if number == 0 else ""
    steps = ", ".join(["number", *(f"{kind}-{family}" for kind in KINDS)])
    number_row = f"      number: {{row: N-{number}, stages: [{{wrong: 15, of: procedure, penalty: [end-session], undo: [start-over]}}]}}\n"
    return (f"  operation-{number}:\n    ja: 手続き\n    en: Operation\n    for: customer\n    in_session: false\n{opens}"
            f"    steps: [{steps}]\n    items:\n{number_row}{rows}")


def _row(number, kind, family):
    return (f"      {kind}-{family}:\n        row: R-{kind}-{number}\n        stages:\n"
            f"          - {{wrong: 3, of: procedure, penalty: [end-session], undo: [start-over]}}\n"
            f"          - {{wrong: 10, count: {kind}-{family}, penalty: [{{block: operation-0}}, {{disable: {kind}-{family}}}], undo: [desk]}}\n")


def _ceiling(kind, family):
    return (f"  {kind}-{family}-a-year: {{items: [{kind}-{family}], wrong: 100, of: customer, within: 365d, "
            f"penalty: [{{block: operation-0}}, {{disable: {kind}-{family}}}], undo: [desk]}}\n")
