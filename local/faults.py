"""Faults that a test or a demo switches on: what a service does on a bad day, for chosen requests."""

import re
import time
from dataclasses import dataclass, field
from itertools import count
from threading import Lock

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Fault(BaseModel):
    """One switched-on fault; ends after `times` requests or `seconds`, whichever is first, or when switched off."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    path: str = Field(default=".*", description="regular expression that the whole path (or event) must match")
    method: str | None = None
    times: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    status: int = Field(default=502, ge=500, le=599)
    retry_after: int = Field(default=1, ge=0)
    delay: float = Field(default=1.0, ge=0)


@dataclass
class _Switched:
    fault: Fault
    left: int | None
    until: float | None


@dataclass
class Faults:
    """The switched-on faults. They are not kept over a restart."""

    _switched: dict[int, _Switched] = field(default_factory=dict)
    _ids: "count[int]" = field(default_factory=lambda: count(1))
    _lock: Lock = field(default_factory=Lock)

    def switch_on(self, fault: Fault) -> int:
        until = time.monotonic() + fault.seconds if fault.seconds is not None else None
        with self._lock:
            fault_id = next(self._ids)
            self._switched[fault_id] = _Switched(fault, fault.times, until)
        return fault_id

    def switch_off(self, fault_id: int | None = None) -> None:
        """One of them, or all."""
        with self._lock:
            if fault_id is None:
                self._switched.clear()
            else:
                self._switched.pop(fault_id, None)

    def listed(self) -> dict[int, Fault]:
        with self._lock:
            self._forget_ended()
            return {fault_id: switched.fault for fault_id, switched in self._switched.items()}

    def take(self, kind: str, path: str, method: str | None = None) -> Fault | None:
        """The first fault of the kind that hits this request, which counts as one of its times."""
        with self._lock:
            self._forget_ended()
            for switched in self._switched.values():
                fault = switched.fault
                if fault.kind != kind or not re.fullmatch(fault.path, path):
                    continue
                if fault.method is not None and method is not None and fault.method.upper() != method:
                    continue
                if switched.left is not None:
                    switched.left -= 1
                return fault
        return None

    def _forget_ended(self) -> None:
        moment = time.monotonic()
        ended = [
            fault_id
            for fault_id, switched in self._switched.items()
            if switched.left == 0 or (switched.until is not None and switched.until <= moment)
        ]
        for fault_id in ended:
            del self._switched[fault_id]


def fault_routes(faults: Faults, kinds: frozenset[str]) -> list[Route]:
    """`/_stand_in/faults`: GET lists, POST switches one on and answers with its id, DELETE switches off."""

    async def listed(_: Request) -> Response:
        return JSONResponse({"faults": [{"id": key, **fault.model_dump()} for key, fault in faults.listed().items()]})

    async def add(request: Request) -> Response:
        try:
            fault = Fault.model_validate_json(await request.body())
            re.compile(fault.path)
        except (ValidationError, re.error) as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        if fault.kind not in kinds:
            return JSONResponse({"message": f"kind must be one of {', '.join(sorted(kinds))}"}, status_code=422)
        return JSONResponse({"id": faults.switch_on(fault)})

    async def remove(request: Request) -> Response:
        faults.switch_off(request.path_params.get("fault"))
        return Response(status_code=204)

    return [
        Route("/_stand_in/faults", listed, methods=["GET"]),
        Route("/_stand_in/faults", add, methods=["POST"]),
        Route("/_stand_in/faults", remove, methods=["DELETE"]),
        Route("/_stand_in/faults/{fault:int}", remove, methods=["DELETE"]),
    ]
