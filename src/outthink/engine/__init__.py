"""The door for compute: every call is held, made, settled and put on record here."""
