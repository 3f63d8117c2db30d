"""python-liquid behind the same lines as the engines in Rust; see ../src/lib.rs."""

import json
import pathlib
import sys
import time

import liquid

folder = pathlib.Path(sys.argv[1])
text = lambda name: (folder / name).read_text(encoding="utf-8")
users = json.loads(text("users.json"))
stored = [json.dumps(user) for user in users]
campaign = json.loads(text("campaign.json"))
source = text("card.liquid")
environment = liquid.Environment()
template = environment.from_string(source)

works = {
    "render": lambda user: template.render(user=users[user], campaign=campaign),
    "from_bytes": lambda user: template.render(user=json.loads(stored[user]), campaign=campaign),
    "compile": lambda user: environment.from_string(source),
}


def timed(work, milliseconds):
    """Nanoseconds of this thread for each, over at least so long."""
    batch = 200
    begun, done = time.thread_time_ns(), 0
    while True:
        for user in range(batch):
            work((done + user) % len(users))
        done += batch
        taken = time.thread_time_ns() - begun
        if taken >= milliseconds * 1_000_000:
            return f"{taken / done:.1f}"


for line in sys.stdin:
    what, _, *rest = line.split()
    if what == "outputs":
        answer = json.dumps([works["from_bytes"](user) for user in range(len(users))])
    elif what == "time" and rest[0] in works:
        answer = timed(works[rest[0]], int(rest[1]))
    else:
        answer = "-"
    print(answer, flush=True)
