"""The one error that setup shows to a person: what is wrong, and what to do about it."""


class SetupError(Exception):
    """Setup can't go on; the text says what is wrong, `remedy` what the person can do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
