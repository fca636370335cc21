"""A process that attends an apply as a worker would, to be killed: `python attending.py TMP PLAN ACTIVITY_ID`."""

import asyncio
import os
import sys
from pathlib import Path

from docustack.plans import PlanRecord
from tests.integration.units import the_worker


async def main(tmp_path: Path, plan: PlanRecord, activity_id: str) -> None:
    worker = await the_worker(tmp_path, dict(os.environ))
    await worker.activity(activity_id).run(worker.terragrunt.apply_unit, worker.apply_request(plan))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), PlanRecord.model_validate_json(sys.argv[2]), sys.argv[3]))
