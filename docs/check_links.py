"""Look for dead links within the built pages: files and anchors that are not there.

python docs/check_links.py docs/_build/html

page.html: href, src --> a file that exists; #fragment --> an id of that page
"""

import html.parser
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    """The anchors of a page, and what it refers to."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(path.read_text(encoding="utf8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids and links."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value or "")
            elif name in ("href", "src"):
                self.links.add(value or "")


def dead_links(folder: pathlib.Path) -> list[str]:
    """Every link within ``folder`` that leads nowhere, as ``page: link``."""
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    dead = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve()
            target = target if parts.path else path
            anchor = urllib.parse.unquote(parts.fragment)
            there = target.is_file() or (target / "index.html").is_file()
            if not there or (anchor and target in pages and anchor not in pages[target].ids):
                dead.append(f"{path.relative_to(folder.resolve())}: {link}")
    return dead


if __name__ == "__main__":
    found = dead_links(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "no dead links")
    sys.exit(bool(found))
