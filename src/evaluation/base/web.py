"""What a page may link to, and what it may run."""

from __future__ import annotations

import base64
import hashlib
import re

# No blank, quote, bracket, control or mark that turns the direction of text; no name before a host.
_BARRED = r"\s\"'<>\\^`{|}\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_WEB = re.compile(rf"https?://[^/?#@{_BARRED}]+(?:[/?#][^{_BARRED}]*)?", re.I)
_DOI = re.compile(rf"(?:doi:\s*)?(10\.\d{{4,9}}/[^{_BARRED}]+)", re.I | re.A)


def link(address: str) -> str:
    """The address to link to, ``""`` where it may only be shown: http, https and DOI alone.

    >>> link("https://example.org/a?b=1"), link("doi:10.1000/182")
    ('https://example.org/a?b=1', 'https://doi.org/10.1000/182')
    >>> link("javascript:alert(1)"), link("data:text/html,x"), link("https://gov.cn@example.org")
    ('', '', '')
    """
    given = address.strip()
    if found := _DOI.fullmatch(given):
        return f"https://doi.org/{found[1]}"
    return given if _WEB.fullmatch(given) else ""


def policy(script: str, style: str = "", pictures: bool = False) -> str:
    """Content-Security-Policy of a page that fetches nothing and runs one script, by its hash.

    Parameters
    ----------
    script, style : exactly what stands between the tags. Without ``style`` any may stand in the
        page. pictures : whether the page holds pictures as ``data:``.
    """
    styles = _hashed(style) if style else "'unsafe-inline'"
    rules = [
        "default-src 'none'",
        "img-src data:" if pictures else "",
        f"style-src {styles}",
        f"script-src {_hashed(script)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(filter(None, rules))


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
