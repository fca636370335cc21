"""Faults of the stand-ins for GitHub and Slack, switched on and off as `local/faults.py` offers them."""

import httpx


def switch_on(stand_in: str, **fault: object) -> int:
    response = httpx.post(f"{stand_in}/_stand_in/faults", json=fault, timeout=10, trust_env=False)
    assert response.is_success, response.text
    return int(response.json()["id"])


def switch_off(stand_in: str, fault: int) -> None:
    httpx.delete(f"{stand_in}/_stand_in/faults/{fault}", timeout=10, trust_env=False).raise_for_status()


def is_switched_on(stand_in: str, fault: int) -> bool:
    """Not any more, once it has hit as often as it was meant to."""
    response = httpx.get(f"{stand_in}/_stand_in/faults", timeout=10, trust_env=False)
    return any(each["id"] == fault for each in response.json()["faults"])
