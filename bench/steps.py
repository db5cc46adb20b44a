"""Progress on stderr, drawn once a second so that it takes nothing from what is measured."""

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    def __init__(self):
        columns = (SpinnerColumn(), TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), refresh_per_second=1, transient=True)

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *_):
        self._progress.stop()

    def over(self, what, things):
        """Go through things, one step for each."""
        task = self._progress.add_task(what, total=len(things))
        for thing in things:
            yield thing
            self._progress.advance(task)
        self._progress.update(task, visible=False)
