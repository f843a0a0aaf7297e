"""The guard's few files on a server: whole lines, whoever writes and however he is stopped."""

import errno
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from ptguard.errors import PtguardError
from ptguard.server.store import Store


def test_lines_are_appended_and_the_file_is_private(tmp_path: Path) -> None:
    store = Store(tmp_path / "ptguard")
    store.append("log", b"one\n")
    store.append("log", b"two\nthree\n")
    assert (store.root / "log").read_bytes() == b"one\ntwo\nthree\n"
    assert stat.S_IMODE((store.root / "log").stat().st_mode) == 0o600
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


def test_a_shared_repository_has_shared_files(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        store = Store(tmp_path / "ptguard", 0o060)
        store.append("log", b"one\n")
        store.write("sub/file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((store.root / "log").stat().st_mode) == 0o660
    assert stat.S_IMODE((store.root / "sub" / "file").stat().st_mode) == 0o660
    assert stat.S_IMODE((store.root / "sub").stat().st_mode) & 0o770 == 0o770


@pytest.mark.parametrize("torn", [b"half", b"x" * 10_000, b"\x00"])
@pytest.mark.parametrize("whole", [b"", b"one\n", b"y" * 9000 + b"\n"])
def test_half_a_line_goes_and_whole_ones_stay(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    (tmp_path / "log").write_bytes(whole + torn)
    Store(tmp_path).append("log", b"new\n")
    assert (tmp_path / "log").read_bytes() == whole + b"new\n"


def _write(root: Path, word: str) -> None:
    for number in range(50):
        Store(root).append("log", f"{word} {number} {'.' * 3000}\n".encode() * 3)


def test_several_writers_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, word)) for word in ("a", "b", "c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 450 and all(line.endswith("." * 3000) for line in lines)
    for word in ("a", "b", "c"):
        assert [int(line.split()[1]) for line in lines if line[0] == word] == [n for n in range(50) for _ in range(3)]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(PtguardError, match="log cannot be written"):
        Store(tmp_path).append("log", b"x\n")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PtguardError, match="link cannot be written"):
        Store(tmp_path).append("link", b"x\n")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PtguardError, match="cannot be written"):
        Store(tmp_path / "file" / "below").write("x", b"x")


@pytest.mark.parametrize(
    ("number", "fix"), [(errno.EACCES, "core.sharedRepository group && chmod -R g+rwX "), (errno.ENOSPC, "df ")]
)
def test_the_words_mend_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fix: str) -> None:
    def refuse(*args: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PtguardError, match="log cannot be written") as error:
        Store(tmp_path).append("log", b"x\n")
    assert f"{fix}{tmp_path}" in (error.value.fix or "")


def test_a_full_disk_leaves_what_stood(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("log", b"one\n")
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from pathlib import Path; from ptguard.server.store import Store;"
        f"Store(Path({str(tmp_path)!r})).append('log', b'x' * 500 + b'\\n')"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "cannot be written" in done.stderr, done.stderr
    assert (tmp_path / "log").read_bytes() == b"one\n"
