"""Progress bars, shown where they are asked for.

tqdm starts a thread as soon as a bar is made, hidden ones too, so where no bar is shown none is
made::

    progbar=True      tqdm  [#####-----]
    progbar=False     the items, and nothing else
"""

from contextlib import nullcontext


def progress(items, progbar, **options):
    """The items, with a progress bar over them where ``progbar`` asks for one.

    Parameters
    ----------
    items : iterable
    progbar : bool
    **options
        As `tqdm.tqdm` takes them.

    Returns
    -------
    iterable
    """
    return _tqdm()(items, **options) if progbar else items


def progress_bar(progbar, **options):
    """A context whose value is a function: call it after each step, a bar moves where one is shown.

    The function takes a text too, which is shown at the bar.

    Parameters
    ----------
    progbar : bool
    **options
        As `tqdm.tqdm` takes them.

    Examples
    --------
    >>> with progress_bar(False, total=2) as step:
    ...     for _ in range(2):
    ...         step()
    """
    return _Steps(_tqdm()(**options)) if progbar else nullcontext(_no_step)


class _Steps:
    """A bar as a context whose value moves it by one, and may say something."""

    def __init__(self, bar):
        self.bar = bar

    def __enter__(self):
        return self

    def __call__(self, text=None):
        if text is not None:
            self.bar.set_description(text, refresh=False)
        self.bar.update()

    def __exit__(self, *error):
        self.bar.close()


def _no_step(text=None):
    """Nothing to show."""


def _tqdm():
    from tqdm import tqdm  # not before a bar is shown

    return tqdm
