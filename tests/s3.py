"""A store that speaks S3, in a process of its own, and what tests look at behind the back of the code under test."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from casebridge.storage.bucket import BucketPlace
from casebridge.storage.bucket_parts import Keys

KEYS = Keys("AKIATESTTESTTESTTEST", "a+secret/with=signs")
REGION = "eu-central-1"


class S3Server:
    """A running server; `boto` is a client made by others."""

    def __init__(self, endpoint: str) -> None:
        import boto3
        from botocore.config import Config

        self.endpoint = endpoint
        self.boto: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=KEYS.id,
            aws_secret_access_key=KEYS.secret,
            config=Config(s3={"addressing_style": "path"}),
        )

    def new_bucket(self, prefix: str = "cases/files") -> BucketPlace:
        """An empty bucket of this test's own."""
        name = f"casebridge-{uuid.uuid4().hex}"
        self.boto.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return BucketPlace(name=name, prefix=prefix, endpoint=self.endpoint, region=REGION, keys=KEYS)

    def objects(self, place: BucketPlace) -> list[str]:
        """The keys of a bucket, whole objects alone."""
        return [each["Key"] for each in self.boto.list_objects_v2(Bucket=place.name).get("Contents", [])]

    def uploads(self, place: BucketPlace) -> list[str]:
        """The keys of the uploads that were never ended."""
        return [each["Key"] for each in self.boto.list_multipart_uploads(Bucket=place.name).get("Uploads", [])]

    def broken_off(self, place: BucketPlace, key: str) -> None:
        """An upload as a crash leaves it: one part is there."""
        upload = self.boto.create_multipart_upload(Bucket=place.name, Key=key)["UploadId"]
        self.boto.upload_part(Bucket=place.name, Key=key, UploadId=upload, PartNumber=1, Body=b"x" * 100)


@contextmanager
def serving_s3() -> Iterator[S3Server]:
    """A server on a free port, without any bucket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield S3Server(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the simulated S3 did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the simulated S3 did not answer in time")
