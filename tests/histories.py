"""Histories at random over small policies at random, played by engine and auditor side by side."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule, run_state_machine_as_test
from play import Play
from tables import END, START_OVER, VOID, ask_more, block, counter, devices, erase, lock, row, shared, stage, table

from sekisho.terms import Counting

OPERATIONS = ("login", "transfer", "apply")
ITEMS = ("code", "pin")
CUSTOMERS = ("customer:1", "customer:2")
ACCOUNTS = ("account:1", "account:2", "account:3")
REACHES = ("procedure", "session", "customer", "account")
WINDOW_S = 64

OF_WHOM = st.sampled_from([(None, False), (None, False), ("customer", False), ("account", False), ("account", True)])
OPERATION = st.sampled_from(OPERATIONS)
ITEM = st.sampled_from(ITEMS)
WHO = st.sampled_from(CUSTOMERS)
ABOUT = st.sampled_from(ACCOUNTS[1:])
PAUSE_S = st.sampled_from([0, 0, 5, 62.5, 63.5, 64, 65, 66.1])
ANEW = st.sampled_from([True, True, True, False])
VERDICTS = st.sampled_from(["wrong", "wrong", "wrong", "right", "right", "unread"])


@st.composite
def penalties(draw):
    """What one stage does."""
    found = draw(st.sampled_from([[], [], [END], [VOID], [START_OVER]]))
    on, about = draw(OF_WHOM)
    closed = draw(st.sampled_from(OPERATIONS))
    kinds = {
        "nothing": [], "nothing more": [], "until released": [lock(closed, on=on, about=about)],
        "timed": [lock(closed, on=on, about=about, for_s=draw(st.sampled_from([5, 60])))],
        "two timed": [lock(closed, on=on, about=about, for_s=60), lock(draw(OPERATION), for_s=draw(st.sampled_from([5, 90])))],
        "block": [block(closed, on=on, about=about)], "all but one": [lock("*", spares=(closed,), for_s=30)], "erase": [erase(draw(st.sampled_from(ITEMS)), on=on)],
    }
    return tuple(found + kinds[draw(st.sampled_from(sorted(kinds)))])


@st.composite
def counters(draw, name, countings):
    wrongs = sorted(draw(st.sets(st.sampled_from([1, 2, 3, 3, 4, 5, 6, 8]), min_size=1, max_size=3)))
    stages = [
        stage(wrong, *draw(penalties()), row=f"{name}-{wrong}", after_lock=draw(st.sampled_from(["zero", "zero", "keep"])))
        for wrong in wrongs
    ]
    counting = draw(st.sampled_from(countings))
    window_s = WINDOW_S if counting is Counting.WITHIN else None
    return counter(name, draw(st.sampled_from(REACHES)), *stages, counting=counting, window_s=window_s)


@st.composite
def policies(draw, countings):
    """Two to four counters, shared at random by the rows of three operations and two items."""
    pool = [draw(counters(f"c{n}", countings)) for n in range(draw(st.integers(2, 4)))]
    rows = []
    for operation in OPERATIONS:
        for item in ITEMS:
            touched = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique_by=lambda one: one.name))
            gauges = [("about", one) if one.reach == "account" and draw(st.booleans()) else one for one in touched]
            rows.append((operation, item, gauges))
    return rows


def compiled(rows, shift, digest):
    """The table, every threshold moved by `shift` (a counter's lowest stays at one or more)."""
    moved = {}

    def move(one):
        if one.name not in moved:
            stages = {max(1, s.wrong + shift): s for s in one.stages}
            moved[one.name] = counter(
                one.name, one.reach,
                *[stage(n, *s.penalties, row=s.row, after_lock=s.after_lock) for n, s in sorted(stages.items())],
                counting=one.counting, window_s=one.window_s,
            )
        return moved[one.name]

    return table(*[
        row(operation, item, *[("about", move(g[1])) if isinstance(g, tuple) else move(g) for g in gauges])
        for operation, item, gauges in rows
    ], digest=digest)


class Histories(RuleBasedStateMachine):
    countings = (Counting.IN_A_ROW, Counting.IN_A_ROW, Counting.IN_TOTAL)
    player = Play
    sessions = Bundle("sessions")
    flying = Bundle("flying")

    @initialize(data=st.data())
    def policy(self, data):
        self.policy_rows = data.draw(policies(self.countings))
        self.changes = 0
        self.named = 0
        self.runs = {}
        self.play = self.player(compiled(self.policy_rows, 0, "0"))
        self.play.enrol(*CUSTOMERS, *ACCOUNTS)

    def name(self, kind):
        self.named += 1
        return f"{kind}:{self.named}"

    @rule(target=sessions, customer=st.sampled_from(CUSTOMERS))
    def log_in(self, customer):
        key = self.name("session")
        self.play.open_session(key, customer)
        return key, customer

    def run_of(self, operation, who, about, anew):
        """The run of that operation: the one begun before, or where it has ended a new one, now and then."""
        session, customer = who if isinstance(who, tuple) else (None, who)
        run = self.runs.get((operation, who, about))
        if run is None or (anew and not self.play.auditor.lives(self.play.auditor.runs[run], self.play.now)):
            run = self.runs[operation, who, about] = self.name("procedure")
            own = customer.replace("customer", "account")
            self.play.begin(run, operation, {"customer": customer, "account": own, "about:account": about}, session)
        return run

    @rule(operation=OPERATION, who=WHO | sessions, about=ABOUT, item=ITEM, verdict=VERDICTS, anew=ANEW)
    def enter(self, operation, who, about, item, verdict, anew):
        self.play.enter(self.run_of(operation, who, about, anew), item, verdict)

    @rule(operation=OPERATION, who=WHO | sessions, about=ABOUT, item=ITEM, times=st.integers(2, 6), pause_s=PAUSE_S)
    def guess(self, operation, who, about, item, times, pause_s):
        for _ in range(times):
            self.play.enter(self.run_of(operation, who, about, anew=True), item, "wrong")
        self.play.wait(pause_s)
        self.play.enter(self.run_of(operation, who, about, anew=True), item, "wrong")

    @rule(operation=OPERATION, who=WHO | sessions, about=ABOUT, item=ITEM, before=st.integers(1, 3), after=st.integers(0, 2), verdict=VERDICTS)
    def answer_late(self, operation, who, about, item, before, after, verdict):
        """Wrong entries, an entry that is long in flight, a right one meanwhile, wrong ones after it, then its verdict."""
        run = self.run_of(operation, who, about, anew=True)
        for _ in range(before):
            self.play.enter(run, item, "wrong")
        attempt, word = self.play.offer(run, item)
        self.play.enter(run, item, "right")
        for _ in range(after):
            self.play.enter(run, item, "wrong")
        if word == "granted":
            self.play.verdict(attempt, verdict)

    @rule(target=flying, operation=OPERATION, who=WHO | sessions, about=ABOUT, item=ITEM, anew=ANEW)
    def reserve(self, operation, who, about, item, anew):
        return self.play.offer(self.run_of(operation, who, about, anew), item)

    @rule(offered=consumes(flying), verdict=VERDICTS)
    def settle(self, offered, verdict):
        attempt, word = offered
        if word == "granted":
            self.play.verdict(attempt, verdict)

    @rule(seconds=st.sampled_from([0.001, 1, 3, 5, 30, 31, 59, 61, 64, 66, 70, 3600]))
    def wait(self, seconds):
        self.play.wait(seconds)

    @precondition(lambda self: self.play.lock_ids())
    @rule(data=st.data())
    def release(self, data):
        self.play.release(*data.draw(st.sampled_from(self.play.lock_ids())))

    @precondition(lambda self: self.changes < 3)
    @rule(shift=st.sampled_from([-2, -1, 0, 1, 2]), ends_runs=st.booleans())
    def change_policy(self, shift, ends_runs):
        self.changes += 1
        digest = str(self.changes) if ends_runs else self.play.table.operations[OPERATIONS[0]].digest
        self.play.change_policy(compiled(self.policy_rows, shift, digest))

    @precondition(lambda self: self.changes < 3)
    @rule(operation=OPERATION, who=WHO | sessions, about=ABOUT, item=ITEM, times=st.integers(1, 4), shift=st.sampled_from([-2, -1]), verdict=VERDICTS)
    def lower_under(self, operation, who, about, item, times, shift, verdict):
        """Wrong entries that are more than the thresholds of the next moment, then an entry under those."""
        for _ in range(times):
            self.play.enter(self.run_of(operation, who, about, anew=True), item, "wrong")
        self.changes += 1
        self.play.change_policy(compiled(self.policy_rows, shift, self.play.table.operations[operation].digest))
        self.play.enter(self.run_of(operation, who, about, anew=True), item, verdict)

    @invariant()
    def the_auditor_has_no_complaint(self):
        if hasattr(self, "play"):
            assert not self.play.complaints, self.play.complaints


class HistoriesWithin(Histories):
    """The same, where counts forget."""

    countings = (Counting.WITHIN, Counting.WITHIN, Counting.IN_A_ROW)


PLACES = 2
DEVICE = st.sampled_from(["", "home", "office", "phone"])


@st.composite
def shared_counters(draw, name, countings):
    """Of each stage some for every known device and some for all others, so that no share is smaller at a later stage."""
    each, others, kept, stages = 0, 0, {}, []
    for number in range(draw(st.integers(1, 2))):
        each, others = each + draw(st.integers(1, 2)), others + draw(st.integers(1, 3))
        wrong = others + PLACES * each
        kept[wrong] = each
        closed, timed = draw(OPERATION), draw(st.sampled_from([None, None, 5, 60]))
        falls = {"lock": [lock(closed, for_s=timed)], "block": [block(closed, for_s=timed)], "end": [END]}[draw(st.sampled_from(["lock", "block", "end"]))]
        stages.append(stage(wrong, *falls, row=f"{name}-{number}", after_lock=draw(st.sampled_from(["zero", "keep"]))))
    window_s = WINDOW_S if (counting := draw(st.sampled_from(countings))) is Counting.WITHIN else None
    return shared(counter(name, draw(st.sampled_from(["customer", "account"])), *stages, counting=counting, window_s=window_s), PLACES, kept)


class HistoriesOfDevices(Histories):
    """The same, where devices become known and have shares of the counts, and more is asked of those that are not."""

    countings = (Counting.IN_A_ROW, Counting.IN_A_ROW, Counting.IN_TOTAL, Counting.WITHIN)

    @initialize(data=st.data())
    def policy(self, data):
        pool = [data.draw(shared_counters(f"c{n}", self.countings)) for n in range(2)]
        pool.append(data.draw(counters("c3", self.countings)))
        pool.append(counter("more", "account", stage(3, ask_more(data.draw(OPERATION), for_s=data.draw(st.sampled_from([None, 60])))), counting=Counting.IN_TOTAL))
        rows = [
            row(operation, item, *data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique_by=lambda one: one.name)))
            for operation in OPERATIONS for item in ITEMS
        ]
        self.changes, self.named, self.device, self.runs_at = 3, 0, "", {}
        self.play = self.player(table(*rows, devices=devices("login", "apply", remembered=PLACES, kept_s=3600)))
        self.play.enrol(*CUSTOMERS, *ACCOUNTS)

    def run_of(self, operation, who, about, anew):
        """The run of that operation at the device that is used now: each device has runs of its own."""
        self.runs = self.runs_at.setdefault(self.device, {})
        self.play.device = self.device
        return super().run_of(operation, who, about, anew)

    @rule(device=DEVICE)
    def go_to(self, device):
        self.device = device

    @rule(operation=st.sampled_from(["login", "apply"]), who=WHO, about=ABOUT, item=ITEM, device=DEVICE, times=st.integers(1, 5))
    def right_then_wrong(self, operation, who, about, item, device, times):
        """A device becomes known, and goes on guessing."""
        self.device = device
        self.play.enter(self.run_of(operation, who, about, anew=True), item, "right")
        for _ in range(times):
            self.play.enter(self.run_of(operation, who, about, anew=True), item, "wrong")


def complaints(machine, player=Play, **options):
    """What the auditor says about a player in histories at random; nothing where all is well."""
    found = type(machine.__name__, (machine,), {"player": player})
    try:
        run_state_machine_as_test(found, settings=settings(stateful_step_count=40, **options))
    except AssertionError as no:
        return [str(no) or "a history was counted amiss"]
    return []
