"""How commands end: the exit codes that scripts may rely on, and the failure that a person reads."""

from enum import IntEnum

from docustack.errors import DocuStackError


class ExitCode(IntEnum):
    """The exit codes of `docustack` (docs/cli.md)."""

    OK = 0
    FAILED = 1  # it failed, or what was asked about is not as wished
    USAGE = 2  # the command line, a setting or a file named by it is wrong
    UNREACHABLE = 3  # Temporal doesn't answer
    NOT_FOUND = 4  # there is no such run, pull request, repository
    INTERRUPTED = 130


class CommandFailed(DocuStackError):
    """A command can't do what was asked: what is wrong, and, line by line, what to do about it."""

    def __init__(self, message: str, *advice: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.code = code
