// The engines that run on Node, behind one face:
//
//   source(chart, serial)  what a session is made from: a text, or the name of a machine of ours; all that differ in `serial` differ
//   model(source)          ready to make sessions from
//   session(model)         a session that has started
//   event(name, data)      something that makes one event after the other: each with an object of its own, as if it just came in
//   send(session, event)   one macrostep
//   isIn(session, state)   whether this state, a child of the document, is active and atomic
//   onError(session, tell) calls `tell` when the engine ends the session with an error
//   end(session)           forgets it

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const versionOf = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;

const text = (chart, serial) =>
  readFileSync(new URL(`../charts/${chart}.scxml`, import.meta.url), 'utf8').replace('id="serial" expr="0"', `id="serial" expr="${serial}"`);

/** A function that makes the same object anew, with literals: what code that knows its events would do. */
const maker = (value) => new Function(`return (${JSON.stringify(value)});`);

async function scion() {
  const scxml = require('@scion-scxml/scxml');
  const later = (start) => new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))));
  return {
    version: `${versionOf('@scion-scxml/scxml')}, core ${versionOf('@scion-scxml/core')}`,
    source: text,
    model: (source) => later((done) => scxml.documentStringToModel('perf', source, done)),
    // Sessions that share what `prepare` makes share their data, so each has its own.
    session: async (model) => {
      const session = new scxml.core.Statechart(await later((done) => model.prepare(done)));
      session.start();
      return session;
    },
    event: (name, data) => {
      const make = data && maker(data);
      return make ? () => ({ name, data: make() }) : () => ({ name });
    },
    send: (session, event) => session.gen(event()),
    isIn: (session, state) => session.isIn(state),
    onError: () => {},
    end: (session) => session.cancel(),
  };
}

/** What versions 5 and 6 have in common: an event's data is the event itself. */
const actors = (createActor) => ({
  session: (machine) => {
    const actor = createActor(machine);
    actor.start();
    return actor;
  },
  event: (name, data) => maker({ type: name, ...data }),
  send: (actor, event) => actor.send(event()),
  onError: (actor, tell) => actor.subscribe({ error: tell }),
  end: (actor) => actor.stop(),
});

const isIn = (actor, state) => actor.getSnapshot().value === state;

async function xstate5() {
  const { createActor } = await import('xstate5');
  const { machines } = await import('./machines.mjs');
  return {
    ...actors(createActor),
    version: versionOf('xstate5'),
    source: (chart, serial) => ({ chart, serial }),
    model: ({ chart, serial }) => machines[chart](serial),
    isIn,
  };
}

async function xstate6() {
  const { createActor } = await import('xstate6');
  const { createMachineFromSCXML } = await import('xstate6/scxml');
  return {
    ...actors(createActor),
    // The importer renames `error.*` in documents, and so must those who send such events.
    event: (name, data) => maker({ type: name.replace(/^error(?=\.|$)/, 'xstate.error'), ...data }),
    version: versionOf('xstate6'),
    source: text,
    model: (source) => createMachineFromSCXML(source),
    isIn,
  };
}

export const engines = { scion, xstate5, xstate6 };
