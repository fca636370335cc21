"""AWS in this process: a moto server for the tests that need no whole local world."""

import contextlib
from collections.abc import Iterator

from moto.server import ThreadedMotoServer


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Its address; all servers of a process share one state."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def state_in_s3(bucket: str, path: str, lock: str = "") -> str:
    """`remote_state` of the unit at `path`, in a simulated AWS; `lock` is the line of the lock that it has."""
    return f"""
remote_state {{
  backend  = "s3"
  generate = {{ path = "backend.tf", if_exists = "overwrite" }}
  config = {{
    bucket                      = "{bucket}"
    key                         = "{path}/terraform.tfstate"
    region                      = "us-east-1"
    {lock}
    use_path_style              = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
  }}
}}
"""
