"""`postal-bank` with one more way to agree to a transfer: a transaction signature out of the app, typed by the customer."""

from sekisho.policy import reference

ITEM = "transfer-signature"

CHANGES = (
    ("  transaction-code: {kind: pin, of: app,", f"""  {ITEM}: {{kind: ocra, of: app, ja: 取引署名(認証アプリ), en: Transaction signature (authenticator app)}}
  transaction-code: {{kind: pin, of: app,"""),
    ("      - [token-otp, app-passcode, mail-otp, passkey]\n", f"      - [token-otp, app-passcode, {ITEM}, mail-otp, passkey]\n"),
    ("""    items:
      passkey:
        row: O-PASSKEY-2
""", f"""    items:
      {ITEM}:
        row: O-SIGN-1
        ours: true
        stages:
          - {{wrong: 3, of: session, penalty: [void, end-session], undo: [transfer-again], ours: true}}
          - {{wrong: 5, count: transfer-signature-in-a-row, penalty: [{{erase: {ITEM}}}], undo: [register-again], ours: true}}
      passkey:
        row: O-PASSKEY-2
"""),
    ("  app-face-in-a-row: {of: app, in_a_row: true, ours: true}\n", """  app-face-in-a-row: {of: app, in_a_row: true, ours: true}
  transfer-signature-in-a-row: {of: app, in_a_row: true, ours: true}
"""),
    ("  token-codes-a-year:\n", f"""  signatures-a-year:
    items: [{ITEM}]
    wrong: 100
    of: app
    within: 365d
    penalty: [{{erase: {ITEM}}}]
    undo: [register-again]
    ours: true
  token-codes-a-year:
"""),
    ("    gives: [app-passcode, app-fingerprint, app-face-id, app-face]\n", f"    gives: [app-passcode, {ITEM}, app-fingerprint, app-face-id, app-face]\n"),
    ("    gives: [app-passcode, app-fingerprint, app-face-id, app-face, transaction-code]\n",
     f"    gives: [app-passcode, {ITEM}, app-fingerprint, app-face-id, app-face, transaction-code]\n"),
)


def signing_bank(folder):
    """The file of such a policy."""
    text = reference("postal-bank").read_text(encoding="utf-8")
    for before, after in CHANGES:
        assert before in text, before
        text = text.replace(before, after, 1)
    made = folder / "signing-bank.yaml"
    made.write_text(text, encoding="utf-8")
    return made
