"""How an object shows itself in a notebook: its own text, or a table, as HTML.

::

    repr(plan)                  <pre>Plan for 4096 amplitudes ...</pre>
    title, header, rows  --->   <table> ... </table>
"""

import html


class Shown:
    """Base of objects that a notebook shows as HTML: whatever they hold is escaped."""

    def _html_table(self):
        """``(title, header, rows, indices of rows to mark)``, or None to show the text."""
        return None

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        table = self._html_table()
        if table is None:
            return f"<pre>{html.escape(repr(self))}</pre>"
        title, header, rows, marked = table
        lines = [f"<table><caption>{html.escape(title)}</caption>", _row(header, "th")]
        for n, cells in enumerate(rows):
            lines.append(_row(cells, "th" if n in marked else "td"))
        return "\n".join((*lines, "</table>"))


def _row(cells, tag):
    """A row of a table."""
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(x))}</{tag}>" for x in cells) + "</tr>"
