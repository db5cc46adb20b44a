"""The table as plain text, for `sekisho policy show`: operation by operation, each entry with its stages and ways back.

It is for staff: it shows every count and length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from sekisho.policy.table import (
    EACH,
    EVERYTHING,
    KNOWN,
    UNKNOWN,
    Condition,
    Gauge,
    Operation,
    Paper,
    Penalty,
    ReleasePath,
    Repeats,
    Row,
    Stage,
    Table,
)
from sekisho.policy.table import Text as Both
from sekisho.terms import Counting, PenaltyKind, Reach

Language = Literal["ja", "en"]

REACHES: dict[Reach, Both] = {
    Reach.PROCEDURE: Both("1回の手続き", "one run"), Reach.SESSION: Both("1回のログイン", "one session"),
    Reach.CUSTOMER: Both("お客さま", "the customer"), Reach.ACCOUNT: Both("口座", "the account"),
    Reach.APP: Both("認証アプリの登録", "the app enrolment"), Reach.ADDRESS: Both("メールアドレス", "the mail address"),
    Reach.CALLER: Both("電話の発信者", "the caller"), Reach.ACTOR: Both("入力した人", "whoever types"),
    Reach.BANK: Both("銀行全体", "the whole bank"),
}
COUNTING: dict[Counting, Both] = {
    Counting.IN_A_ROW: Both("連続", "in a row"), Counting.IN_TOTAL: Both("通算", "in total"),
    Counting.WITHIN: Both("の間の通算", "within "),
}
PENALTIES: dict[PenaltyKind, Both] = {
    PenaltyKind.VOID: Both("コードは無効", "the code is void"),
    PenaltyKind.END_SESSION: Both("ログアウト", "logged out"),
    PenaltyKind.START_OVER: Both("手続きは終了", "the procedure ends"),
    PenaltyKind.LOCK: Both("{what}のロック", "{what}: locked"),
    PenaltyKind.BLOCK: Both("{what}不可", "{what}: blocked, sessions end"),
    PenaltyKind.SUSPEND: Both("{what}の利用停止", "{what}: suspended"),
    PenaltyKind.DISABLE: Both("{what}の停止", "{what}: refused everywhere"),
    PenaltyKind.ERASE: Both("{what}の削除", "{what}: erased"),
    PenaltyKind.REMOVE: Both("認証アプリの登録の削除", "the app enrolment is removed"),
    PenaltyKind.ASK_MORE: Both("{what}で、初めての端末には追加の確認", "{what}: more is asked of unknown devices"),
}
DEVICES: dict[tuple[str, bool], Both] = {
    (EACH, True): Both("初めての端末を合わせて", "all unknown devices together"),
    (UNKNOWN, False): Both("初めての端末から", "from unknown devices"),
    (KNOWN, False): Both("いつもの端末から", "from known devices"),
    (KNOWN, True): Both("いつもの端末ごとに", "each known device"),
}
SIGNALS: dict[str, Both] = {
    "unusual-environment": Both(
        "いつもと違う環境(端末・ネットワーク・国のいずれか)からのログイン", "logins from an unusual device, network or country"),
    "unknown-device": Both("いつもと違う端末からのログイン", "logins from a device that is not a usual one"),
    "new-network": Both("いつもと違うネットワークからのログイン", "logins from a network that is not a usual one"),
    "new-country": Both("いつもと違う国からのログイン", "logins from a country that is not a usual one"),
    "many-logins": Both("どこからかを問わず、ログイン", "logins, wherever they come from"),
    "several-institutions": Both("いつもと違う環境からの、別々の金融機関への手続き", "institutions paid from an unusual environment"),
}
RUN_ONLY = frozenset({PenaltyKind.VOID, PenaltyKind.END_SESSION, PenaltyKind.START_OVER})
"""Penalties that end with the run: nobody else is touched by them."""
UNITS = ((86_400, Both("日", " days")), (3_600, Both("時間", " hours")), (60, Both("分", " min")), (1, Both("秒", " s")))


def render(table: Table, language: Language = "en") -> str:
    """The whole table."""
    return "\n".join(Printer(table, language).lines()) + "\n"


class Printer:
    """What a table says, piece by piece, in one language.

    Args:
        table: the policy.
        language: `ja` or `en`.

    """

    def __init__(self, table: Table, language: Language) -> None:
        self.table = table
        self.language: Language = language

    def say(self, text: Both) -> str:
        return text.ja if self.language == "ja" else text.en

    def pick(self, ja: str, en: str) -> str:
        return ja if self.language == "ja" else en

    def lines(self) -> Iterator[str]:
        table = self.table
        yield f"{table.article}  {self.say(table.title)}"
        yield f"{table.name}  {table.version[:16]}"
        for operation in table.operations.values():
            yield from self.operation(operation)
        yield from self.demand()
        yield from self.abolished()
        yield from self.strangers()
        yield from self.on_paper()
        yield ""
        yield self.pick("解除の方法", "Ways back")
        for path in table.paths.values():
            yield f"  {path.name}  {self.way(path)}"

    def operation(self, operation: Operation) -> Iterator[str]:
        yield ""
        yield f"{self.say(operation.text)}  ({operation.name})"
        for variants in operation.rows.values():
            for row in variants:
                yield from self.row(row)

    def row(self, row: Row) -> Iterator[str]:
        marks = [*row.also, *([self.pick("独自", "ours")] if row.ours else [])]
        yield f"  {row.id}  {self.say(self.table.items[row.item].text)}  ({row.item})" + (f"  [{', '.join(marks)}]" if marks else "")
        for condition in row.when:
            yield f"      {self.condition(condition)}"
        for gauge in (*row.gauges, *(Gauge(counter, about=False, devices=UNKNOWN) for counter in row.bank)):
            for stage in gauge.counter.stages:
                yield f"      {self.stage(gauge, stage)}"
            for stage in gauge.counter.shares[0].stages if gauge.counter.shares else ():
                yield f"      {self.stage(Gauge(gauge.counter, gauge.about, devices=KNOWN), stage)}"
        repeats = self.table.items[row.item].repeats
        if repeats is not None:
            yield f"      {self.repeats(repeats)}"
        if row.undo:
            yield f"      {self.pick('端末によるロック', 'locked by the device')} → {self.ways(row.undo)}"

    def repeats(self, repeats: Repeats) -> str:
        """That the same wrong entry counts once, and how long."""
        lasts = self.length(repeats.for_s)
        return self.pick(
            f"同じ誤りの入力の繰り返しは1回と数える({lasts}以内、直近の{repeats.kept}通りまで)",
            f"the same wrong entry again counts once (within {lasts}, of the last {repeats.kept} different ones)")

    def condition(self, condition: Condition) -> str:
        whose = self.pick("対象の", "of the subject concerned: ") if condition.about else ""
        ends = self.pick(" のとき", "") if condition.holds else self.pick(" でないとき", "")
        return self.pick("", "when " if condition.holds else "unless ") + whose + condition.flag + ends

    def stage(self, gauge: Gauge, stage: Stage) -> str:
        ours = f"  [{self.pick('独自', 'ours')}]" if stage.ours or gauge.counter.ours else ""
        costs = self.pick("、", ", ").join(self.penalty(penalty) for penalty in stage.penalties)
        return f"{self.count(gauge, stage.wrong)}: {costs} → {self.ways(stage.undo)}{ours}"

    def count(self, gauge: Gauge, wrong: int) -> str:
        """A figure with the name of the count that other rows share."""
        name = gauge.counter.name
        return self.figure(gauge, wrong, "" if "@" in name else f", {name}")

    def figure(self, gauge: Gauge, wrong: int, shared: str = "") -> str:
        """How many wrong entries, how they are counted, and whose they are."""
        counter = gauge.counter
        how = self.say(COUNTING[counter.counting])
        if counter.window_s is not None:
            how = self.pick(self.length(counter.window_s) + how, how + self.length(counter.window_s))
        whose = self.say(REACHES[counter.reach])
        whose = self.pick("対象の" + whose, whose + " concerned") if gauge.about else whose
        device = DEVICES.get((gauge.devices, bool(counter.shares)))
        if device is not None:
            whose += self.pick("、", ", ") + self.say(device)
        return self.pick(f"{how}{wrong}回({whose}{shared})", f"{wrong} {how} ({whose}{shared})")

    def penalty(self, penalty: Penalty) -> str:
        text = self.say(PENALTIES[penalty.kind]).format(what=self.what(penalty))
        if penalty.for_s is not None:
            text += self.pick(f"({self.length(penalty.for_s)})", f" for {self.length(penalty.for_s)}")
        if penalty.spares:
            spared = self.names(penalty.spares)
            text += self.pick(f"({spared}を除く)", f" (but for {spared})")
        if penalty.first is not None:
            first = self.names((penalty.first,))
            text += self.pick(f"({first}の入力が先)", f" ({first} first)")
        return text

    def what(self, penalty: Penalty) -> str:
        if EVERYTHING in penalty.operations:
            return self.pick("すべての手続き", "everything")
        return self.names((*penalty.operations, *penalty.items))

    def names(self, names: Iterable[str]) -> str:
        return self.pick("・", ", ").join(self.say((self.table.items.get(name) or self.table.operations[name]).text) for name in names)

    def ways(self, undo: Iterable[str]) -> str:
        return self.pick("、または", "; or ").join(self.say(self.table.paths[name].text) for name in undo)

    def way(self, path: ReleasePath) -> str:
        who = ", ".join(role.value for role in path.roles)
        second = self.pick("(2人目の承認)", " with a second person") if path.second_person else ""
        takes = self.length(path.takes_s) if path.takes_s else ""
        extras = [extra for extra in (path.form or "", who + second, takes) if extra]
        return self.say(path.text) + (f"  [{', '.join(extras)}]" if extras else "")

    def demand(self) -> Iterator[str]:
        """When identity confirmation is demanded, what answers it, and what is refused until then."""
        risk = self.table.risk
        if risk is None:
            return
        yield ""
        yield self.say(self.table.flags[risk.flag])
        for signal in risk.signals:
            seen, within = self.say(SIGNALS[signal.signal]), self.length(signal.within_s)
            ours = f"  [{self.pick('独自', 'ours')}]" if signal.ours else ""
            yield "  " + self.pick(f"{seen}が{within}に{signal.times}回", f"{signal.times} within {within}: {seen}") + ours
        refused, ask = self.names(risk.refuses), self.names((risk.ask,))
        yield "      " + self.pick(f"{ask}が入力されるまで不可: {refused}", f"until answered with {ask}, refused: {refused}")
        if risk.trusts_device_s is not None:
            lately = self.length(risk.trusts_device_s)
            usual = self.pick(f"「いつもの」とは、{lately}以内にログインに使われたもの", f"usual is what a login was made from within {lately}")
            yield f"      {usual}"
        if risk.tells:
            told = "いつもと違うところからログインされたときは、お客さまに知らせる", "the customer is told of a login from an unusual place"
            yield "      " + self.pick(*told)

    def abolished(self) -> Iterator[str]:
        if self.table.abolished:
            yield ""
            yield self.pick("廃止された項目が残した停止", "Left behind by items that are gone")
        for lock in self.table.abolished.values():
            yield f"  {lock.row}  {self.say(lock.text)}  ({lock.since})"
            yield f"      {self.penalty(lock.penalty)} → {self.ways(lock.undo)}"

    def strangers(self) -> Iterator[str]:
        """What somebody can close who knows no secret, and what the policy declares as the way out."""
        holes = [paper for paper in self.table.paper if paper.knows]
        if holes:
            yield ""
            yield self.pick("番号などを知る他人が閉じることのできる手続き", "What a stranger can close who knows no secret")
        for paper in holes:
            known = self.names(paper.knows)
            yield "  " + self.pick(f"{known}を知る他人", f"who knows: {known}")
            for row in paper.rows:
                yield from self.closed(row)
            yield "      → " + self.declared(paper)

    def closed(self, name: str) -> Iterator[str]:
        """How wrong entries of a row close something."""
        found = [row for one in self.table.operations.values() for rows in one.rows.values() for row in rows if name in {row.id, *row.also}]
        where, what = (self.names(dict.fromkeys(names)) for names in ((row.operation for row in found), (row.item for row in found)))
        yield f"    {name}  {where}  {what}"
        for gauge in found[0].gauges:
            for stage in gauge.counter.stages:
                closing = [one for one in stage.penalties if one.kind not in RUN_ONLY]
                if closing and found[0].id in {stage.row, *stage.also}:
                    costs = self.pick("、", ", ").join(self.penalty(one) for one in closing)
                    yield f"      {self.count(gauge, stage.wrong)}: {costs}"

    def on_paper(self) -> Iterator[str]:
        """States out of which the policy declares paper as the way, without any stranger."""
        others = [paper for paper in self.table.paper if not paper.knows]
        if others:
            yield ""
            yield self.pick("書面だけが解除の方法になる場合", "Where paper is the way")
        for paper in others:
            yield f"  {', '.join(paper.rows)} → {self.declared(paper)}"

    def declared(self, paper: Paper) -> str:
        """The form that is the way, and what the policy says about it."""
        return self.say(self.table.paths[paper.form].text) + self.pick("。", ". ") + self.say(paper.text)

    def length(self, seconds: int) -> str:
        return length(seconds, self.language)


def length(seconds: int, language: str) -> str:
    """A length of time in the largest unit of which there are several: 60 min, not 1 hour."""
    for unit, word in UNITS:
        if seconds > unit and seconds % unit == 0:
            return f"{seconds // unit}{word.ja if language == 'ja' else word.en}"
    return f"{seconds}{UNITS[-1][1].ja if language == 'ja' else UNITS[-1][1].en}"
