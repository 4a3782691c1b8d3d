"""An S3 server for tests/it/remote.rs, which honours conditional puts and checks the signature of every request.

moto looks whether an object is there and then puts another, each on a thread of its own, so two who ask at once may both
win. Here it does so for one at a time; but in the bucket `careless`, where it takes its time in between.

Prints `PORT ACCESS_KEY_ID SECRET_ACCESS_KEY`, then does what it is told, a line a request, and answers each with a line;
it ends when nobody talks to it any more.

    list PREFIX     how many objects there are
    flip PREFIX     changes one bit of the largest object below the prefix, and answers with its name
    uploads         how many uploads in parts were begun and neither ended nor given up
"""

import json
import logging
import sys
import threading
import time

import boto3
from botocore.config import Config
from moto import settings
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

BUCKET = "results"
CARELESS = "careless"

put_object = S3Response.put_object
alone = threading.Lock()


def put(self: S3Response):
    if self.bucket_name != CARELESS:
        with alone:
            return put_object(self)
    is_there = self.backend.get_object(CARELESS, self.parse_key_name()) is not None
    time.sleep(0.1)
    if not is_there:
        self.headers = {name: value for name, value in self.headers.items() if name.lower() != "if-none-match"}
    return put_object(self)


S3Response.put_object = put


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]

    def client(service: str, key: str = "anybody", secret: str = "anything"):
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(proxies={}, retries={"max_attempts": 0}),
        )

    # As long as nobody has a name, everybody is let in.
    iam = client("iam")
    iam.create_user(UserName="tester")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="tester", PolicyName="all", PolicyDocument=json.dumps(allowed))
    made = iam.create_access_key(UserName="tester")["AccessKey"]
    s3 = client("s3", made["AccessKeyId"], made["SecretAccessKey"])
    for bucket in (BUCKET, CARELESS):
        s3.create_bucket(Bucket=bucket)
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0

    print(port, made["AccessKeyId"], made["SecretAccessKey"], flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "uploads":
            print(len(s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])), flush=True)
            continue
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=rest[0])
        objects = [one for page in pages for one in page.get("Contents", [])]
        if word == "list":
            print(len(objects), flush=True)
        elif word == "flip":
            name = max(objects, key=lambda one: one["Size"])["Key"]
            body = bytearray(s3.get_object(Bucket=BUCKET, Key=name)["Body"].read())
            body[len(body) // 2] ^= 0x10
            s3.put_object(Bucket=BUCKET, Key=name, Body=bytes(body))
            print(name, flush=True)
        else:
            raise SystemExit(f"what is {line!r}?")
    server.stop()


if __name__ == "__main__":
    main()
