"""`ptguard audit`: every tag of a history judged under the rules for history, fast enough to be asked often."""
