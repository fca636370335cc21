"""The table of who holds which unit and who waits for it: its rules, pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from docustack.model import Model, State
from docustack.packing import Packed


class Holder(Model):
    """Who holds units or asks for them.

    `holder` is the workflow id of the pull request, which keeps the grants after the run has ended, or of a run without
    one.
    """

    holder: str
    pull_request: int | None = None  # None: a run without one
    actor: str

    @property
    def holder_name(self) -> str:
        return holder_name(self.pull_request, self.holder)

    @property
    def short_name(self) -> str:
        return short_name(self.pull_request, self.holder)


class LockRequest(Holder):
    """All the units that one run needs: granted together or not at all.

    `answer_to` is the workflow id of the run that wants to hear.
    """

    request_id: str
    units: tuple[str, ...]
    requested_at: datetime
    answer_to: str


class Grant(Holder):
    """One unit held; `token` grows with every grant, so that an outlived holder can be told from the present one."""

    unit: str
    since: datetime
    token: int
    request_id: str = ""  # the request that took it: if that one is withdrawn, it is given back


def holder_name(pull_request: int | None, holder: str) -> str:
    """As people know it: `pull request 7`, or `run 3f2a61c09b`."""
    return f"pull request {pull_request}" if pull_request is not None else f"run {holder.removeprefix('run:')}"


def short_name(pull_request: int | None, holder: str) -> str:
    """The same for a table's column: `#7`, or `run 3f2a61c09b`."""
    return f"#{pull_request}" if pull_request is not None else holder_name(None, holder)


class LockAnswer(Model):
    """What a requester hears: granted with its grants, or its place in line and who is before it."""

    request_id: str
    granted: bool
    grants: Packed[tuple[Grant, ...]] = ()
    ahead: tuple[str, ...] = ()  # the names of those whose turn has to come first, the next one first
    blocked_by: Packed[tuple[Grant, ...]] = ()

    @property
    def tokens(self) -> dict[str, int]:
        """By which each unit is confirmed right before its apply."""
        return {grant.unit: grant.token for grant in self.grants}

    @property
    def position(self) -> int:
        """The place in line, counting only those who have to come first: 1 is next; 0 for who has its units."""
        return 0 if self.granted else len(self.ahead) + 1


class LockTable(State):
    """Who holds which unit, and who waits, first come first served."""

    next_token: int = 1
    grants: dict[str, Grant] = {}
    queue: list[LockRequest] = []

    def request(self, request: LockRequest, now: datetime) -> LockAnswer:
        """Take a request in, grant it if it may be, and answer; the same request again gets its answer again."""
        if not self._holds_all(request) and all(waiting.request_id != request.request_id for waiting in self.queue):
            self.queue.append(request)
        self.grant_ready(now)
        return self.answer(request)

    def grant_ready(self, now: datetime) -> list[LockRequest]:
        """Grant every waiting request none of whose units is held, or wanted by an earlier request; name them."""
        granted: list[LockRequest] = []
        wanted_before: dict[str, str] = {}
        for request in list(self.queue):
            free = all(
                self._holder_of(unit) in (None, request.holder)
                and wanted_before.get(unit, request.holder) == request.holder
                for unit in request.units
            )
            if free:
                self.queue.remove(request)
                self._grant(request, now)
                granted.append(request)
            else:
                for unit in request.units:
                    wanted_before.setdefault(unit, request.holder)
        return granted

    def release(self, holder: str, units: tuple[str, ...] | None = None, but_not: tuple[str, ...] = ()) -> list[str]:
        """Free what a holder holds (of `units`, or all of it) beside what it keeps; name the units freed."""
        freed = [
            unit
            for unit, grant in self.grants.items()
            if grant.holder == holder and (units is None or unit in units) and unit not in but_not
        ]
        for unit in freed:
            del self.grants[unit]
        return freed

    def withdraw(self, request_id: str) -> None:
        """Leave the queue, and give back what this very request has taken: nobody uses it.

        An answer can cross the withdrawal on its way; what the holder held before stays.
        """
        self.queue = [request for request in self.queue if request.request_id != request_id]
        for unit in [unit for unit, grant in self.grants.items() if grant.request_id == request_id]:
            del self.grants[unit]

    def release_tokens(self, holder: str, tokens: Mapping[str, int]) -> None:
        """Free exactly these grants: what was granted anew meanwhile, even to the same holder, stays."""
        for unit, token in tokens.items():
            if self.confirms(holder, {unit: token}):
                del self.grants[unit]

    def withdraw_holder(self, holder: str) -> None:
        """Take everything that a closed pull request waits for out of the queue."""
        self.queue = [request for request in self.queue if request.holder != holder]

    def answer(self, request: LockRequest) -> LockAnswer:
        """What a requester is to hear now."""
        if self._holds_all(request):
            grants = tuple(self.grants[unit] for unit in request.units)
            return LockAnswer(request_id=request.request_id, granted=True, grants=grants)
        return self.line().get(request.request_id) or self._waiting(request, ())

    def line(self) -> dict[str, LockAnswer]:
        """How each request that waits stands, by its id, in their order.

        Before it are those that want one of its units, and those that have to come before these.
        """
        answers: dict[str, LockAnswer] = {}
        before: dict[str, set[int]] = {}  # for each unit the places in the queue of all that come before a new request
        for place, request in enumerate(self.queue):
            ahead = set[int]().union(*(before.get(unit, set()) for unit in request.units))
            names = tuple(self.queue[other].holder_name for other in sorted(ahead))
            answers[request.request_id] = self._waiting(request, names)
            before.update(dict.fromkeys(request.units, ahead | {place}))
        return answers

    def _waiting(self, request: LockRequest, ahead: tuple[str, ...]) -> LockAnswer:
        blocking = self.held_by_others(request.holder, request.units)
        return LockAnswer(request_id=request.request_id, granted=False, ahead=ahead, blocked_by=blocking)

    def held_by_others(self, holder: str, units: Iterable[str]) -> tuple[Grant, ...]:
        return tuple(self.grants[unit] for unit in units if self._holder_of(unit) not in (None, holder))

    def confirms(self, holder: str, tokens: Mapping[str, int]) -> bool:
        """Are these tokens still the units' grants? Asked right before every apply."""
        return all(
            (grant := self.grants.get(unit)) is not None and grant.holder == holder and grant.token == token
            for unit, token in tokens.items()
        )

    def _holder_of(self, unit: str) -> str | None:
        grant = self.grants.get(unit)
        return grant.holder if grant else None

    def _holds_all(self, request: LockRequest) -> bool:
        return all(self._holder_of(unit) == request.holder for unit in request.units)

    def _grant(self, request: LockRequest, now: datetime) -> None:
        for unit in request.units:
            if self._holder_of(unit) == request.holder:
                continue
            self.grants[unit] = Grant(
                unit=unit,
                holder=request.holder,
                pull_request=request.pull_request,
                actor=request.actor,
                since=now,
                token=self.next_token,
                request_id=request.request_id,
            )
            self.next_token += 1
