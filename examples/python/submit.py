"""Submit a job to Penstock and wait for its report, from Python.

    pip install nats-py
    python submit.py readings 's3://landing/2026/*.csv'

Progress goes to stderr, the report as JSON to stdout. The exit code is that of `penstock submit --wait`: 0 done,
1 failed or cancelled, 2 usage, 3 done with rejects, 130 on ctrl-C.
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
from datetime import datetime, timezone

import nats
from nats.errors import Error as NATSError

EXIT = {"done": 0, "done_with_rejects": 3, "failed": 1, "cancelled": 1}  # the events that end a job


async def main() -> int:
    args = arguments()
    job = job_id()
    nc = await connect(args.nats)
    try:
        inbox: asyncio.Queue = asyncio.Queue(maxsize=1000)
        await listen(nc, args.prefix, job, inbox)
        await publish(nc, args, job)
        print(f"submitted {job}", file=sys.stderr)
        return await follow(job, inbox)
    finally:
        await nc.close()


async def connect(url: str):
    """The first connection has ten seconds; later ones, should it break, all the time there is."""

    async def trouble(error):
        print(f"NATS: {error}", file=sys.stderr)

    options = {"name": "submit.py", "error_cb": trouble, "max_reconnect_attempts": -1, **credentials()}
    return await asyncio.wait_for(nats.connect(url, **options), timeout=10)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Submit a job to Penstock and wait for its report.")
    parser.add_argument("pipeline", help="name of an applied pipeline")
    parser.add_argument("source", nargs="+", help="s3://bucket/key, s3://bucket/prefix/ or s3://bucket/glob*")
    parser.add_argument("--force", action="store_true", help="load again what was loaded before")
    parser.add_argument("--nats", default=os.environ.get("PENSTOCK_NATS_URL", "nats://127.0.0.1:4222"))
    parser.add_argument("--prefix", default=os.environ.get("PENSTOCK_NATS_PREFIX", "penstock"))
    return parser.parse_args()


def credentials() -> dict:
    """The ways of Penstock's own settings to prove who we are."""
    options = {
        "user": os.environ.get("PENSTOCK_NATS_USER"),
        "password": os.environ.get("PENSTOCK_NATS_PASSWORD"),
        "token": os.environ.get("PENSTOCK_NATS_TOKEN"),
        "user_credentials": os.environ.get("PENSTOCK_NATS_CREDS"),
    }
    return {name: value for name, value in options.items() if value}


def job_id() -> str:
    """An id of our own: it lets us listen before the job exists, and makes a second publish of it harmless."""
    return f"{datetime.now(timezone.utc):%Y%m%dt%H%M%S}-{secrets.token_hex(4)}"


async def listen(nc, prefix: str, job: str, inbox: asyncio.Queue) -> None:
    """Puts the job's events into the inbox, and the reason should the dispatcher not be able to read the job."""

    async def event(msg):
        await inbox.put(json.loads(msg.data))

    async def dead(msg):
        if job.encode() in msg.data:
            reason = (msg.headers or {}).get("Penstock-Reason", "it cannot be read")
            await inbox.put({"kind": "refused", "error": {"message": reason}})

    await nc.subscribe(f"{prefix}.dead.jobs", cb=dead)
    stream = "STATUS" if prefix == "penstock" else f"{prefix.upper()}_STATUS"
    # An ordered consumer reads on where it was after a reconnect, which a plain subscription would not.
    await nc.jetstream().subscribe(f"{prefix}.status.{job}.>", stream=stream, cb=event, ordered_consumer=True)
    await nc.flush()


async def publish(nc, args: argparse.Namespace, job: str) -> None:
    message = {"v": 1, "id": job, "pipeline": args.pipeline, "source": args.source, "force": args.force, "trigger": "api"}
    await nc.jetstream().publish(f"{args.prefix}.jobs.{args.pipeline}", json.dumps(message).encode())


async def follow(job: str, inbox: asyncio.Queue) -> int:
    """Shows each event once, however often it comes, until one ends the job."""
    seen = set()
    while True:
        event = await inbox.get()
        kind, chunk = event["kind"], event.get("chunk")
        if kind == "refused":
            print(f"{job}: {event['error']['message']}", file=sys.stderr)
            return 1
        if (kind, chunk) not in seen:
            seen.add((kind, chunk))
            print(progress(event), file=sys.stderr)
        if kind in EXIT:
            print(json.dumps(event.get("report"), indent=1))
            return EXIT[kind]


def progress(event: dict) -> str:
    words = [event["kind"]]
    if event.get("chunk") is not None:
        words.append(f"chunk {event['chunk']}")
    if counts := event.get("records"):
        words.append(", ".join(f"{name} {n}" for name, n in counts.items() if n))
    if error := event.get("error"):
        words.append(error["message"])
    return " ".join(words)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
    except (NATSError, OSError, asyncio.TimeoutError) as error:
        print(f"NATS: {str(error) or 'no server answers'}", file=sys.stderr)
        sys.exit(1)
