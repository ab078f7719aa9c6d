"""Take the summary of a report out of its page, and make any text fit to be shown."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

from evaluation.errors import KepuError

LONGEST = 200  # characters of a text from outside that are shown
# Marks that turn the direction of the text around them, and controls a browser may not show.
_STRAY = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_LONE = re.compile("[\ud800-\udfff]")


class _Template(HTMLParser):
    """Gather the text of ``<template id="summary">``."""

    def __init__(self):
        super().__init__()
        self.parts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag, attrs):
        self._inside = tag == "template" and ("id", "summary") in attrs

    def handle_endtag(self, tag):
        if tag == "template":
            self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.parts.append(data)


def read(html: str) -> dict[str, Any]:
    """The summary a page carries, empty where it carries none (an overview, an older page).

    Raises
    ------
    KepuError : the element is there but holds no JSON object.

    >>> read('<p>x</p><template id="summary">{&#34;code&#34;: &#34;150000&#34;}</template>')
    {'code': '150000'}
    """
    # The element stands near the end of a page of pictures: only that part is parsed.
    start = html.rfind('<template id="summary">')
    if start < 0:
        return {}
    parser = _Template()
    parser.feed(html[start : html.find("</template>", start) + len("</template>")])
    try:
        found = json.loads("".join(parser.parts))
    except ValueError as error:
        raise KepuError(
            f"The page's summary is not JSON ({error}); make the report anew."
        ) from None
    if not isinstance(found, dict):
        raise KepuError("The page's summary is no JSON object; make the report anew.")
    return found


def clean(text: object) -> str:
    """A text from outside without controls and direction marks, at most :data:`LONGEST` long.

    >>> clean("a\\u202eb\\x00c"), clean("\\ud800x"), len(clean("y" * 10_000))
    ('abc', '\\ufffdx', 200)
    """
    shown = _STRAY.sub("", _LONE.sub("\ufffd", str(text)))
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
