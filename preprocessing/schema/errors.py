"""The error that is meant to be read by the person who runs Tandem."""


class InputError(ValueError):
    """Something that the user gave cannot be used; the message says what, where and what is allowed."""
