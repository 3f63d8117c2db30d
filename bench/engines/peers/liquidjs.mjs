// liquidjs behind the same lines as the engines in Rust; see ../src/lib.rs.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Liquid } from "liquidjs";

const folder = process.argv[2];
const text = (name) => readFileSync(`${folder}/${name}`, "utf8");
const users = JSON.parse(text("users.json"));
const stored = users.map((user) => JSON.stringify(user));
const campaign = JSON.parse(text("campaign.json"));
const source = text("card.liquid");
const engine = new Liquid();
const template = engine.parse(source);
let last;

const works = {
  render: (user) => (last = engine.renderSync(template, { user: users[user], campaign })),
  from_bytes: (user) => (last = engine.renderSync(template, { user: JSON.parse(stored[user]), campaign })),
  compile: () => (last = engine.parse(source)),
};

// CPU time of the process: what its compiler and collector take beside the thread counts, too.
const computed = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

function time(work, milliseconds) {
  for (let user = 0; user < 200; user++) work(user);
  const begun = computed();
  for (let done = 0; ; ) {
    for (let user = 0; user < users.length; user++) work(user);
    done += users.length;
    const taken = computed() - begun;
    if (taken >= milliseconds * 1e6) return (taken / done).toFixed(1);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what, , work, milliseconds] = line.split(" ");
  if (what === "outputs") console.log(JSON.stringify(users.map((_, user) => works.from_bytes(user))));
  else if (what === "time" && works[work]) console.log(time(works[work], Number(milliseconds)));
  else console.log("-");
}
