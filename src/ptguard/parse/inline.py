# ruff: noqa: RUF001 - the full-width brackets of Chinese and Japanese changelogs are meant
"""The inline marks of a heading: what an eye sees of its source text, and which link it refers to.

Only what decides about versions is undone: links, images, emphasis, code, escapes, entities, a few HTML tags. Each
pattern is tried only where its first character stands in the title, and is linear or bounded by the title's length.
"""

import re
import unicodedata
from typing import Final

_WIDE: Final = str.maketrans("（）［］【】「」『』：，｜\u3000", "()[][][][]:,| ")
_COMMENT: Final = r"<!--.*?-->"
_TAGS: Final = (
    r"</?(?:a|abbr|b|big|br|center|code|del|em|font|i|img|ins|kbd|mark|p|s|small|span|strike|strong|sub|sup|u)"
    r"(?:\s[^<>]*|/)?>|<(?:https?|mailto):[^<>\s]*>"
)
_IMAGE: Final = r"!\[[^\[\]]*\](?:\([^()\s]*\)|\[[^\[\]]*\])"
_LINK: Final = r"\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)?(?:\s[^()]*)?\)"
_TWO_BRACKETS: Final = r"\[([^\[\]]*)\]\[([^\[\]]*)\]"
_ONE_BRACKET: Final = r"\[([^\[\]]+)\](?![\[(:])"
_EMPHASIS: Final = r"(?<![\w*])(\*{1,3}|_{1,3}|~~)(?=\S)([^*_~]*?\S)\1(?![\w*])"
_ESCAPE: Final = r"\\([!-/:-@\[-`{-~])"
_SHORTCODE: Final = r"(?<!\w):[a-z0-9_+-]{1,40}:(?!\w)"
_STRUCK: Final = r"~~[^~]*\d\.\d[^~]*~~|<(?:s|del|strike)>[^<]*\d\.\d"


def phrases(text: str) -> frozenset[str]:
    """Give the phrases of a list parted by commas."""
    return frozenset(p.strip() for p in text.split(","))


def plain(title: str) -> str:
    """Give the words of a heading without Markdown's or HTML's inline marks; links keep their brackets."""
    text = title
    if "<" in text:
        text = re.sub(_COMMENT, " ", text)
    if "](" in text or "][" in text:
        text = re.sub(_IMAGE, " ", text) if "![" in text else text
        text = re.sub(_LINK, r"[\1]", text)
        text = re.sub(_TWO_BRACKETS, r"[\1]", text)
    if "<" in text:
        text = re.sub(_TAGS, " ", text)
    text = text.replace("`", "")
    if "*" in text or "_" in text or "~" in text:
        text = re.sub(_EMPHASIS, r"\2", re.sub(_EMPHASIS, r"\2", text))
    if "\\" in text:
        text = re.sub(_ESCAPE, r"\1", text)
    if "&" in text:
        from html import unescape

        text = unescape(text)
    if not text.isascii():
        text = text.translate(_WIDE)
    return (re.sub(_SHORTCODE, " ", text) if text.count(":") > 1 else text).strip()


def label_of(text: str) -> str:
    """Give a link label as CommonMark compares labels: white space collapsed, case folded."""
    return " ".join(text.split()).lower().upper()


def is_struck(title: str) -> bool:
    """Tell whether a version in ``title`` is struck out, as some write a release that was taken back."""
    return ("~" in title or "<" in title) and bool(re.search(_STRUCK, title))


def hidden(char: str) -> bool:
    """Tell whether ``char`` shows nothing or turns the text around it (all but tab and the emoji joiner)."""
    return (
        char not in "\t\u200d"
        and not char.isprintable()
        and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    )


def label_in(title: str) -> str | None:
    """Give the label of the first link reference in ``title``: ``[a]``, ``[a][]`` or ``[b][a]``."""
    if "[" not in title or "\\[" in title or re.search(_LINK, title):
        return None
    two, one = re.search(_TWO_BRACKETS, title), re.search(_ONE_BRACKET, title)
    if two:
        return label_of(two[2] or two[1])
    return label_of(one[1]) if one and one[1].strip(" vV")[:1].isdigit() else None
