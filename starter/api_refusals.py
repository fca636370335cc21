"""How the API says no: a status, what is wrong, and what to do about it."""

from starlette.responses import JSONResponse

from starter.api_messages import RefusalAnswer

_HEADERS_OF = {
    401: {"WWW-Authenticate": 'Bearer realm="GitHub token"'},
    503: {"Retry-After": "30"},
    # Else the server would go on reading, and throwing away, for as long as the sender goes on sending.
    408: {"Connection": "close"},
    413: {"Connection": "close"},
}


class ApiRefused(Exception):
    """An answer other than 200: who asked reads `error` and `what_to_do`, a program the status."""

    def __init__(self, status: int, error: str, what_to_do: str = "", refusal: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.what_to_do = what_to_do
        self.refusal = refusal

    def answer(self) -> JSONResponse:
        """As every refusal of the API is."""
        content = RefusalAnswer(error=self.error, what_to_do=self.what_to_do, refusal=self.refusal)
        return JSONResponse(content.model_dump(), self.status, _HEADERS_OF.get(self.status))
