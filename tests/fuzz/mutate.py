"""Bytes that are almost right: real documents, changed in a few places by hypothesis, which also shrinks them."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
ODD = (
    b"", b"\0", b"\n", b"\r\n", b"\r", b" ", b"\t", b"\xff", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf",
    b"\x1b[2J", b"\x7f", b"-", b"=", b"#", b'"', b"'", b"\\", b"/", b"..", b":", b"@", b"$", b"${X}", b"{", b"}", b"[",
    b"]", b"<", b">", b"*", b"0", b"9" * 12, b"-1", b"A" * 80, b"%0A", b"\n\n", b"null", b"\xf0\x9f\x92\xa9",
)  # fmt: skip

Edit = tuple[str, int, int, bytes]


def seed(name: str) -> bytes:
    """Give a document of the corpus."""
    return (CORPUS / name).read_bytes()


def almost(seeds: Sequence[bytes], tokens: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Give one of ``seeds`` with up to six edits; ``tokens`` are words of its grammar, to be put in."""
    words = st.sampled_from([*ODD, *tokens]) | st.binary(max_size=4) | st.sampled_from(seeds)
    kind = st.sampled_from(("insert", "insert", "overwrite", "cut", "double", "flip", "swap"))
    edit = st.tuples(kind, st.integers(0, 1 << 16), st.integers(1, 80), words)
    return st.builds(_edited, st.sampled_from(seeds), st.lists(edit, max_size=6)) | st.binary(max_size=60)


def _edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    for kind, place, length, word in edits:
        at = place % (len(data) + 1)
        if kind == "insert":
            data = data[:at] + word + data[at:]
        elif kind == "overwrite":
            data = data[:at] + word + data[at + len(word) :]
        elif kind == "cut":
            data = data[:at] + data[at + length :]
        elif kind == "double":
            data = data[:at] + data[at : at + length] + data[at:]
        elif kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << length % 8)]) + data[at + 1 :]
        elif kind == "swap":
            lines = data.split(b"\n")
            one, two = place % len(lines), length % len(lines)
            lines[one], lines[two] = lines[two], lines[one]
            data = b"\n".join(lines)
        data = data[: 1 << 16]
    return data
