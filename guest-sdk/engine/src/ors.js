// What scripts of ORS find beside the standard's: `_data`, `_genesys`, `toSource`. Evaluated when such a strategy is deployed, so
// it is in the image. Gives a function that is told of the events of interactions: `_genesys.ixn` changes through them only.
(function (ids, read, request) {
  'use strict';
  const hide = (object, name, value) =>
    Object.defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
  const constants = (names, first) => Object.freeze(Object.fromEntries(names.map((n, i) => [n, i + first])));

  // --- toSource, as SpiderMonkey has it ---
  const identifier = /^(?:[A-Za-z_$][\w$]*|0|[1-9]\d*)$/;
  const string = (s) => JSON.stringify(s).replace(/[\u0080-\uFFFF]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0'));
  function source(value, above, outer) {
    switch (typeof value) {
      case 'undefined': return '(void 0)';
      case 'string': return string(value);
      case 'number': return Object.is(value, -0) ? '-0' : String(value);
      case 'boolean': case 'bigint': return String(value);
      case 'symbol': return 'Symbol(' + string(String(value.description)) + ')';
      case 'function': return outer ? '(' + value + ')' : String(value);
    }
    if (value === null) return 'null';
    if (above.includes(value) || above.length > 32) return Array.isArray(value) ? '[]' : '{}';
    if (value instanceof Date) return '(new Date(' + value.getTime() + '))';
    if (value instanceof RegExp) return String(value);
    if (value instanceof Error) return '(new ' + value.name + '(' + string(value.message) + '))';
    if (value instanceof String || value instanceof Number || value instanceof Boolean) {
      return '(new ' + value.constructor.name + '(' + source(value.valueOf(), above, false) + '))';
    }
    const inside = above.concat([value]);
    if (Array.isArray(value)) return '[' + Array.from(value, (v) => source(v, inside, false)).join(', ') + ']';
    const members = Object.keys(value).map((k) => (identifier.test(k) ? k : "'" + string(k).slice(1, -1).replace(/'/g, "\\'") + "'") + ':' + source(value[k], inside, false));
    const text = '{' + members.join(', ') + '}';
    return outer ? '(' + text + ')' : text;
  }
  hide(Object.prototype, 'toSource', function () { return source(Object(this), [], true); });
  hide(globalThis, 'uneval', (value) => source(value, [], true));

  // --- _data: the data items by their ids, beside being variables ---
  const data = {};
  for (const id of ids) {
    Object.defineProperty(data, id, {
      get: () => globalThis[id], set: (v) => { globalThis[id] = v; }, enumerable: true, configurable: true,
    });
  }
  Object.defineProperty(globalThis, '_data', { value: data, enumerable: false, writable: false, configurable: false });

  // --- _genesys ---
  const key = (...parts) => parts.map((p) => encodeURIComponent(String(p))).join('/');
  const list = (...parts) => read('list', key(...parts));
  // The event's time, not the host's.
  const clock = (zone) => read('zone', key(zone, Date.now()));
  const missing = (value) => (value === null || value === undefined ? 'undefined' : value);
  const session = {
    server: Object.freeze({
      get name() { return read('config', 'server/name'); },
      get cluster() { return read('config', 'server/cluster'); },
    }),
    get tenant() { return read('config', 'tenant'); },
    get tenantid() { return read('config', 'tenantid'); },
    lookupseq: Object.freeze({ StartFromStrategy: -1, StartFromCDN: 0, StartFromRouter: 1, StartFromTenant: 2, StartFromTserver: 3 }),
    getConfigOption: (section, option, fallback) => {
      const found = read('config', key('option', section, option));
      return found === null && fallback !== undefined ? fallback : missing(found);
    },
    getListItemValue: (name, item, k) => missing(k === undefined ? list(name, item) : list(name, item, k)),
    listLookupValue: (name, value) => {
      const items = list(name) || {};
      for (const item of Object.keys(items)) {
        for (const k of Object.keys(items[item])) if (String(items[item][k]) === String(value)) return k;
      }
      return 'undefined';
    },
    timeInZone: (zone) => clock(zone).time,
    dateInZone: (zone) => clock(zone).date,
    dayInZone: (zone) => clock(zone).day,
    isSpecialDay: (...names) => {
      const today = clock('').date;
      return names.flat().some((name) => {
        const days = list(name) || {};
        return today in days || today.slice(5) in days;
      });
    },
    setTenant: (name) => request('session', 'settenant', { tenant: String(name) }),
    setOptions: (options) => request('session', 'setoptions', { options }),
    findServiceObjective: (...parts) => read('config', key('objective', ...parts)),
  };

  const interactions = {};
  const order = [];
  const number = () => {
    for (let i = 0; Object.hasOwn(interactions, i); i += 1) delete interactions[i];
    order.forEach((id, i) => Object.defineProperty(interactions, i, { value: interactions[id], enumerable: false, configurable: true }));
  };
  const media = constants(['TMediaVoice', 'TMediaVoIP', 'TMediaEMail', 'TMediaVMail', 'TMediaSMail', 'TMediaChat', 'TMediaVideo',
    'TMediaCobrowsing', 'TMediaWhiteboard', 'TMediaAppSharing', 'TMediaWebform', 'TMediaWorkItem', 'TMediaCallback', 'TMediaFax',
    'TMediaIMChat', 'TMediaBusinessEvent', 'TMediaAlert', 'TMediaSMS'], 0);
  const names = Object.keys(media);
  const ixn = {
    interactions,
    get firstixnid() { return order[0]; },
    media,
    setuData: (udata, interactionid) => request('interaction', 'setudata', { interactionid: interactionid || order[0], udata }),
    deleteuData: (k, interactionid) => request('interaction', 'deleteudata', { interactionid: interactionid || order[0], key: String(k) }),
    getMediaIntValue: (name) => [name, 'TMedia' + name].map((n) => names.indexOf(n)).find((n) => n >= 0) ?? -1,
    getMediaStringValue: (n) => names[n] ?? 'undefined',
  };

  const asks = (module, name) => (...args) => read('queue', key(module, name) + '?' + JSON.stringify(args));
  const tells = (module, name) => (...args) => request(module, name.toLowerCase(), { args });
  const queue = {
    rType: constants(['RouteTypeUnknown', 'RouteTypeDefault', 'RouteTypeLabel', 'RouteTypeOverwriteDNIS', 'RouteTypeDDD', 'RouteTypeIDDD',
      'RouteTypeDirect', 'RouteTypeReject', 'RouteTypeAnnouncement', 'RouteTypePostFeature', 'RouteTypeDirectAgent', 'RouteTypePriority',
      'RouteTypeDirectPriority', 'RouteTypeAgentID', 'RouteTypeCallDisconnect', 'RouteTypeGetFromDN'], 0),
    overwriteType: Object.freeze({ UseNone: 0, UseConfig: 1, UseDNIS: 2, UseANI: 3 }),
    usecapcond: Object.freeze({ Never: 0, Only: 1, OnStatError: 2 }),
  };
  for (const name of ['expandGroup', 'countSkillInGroup', 'checkAgentState', 'getIntegerKey', 'multiplySkillExpression', 'createSkillGroup',
    'NMTExtractTargets', 'targetState', 'selectedTarget', 'rvqData']) queue[name] = asks('queue', name);
  for (const name of ['incrementPriority', 'onRouteError', 'priorityLimits', 'priorityTuning', 'setInteractionAge', 'excludeAgents',
    'setIdealAgent', 'acceptTarget', 'useCapacity', 'setTargetThreshold']) queue[name] = tells('queue', name);

  const statistic = {};
  for (const name of ['sData', 'getAvgData', 'getMinData', 'getMaxData']) {
    statistic[name] = (object, stat) => read('statistic', key(name, object, stat));
  }
  const resource = {
    resourceType: Object.freeze({ ...constants(['CFGNoDN', 'CFGExtension', 'CFGACDPosition', 'CFGACDQueue', 'CFGRoutingPoint',
      'CFGVirtACDQueue', 'CFGVirtRoutingPoint', 'CFGEAPort', 'CFGVoiceMail', 'CFGCellular', 'CFGCP', 'CFGFAX', 'CFGData', 'CFGMusic',
      'CFGTrunk', 'CFGTrunkGroup', 'CFGTieLine', 'CFGTieLineGroup', 'CFGMixed', 'CFGExtRoutingPoint', 'CFGDestinationLabel',
      'CFGServiceNumber', 'CFGRoutingQueue', 'CFGCommDN', 'CFGEmail', 'CFGVoIPPort', 'CFGVideoPort', 'CFGChat', 'CFGCobrowse',
      'CFGVoIPService', 'CFGWorkflow', 'CFGAccessRP'], 0), any: -1 }),
  };
  const genesys = { session, ws: {}, queue, ixn, dialog: {}, statistic, classification: {}, resource, elasticconnector: {}, agent: {} };
  Object.defineProperty(globalThis, '_genesys', { value: Object.freeze(genesys), enumerable: false, writable: false, configurable: false });

  // --- the model of interactions ---
  const known = (id) => {
    if (!Object.hasOwn(interactions, id)) {
      interactions[id] = { g_uid: id, udata: {}, xdata: {}, parties: {} };
      order.push(id);
      number();
    }
    return interactions[id];
  };
  const forget = (id) => {
    if (!Object.hasOwn(interactions, id)) return;
    delete interactions[id];
    order.splice(order.indexOf(id), 1);
    number();
  };
  return (name, event) => {
    const id = event && event.interactionid;
    // An id of digits would be taken for a place in the list, and `__proto__` is no name of anything.
    if (typeof id !== 'string' || !/^(?!__proto__$)(?!\d+$)./s.test(id)) return;
    if (name === 'interaction.deleted' || name === 'interaction.notcontrolled') return forget(id);
    const model = name === 'interaction.added' || name === 'interaction.attach.done' || event.interaction
      ? known(id) : interactions[id];
    if (!model) return;
    if (event.interaction && typeof event.interaction === 'object') Object.assign(model, event.interaction);
    if (event.udata && typeof event.udata === 'object') model.udata = { ...event.udata };
  };
})
