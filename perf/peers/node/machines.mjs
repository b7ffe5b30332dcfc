// The charts as a user of XState 5 would write them by hand: conditions and assignments are functions of the host.

import { and, assign, cancel, raise, setup, stateIn } from 'xstate5';

function callRouting(serial) {
  return setup({
    actions: {
      keepCall: assign({ call: ({ event }) => event }),
      chooseQueue: assign({ queue: ({ context, event }) => context.names[event.digit] }),
      setPosition: assign({ position: ({ event }) => event.position }),
      setAgent: assign({ agent: ({ event }) => event.dn }),
      countRedirect: assign({ redirects: ({ context }) => context.redirects + 1 }),
      countRefusal: assign({ refused: ({ context }) => context.refused + 1 }),
      countServed: assign({ served: ({ context }) => context.served + 1 }),
      addSeconds: assign({ seconds: ({ context, event }) => context.seconds + event.duration }),
      setUdata: assign({ udata: ({ event }) => event.udata }),
      startPatience: raise({ type: 'patience' }, { delay: 600_000, id: 'patience' }),
      stopPatience: cancel('patience'),
    },
    guards: {
      highLevel: ({ event }) => event.level > 1,
      knownDigit: ({ context, event }) => event.digit in context.names,
      ofQueue: ({ context, event }) => event.queue === context.queue,
      nobodyReady: ({ context, event }) => event.queue === context.queue && event.ready === 0,
      fits: ({ context, event }) => event.level >= 5 && event.skills.indexOf(context.queue) >= 0,
      busy: ({ event }) => event.reason === 'busy',
      longWaited: ({ event }) => event.waited > 20,
      allDone: ({ context: c, event }) =>
        c.served === event.rounds && c.refused === c.served && c.redirects === 2 * c.served && c.seconds === 90 * c.served &&
        c.position === 2 && c.agent === '2304' && c.call.dn === '7001' && c.udata.result === 'sold',
    },
  }).createMachine({
    id: 'routing',
    initial: 'idle',
    context: () => ({
      serial, served: 0, refused: 0, redirects: 0, seconds: 0, call: undefined, udata: undefined, queue: undefined, position: undefined, agent: undefined,
      names: { 1: 'sales', 2: 'support', 3: 'billing' },
    }),
    states: {
      idle: {
        on: {
          'interaction.onrouterequest': { target: 'working', actions: 'keepCall' },
          finish: { target: 'right', guard: 'allDone' },
        },
      },
      working: {
        initial: 'handling',
        on: { 'interaction.abandoned': 'wrapup' },
        states: {
          handling: {
            type: 'parallel',
            on: { 'supervisor.break': { target: 'break', guard: 'highLevel' } },
            states: {
              before: { type: 'history', history: 'deep', target: '#queued' },
              service: {
                initial: 'menu',
                on: {
                  'call.released': { target: '#wrapup', actions: 'addSeconds' },
                  'userdata.changed': { actions: 'setUdata' },
                },
                states: {
                  menu: { on: { dtmf: { target: 'searching', guard: 'knownDigit', actions: 'chooseQueue' } } },
                  searching: {
                    on: { statistic: [{ target: 'queued', guard: 'nobodyReady' }, { target: 'ringing', guard: 'ofQueue' }] },
                  },
                  queued: {
                    id: 'queued',
                    entry: 'startPatience',
                    exit: 'stopPatience',
                    on: {
                      'queue.position': { guard: 'ofQueue', actions: 'setPosition' },
                      'agent.ready': { target: 'ringing', guard: 'fits', actions: 'setAgent' },
                      patience: 'overflow',
                    },
                  },
                  ringing: {
                    entry: 'countRedirect',
                    on: {
                      'interaction.redirect.done': 'connected',
                      'error.interaction.redirect': [
                        { target: 'queued', guard: 'busy', actions: 'countRefusal' },
                        { target: 'overflow' },
                      ],
                    },
                  },
                  connected: { on: { 'call.held': 'held' } },
                  held: { on: { 'call.retrieved': 'connected' } },
                  overflow: {},
                },
              },
              media: {
                initial: 'silent',
                states: {
                  silent: { on: { 'treatment.started': 'announcement' } },
                  announcement: { on: { 'treatment.done': 'music' } },
                  music: {
                    on: {
                      'interaction.redirect.done': 'silent',
                      'caller.impatient': { target: 'apology', guard: and([stateIn('#queued'), 'longWaited']) },
                    },
                  },
                  apology: { on: { 'treatment.done': 'music' } },
                },
              },
            },
          },
          break: { on: { 'supervisor.resume': 'handling.before' } },
        },
      },
      wrapup: { id: 'wrapup', entry: 'countServed', always: 'idle' },
      right: {},
    },
  });
}

function pingPong(serial) {
  return setup({
    actions: {
      countPing: assign({ pings: ({ context }) => context.pings + 1 }),
      countPong: assign({ pongs: ({ context }) => context.pongs + 1 }),
    },
    guards: { allDone: ({ context, event }) => context.pings === 10 * event.rounds && context.pongs === context.pings },
  }).createMachine({
    id: 'pingpong',
    initial: 'ping',
    context: () => ({ serial, pings: 0, pongs: 0 }),
    states: {
      ping: { on: { ping: { target: 'pong', actions: 'countPing' }, finish: { target: 'right', guard: 'allDone' } } },
      pong: { on: { pong: { target: 'ping', actions: 'countPong' } } },
      right: {},
    },
  });
}

function deep(serial) {
  const branch = (side, other) => {
    let state;
    for (let level = 10; level >= 1; level -= 1) {
      const inner = state;
      state = {};
      if (level === 1 || level === 10) Object.assign(state, { entry: 'countEntry', exit: 'countExit' });
      if (level === 10) Object.assign(state, { id: `${side}10`, on: { swap: `#${other}10` } });
      else Object.assign(state, { initial: `${side}${level + 1}`, states: { [`${side}${level + 1}`]: inner } });
      if (level === 10 && side === 'a') state.on.finish = { target: '#right', guard: 'allDone' };
    }
    return state;
  };
  return setup({
    actions: {
      countEntry: assign({ entered: ({ context }) => context.entered + 1 }),
      countExit: assign({ left: ({ context }) => context.left + 1 }),
    },
    // Two of the entries are the start's.
    guards: { allDone: ({ context, event }) => context.entered === 40 * event.rounds + 2 && context.left === 40 * event.rounds },
  }).createMachine({
    id: 'deep',
    initial: 'a1',
    context: () => ({ serial, entered: 0, left: 0 }),
    states: { a1: branch('a', 'b'), b1: branch('b', 'a'), right: { id: 'right' } },
  });
}

const endless = (actions, guard) => () =>
  setup({ actions }).createMachine({
    id: 'bad',
    initial: 'waiting',
    context: () => ({ kept: [] }),
    states: { waiting: { on: guard } },
  });

const endlessScript = endless({ run: () => { while (true) {} } }, { go: { actions: 'run' } });
const endlessRaise = endless({ again: raise({ type: 'again' }) }, { go: { actions: 'again' }, again: { actions: 'again' } });
const memoryBomb = endless(
  { run: ({ context }) => { for (let i = 0; true; i++) context.kept.push(new Array(1000).fill(i)); } },
  { go: { actions: 'run' } },
);

export const machines = {
  'call-routing': callRouting,
  'ping-pong': pingPong,
  deep,
  'endless-script': endlessScript,
  'endless-raise': endlessRaise,
  'memory-bomb': memoryBomb,
};
