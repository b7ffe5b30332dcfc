// One measurement of one engine: the job is JSON in the first argument, what was seen is one line of JSON on stdout (a line per tick where
// a bad session runs). Fails when the work was not done. `../../src/peers/job.rs` says what is in a job.

import { readFileSync } from 'node:fs';
import { engines } from './engines.mjs';

const job = JSON.parse(process.argv[2]);
const engine = await engines[job.peer]();

/** A round's events. */
const events = job.chart
  ? JSON.parse(readFileSync(new URL(`../events/${job.chart}.json`, import.meta.url))).map(([name, data]) => engine.event(name, data))
  : [];

/** Processor time of the whole process, s: its compiler's and collector's threads, too. */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const wall = () => performance.now() / 1e3;

const tell = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

function send(sessions, some) {
  for (const event of some) for (const session of sessions) engine.send(session, event);
}

/** Fails unless each session says that it did so many rounds. */
function check(sessions, rounds) {
  send(sessions, [engine.event('finish', { rounds })]);
  const wrong = sessions.filter((session) => !engine.isIn(session, 'right')).length;
  if (wrong) throw new Error(`${wrong} of ${sessions.length} sessions did not do ${rounds} rounds`);
}

async function begin(model, count) {
  const sessions = [];
  for (let i = 0; i < count; i += 1) sessions.push(await engine.session(model));
  return sessions;
}

/** Repeats `work`, which answers how much it did: first to get warm, then for each sample. */
async function sample(work) {
  const stretch = async (seconds) => {
    const [from, began] = [cpu(), wall()];
    let count = 0;
    do count += await work();
    while (cpu() - from < seconds);
    return [count, cpu() - from, wall() - began];
  };
  await stretch(job.warm);
  const samples = [];
  for (let i = 0; i < job.samples; i += 1) samples.push(await stretch(job.seconds));
  return samples;
}

async function eventsPerSecond() {
  const sessions = await begin(await engine.model(engine.source(job.chart, 1)), job.sessions);
  let rounds = 0;
  const samples = await sample(() => {
    send(sessions, events);
    rounds += 1;
    return sessions.length * events.length;
  });
  check(sessions, rounds);
  return { samples };
}

/** Sessions from `next`'s models, each ended again; one of each stretch's batches also does a round. */
async function startsPerSecond(next) {
  let last;
  const samples = await sample(async () => {
    for (let i = 0; i < job.batch; i += 1) {
      if (last) engine.end(last);
      last = await engine.session(await next());
    }
    return job.batch;
  });
  send([last], events);
  check([last], 1);
  return { samples };
}

async function starts() {
  const model = await engine.model(engine.source(job.chart, 1));
  return startsPerSecond(() => model);
}

async function sources() {
  let serial = 0;
  return startsPerSecond(() => engine.model(engine.source(job.chart, (serial += 1))));
}

/** Resident anonymous memory and page tables, bytes. */
function usage() {
  globalThis.gc();
  const status = readFileSync('/proc/self/status', 'utf8');
  const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)[1]);
  return (kib('RssAnon') + kib('VmPTE')) * 1024;
}

async function memory() {
  const model = await engine.model(engine.source(job.chart, 1));
  const early = events.slice(0, -1);
  // The first one is another one: code is compiled, pools are made.
  const first = await begin(model, 1);
  send(first, events);
  check(first, 1);
  first.forEach(engine.end);
  const before = usage();
  const sessions = await begin(model, job.sessions);
  const started = usage();
  send(sessions, early);
  const handled = usage();
  send(sessions, events.slice(-1));
  check(sessions, 1);
  return { started: (started - before) / job.sessions, handled: (handled - before) / job.sessions };
}

/** A healthy session with an event every 200 ms, and after a second a bad one beside it. */
async function runaway() {
  const [healthy] = await begin(await engine.model(engine.source(job.chart, 1)), 1);
  const [bad] = await begin(await engine.model(engine.source(job.bad, 1)), 1);
  const ended = (error) => tell({ ended: error?.message ?? String(error) });
  engine.onError(bad, ended);
  let ticks = 0;
  setInterval(() => {
    engine.send(healthy, events[ticks % events.length]);
    ticks += 1;
    tell({ tick: ticks });
    if (ticks >= job.ticks && ticks % events.length === 0) {
      check([healthy], ticks / events.length);
      tell({ healthy: true });
      process.exit(0);
    }
  }, job.tick_ms);
  setTimeout(() => {
    tell({ go: true });
    try {
      engine.send(bad, engine.event('go'));
    } catch (error) {
      ended(error);
    }
  }, 1000);
}

const programs = { events: eventsPerSecond, starts, sources, memory, runaway };
const seen = await programs[job.what]();
if (seen) {
  tell({ version: `${engine.version}; Node ${process.versions.node}`, ...seen });
  // Timers of sessions that are left would keep it alive.
  process.exit(0);
}
