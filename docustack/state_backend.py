"""What the bucket and the table of Terraform's state have to be, and what is said of those that are not."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import BaseModel, Field, ValidationError

from docustack.model import Model
from docustack.plan_document import Json
from docustack.state_document import StateFacts


class Presence(StrEnum):
    ABSENT = "absent"
    PRESENT = "present"  # in this account
    FOREIGN = "foreign"  # somebody else has the name


class BackendPlace(Model):
    """Where `remote_state` of the bootstrap unit says that the state is to lie."""

    bucket: str
    key: str
    lock_table: str
    region: str
    over_tls: bool = True  # False: a simulator of AWS on plain HTTP, which a TLS-only policy would lock out

    @property
    def lock_id(self) -> str:
        """The key of the state's lock in the table."""
        return f"{self.bucket}/{self.key}"


class BucketFacts(Model):
    presence: Presence
    versioned: bool = False
    encrypted: bool = False
    public_access_blocked: bool = False
    tls_only: bool = False
    expires_old_versions: bool = False


class TableFacts(Model):
    presence: Presence
    keyed_by_lock_id: bool = False


class BackendFacts(Model):
    """As AWS tells it now; `state` is that of the bootstrap unit, where the bucket has it already."""

    bucket: BucketFacts
    table: TableFacts
    state: StateFacts | None = None

    def absent(self, place: BackendPlace) -> tuple[str, ...]:
        """The names of what isn't there yet."""
        found = ((place.bucket, self.bucket.presence), (place.lock_table, self.table.presence))
        return tuple(name for name, presence in found if presence is Presence.ABSENT)


def why_not_adopted(facts: BackendFacts, place: BackendPlace) -> list[str]:
    """Why what is there is left alone; what an apply can set right is no reason."""
    bucket, table = facts.bucket, facts.table
    problems = []
    if bucket.presence is Presence.FOREIGN:
        problems.append(
            f"The bucket {place.bucket} belongs to another account: names of buckets are given once in all of AWS. "
            "Choose another in `bootstrap/terragrunt.hcl`, `root.hcl` and `state.bucket` of docustack.yaml."
        )
    if bucket.presence is Presence.PRESENT and not bucket.versioned:
        problems.append(
            f"The bucket {place.bucket} exists and is not versioned, so it wasn't made for states. If it is yours to "
            f"use:\n  aws s3api put-bucket-versioning --bucket {place.bucket} --versioning-configuration Status=Enabled"
        )
    if table.presence is Presence.PRESENT and not table.keyed_by_lock_id:
        problems.append(
            f"The table {place.lock_table} exists and its key is not the string LockID, so it is no lock table of "
            "Terraform's."
        )
    return problems


def what_is_missing(facts: BackendFacts, place: BackendPlace) -> list[str]:
    """What keeps bucket and table from being a state backend, after the apply that made them."""
    bucket = facts.bucket
    if bucket.presence is not Presence.PRESENT:
        return [f"the bucket {place.bucket} is {bucket.presence.value}"]
    wanted = {
        "versioning": bucket.versioned,
        "encryption": bucket.encrypted,
        "a block of all public access": bucket.public_access_blocked,
        "a policy that refuses plain HTTP": bucket.tls_only or not place.over_tls,
        "a lifecycle rule for old versions": bucket.expires_old_versions,
    }
    missing = [f"the bucket {place.bucket} lacks {what}" for what, is_there in wanted.items() if not is_there]
    if facts.table.presence is not Presence.PRESENT or not facts.table.keyed_by_lock_id:
        missing.append(f"there is no table {place.lock_table} with the key LockID")
    return missing


class _Condition(BaseModel):
    booleans: dict[str, str | bool | list[str]] = Field(default={}, alias="Bool")


class _Statement(BaseModel):
    effect: str = Field(default="", alias="Effect")
    principal: str | dict[str, str | list[str]] = Field(default="", alias="Principal")
    action: str | list[str] = Field(default="", alias="Action")
    condition: _Condition = Field(default=_Condition(), alias="Condition")


class _Policy(BaseModel):
    statements: list[_Statement] | _Statement = Field(default=[], alias="Statement")


def refuses_plain_http(policy: str) -> bool:
    """Whether a bucket's policy, as AWS gives it back, keeps everybody from everything that isn't sent over TLS."""
    try:
        found = _Policy.model_validate_json(policy).statements
    except ValidationError:
        return False
    return any(
        statement.effect == "Deny"
        and statement.principal in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and statement.action in ("s3:*", ["s3:*"], "*", ["*"])
        and statement.condition.booleans.get("aws:SecureTransport") in ("false", False, ["false"])
        for statement in (found if isinstance(found, list) else [found])
    )


class Adoption(Model):
    """A resource that exists already: its address in the unit, and what AWS calls it."""

    address: str
    id: str


def adoptions(plan: Mapping[str, Json], place: BackendPlace, facts: BackendFacts) -> list[Adoption]:
    """What a plan (`terraform show -json`) would create although it is there. Only bucket and table have to be
    imported: every setting of a bucket is written whole, whether it was there before or not."""
    there = {
        ("aws_s3_bucket", "bucket", place.bucket): facts.bucket.presence is Presence.PRESENT,
        ("aws_dynamodb_table", "name", place.lock_table): facts.table.presence is Presence.PRESENT,
    }
    changes = plan.get("resource_changes")
    found = []
    for kind, attribute, name in (each for each, is_there in there.items() if is_there):
        for change in _creations(changes if isinstance(changes, list) else []):
            after = change["after"]
            if change["type"] == kind and isinstance(after, dict) and after.get(attribute) == name:
                found.append(Adoption(address=str(change["address"]), id=name))
    return found


def _creations(changes: Iterable[Json]) -> Iterable[dict[str, Json]]:
    for change in changes:
        what = change.get("change") if isinstance(change, dict) else None
        if isinstance(change, dict) and isinstance(what, dict) and what.get("actions") == ["create"]:
            yield {"address": change.get("address"), "type": change.get("type"), "after": what.get("after")}
