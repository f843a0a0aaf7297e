"""The server's side: a push judged before it lands, by the policy that stood before it, and a receipt kept of it.

:mod:`.receive` goes from the lines of pre-receive to the verdict, :mod:`.aim` tells which refs they would change,
:mod:`.trunk` keeps the policy where it is, :mod:`.settings` reads what the administrator set, :mod:`.receipts` keeps
the log, :mod:`.leaning` tells the reference-transaction hook which tags must not land without a branch.
:mod:`ptguard.prereceive` is what the hook runs.
"""
