"""Figures for monitoring, in the Prometheus text format (version 0.0.4). None of them names a customer."""

from __future__ import annotations

import resource

from sekisho.app import App


def render(app: App) -> str:
    """All figures."""
    ledger = app.ledger
    figures = (
        ("sekisho_batches_total", "counter", "Batches committed", ledger.batches),
        ("sekisho_decisions_total", "counter", "Works decided", ledger.decided),
        ("sekisho_housekeeping_faults_total", "counter", "Turns of housekeeping that failed", app.faults),
        ("sekisho_clock_doubted", "gauge", "1 while nothing is granted because the ledger's clock jumped", int(app.watch.doubting)),
        ("sekisho_queue", "gauge", "Works waiting for a batch", ledger.queued),
        ("sekisho_policies_loaded", "gauge", "Policy versions this node can decide by", len(app.tables)),
        ("sekisho_memory_bytes", "gauge", "Most memory used", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
    )
    told = "".join(f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name} {value}\n" for name, kind, text, value in figures)
    return told + _mail(app) + _ceilings(app) + _shadow(app)


def _mail(app: App) -> str:
    """What became of mail, as far as this node or worker has heard it; a domain has its own name once several customers have mail there."""
    figures = (
        ("sekisho_mail_total", "What happened to mail, by the recipient's domain", app.outbox.figures.number),
        ("sekisho_mail_seconds_total", "How long after it was asked for, summed", app.outbox.figures.seconds),
    )
    return "".join(
        f"# HELP {name} {text}\n# TYPE {name} counter\n"
        + "".join(f'{name}{{domain="{domain}",what="{what}"}} {round(value, 3)}\n' for (domain, what), value in sorted(found.items()))
        for name, text, found in figures if found
    )


def _ceilings(app: App) -> str:
    """The bank's own ceilings, as this node has last heard of them; nothing where the policy has none."""
    figures = (
        ("sekisho_ceiling_wrong", "gauge", "Wrong entries from unknown devices that stand against a ceiling of the bank", lambda one: one.wrong),
        ("sekisho_ceiling_asking", "gauge", "1 while more is asked of unknown devices because it was reached", lambda one: int(bool(one.locks))),
    )
    purses = sorted(app.ceilings.purses.items())
    told = "".join(
        f"# HELP {name} {text}\n# TYPE {name} {kind}\n" + "".join(f'{name}{{ceiling="{which}"}} {value(one)}\n' for which, one in purses)
        for name, kind, text, value in figures
    )
    return told if purses else ""


def _shadow(app: App) -> str:
    """What a shadow would have refused; nothing where entries count."""
    if app.shadow is None:
        return ""
    name = "sekisho_shadow_refused_total"
    rows = "".join(f'{name}{{row="{row}"}} {number}\n' for row, number in sorted(app.shadow.refused.items()))
    return f"# HELP {name} Entries that would have been refused, by row\n# TYPE {name} counter\n{rows}"
