"""Faults planted in sound policies, kind by kind, and whether each is one: asked of the engine, not of the proofs.

A fault is made by changing the dictionary of a policy. Whether it is real is found out by playing the engine without any cleverness:
guessing on for a year, walking every sequence of ways back, walking operations without a secret.
"""

import copy
import itertools
import random

from good_policies import END, VOID, in_run, loaded, text

from sekisho.core import attempt, budget, release
from sekisho.core.procedure import awaited, skip_met_steps
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Guard, Procedure, Session, decode, encode
from sekisho.policy import compile_policy
from sekisho.terms import Counting, Outcome, PathKind, PenaltyKind, State, Verdict

START = 20_000 * 86_400 * SECOND
DAY = 86_400 * SECOND
YEAR = 365 * DAY
KNOWN = {"identifier", "data", "pair", "knowledge"}
KINDS = {}
"""By name: (what is changed, whether it is real, code of a finding that names it)."""


def fault(*codes, real):
    """Enter a kind of fault under its function's name."""
    def entered(change):
        KINDS[change.__name__] = change, real, codes
        return change
    return entered


def plant(kind, file, seed):
    """A policy with one fault of that kind; None where it has no room for one."""
    changed = copy.deepcopy(file)
    try:
        return changed if KINDS[kind][0](changed, random.Random(seed)) is not False else None
    except (KeyError, IndexError):
        return None


def is_real(kind, before, after):
    """Whether the engine says so."""
    return KINDS[kind][1](compile_policy(loaded(before)), compile_policy(loaded(after)), before, after)


# The engine, played plainly.


class Customer:
    """One customer's rows, and everything anybody does with them through the engine."""

    def __init__(self, table, flags=(), *, without=None, attacked=False):
        self.table = table
        self.without, self.attacked = without, attacked
        self.now = START
        self.guards = {f"{kind}:1": Guard(known=True) for kind in ("customer", "account", "app")}
        self.guards["customer:1"].flags = list(flags)
        self.since = START

    def copy(self):
        other = Customer(self.table, without=self.without, attacked=self.attacked)
        other.now, other.since = self.now, self.since
        other.guards = {key: decode(encode(guard), Guard) for key, guard in self.guards.items()}
        return other

    def scene(self, operation, *, led=True, run=None):
        found = self.table.operations[operation]
        session = Session(subject="customer:1", started=self.since + 1, seen=self.now) if found.session else None
        run = run or Procedure(operation=operation, digest=found.digest, led=led, session="session:1" if session else None,
                               started=self.now + 1, expires=1 << 62)
        keys = {kind: f"{kind}:1" for kind in ("customer", "account", "app")} | {"actor": "actor:1", "caller": "caller:1"}
        guards = {**self.guards, "actor:1": Guard(), "caller:1": Guard()}
        return Scene(self.table, found, run, "procedure:1", session, "session:1" if session else None, guards, keys, self.now)

    def enter(self, operation, item, verdict, run=None):
        scene = self.scene(operation, run=run)
        granted = attempt.reserve(scene, item)
        return attempt.settle(scene, granted, verdict) if isinstance(granted, attempt.Granted) else None

    def logs_in(self):
        """A session from now on, where the login is open."""
        for name, operation in self.table.operations.items():
            if operation.gives_session and self.copy().walks(name, lambda item: True):
                self.since = self.now
                return True
        return False

    def walks(self, operation, may):
        scene = self.scene(operation, led=False)
        skip_met_steps(scene)
        while scene.procedure.state is State.OPEN:
            for item in awaited(scene):
                granted = attempt.reserve(scene, item) if may(item) else None
                if isinstance(granted, attempt.Granted) and attempt.settle(scene, granted, Verdict.RIGHT) is Outcome.RIGHT:
                    break
            else:
                return False
        return True

    def lifts(self, path):
        for key, guard in self.guards.items():
            for lock in release.by_path(guard.locks, path):
                release.lift(key, guard, lock, self.guards, self.table, lambda event: None, path=path)

    def next_change(self):
        times = [one.until for guard in self.guards.values() for one in guard.locks if one.until]
        for guard in self.guards.values():
            for name, count in guard.counts.items():
                times += [count.zero_at] if count.zero_at else []
                times += [end + (self.table.counters[name].window_s or 0) * SECOND for end, _ in count.slices[:1]]
        return min((at for at in times if at > self.now), default=None)

    def waits(self, at):
        self.now = at
        for key, guard in self.guards.items():
            release.expire(key, guard, at, lambda event: None)
            for name, count in guard.counts.items():
                budget.refresh(count, self.table.counters[name], at)

    def locks(self):
        return {(key, one.kind, tuple(one.operations), tuple(one.items), one.counter) for key, guard in self.guards.items()
                for one in guard.locks if one.stands(self.now)}


def most_guesses(table, item, *, daily, enough=1_001):
    """How many guesses a plain attacker gets in a year: each at the first row that takes it, else he waits. `daily`: he spares the
    customer's own entry, once a day, and guesses one below each lock before it."""
    return max(_guesses(table, item, daily, enough, spare) for spare in ((False, True) if daily else (False,)))


def _guesses(table, item, daily, enough, spare):
    who, got, day = Customer(table), 0, 0
    rows = [name for name, operation in table.operations.items() if item in operation.rows]
    while got < enough and who.now < START + YEAR:
        who.logs_in()
        if daily and who.now >= START + day * DAY:
            while got < enough and any(_spared(who, name, item) for name in rows):
                got += 1
            for name in rows:
                who.enter(name, item, Verdict.RIGHT)
            day += 1
        while not spare and got < enough and any(who.enter(name, item, Verdict.WRONG) for name in rows):
            got += 1
            who.logs_in()
        times = [at for at in (who.next_change(), START + day * DAY if daily else None) if at is not None]
        if not times or min(times) <= who.now:
            break
        who.waits(min(times))
    return got


def _spared(who, operation, item):
    """One wrong entry, if no lock falls with it."""
    trial = who.copy()
    if trial.enter(operation, item, Verdict.WRONG) is None or trial.locks() != who.locks():
        return False
    who.enter(operation, item, Verdict.WRONG)
    return True


def secret_items(table):
    return [name for name, item in table.items.items() if item.kind not in {"identifier", "data"} and any(name in one.rows for one in table.operations.values())]


def guessable(before, after, *_):
    """An item of which more than a thousand guesses a year can now be had, and could not before."""
    def found(table):
        return {(item, daily) for item in secret_items(table) for daily in (False, True) if most_guesses(table, item, daily=daily) > 1_000}
    return bool(found(after) - _of_the_sound(before, found))


_sound = {}


def _of_the_sound(table, found):
    """What is so in the policy before the fault: asked once, for all the faults planted in it."""
    key = table.name, found.__code__
    if key not in _sound:
        _sound[key] = found(table)
    return _sound[key]


def stuck(before, after, *_):
    """A lock from which no sequence of three ways back leads out, and one did before; or a loss that cannot be made good."""
    return bool(_stuck(after) - _of_the_sound(before, _stuck))


def _stuck(table):
    found = set()
    for counter in table.counters.values():
        for stage in counter.stages:
            if any(one.kind not in {"void", "end-session", "start-over"} for one in stage.penalties):
                who = _at_stage(table, counter, stage)
                if who is not None and not _gets_out(who, who.locks(), set()):
                    found.add(stage.row)
    for lost in ({name for name, item in table.items.items() if item.kind == "code"}, {name for name, item in table.items.items() if item.kind == "totp"}):
        if lost and not _gets_out(Customer(table), set(), lost):
            found.add("lost " + " ".join(sorted(lost)))
    return found


def _at_stage(table, counter, stage):
    for name, operation in table.operations.items():
        for item, variants in operation.rows.items():
            if any(gauge.counter.name == counter.name for row in variants for gauge in row.gauges):
                who = Customer(table)
                for _ in range(stage.wrong * 3):
                    if who.enter(name, item, Verdict.WRONG) is None:
                        if who.next_change() is None:
                            break
                        who.waits(who.next_change())
                    if any(one.counter == counter.name and one.wrong == stage.wrong for guard in who.guards.values() for one in guard.locks):
                        return who
    return None


def _gets_out(who, targets, lost, depth=3):
    had = {*who.table.items, *who.table.things} - lost
    return _walks_out(who, targets, had, depth, set())


def _walks_out(who, targets, had, depth, seen):
    if not targets & who.locks() and _has_means(who.table, had):
        return True
    if not depth or (who.now, frozenset(who.locks()), frozenset(had), depth) in seen:
        return False
    seen.add((who.now, frozenset(who.locks()), frozenset(had), depth))
    at = who.next_change()
    if at is not None and at < START + 30 * DAY and any(one.until for guard in who.guards.values() for one in guard.locks):
        after = who.copy()
        after.waits(at)
        if after.attacked:
            _attack(after)
        if _walks_out(after, targets, had, depth - 1, seen):
            return True
    for name, way in who.table.paths.items():
        after = who.copy()
        has = _walked(after, way, name, had)
        if has is not None and (has != had or after.locks() != who.locks()) and _walks_out(after, targets, has, depth - 1, seen):
            return True
    return False


def _walked(who, way, name, had):
    case = way.cases[-1]
    free = {item for item, one in who.table.items.items() if one.kind in {"identifier", "data", "pair"}}
    if way.kind in {PathKind.WAIT, PathKind.START_OVER, PathKind.NONE, who.without} or not all(set(needs) & (had | free) for needs in case.needs):
        return None
    if way.kind is PathKind.PROCEDURE:
        session = who.table.operations[way.operation].session
        logins = [one for one, operation in who.table.operations.items() if operation.gives_session]
        if session and not any(who.copy().walks(one, lambda item: item in had | free) for one in logins):
            return None
        if not who.walks(way.operation, lambda item: item in had | free | set(case.gives)):
            return None
    else:
        who.lifts(name)
    return (had - set(case.removes)) | set(case.gives)


def _has_means(table, had):
    free = {item for item, one in table.items.items() if one.kind in {"identifier", "data", "pair"}}
    return all(set(step.items) & (had | free) for operation in table.operations.values() if operation.path is None for step in operation.steps)


def open_to_all(before, after, *_):
    """An operation that opens a session, sets a secret or walks a way back, walked with nothing but what anybody may know."""
    def found(table):
        return {name for name, one in table.operations.items() if not one.session and (
            one.gives_session or one.path or any(table.items[item].renews for item in one.rows)) and Customer(table).walks(
            name, lambda item: table.items[item].kind in KNOWN)}
    return bool(found(after) - _of_the_sound(before, found))


def forgets_a_code(_, after, *__):
    """At one code, in its one run, whoever waits gets more guesses than whoever does not."""
    for name, operation in after.operations.items():
        for item in operation.rows:
            if after.items[item].kind == "code" and _at_one_code(after, name, item, wait=True) > _at_one_code(after, name, item, wait=False):
                return True
    return False


def _at_one_code(table, operation, item, *, wait):
    best = 0
    for spare in (False, True):
        who, got = Customer(table), 0
        run = Procedure(operation=operation, digest=table.operations[operation].digest, led=True, started=START + 1, expires=1 << 62,
                        session="session:1" if table.operations[operation].session else None)
        while who.now < START + 600 * SECOND and got < 2_000:
            while got < 2_000 and (not spare or _spared_in(who, operation, item, run)) and who.enter(operation, item, Verdict.WRONG, run) is not None:
                got += 1
            at = who.next_change()
            if not wait or at is None or at >= START + 600 * SECOND:
                break
            who.waits(at)
        while got < 2_000 and who.enter(operation, item, Verdict.WRONG, run) is not None:
            got += 1
        best = max(best, got)
    return best


def _spared_in(who, operation, item, run):
    trial, own = who.copy(), decode(encode(run), Procedure)
    return trial.enter(operation, item, Verdict.WRONG, own) is not None and trial.locks() == who.locks() and own.state is State.OPEN


def leaves_paper_alone(_, after, *__):
    """Whoever has lost his mailbox gets out by some sequence of ways back, by none without a form, and no `paper:` says so."""
    lost = {name for name, item in after.items.items() if item.kind == "code"}
    if not _gets_out(Customer(after), set(), lost) or _gets_out(Customer(after, without=PathKind.FORM), set(), lost):
        return False
    asked = {row.id for operation in after.operations.values() for item in lost for row in operation.rows.get(item, ())}
    asking = {row for row in asked if not any(row in paper.rows and after.paths[paper.form].cases[-1].gives for paper in after.paper)}
    giving = {name for name, way in after.paths.items() if lost & {one for case in way.cases for one in case.gives} and way.kind is PathKind.FORM}
    return bool(asking) or not giving & {paper.form for paper in after.paper}


def closed_by_a_stranger(before, after, *_):
    """A lock that no sequence of ways back leads out of while a stranger enters wrong ones wherever he comes to, and one did before."""
    return bool(_closed_by_a_stranger(after) - _of_the_sound(before, _closed_by_a_stranger))


def _closed_by_a_stranger(table):
    who = Customer(table, attacked=True)
    _attack(who)
    locks = [(key, one) for key, guard in who.guards.items() for one in guard.locks if one.until is None]
    return {one.row for key, one in locks if not _gets_out(who, {(key, one.kind, tuple(one.operations), tuple(one.items), one.counter)}, set())}


def _attack(who):
    """Every wrong entry that a stranger without a secret can make now."""
    while sum(_spends(who, name, item) for name in who.table.operations for item in _reached(who.table, name)):
        pass


def _reached(table, name):
    """The items of an operation that come before one that only the customer can pass."""
    operation = table.operations[name]
    for step in () if operation.session else operation.steps:
        yield from (item for item in step.items if item in operation.rows and table.items[item].kind != "identifier")
        if not any(table.items[item].kind in KNOWN for item in step.items):
            return


def _spends(who, name, item):
    """Wrong entries until one is refused or leaves everything as it was. Whether any changed something."""
    for number in range(2_000):
        stood = [encode(guard) for guard in who.guards.values()]
        if who.enter(name, item, Verdict.WRONG) is None or stood == [encode(guard) for guard in who.guards.values()]:
            return number > 0
    return False


def asks_for_nothing(before, after, *_):
    """A way back that somebody walks who has nothing at all, and that lifts a lock or gives an item."""
    return bool(_free(after) - _of_the_sound(before, _free))


def _free(table):
    return {name for name, way in table.paths.items()
            if (way.cases[-1].gives or _lifts_any(table, name)) and _walked(Customer(table), way, name, set()) is not None}


def _lifts_any(table, name):
    return any(name in stage.undo for counter in table.counters.values() for stage in counter.stages)


def never_falls(before, after, *_):
    """A stage to which no wrong entries lead, however long they go on at every row of its count, with right ones between that spare a lock."""
    return bool(_never_fallen(after) - _of_the_sound(before, _never_fallen))


def _never_fallen(table):
    return {(counter.name, stage.wrong) for counter in table.counters.values() for stage in counter.stages
            if counter.reach in {"customer", "account"} and not any(_comes_to(table, counter, stage, spares=spares) for spares in (False, True))}


def _comes_to(table, counter, stage, *, spares):
    who = Customer(table)
    rows = [(name, item) for name, operation in table.operations.items() for item, variants in operation.rows.items()
            if any(gauge.counter.name == counter.name for row in variants for gauge in row.gauges)]
    for _ in range(200):
        who.logs_in()
        if spares:
            _spares(who, rows)
        while sum(_spends(who, name, item) for name, item in rows):
            who.logs_in()
        count = who.guards[f"{counter.reach}:1"].counts.get(counter.name)
        if count is not None and count.fired >= stage.wrong:
            return True
        at = who.next_change()
        if at is None:
            return False
        who.waits(at)
    return True


def _spares(who, rows):
    """Wrong entries that let no lock fall, and the customer's right ones whenever one would, for as long as that changes anything."""
    for _ in range(200):
        before = [encode(guard) for guard in who.guards.values()]
        for name, item in rows:
            while _spared(who, name, item):
                pass
            who.enter(name, item, Verdict.RIGHT)
        if before == [encode(guard) for guard in who.guards.values()]:
            return


def never_holds(_, after, *__):
    """A variant of a row that speaks for no customer, whatever marks he carries."""
    flags = sorted(after.flags)
    worlds = [chosen for number in range(len(flags) + 1) for chosen in itertools.combinations(flags, number)]
    return any(
        all(Customer(after, chosen).scene(name).row_of(item) is not row for chosen in worlds)
        for name, operation in after.operations.items() for item, variants in operation.rows.items() for row in variants if len(variants) > 1)


def always(*_):
    """A fault in words, by its definition: what the text or the name says can be read off it."""
    return True


# The kinds.


def _rows(file):
    return [row for operation in file["operations"].values() for row in operation["items"].values()]


def _stages(file, lasting=True):
    found = [stage for row in _rows(file) for stage in row["stages"] if isinstance(stage, dict)] + list(file["ceilings"].values())
    return [stage for stage in found if any(isinstance(one, dict) and ("for" not in one) is lasting for one in stage["penalty"])]


@fault("unbounded-guesses", real=guessable)
def a_ceiling_is_left_out(file, chance):
    del file["ceilings"][chance.choice(sorted(file["ceilings"]))]
    _forget_rows(file)


@fault("unbounded-guesses", real=guessable)
def a_ceiling_is_a_thousand_times_as_high(file, chance):
    file["ceilings"][chance.choice(sorted(file["ceilings"]))]["wrong"] *= 1_000


@fault("unbounded-guesses", real=guessable)
def a_ceiling_forgets_within_hours(file, chance):
    one = file["ceilings"][chance.choice(sorted(file["ceilings"]))]
    one["within"] = f"{chance.randint(1, 4)}h"
    one["penalty"], one["undo"], one["after"] = [{**penalty, "for": "1h"} for penalty in one["penalty"]], ["wait"], "zero"


@fault("unbounded-guesses", real=guessable)
def a_ceiling_spares_an_operation(file, chance):
    name = chance.choice(sorted(file["ceilings"]))
    item = file["ceilings"][name]["items"][0]
    takes = [operation for operation, cell in sorted(file["operations"].items()) if item in cell["items"]]
    file["ceilings"][name]["except"] = [chance.choice(takes)]


@fault("unbounded-guesses", real=guessable)
def a_ceiling_counts_whoever_types(file, chance):
    name = chance.choice(sorted(file["ceilings"]))
    one = file["ceilings"][name]
    file["known_devices"], file["devices"] = True, {"known_by": ["login"], "remembered": 5, "kept": "365d"}
    one["of"] = "actor"
    one["penalty"] = [{"ask-more": "unknown-devices", "in": sorted(file["operations"])[:1]}]


@fault("unbounded-guesses", real=guessable)
def a_timed_lock_is_taken_for_a_bound(file, chance):
    """Every lock for good of one item ends by itself after an hour."""
    name = chance.choice(sorted(file["ceilings"]))
    item = file["ceilings"].pop(name)["items"][0]
    for operation in file["operations"].values():
        for stage in operation["items"].get(item, {}).get("stages", []):
            if any(isinstance(one, dict) and "for" not in one for one in stage["penalty"]):
                stage["penalty"] = [{**one, "for": "60m"} if isinstance(one, dict) else one for one in stage["penalty"]]
                stage["undo"], stage["after"] = ["wait"], "zero"
    _forget_rows(file)


@fault("unbounded-guesses", real=guessable)
def a_new_code_begins_the_count_anew(file, chance):
    """The count belongs to the run alone, and each new code has a new run."""
    del file["ceilings"]["mail-a-year"]
    _forget_rows(file)


@fault("unbounded-guesses", "lock-not-asked", real=guessable)
def a_new_operation_counts_in_the_run_alone(file, chance):
    item = chance.choice(["password", "mail-code"])
    file["operations"]["new-one"] = {
        **text("新しい手続き", "New one"), "for": "customer", "in_session": False, "steps": ["number", item],
        "items": {item: {"row": "N-1", "stages": [in_run(chance, "end-session")]}}}
    for one in file["ceilings"].values():
        one["except"] = ["new-one"]


def _forget_rows(file):
    for one in file["paper"]:
        one["rows"] = [row for row in one["rows"] if row in {"L-1", "R-1", "R-2"} or row in file["ceilings"]]


@fault("no-way-out", "circular-release", "stranger-locks", real=stuck)
def a_lock_for_good_is_left_to_waiting(file, chance):
    chance.choice(_stages(file))["undo"] = ["wait"]


@fault("no-way-out", "circular-release", "stranger-locks", real=stuck)
def a_lock_for_good_is_left_to_starting_over(file, chance):
    chance.choice(_stages(file))["undo"] = ["start-over"]


@fault("no-way-out", "circular-release", real=stuck)
def a_lock_closes_its_own_way_back(file, chance):
    stage = file["operations"]["login"]["items"]["password"]["stages"][0]
    stage["penalty"], stage["undo"] = [{"block": ["login", "reset"]}], ["reset"]


@fault("no-way-out", "circular-release", real=stuck)
def a_lock_closes_the_item_its_way_back_needs(file, chance):
    stage = file["operations"]["login"]["items"]["password"]["stages"][0]
    stage["penalty"], stage["undo"] = [{"block": "login"}, {"disable": chance.choice(["mail-code", "pair"])}], ["reset"]


@fault("no-way-out", "circular-release", real=stuck)
def a_way_back_asks_for_a_session(file, chance):
    file["operations"]["reset"]["in_session"] = True
    for stage in _stages(file):
        stage["undo"] = [way for way in stage["undo"] if way != "form-password"] or stage["undo"]


@fault("no-way-out", "circular-release", real=stuck)
def the_only_way_is_one_that_cannot_be_lifted(file, chance):
    file["procedures"]["nothing"] = {"kind": "none", **text("解除できない", "It cannot be lifted"), "around": []}
    chance.choice(_stages(file))["undo"] = ["nothing"]


@fault("no-way-out", "circular-release", "unused-name", real=stuck)
def what_is_lost_is_never_given_again(file, chance):
    name = chance.choice([form for form in ("form-mail", "form-token") if form in file["forms"]])
    file["forms"][name]["gives"] = []
    file["procedures"].pop("new-mail", None)
    file["ceilings"]["mail-a-year"]["undo"] = ["form-mail"]


@fault("circular-release", "no-way-out", real=leaves_paper_alone)
def paper_alone_is_left_and_nobody_says_so(file, chance):
    """The login asks for a code by mail, and the form is the only way out of a lost mailbox; the policy no longer says that it is."""
    if "new-mail" in file["procedures"]:
        return False
    file["operations"]["login"]["steps"].append("mail-code")
    file["operations"]["login"]["items"]["mail-code"] = {"row": "L-2", "stages": [in_run(chance, VOID, END)]}
    file["paper"] = [one for one in file["paper"] if one["form"] != "form-mail"]
    return None


@fault("stranger-locks", real=closed_by_a_stranger)
def a_stranger_locks_the_login_and_what_releases_it(file, chance):
    """Ten pairs at the reset and ten passwords at the login close both, and the paper way is gone."""
    for stage in (file["operations"]["login"]["items"]["password"]["stages"][0], file["ceilings"]["password-a-year"]):
        stage["undo"] = ["reset"]
    file["ceilings"]["pairs-a-year"]["wrong"] = 1_000_000


@fault("side-door", "weaker-release", real=open_to_all)
def a_reset_asks_for_no_secret(file, chance):
    reset = file["operations"]["reset"]
    reset["steps"].remove("mail-code")
    del reset["items"]["mail-code"]
    if chance.random() < 0.5:
        file["procedures"]["reset"]["needs"] = ["pair"]
    file["paper"] = [one for one in file["paper"] if "R-2" not in one["rows"]]


@fault("side-door", real=open_to_all)
def a_login_asks_for_numbers_alone(file, chance):
    file["operations"]["quick"] = {
        **text("かんたんログイン", "Quick login"), "for": "customer", "in_session": False, "opens_session": True, "steps": ["number"],
        "items": {"number": {"row": "Q-1", "stages": ["others"]}}}


@fault("weaker-release", "side-door", real=asks_for_nothing)
def a_release_asks_for_nothing(file, chance):
    chance.choice([way for way in file["forms"].values() if way["needs"]])["needs"] = []


@fault("counter-shorter-than-code", real=forgets_a_code)
def a_count_forgets_before_the_code_does(file, chance):
    """The mail code's run counts nothing; what counts is forgotten within minutes."""
    file["operations"]["reset"]["items"]["mail-code"]["stages"] = [{
        "wrong": chance.randint(4, 8), "of": "customer", "within": f"{chance.randint(1, 5)}m", "penalty": [{"lock": "reset", "for": "2h"}],
        "undo": ["wait"], "after": "zero"}]


@fault("lock-not-asked", "unbounded-guesses", real=guessable)
def an_item_is_asked_on_after_its_lock(file, chance):
    """The yearly lock of the password closes the login, and the inquiry goes on testing it."""
    if "inquiry" not in file["operations"]:
        return False
    file["ceilings"]["password-a-year"]["except"] = ["inquiry"]
    return None


@fault("count-in-customer-text", real=always)
def a_text_tells_a_threshold(file, chance):
    figure = file["operations"]["login"]["items"]["password"]["stages"][0]["wrong"]
    words = chance.choice([f"{figure}回まで入力できます", "".join("０１２３４５６７８９"[int(sign)] for sign in str(figure)) + "回で止まります"])
    where = chance.choice([file["items"]["password"], file["operations"]["login"], file["procedures"]["reset"]])
    where["ja"] = words


@fault("count-in-customer-text", real=always)
def a_text_tells_a_threshold_in_words(file, chance):
    words = ["six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    figure = file["operations"]["login"]["items"]["password"]["stages"][0]["wrong"]
    file["procedures"]["reset"]["en"] = f"Register again after {words[figure - 6]} wrong entries"


@fault("count-in-customer-text", real=always)
def a_text_tells_the_length_of_a_lock(file, chance):
    length = file["operations"]["reset"]["items"]["pair"]["stages"][1]["penalty"][0]["for"]
    file["procedures"]["wait"]["en"] = f"Wait {length.removesuffix('m')} minutes"


@fault("missing-text", real=always)
def a_text_is_left_in_the_other_language(file, chance):
    where = chance.choice([*file["items"].values(), *file["operations"].values(), *file["forms"].values()])
    language, other = chance.sample(["ja", "en"], 2)
    where[language] = where[other]


@fault("missing-text", real=always)
def a_text_says_nothing(file, chance):
    chance.choice([*file["items"].values(), *file["procedures"].values()])[chance.choice(["ja", "en"])] = chance.choice(["-", "…", "???"])


@fault("unused-name", real=always)
def a_name_is_used_nowhere(file, chance):
    section, cell = chance.choice([
        ("items", {"kind": "pin", "of": "account", **text("使われない番号", "Unused PIN")}), ("counters", {"of": "customer", "in_a_row": True}),
        ("things", text("使われないもの", "Unused thing")), ("procedures", {"kind": "start-over", **text("使われない方法", "Unused way")})])
    file[section]["nobody-asks"] = cell


@fault("unreachable-row", real=never_falls)
def a_stage_lies_behind_a_lock_for_good(file, chance):
    stages = file["operations"]["login"]["items"]["password"]["stages"]
    stages[0]["penalty"] = [{"block": "login"}, {"disable": "password"}]
    stages.append({**stages[0], "wrong": stages[0]["wrong"] + chance.randint(1, 20)})


@fault("unreachable-row", real=never_holds)
def a_variant_never_holds(file, chance):
    file["flags"] = {"watched": text("注意", "Watched")}
    row = file["operations"]["login"]["items"]["password"]
    file["operations"]["login"]["items"]["password"] = [{**row, "when": "watched"}, {**row, "when": "watched"}, row]


__all__ = ["KINDS", "Counting", "PenaltyKind", "is_real", "itertools", "plant"]
