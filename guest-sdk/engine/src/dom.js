// The DOM that scripts see of XML in `data`, `content` and events (W3C SCXML B.2.1): what people use of DOM Core, and textContent,
// children and toString. A node has the namespaces that `xmlns` attributes around it declare; there are no attribute nodes of
// another document, no types and no processing instructions. Evaluated when XML is first met.
//
// What `parse` gets is a flat list: [name, [attribute, value, ...]] opens an element, 0 closes it, a string is text, {c} a comment.
(function () {
  'use strict';
  const XMLNS = 'http://www.w3.org/2000/xmlns/', XML = 'http://www.w3.org/XML/1998/namespace';
  const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;', '\t': '&#9;', '\r': '&#13;' };
  const inText = (s) => s.replace(/[&<>\r]/g, (c) => escapes[c]);
  const inValue = (s) => s.replace(/[&<"\n\t\r]/g, (c) => escapes[c]);
  const fail = (name, message) => { const e = new Error(message); e.name = name; throw e; };

  class NodeList extends Array {
    item(i) { return i in this ? this[i] : null; }
  }
  const isNode = (v) => typeof v === 'object' && v !== null && Node.is(v);
  const list = (nodes) => { const l = new NodeList(); for (const n of nodes) l.push(n); return l; };

  class Node {
    #parent = null; #previous = null; #next = null; #first = null; #last = null; #document;
    constructor(document) { this.#document = document; }
    static is(value) { return #document in value; }
    adopt(document) { this.#document = document; }
    get ownerDocument() { return this.#document; }
    get parentNode() { return this.#parent; }
    get parentElement() { return this.#parent && this.#parent.nodeType === 1 ? this.#parent : null; }
    get firstChild() { return this.#first; }
    get lastChild() { return this.#last; }
    get previousSibling() { return this.#previous; }
    get nextSibling() { return this.#next; }
    get childNodes() {
      const all = new NodeList();
      for (let n = this.#first; n; n = n.#next) all.push(n);
      return all;
    }
    get nodeValue() { return null; }
    set nodeValue(_) {}
    get attributes() { return null; }
    get namespaceURI() { return null; }
    get prefix() { return null; }
    get localName() { return null; }
    hasChildNodes() { return this.#first !== null; }
    hasAttributes() { return false; }
    isSameNode(other) { return this === other; }
    contains(other) {
      for (; other; other = other.parentNode) if (other === this) return true;
      return false;
    }
    get textContent() {
      let text = '';
      for (let n = this.#first; n; n = following(n, this)) if (n.nodeType === 3 || n.nodeType === 4) text += n.data;
      return text;
    }
    set textContent(text) {
      while (this.#first) this.removeChild(this.#first);
      if (text !== null && String(text) !== '') this.appendChild((this.#document || this).createTextNode(text));
    }
    appendChild(node) { return this.insertBefore(node, null); }
    insertBefore(node, before) {
      if (!isNode(node)) throw new TypeError('a node is needed');
      if (before && before.#parent !== this) fail('NotFoundError', 'the reference is not a child of this node');
      if (this.nodeType !== 1 && this.nodeType !== 9 && this.nodeType !== 11) fail('HierarchyRequestError', 'this node has no children');
      if (node.contains(this)) fail('HierarchyRequestError', 'a node cannot contain itself');
      if (node.nodeType === 9 || node.nodeType === 2) fail('HierarchyRequestError', 'it cannot be a child');
      if (before === node) before = node.#next;
      if (node.nodeType === 11) {
        while (node.#first) this.insertBefore(node.#first, before);
        return node;
      }
      if (this.nodeType === 9 && (node.nodeType === 3 || node.nodeType === 1 && this.documentElement && this.documentElement !== node)) {
        fail('HierarchyRequestError', 'a document has one element, and no text beside it');
      }
      if (node.#parent) node.#parent.removeChild(node);
      const owner = this.nodeType === 9 ? this : this.#document;
      if (node.#document !== owner) for (let n = node; n; n = following(n, node)) n.#document = owner;
      const previous = before ? before.#previous : this.#last;
      node.#parent = this; node.#previous = previous; node.#next = before;
      if (previous) previous.#next = node; else this.#first = node;
      if (before) before.#previous = node; else this.#last = node;
      return node;
    }
    removeChild(node) {
      if (!isNode(node) || node.#parent !== this) fail('NotFoundError', 'it is not a child of this node');
      if (node.#previous) node.#previous.#next = node.#next; else this.#first = node.#next;
      if (node.#next) node.#next.#previous = node.#previous; else this.#last = node.#previous;
      node.#parent = node.#previous = node.#next = null;
      return node;
    }
    replaceChild(node, old) {
      if (!isNode(old) || old.#parent !== this) fail('NotFoundError', 'it is not a child of this node');
      if (node === old) return old;
      // First away with it: a document has one element only. What cannot be put there leaves all as it was.
      const before = old.#next;
      this.removeChild(old);
      try { this.insertBefore(node, before); } catch (e) { this.insertBefore(old, before); throw e; }
      return old;
    }
    remove() { if (this.#parent) this.#parent.removeChild(this); }
    cloneNode(deep) {
      const copy = this.copied();
      if (!deep) return copy;
      // Without recursion: a document may be deeper than the stack.
      let into = copy;
      for (let n = this.#first; n;) {
        const c = n.copied();
        into.appendChild(c);
        if (n.#first) { into = c; n = n.#first; continue; }
        while (n !== this && !n.#next) { n = n.#parent; if (n !== this) into = into.parentNode; }
        if (n === this) break;
        n = n.#next;
      }
      return copy;
    }
    normalize() {
      for (let n = this.#first; n;) {
        const next = following(n, this);
        if (n.nodeType === 3) {
          while (n.#next && n.#next.nodeType === 3) { n.data += n.#next.data; n.#next.remove(); }
          const after = following(n, this);
          if (n.data === '') n.remove();
          n = after;
        } else n = next;
      }
    }
    toString() { return markup(this); }
    toJSON() { return markup(this); }
  }
  const types = {
    ELEMENT_NODE: 1, ATTRIBUTE_NODE: 2, TEXT_NODE: 3, CDATA_SECTION_NODE: 4, PROCESSING_INSTRUCTION_NODE: 7, COMMENT_NODE: 8,
    DOCUMENT_NODE: 9, DOCUMENT_FRAGMENT_NODE: 11,
  };
  for (const name in types) {
    for (const on of [Node, Node.prototype]) Object.defineProperty(on, name, { value: types[name], enumerable: true });
  }

  /** The next node in document order below `root`. */
  function following(node, root) {
    if (node.firstChild) return node.firstChild;
    while (node && node !== root && !node.nextSibling) node = node.parentNode;
    return node && node !== root ? node.nextSibling : null;
  }

  function markup(root) {
    let out = '';
    for (let n = root; n;) {
      out += opening(n);
      if (n.firstChild) { n = n.firstChild; continue; }
      for (;;) {
        if (n.nodeType === 1 && n.firstChild) out += '</' + n.tagName + '>';
        if (n === root) return out;
        if (n.nextSibling) { n = n.nextSibling; break; }
        n = n.parentNode;
      }
    }
    return out;
  }
  function opening(n) {
    switch (n.nodeType) {
      case 1: {
        let out = '<' + n.tagName;
        for (const a of n.attributes) out += ' ' + a.name + '="' + inValue(a.value) + '"';
        return out + (n.firstChild ? '>' : '/>');
      }
      case 2: return n.name + '="' + inValue(n.value) + '"';
      case 3: return inText(n.data);
      case 4: return '<![CDATA[' + n.data.replace(/]]>/g, ']]]]><![CDATA[>') + ']]>';
      case 8: return '<!--' + n.data + '-->';
      default: return '';
    }
  }
  const matches = (node, name) => node.nodeType === 1 && (name === '*' || node.tagName === name);
  const matchesNS = (node, ns, local) =>
    node.nodeType === 1 && (ns === '*' || (node.namespaceURI || '') === (ns || '')) && (local === '*' || node.localName === local);
  function descendants(root, wanted) {
    const found = new NodeList();
    for (let n = root.firstChild; n; n = following(n, root)) if (wanted(n)) found.push(n);
    return found;
  }

  class Parent extends Node {
    get children() { return list(this.childNodes.filter((n) => n.nodeType === 1)); }
    get childElementCount() { return this.children.length; }
    get firstElementChild() { return this.children.item(0); }
    get lastElementChild() { const all = this.children; return all.item(all.length - 1); }
    getElementsByTagName(name) { return descendants(this, (n) => matches(n, String(name))); }
    getElementsByTagNameNS(ns, local) { return descendants(this, (n) => matchesNS(n, ns, local)); }
  }

  class Attr extends Node {
    #name; #value; #owner;
    constructor(document, owner, name, value) { super(document); this.#owner = owner; this.#name = name; this.#value = value; }
    get nodeType() { return 2; }
    get nodeName() { return this.#name; }
    get name() { return this.#name; }
    get specified() { return true; }
    get ownerElement() { return this.#owner; }
    get value() { return this.#owner ? this.#owner.getAttribute(this.#name) : this.#value; }
    set value(v) { this.#value = String(v); if (this.#owner) this.#owner.setAttribute(this.#name, v); }
    get nodeValue() { return this.value; }
    set nodeValue(v) { this.value = v; }
    get textContent() { return this.value; }
    set textContent(v) { this.value = v; }
    get prefix() { return prefixOf(this.#name); }
    get localName() { return localOf(this.#name); }
    get namespaceURI() {
      if (this.#name === 'xmlns' || this.prefix === 'xmlns') return XMLNS;
      return this.prefix && this.#owner ? this.#owner.lookupNamespaceURI(this.prefix) : null;
    }
    copied() { return new Attr(this.ownerDocument, null, this.#name, this.value); }
  }
  const prefixOf = (name) => { const i = name.indexOf(':'); return i < 0 ? null : name.slice(0, i); };
  const localOf = (name) => name.slice(name.indexOf(':') + 1);

  class Element extends Parent {
    #name; #attributes;
    constructor(document, name, attributes) { super(document); this.#name = name; this.#attributes = attributes; }
    get nodeType() { return 1; }
    get nodeName() { return this.#name; }
    get tagName() { return this.#name; }
    get prefix() { return prefixOf(this.#name); }
    get localName() { return localOf(this.#name); }
    get namespaceURI() { return this.lookupNamespaceURI(this.prefix); }
    lookupNamespaceURI(prefix) {
      if (prefix === 'xml') return XML;
      const wanted = prefix ? 'xmlns:' + prefix : 'xmlns';
      for (let e = this; e && e.nodeType === 1; e = e.parentNode) {
        const value = e.getAttribute(wanted);
        if (value !== null) return value === '' ? null : value;
      }
      return null;
    }
    get id() { return this.getAttribute('id') || ''; }
    get attributes() {
      const all = list([...this.#attributes.keys()].map((name) => this.getAttributeNode(name)));
      all.getNamedItem = (name) => this.getAttributeNode(name);
      return all;
    }
    hasAttributes() { return this.#attributes.size > 0; }
    getAttribute(name) { const v = this.#attributes.get(String(name)); return v === undefined ? null : v; }
    setAttribute(name, value) { this.#attributes.set(valid(name), String(value)); }
    removeAttribute(name) { this.#attributes.delete(String(name)); }
    hasAttribute(name) { return this.#attributes.has(String(name)); }
    getAttributeNode(name) { name = String(name); return this.hasAttribute(name) ? new Attr(this.ownerDocument, this, name, '') : null; }
    #named(ns, local) { return this.attributes.find((a) => a.localName === local && (a.namespaceURI || '') === (ns || '')); }
    getAttributeNS(ns, local) { const a = this.#named(ns, local); return a ? a.value : null; }
    hasAttributeNS(ns, local) { return this.#named(ns, local) !== undefined; }
    removeAttributeNS(ns, local) { const a = this.#named(ns, local); if (a) this.removeAttribute(a.name); }
    setAttributeNS(ns, name, value) {
      this.setAttribute(name, value);
      const prefix = prefixOf(String(name));
      if (prefix && prefix !== 'xmlns' && this.lookupNamespaceURI(prefix) !== ns) this.setAttribute('xmlns:' + prefix, ns);
    }
    copied() { return new Element(this.ownerDocument, this.#name, new Map(this.#attributes)); }
  }
  function valid(name) {
    name = String(name);
    if (!/^[A-Za-z_:\u0080-\uFFFF][-.\w:\u0080-\uFFFF]*$/.test(name)) fail('InvalidCharacterError', name + ' is no name in XML');
    return name;
  }

  class CharacterData extends Node {
    #data;
    constructor(document, data) { super(document); this.#data = String(data); }
    get data() { return this.#data; }
    set data(v) { this.#data = v === null ? '' : String(v); }
    get nodeValue() { return this.data; }
    set nodeValue(v) { this.data = v; }
    get textContent() { return this.data; }
    set textContent(v) { this.data = v; }
    get length() { return this.data.length; }
    substringData(at, count) { return this.data.substr(at, count); }
    appendData(more) { this.data += more; }
    insertData(at, more) { this.replaceData(at, 0, more); }
    deleteData(at, count) { this.replaceData(at, count, ''); }
    replaceData(at, count, by) {
      if (at < 0 || at > this.data.length) fail('IndexSizeError', 'it is outside of the text');
      this.data = this.data.slice(0, at) + by + this.data.slice(at + count);
    }
    copied() { return new this.constructor(this.ownerDocument, this.data); }
  }
  class Text extends CharacterData {
    get nodeType() { return 3; }
    get nodeName() { return '#text'; }
    splitText(at) {
      const rest = new this.constructor(this.ownerDocument, this.data.slice(at));
      this.data = this.data.slice(0, at);
      if (this.parentNode) this.parentNode.insertBefore(rest, this.nextSibling);
      return rest;
    }
  }
  class CDATASection extends Text {
    get nodeType() { return 4; }
    get nodeName() { return '#cdata-section'; }
  }
  class Comment extends CharacterData {
    get nodeType() { return 8; }
    get nodeName() { return '#comment'; }
  }
  class DocumentFragment extends Parent {
    get nodeType() { return 11; }
    get nodeName() { return '#document-fragment'; }
    copied() { return new DocumentFragment(this.ownerDocument); }
  }
  class Document extends Parent {
    constructor() { super(null); }
    get nodeType() { return 9; }
    get nodeName() { return '#document'; }
    get textContent() { return null; }
    set textContent(_) {}
    get documentElement() { return this.children.item(0); }
    getElementById(id) { return descendants(this, (n) => n.nodeType === 1 && n.getAttribute('id') === String(id)).item(0); }
    createElement(name) { return new Element(this, valid(name), new Map()); }
    createElementNS(ns, name) {
      const e = this.createElement(name), prefix = prefixOf(e.tagName);
      if (ns || prefix) e.setAttribute(prefix ? 'xmlns:' + prefix : 'xmlns', ns || '');
      return e;
    }
    createTextNode(data) { return new Text(this, data); }
    createCDATASection(data) { return new CDATASection(this, data); }
    createComment(data) { return new Comment(this, data); }
    createDocumentFragment() { return new DocumentFragment(this); }
    createAttribute(name) { return new Attr(this, null, valid(name), ''); }
    importNode(node, deep) {
      const copy = node.nodeType === 9 ? fail('NotSupportedError', 'a document cannot be imported') : node.cloneNode(deep);
      for (let n = copy; n; n = following(n, copy)) n.adopt(this);
      return copy;
    }
    copied() { return new Document(); }
  }

  function parse(items) {
    const document = new Document();
    const fragment = new DocumentFragment(document);
    let into = fragment, elements = 0;
    for (const item of items) {
      if (item === 0) into = into.parentNode;
      else if (typeof item === 'string') into.appendChild(new Text(document, item));
      else if (item.c !== undefined) into.appendChild(new Comment(document, item.c));
      else {
        const [name, pairs] = item, attributes = new Map();
        for (let i = 0; i < pairs.length; i += 2) attributes.set(pairs[i], pairs[i + 1]);
        if (into === fragment) elements += 1;
        into = into.appendChild(new Element(document, name, attributes));
      }
    }
    const stray = (n) => n.nodeType === 3 && n.data.trim() !== '';
    if (elements !== 1 || fragment.childNodes.some(stray)) return fragment;
    for (const n of fragment.childNodes) if (n.nodeType === 3) n.remove(); else document.appendChild(n);
    return document;
  }
  return [parse, isNode];
})()
