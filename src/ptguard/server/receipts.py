"""The log of what a server saw: one line of JSON for each tag of a push, written before the push lands.

It says when this server first saw a tag object, whoever signed it with whatever clock. A receipt of an accepted tag
is no proof that the tag landed: git may still refuse the ref (a lost race). The ref itself says that. One of a push
that was not judged says that somebody tried, and nothing else.
"""

import json
import os
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from ptguard.errors import PtguardError
from ptguard.later import within
from ptguard.model import RefUpdate, Verdict
from ptguard.receipts import LOG, SCHEMA, TIME
from ptguard.server.settings import MAX_TAGS
from ptguard.server.store import Store
from ptguard.text import shown

_PUSHERS: Final = ("GL_USERNAME", "GL_USER", "GITEA_PUSHER_NAME", "GITHUB_USER_LOGIN", "REMOTE_USER", "LOGNAME", "USER")
"""Where servers say who pushes: GitLab, gitolite, Gitea and Forgejo, GitHub Enterprise Server, CGI, the account."""

_PATIENCE: Final = 5.0
"""Seconds that a refusal waits for its receipt: others may be writing, or the disk may have stopped answering."""


class Receipts:
    """The receipts of one push, which may be stopped at any moment; ``now`` is when it is judged."""

    def __init__(self, now: datetime) -> None:
        """Know nothing of the push yet: until :meth:`begin` there is no place to keep anything."""
        self.now = now
        self._store: Store | None = None
        self._tags: tuple[RefUpdate, ...] = ()
        self._most = MAX_TAGS
        self._common = {
            "schema": SCHEMA,
            "push": secrets.token_hex(8),
            "at": now.astimezone(UTC).strftime(TIME),
            "pusher": next((shown(os.environ[name], 100) for name in _PUSHERS if os.environ.get(name)), None),
        }

    def begin(self, store: Store, updates: Sequence[RefUpdate]) -> None:
        """Take where they are kept, and what the push would do as far as it is known."""
        self._tags = tuple(update for update in updates if update.is_tag)
        self._store = store

    def at_most(self, tags: int) -> None:
        """Take how many tags of a push that is not judged get a receipt: as many as are judged, but one at least."""
        self._most = max(tags, 1)

    def judged(self, verdict: Verdict) -> None:
        """Keep what was said of each tag.

        Raises:
            PtguardError: the log cannot be written, so the push must be refused.
        """
        old = {update.remote_ref: update.remote_oid for update in self._tags}
        source = verdict.policy
        policy = {"source": source.source, "commit": source.commit, "sha256": source.sha256}
        self._write(
            {
                **self._common,
                "ref": tag.ref,
                "old": old[tag.ref],
                "object": tag.object,
                "commit": tag.commit,
                "decision": "accept" if tag.accepted else "refuse",
                "reasons": [f"{f.check}/{f.reason}" for f in tag.findings if f.refuses][:20],
                "policy": policy,
            }
            for tag in verdict.tags
            if tag.ref in old
        )

    def unjudged(self, kind: str) -> None:
        """Keep that the push was refused without being judged, or after that; ``kind`` of error says why.

        It takes :data:`_PATIENCE` at the most; then a line may be left half, which the next writer takes away.

        Raises:
            PtguardError: the log cannot be written, or not soon enough.
        """
        rows: list[dict[str, object]] = [
            {
                **self._common,
                "ref": update.remote_ref,
                "old": update.remote_oid,
                "object": update.local_oid,
                "commit": None,
                "decision": "refuse",
                "reasons": [f"error/{kind}"],
                "policy": None,
            }
            for update in self._tags[: self._most]
        ]
        try:
            within(_PATIENCE, lambda: self._write(rows))
        except TimeoutError as error:
            raise PtguardError(
                f"{LOG} could not be written within {_PATIENCE:g} s",
                fix="fuser -v ptguard/" + LOG + "   # an administrator, in the repository's folder: who holds it?",
            ) from error

    def _write(self, rows: Iterable[dict[str, object]]) -> None:
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        if text and self._store is not None:
            self._store.append(LOG, text.encode("ascii"))
