"""The log of what a server saw: one line of JSON for each tag of a push, written before the push lands.

It says when this server first saw a tag object, whoever signed it with whatever clock. A receipt of an accepted tag
is no proof that the tag landed: git may still refuse the ref (a lost race). The ref itself says that.
"""

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from ptguard.errors import PtguardError
from ptguard.model import RefUpdate, Verdict
from ptguard.receipts import LOG, SCHEMA, TIME
from ptguard.server.store import Store
from ptguard.text import shown

_PUSHERS: Final = ("GL_USERNAME", "GL_USER", "GITEA_PUSHER_NAME", "GITHUB_USER_LOGIN", "REMOTE_USER", "LOGNAME", "USER")
"""Where servers say who pushes: GitLab, gitolite, Gitea and Forgejo, GitHub Enterprise Server, CGI, the account."""


class Receipts:
    """The receipts of one push."""

    def __init__(self, store: Store, now: datetime) -> None:
        """Nothing is written yet; ``now`` is when the push was judged."""
        self._store = store
        self._common = {
            "schema": SCHEMA,
            "push": secrets.token_hex(8),
            "at": now.astimezone(UTC).strftime(TIME),
            "pusher": next((shown(os.environ[name], 100) for name in _PUSHERS if os.environ.get(name)), None),
        }

    def judged(self, verdict: Verdict, updates: Sequence[RefUpdate]) -> None:
        """Keep what was said of each of ``updates``.

        Raises:
            PtguardError: the log cannot be written, so the push must be refused.
        """
        old = {update.remote_ref: update.remote_oid for update in updates}
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

    def unjudged(self, error: PtguardError, updates: Sequence[RefUpdate]) -> None:
        """Keep that ``updates`` were refused without being judged, and why.

        Raises:
            PtguardError: the log cannot be written.
        """
        self._write(
            {
                **self._common,
                "ref": update.remote_ref,
                "old": update.remote_oid,
                "object": update.local_oid,
                "commit": None,
                "decision": "refuse",
                "reasons": [f"error/{error.kind}"],
                "policy": None,
            }
            for update in updates
        )

    def _write(self, rows: Iterator[dict[str, object]]) -> None:
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        if text:
            self._store.append(LOG, text.encode("ascii"))
