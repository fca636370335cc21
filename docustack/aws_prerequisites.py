"""What an environment needs in AWS (guide, "AWS Credentials", "Bootstrap State Backend"), and what mends each part."""

from docustack.aws_accounts import CallerIdentity, is_account_of, login_command
from docustack.configuration import Environment
from docustack.model import Model
from docustack.prerequisites import Area, Expected, Prerequisite

BACKEND = ("state bucket", "lock table")
"""The checks of what a bootstrap makes."""

_VARIABLES = "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"


class BucketFacts(Model):
    """What S3 says of a bucket that there is."""

    versioned: bool
    encrypted: bool
    blocks_public_access: bool


class TableFacts(Model):
    """What DynamoDB says of a table that there is; whatever lies in one is encrypted."""

    active: bool
    key: str


class AwsExpectations:
    """The checks of one environment; `profile` is the one used, None where credentials come from elsewhere."""

    def __init__(self, name: str, environment: Environment, profile: str | None, bucket: str, table: str) -> None:
        self._name = name
        self._environment = environment
        self._profile = profile
        self._bucket = bucket
        self._table = table
        account = environment.account_id
        self.profile = self._expected("AWS profile", f"profile {profile}" if profile else "credentials")
        self.session = self._expected("AWS session", "credentials that AWS accepts")
        self.account = self._expected("AWS account", f"account {account}")
        self.bucket = self._expected(BACKEND[0], "versioned, encrypted, not public")
        self.table = self._expected(BACKEND[1], "active, with the key LockID, encrypted")

    def role(self) -> Expected:
        """Of workers that assume one to plan."""
        return self._expected("AWS role", "the worker may assume it to plan")

    def judge_profile(self, present: bool) -> Prerequisite:
        if self._profile is None:
            return self.profile.met("credentials of the environment or of the machine")
        if not present:
            return self.profile.failed(f"there is no profile {self._profile}", self._configure())
        return self.profile.met(f"profile {self._profile}")

    def no_session(self, why: str) -> Prerequisite:
        """AWS, or the SDK on the way there, refuses the credentials."""
        return self.session.failed(why, self.log_in())

    def judge_account(self, identity: CallerIdentity, simulated: str | None) -> Prerequisite:
        if not is_account_of(self._environment, identity.account, simulated):
            mend = self._configure() if self._profile else f"unset {_VARIABLES}; {self.log_in()}"
            return self.account.failed(f"account {identity.account} ({identity.arn})", mend)
        simulator = " of a simulator, for every account" if identity.account != self._environment.account_id else ""
        return self.account.met(f"account {identity.account}{simulator}")

    def judge_bucket(self, facts: BucketFacts | None) -> Prerequisite:
        if facts is None:
            return self.bucket.failed(f"there is no bucket {self._bucket}", self._bootstrap())
        wrong = {
            "not versioned": (facts.versioned, _VERSIONING),
            "not encrypted": (facts.encrypted, _ENCRYPTION),
            "may be public": (facts.blocks_public_access, _BLOCK),
        }
        missing = {what: mend for what, (is_so, mend) in wrong.items() if not is_so}
        if not missing:
            return self.bucket.met(f"{self._bucket}: versioned, encrypted, not public")
        commands = [f"aws s3api {mend.format(bucket=self._bucket)}{self._as_profile()}" for mend in missing.values()]
        return self.bucket.failed(f"{self._bucket}: {', '.join(missing)}", " && ".join(commands))

    def judge_table(self, facts: TableFacts | None) -> Prerequisite:
        if facts is None:
            return self.table.failed(f"there is no table {self._table}", self._bootstrap())
        if facts.key != "LockID":
            look = f"aws dynamodb describe-table --table-name {self._table}{self._as_profile()}"
            return self.table.failed(f"{self._table}: its key is {facts.key}, so it is no lock table", look)
        if not facts.active:
            wait = f"aws dynamodb wait table-exists --table-name {self._table}{self._as_profile()}"
            return self.table.failed(f"{self._table}: not active yet", wait)
        return self.table.met(f"{self._table}: active, encrypted")

    def log_in(self) -> str:
        return login_command(self._profile or self._environment.profile)

    def ask_by_hand(self) -> str:
        return f"aws sts get-caller-identity{self._as_profile()}"

    def look_at_role(self, arn: str) -> str:
        return f"aws iam get-role --role-name {arn.rpartition('/')[2]}{self._as_profile()}"

    def look_at_bucket(self) -> str:
        return f"aws s3api head-bucket --bucket {self._bucket}{self._as_profile()}"

    def look_at_table(self) -> str:
        return f"aws dynamodb describe-table --table-name {self._table}{self._as_profile()}"

    def _configure(self) -> str:
        return f"aws configure sso --profile {self._profile}"

    def _as_profile(self) -> str:
        return f" --profile {self._profile}" if self._profile else ""

    def _bootstrap(self) -> str:
        return f"docustack bootstrap {self._name}"

    def _expected(self, name: str, needed: str) -> Expected:
        return Expected(area=Area.AWS, name=name, needed=needed, environment=self._name)


_VERSIONING = "put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
_ENCRYPTION = (
    "put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration "
    "'Rules=[{{ApplyServerSideEncryptionByDefault={{SSEAlgorithm=AES256}}}}]'"
)
_BLOCK = (
    "put-public-access-block --bucket {bucket} --public-access-block-configuration "
    "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
)
