"""What `hq job submit-file` does, for who has HyperQueue's Python package alone: submits a job file to a cluster of two workers,
with a shard killed in the middle, and waits for the end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from datetime import timedelta
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
from hyperqueue.ffi.protocol import ResourceRequest


def job_of(file):
    description = tomllib.loads(Path(file).read_text())
    job = Job(name=description["name"], default_workdir=Path.cwd(), max_fails=None)
    tasks = {}
    for task in description["task"]:
        requests = [
            ResourceRequest(
                cpus=request["resources"]["cpus"],
                min_time=timedelta(minutes=int(request["time_request"].removesuffix("m"))),
            )
            for request in task.get("request", [])
        ]
        tasks[task["id"]] = job.program(
            task["command"],
            deps=[tasks[id] for id in task.get("deps", [])],
            resources=requests or None,
            stdout=f"{task['id']}.stdout",
            stderr=f"{task['id']}.stderr",
        )
    return job


def workers():
    """The processes of this cluster that run `ojaflow work`."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            here = os.readlink(folder / "cwd") == os.getcwd()
        except OSError:
            continue
        if here and os.environ["OJAFLOW"].encode() in words and b"work" in words:
            yield int(folder.name)


def results(request):
    command = [os.environ["OJAFLOW"], "status", *request, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["done"]


def kill_one(request, killed):
    """Kills a shard as soon as some results are there, and more are to come."""
    while not killed:
        enough = results(request) >= 5
        at_work = list(workers())
        if enough and at_work:
            os.kill(at_work[0], signal.SIGKILL)
            killed.append(at_work[0])
        time.sleep(0.05)


file, *request = sys.argv[1:]
job = job_of(file)
killed = []
with LocalCluster() as cluster:
    for _ in range(2):
        cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()
    threading.Thread(target=kill_one, args=[request, killed], daemon=True).start()
    client.wait_for_jobs([client.submit(job)])
assert killed, "no shard was killed: the pipeline is too short for this test"
ended = [file.name for file in Path.cwd().glob("*.stderr") if "ended with 137" in file.read_text()]
assert len(ended) == 1, f"one shard should say that it was killed, not {ended}"
print(f"{len(job.tasks)} tasks; {ended[0].removesuffix('.stderr')} was killed")
