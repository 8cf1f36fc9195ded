"""What stops a run without being a mistake of the input."""


class NotBlessedError(RuntimeError):
    """The model does not hold what is required, so it is not pushed."""
