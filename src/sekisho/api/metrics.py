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
    return "".join(f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name} {value}\n" for name, kind, text, value in figures)
