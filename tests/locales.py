"""A locale whose encoding is not UTF-8, made for a test by localedef(1), which every Debian has; none is installed."""

import string
import subprocess
from pathlib import Path

_NAME = "latin"


def latin1(folder: Path) -> dict[str, str]:
    """Make a locale of ISO-8859-1 in the new folder ``folder`` and give what chooses it in an environment."""
    folder.mkdir()
    rows = "".join(f"<U{number:04X}> /x{number:02x} {number}\n" for number in range(256))
    head = "<code_set_name> ISO-8859-1\n<comment_char> %\n<escape_char> /\n<mb_cur_min> 1\n<mb_cur_max> 1\n"
    (folder / "charmap").write_text(f"{head}CHARMAP\n{rows}END CHARMAP\n")
    classes = {
        "upper": string.ascii_uppercase, "lower": string.ascii_lowercase, "digit": string.digits,
        "space": " \t\n\v\f\r", "xdigit": string.hexdigits, "blank": " \t",
    }  # fmt: skip
    lines = (f"{name} " + ";".join(f"<U{ord(c):04X}>" for c in chars) for name, chars in classes.items())
    (folder / "source").write_text("comment_char %\nescape_char /\nLC_CTYPE\n" + "\n".join(lines) + "\nEND LC_CTYPE\n")
    # -c: it has warnings, for the other categories are left out.
    subprocess.run(
        ["localedef", "-c", "--no-archive", "-f", folder / "charmap", "-i", folder / "source", folder / _NAME],
        capture_output=True, check=False,
    )  # fmt: skip
    assert (folder / _NAME / "LC_CTYPE").is_file(), "localedef (Debian's libc-bin) made no locale"
    return {"LOCPATH": str(folder), "LC_ALL": _NAME}
