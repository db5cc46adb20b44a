"""Sound policies at random, as plain dictionaries: a login, a way to reset it, operations behind it, counts in a row and over the year."""

import copy
import json
import random

from sekisho.policy import parse

BACK_OFFICE = {"roles": ["back-office"], "approve": "two"}


def good(seed):
    """One sound policy. What it has and all its figures are drawn by the seed."""
    chance = random.Random(seed)
    has = {name: chance.random() < 0.7 for name in ("transfer", "inquiry", "pin", "second", "desk")}
    file = copy.deepcopy(HEAD)
    file["policy"] = f"bank-{seed}"
    _login_and_reset(file, chance)
    if has["transfer"]:
        _transfer(file, chance, second=has["second"])
    if has["inquiry"]:
        _inquiry(file, chance)
    if has["pin"]:
        _pin(file, chance)
    if has["desk"]:
        _desk(file)
    return file


def loaded(file):
    """A policy of such a dictionary. JSON is YAML."""
    return parse(json.dumps(file, ensure_ascii=False, indent=1), "policy.yaml")


def text(ja, en):
    return {"ja": ja, "en": en}


END, VOID = "end-session", "void"
START_OVER = ["start-over"]


def in_run(chance, *penalties, of="procedure"):
    return {"wrong": chance.randint(3, 5), "of": of, "penalty": list(penalties), "undo": START_OVER}


def _login_and_reset(file, chance):
    file["counters"]["password-in-a-row"] = {"of": "customer", "in_a_row": True}
    file["counters"]["pair-in-a-row"] = {"of": "customer", "in_a_row": True}
    file["operations"]["login"] = {
        **text("ログイン", "Login"), "for": "customer", "in_session": False, "opens_session": True, "steps": ["number", "password"],
        "items": {"password": {"row": "L-1", "stages": [
            {"wrong": chance.randint(6, 12), "count": "password-in-a-row", "penalty": [{"block": "login"}], "undo": ["reset", "form-password"]}]}}}
    file["operations"]["reset"] = {
        **text("再登録", "Reset"), "for": "customer", "in_session": False, "steps": ["pair", "mail-code", "new-password"],
        "items": {
            "pair": {"row": "R-1", "stages": [in_run(chance, END), {
                "wrong": chance.randint(6, 12), "count": "pair-in-a-row", "penalty": [{"lock": "reset", "for": f"{chance.randint(30, 90)}m"}],
                "undo": ["wait"], "after": "zero"}]},
            "mail-code": {"row": "R-2", "stages": [in_run(chance, VOID, END)]}}}
    year = chance.randint(60, 100)
    file["ceilings"] = {
        "password-a-year": ceiling(["password"], year, [{"block": "login"}, {"disable": "password"}], ["reset", "form-password"]),
        "mail-a-year": ceiling(["mail-code"], year, [{"disable": "mail-code"}], ["form-mail"]),
        "pairs-a-year": ceiling(["pair"], year, [{"lock": "reset"}], ["form-password"]),
    }


def ceiling(items, wrong, penalty, undo):
    return {"items": items, "wrong": wrong, "of": "customer", "within": "365d", "penalty": penalty, "undo": undo}


def _transfer(file, chance, *, second):
    file["items"]["token"] = {"kind": "totp", "of": "customer", **text("トークン", "Token")}
    file["counters"]["token-in-a-row"] = {"of": "customer", "in_a_row": True}
    row = {"row": "T-1", "stages": [in_run(chance, VOID, END, of="session"), {
        "wrong": chance.randint(8, 30), "count": "token-in-a-row", "penalty": [{"lock": ["transfer", "pay"] if second else ["transfer"]}],
        "undo": ["form-token"]}]}
    for name, words in [("transfer", text("振込", "Transfer")), ("pay", text("支払い", "Pay"))][:1 + second]:
        file["operations"][name] = {
            **words, "for": "customer", "in_session": True, "steps": ["amount", "token"], "items": {"token": {**row, "row": f"T-{name}"}}}
    file["items"]["amount"] = {"kind": "data", **text("金額", "Amount")}
    file["ceilings"]["token-a-year"] = ceiling(["token"], chance.randint(60, 100), [{"disable": "token"}], ["form-token"])
    file["forms"]["form-token"] = {
        **text("トークンの再発行", "Another token"), "days": chance.randint(3, 10), "needs": ["document"], "gives": ["token"],
        "clears": ["transfer", "token", *(["pay"] if second else [])], **BACK_OFFICE}


def _inquiry(file, chance):
    file["counters"]["inquiry"] = {"of": "customer", "in_a_row": True}
    file["operations"]["inquiry"] = {
        **text("照会", "Inquiry"), "for": "customer", "in_session": False, "steps": ["number", "password"],
        "items": {"password": {"row": "I-1", "stages": [in_run(chance, END), {
            "wrong": chance.randint(6, 12), "count": "inquiry", "penalty": [{"lock": "inquiry", "for": "60m"}], "undo": ["wait"], "after": "zero"}]}}}


def _pin(file, chance):
    file["items"]["pin"] = {"kind": "pin", "of": "account", **text("暗証番号", "PIN")}
    file["counters"]["pin-in-a-row"] = {"of": "account", "in_total": True}
    file["operations"]["card"] = {
        **text("カードの手続き", "Card service"), "for": "customer", "in_session": True, "steps": ["pin"],
        "items": {"pin": {"row": "P-1", "stages": [
            {"wrong": chance.randint(3, 5), "count": "pin-in-a-row", "penalty": [{"disable": "pin"}], "undo": ["form-pin"]}]}}}
    file["forms"]["form-pin"] = {
        **text("暗証番号の届け出", "Another PIN"), "days": 7, "needs": ["document"], "gives": ["pin"], "clears": ["pin"], **BACK_OFFICE}


def _desk(file):
    """A desk that takes mail addresses by telephone, so that paper is not the only way."""
    file["procedures"]["new-mail"] = {
        "kind": "desk", **text("窓口でメールアドレスを登録する", "Have an address entered by the desk"), "needs": ["call"], "gives": ["mail-code"],
        "clears": ["mail-code"], "roles": ["second-line"], "approve": "two"}
    file["ceilings"]["mail-a-year"]["undo"] = ["new-mail", "form-mail"]


HEAD = {
    "policy": "bank", "article": "1", "title": text("表", "Table"), "languages": ["ja", "en"], "zone": "Asia/Tokyo", "known_devices": False,
    "rules": {"entries_during_lock": "refused", "new_code": "keeps-count", "no_code": "refused", "right_entry": "clears-own",
              "release": "zeroes-source", "no_verdict": "counts-as-wrong", "one_run": "in-total", "lasting_lock": "told-once"},
    "timing": {"reservation": "30s", "procedure": "30m", "stranger_procedure": "15m", "session": {"idle": "10m", "total": "8h"}},
    "things": {"document": text("本人確認書類", "Proof of identity"), "call": text("確認の済んだ電話", "A verified call")},
    "items": {
        "number": {"kind": "identifier", "names": "customer", "pattern": "[0-9]+", **text("お客さま番号", "Customer number")},
        "pair": {"kind": "pair", "parts": {"account-number": "account", "customer-number": "customer"}, **text("番号の組", "Both numbers")},
        "password": {"kind": "password", "of": "customer", **text("パスワード", "Password")},
        "new-password": {"kind": "data", "renews": "password", **text("新しいパスワード", "New password")},
        "mail-code": {"kind": "code", "of": "customer", **text("メールのコード", "Code by mail")},
    },
    "counters": {},
    "others": {"row": "O-1", "stages": [{"wrong": 15, "of": "procedure", "penalty": [END], "undo": START_OVER}]},
    "operations": {},
    "procedures": {
        "wait": {"kind": "wait", **text("時間をおく", "Wait a while")},
        "start-over": {"kind": "start-over", **text("やり直す", "Start over")},
        "reset": {"kind": "procedure", "operation": "reset", **text("再登録する", "Register again"), "needs": ["pair", "mail-code"],
                  "gives": ["password"], "clears": ["login", "password"]},
        "lift-stop": {"kind": "desk", **text("窓口で解除する", "Have it lifted by the desk"), "needs": ["call"], "clears": ["everything"],
                      "roles": ["second-line"], "approve": "two"},
    },
    "forms": {
        "form-password": {**text("パスワードの照会", "Inquiry of the password"), "days": 7, "needs": ["document"], "gives": ["password"],
                          "clears": ["login", "password", "reset"], **BACK_OFFICE},
        "form-mail": {**text("メールアドレスの届け出", "Notice of a mail address"), "days": 7, "needs": ["document"], "gives": ["mail-code"],
                      "clears": ["mail-code"], **BACK_OFFICE},
    },
    "paper": [
        {"rows": ["L-1", "password-a-year"], "form": "form-password", "say": text("書面が解除の方法になる", "Paper is the way back")},
        {"rows": ["R-1", "pairs-a-year"], "form": "form-password", "say": text("書面が解除の方法になる", "Paper is the way back")},
        {"rows": ["R-2", "mail-a-year"], "form": "form-mail", "say": text("書面が解除の方法になる", "Paper is the way back")},
        {"rows": ["L-1", "password-a-year"], "form": "form-mail", "say": text("書面が解除の方法になる", "Paper is the way back")},
    ],
    "emergency_stop": {"penalty": [{"block": "everything"}], "undo": ["lift-stop"], "stranger_for": "24h", "stranger_once_in": "7d"},
    "desk": {
        "second-line": {**text("窓口", "Desk"), "open": "09:00-21:00", "every": "day", "may": ["lift-stop"], "approve": "two"},
        "back-office": {**text("事務", "Back office"), "open": "09:00-17:00", "every": "weekday", "may": ["enter-forms"], "approve": "two"},
    },
    "mail": {"addresses": 3, "code": {"digits": 8, "valid": "10m"}, "resend": {"wait": "30s", "per_challenge": 5}, "overdue": "3m"},
    "retention": {"audit": {**text("記録", "Audit"), "keep": "365d"}, "feed": {**text("通知", "Feed"), "keep": "30d"},
                  "strangers": {**text("未登録", "Strangers"), "keep": "30d"}},
}
