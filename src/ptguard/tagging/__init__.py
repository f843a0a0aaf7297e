"""Making a tag that will stand: which key is to sign it, and what is judged before and after it is made."""
