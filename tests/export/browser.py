"""What a browser sees of a page: its elements, attributes and text; and whether anything foreign could run in it."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re

HOSTILE = [
    "<script>alert(1)</script>", "</script>", "</style>", "</title><script>", "<!--", "-->", "<![CDATA[", "]]>", '"',
    "'", '" onload=alert(1) x="', "' autofocus onfocus=alert(1) '", "<svg/onload=alert(1)>", "</svg>", "</details>",
    "<", ">", "&", "&lt;script&gt;", "&#60;b>", "&#x27", "`", "`x` `", "javascript:alert(1)", "\x00", "\u2028",
    "\u202e", "\r\n", "\ud800", "<b", "</", "%22%3E", "\\u003cscript\\u003e", "{{x}}", "${x}", "\n\n", "x" * 300,
]  # fmt: skip
"""What a log, a file name or a frame may hold to break out of its place."""


class Page(html.parser.HTMLParser):
    """Collects the elements, the attributes and the text that a browser sees."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.attributes = []
        self.texts = []
        self.open = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Note the element; those that HTML ends by themselves are not opened."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note the text, other than of style and script."""
        if self.open and self.open[-1] not in {"style", "script"}:
            self.texts.append(data)

    @property
    def text(self):
        """All that is read, with single blanks."""
        return one_line(" ".join(self.texts))


def one_line(text):
    """White space as a browser shows it; where one element ends and a colon begins, no space is seen."""
    return " ".join(text.split()).replace(" :", ":")


def shape(page):
    """The elements and the names of the attributes, in their order."""
    return page.tags, [(tag, name) for tag, name, _ in page.attributes]


def assert_closed(text, page):
    """Style and script are allowed by the hashes that they have, and by nothing else."""
    policy = next(
        value
        for tag, name, value in page.attributes
        if tag == "meta" and (value or "").startswith("default-src")
    )
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert "url(http" not in content.replace(" ", "")
        assert "://" not in content.replace("http://www.w3.org/2000/svg", "")
        assert "@import" not in content
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
