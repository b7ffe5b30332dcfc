//! Random charts and random events, out of a seed.
//!
//! A chart is made as a tree of states first, then everything that names states is hung into it; what comes out is a
//! tree of elements, which the reader must accept: the generator makes no document that is not valid. Sizes are bounded.
//! Endless loops are made rarely rather than never: both executors must then end with the same limit.

use crate::ecmascript::{Members, Value};
use crate::executor::Event;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// SplitMix64 (Steele, Lea, Flood 2014): every seed is a good one.
pub struct Random(u64);

impl Random {
    /// Numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// An XML element.
#[derive(Clone, Debug)]
pub struct Element {
    pub name: &'static str,
    pub attributes: Vec<(&'static str, String)>,
    pub children: Vec<Element>,
    pub text: String,
}

impl Element {
    fn new(name: &'static str) -> Self {
        Element {
            name,
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    fn holding(mut self, children: Vec<Element>) -> Self {
        self.children = children;
        self
    }

    /// As a document.
    pub fn document(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = depth * 2;
        let _ = write!(out, "{:indent$}<{}", "", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escaped(value));
        }
        if self.children.is_empty() {
            match self.text.as_str() {
                "" => out.push_str("/>\n"),
                text => {
                    let _ = writeln!(out, ">{}</{}>", escaped(text), self.name);
                }
            }
            return;
        }
        out.push_str(">\n");
        self.children.iter().for_each(|c| c.write(out, depth + 1));
        let _ = writeln!(out, "{:indent$}</{}>", "", self.name);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// What one session is given.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Start parameters.
    pub params: Members,
    /// External events.
    pub events: Vec<Event>,
}

/// A chart, and sessions of it.
#[derive(Clone, Debug)]
pub struct Chart {
    pub root: Element,
    pub sequences: Vec<Sequence>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Root,
    State,
    Parallel,
    Final,
    Shallow,
    Deep,
}

impl Kind {
    fn is_history(self) -> bool {
        matches!(self, Kind::Shallow | Kind::Deep)
    }
}

struct Node {
    id: String,
    kind: Kind,
    parent: usize,
    depth: usize,
    children: Vec<usize>,
}

/// Deepest nesting of states.
const MAX_DEPTH: usize = 7;

const EVENTS: &[&str] = &["a", "b", "c", "a.b", "a.b.c", "ab", "b.a"];

const DESCRIPTORS: &[&str] = &[
    "a",
    "b",
    "c",
    "a",
    "b",
    "c",
    "a",
    "b",
    "c",
    "a.b",
    "a.b",
    "a.b.c",
    "a.b.*",
    "a.*",
    "ab",
    "b.",
    "b.a",
    "error",
    "error.*",
    "done.state",
    "*",
];

/// A chart and `sequences` sessions of it.
pub fn chart(seed: u64, sequences: usize) -> Chart {
    // Neighbouring seeds must not give the same numbers one later.
    let mut random = Random::new(seed);
    let random = Random::new(random.next());
    let mut g = Generator {
        random,
        nodes: Vec::new(),
        null: false,
        data: Vec::new(),
        referenced: BTreeSet::new(),
        safe: false,
        raises: 0,
        failures: 0,
    };
    g.null = g.random.chance(7);
    g.tree();
    let noise: &[usize] = if g.nodes.len() > 40 {
        &[0, 3, 10]
    } else {
        &[0, 15, 40, 80]
    };
    g.raises = *g.random.pick(noise);
    g.failures = *g.random.pick(&[0, 0, 1, 3]);
    let root = g.document();
    let sequences = (0..sequences).map(|_| g.sequence()).collect();
    Chart { root, sequences }
}

struct Generator {
    random: Random,
    nodes: Vec<Node>,
    null: bool,
    /// Ids of data items, and the state that each belongs to (0: the document).
    data: Vec<(String, usize)>,
    /// Ids that something names.
    referenced: BTreeSet<String>,
    /// What is made now must not fail: a condition that fails without an event fails for ever.
    safe: bool,
    /// Percent of what might raise an event that does. Where much is raised at every step, hardly a step ends.
    raises: usize,
    /// Percent of expressions that fail, about; each raises an event too.
    failures: usize,
}

// The tree of states.
impl Generator {
    fn tree(&mut self) {
        self.nodes.push(Node {
            id: String::new(),
            kind: Kind::Root,
            parent: 0,
            depth: 0,
            children: Vec::new(),
        });
        let size = match self.random.below(100) {
            0..30 => 2 + self.random.below(6),
            30..92 => 6 + self.random.below(22),
            // More than the 64 states that a word of the engine's sets holds.
            _ => 66 + self.random.below(70),
        };
        // Parallels are rare in some charts and many in others.
        let parallels = *self.random.pick(&[0, 10, 20, 20, 35]);
        let histories = *self.random.pick(&[0, 15, 25]);
        let finals = *self.random.pick(&[4, 10, 20]);
        self.add(0, Kind::State);
        while self.nodes.len() <= size {
            let recent = self.nodes.len() - self.nodes.len().min(6);
            let parent = match self.random.below(10) {
                0..5 => recent + self.random.below(self.nodes.len() - recent),
                5 => 0,
                _ => self.random.below(self.nodes.len()),
            };
            let node = &self.nodes[parent];
            if !matches!(node.kind, Kind::Root | Kind::State | Kind::Parallel) || node.depth == MAX_DEPTH {
                continue;
            }
            let kind = node.kind;
            let roll = self.random.below(100);
            let child = if roll < parallels {
                Kind::Parallel
            } else if roll < parallels + histories && kind != Kind::Root {
                *self.random.pick(&[Kind::Shallow, Kind::Deep])
            } else if roll < parallels + histories + finals && kind != Kind::Parallel {
                Kind::Final
            } else {
                Kind::State
            };
            self.add(parent, child);
            if child == Kind::Parallel && self.random.chance(30) {
                self.add_regions_that_end();
            }
        }
        // A parallel has regions, and a history something to remember.
        for s in 1..self.nodes.len() {
            let real = self.real_children(s).len();
            let histories = self.nodes[s].children.len() - real;
            match self.nodes[s].kind {
                Kind::Parallel if real < 2 => (real..2).for_each(|_| self.add(s, Kind::State)),
                Kind::State if real == 0 && histories > 0 => self.add(s, Kind::State),
                _ => {}
            }
        }
        // Children stand in any order: a history or final may be the first.
        for s in 0..self.nodes.len() {
            for i in (1..self.nodes[s].children.len()).rev() {
                let j = self.random.below(i + 1);
                self.nodes[s].children.swap(i, j);
            }
        }
    }

    /// Into the parallel that was just made: regions that come to their end, so that it does as well. One of them may be
    /// a parallel of such regions.
    fn add_regions_that_end(&mut self) {
        let parallel = self.nodes.len() - 1;
        for _ in 0..2 {
            let region = self.nodes.len();
            if self.nodes[parallel].depth < MAX_DEPTH && self.random.chance(25) {
                self.add(parallel, Kind::Parallel);
                self.add_regions_that_end();
                continue;
            }
            self.add(parallel, Kind::State);
            self.add(region, Kind::Final);
            if self.random.chance(60) {
                self.add(region, Kind::State);
            }
        }
    }

    fn add(&mut self, parent: usize, kind: Kind) {
        let s = self.nodes.len();
        self.nodes.push(Node {
            id: format!("s{s}"),
            kind,
            parent,
            depth: self.nodes[parent].depth + 1,
            children: Vec::new(),
        });
        self.nodes[parent].children.push(s);
    }

    fn real_children(&self, s: usize) -> Vec<usize> {
        let children = self.nodes[s].children.iter().copied();
        children.filter(|c| !self.nodes[*c].kind.is_history()).collect()
    }

    /// The state and those around it, without the root.
    fn ancestors_or_self(&self, s: usize) -> Vec<usize> {
        let mut line = Vec::new();
        let mut s = s;
        while s != 0 {
            line.push(s);
            s = self.nodes[s].parent;
        }
        line
    }

    fn is_inside(&self, s: usize, of: usize) -> bool {
        s != of && (of == 0 || self.ancestors_or_self(s).contains(&of))
    }

    /// Can both be targets of one transition (3.11.1)? A history stands for its parent.
    fn go_together(&self, one: usize, other: usize) -> bool {
        let real = |s: usize| match self.nodes[s].kind.is_history() {
            true => self.nodes[s].parent,
            false => s,
        };
        let (one, other) = (self.ancestors_or_self(real(one)), self.ancestors_or_self(real(other)));
        if one.contains(&other[0]) || other.contains(&one[0]) {
            return false;
        }
        let common = one.iter().find(|s| other.contains(s));
        common.is_some_and(|s| self.nodes[*s].kind == Kind::Parallel)
    }
}

// Targets, descriptors, expressions.
impl Generator {
    /// Some of `candidates` that go together, as the value of a `target` or `initial`.
    fn targets(&mut self, mut candidates: Vec<usize>) -> String {
        let mut targets = Vec::new();
        let several = 30;
        while !candidates.is_empty() {
            let target = *self.random.pick(&candidates);
            targets.push(self.name(target));
            candidates.retain(|c| self.go_together(*c, target));
            if targets.len() == 4 || !self.random.chance(several + 20 * targets.len()) {
                break;
            }
        }
        targets.join(" ")
    }

    /// The id of a state that is named somewhere.
    fn name(&mut self, s: usize) -> String {
        let id = self.nodes[s].id.clone();
        self.referenced.insert(id.clone());
        id
    }

    fn inside(&self, of: usize) -> Vec<usize> {
        (1..self.nodes.len()).filter(|s| self.is_inside(*s, of)).collect()
    }

    fn any_state(&mut self) -> String {
        let s = 1 + self.random.below(self.nodes.len() - 1);
        self.name(s)
    }

    fn descriptors(&mut self) -> String {
        let n = if self.random.chance(25) { 2 } else { 1 };
        let descriptors: Vec<String> = (0..n)
            .map(|_| match self.random.below(8) {
                0 => format!("done.state.{}", self.any_state()),
                _ => (*self.random.pick(DESCRIPTORS)).to_owned(),
            })
            .collect();
        descriptors.join(" ")
    }

    fn variable(&mut self) -> String {
        // One that does not exist is an error.
        if self.data.is_empty() && self.safe {
            return "1".to_owned();
        }
        if self.data.is_empty() || (!self.safe && self.random.chance(self.failures)) {
            return "nowhere".to_owned();
        }
        let i = self.random.below(self.data.len());
        self.data[i].0.clone()
    }

    /// A number; its size stays bounded however often it is assigned.
    fn number(&mut self) -> String {
        let x = self.variable();
        let k = self.random.below(4);
        match self.random.below(20) {
            0..7 => format!("{x} + 1"),
            7 => format!("{x} - {k}"),
            8..10 => format!("({x} + {}) % 5", self.variable()),
            10 => format!("-{x}"),
            11..14 => x,
            14 if self.random.chance(30 * self.failures) => "_event.data.n".to_owned(),
            _ => k.to_string(),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if self.null {
            let id = self.any_state();
            return match self.random.chance(50) {
                true => format!("In({id})"),
                false => format!("In('{id}')"),
            };
        }
        let x = self.variable();
        let k = self.random.below(4);
        match self.random.below(if depth > 2 { 12 } else { 20 }) {
            0..3 => format!("{x} < {k}"),
            3 => format!("{x} >= {k}"),
            4..6 => format!("{x} % 2 == {}", k % 2),
            6 => format!("{x} != {k}"),
            7..11 => format!("In('{}')", self.any_state()),
            11 => (*self
                .random
                .pick(&["true", "false", "_event.name == 'a'", "_event.data.n > 1"]))
            .to_owned(),
            12..14 => format!("!In('{}')", self.any_state()),
            14 => format!("!({})", self.condition(depth + 1)),
            15..18 => format!("{} && {}", self.condition(depth + 1), self.condition(depth + 1)),
            _ => format!("({} || {})", self.condition(depth + 1), self.condition(depth + 1)),
        }
    }

    fn logged(&mut self) -> String {
        if self.null {
            return format!("'t{}'", self.random.below(100));
        }
        match self.random.below(10) {
            0..4 => format!("'t{}'", self.random.below(100)),
            4..6 => format!("'v' + {}", self.variable()),
            6 => format!("In('{}')", self.any_state()),
            7 if self.random.chance(30 + 10 * self.failures) => "_event.name".to_owned(),
            8 if self.random.chance(10 * self.failures) => "_event.data.n".to_owned(),
            _ => self.number(),
        }
    }
}

// Elements.
impl Generator {
    fn content(&mut self, most: usize, depth: usize) -> Vec<Element> {
        let n = 1 + self.random.below(most);
        (0..n).map(|_| self.executable(depth)).collect()
    }

    fn executable(&mut self, depth: usize) -> Element {
        match self.random.below(30) {
            0..12 => self.log(),
            12..15 if self.random.chance(self.raises) => self.raise(),
            15..18 if depth < 2 => self.conditional(depth),
            18 => self.send(),
            _ if self.null => self.log(),
            19..21 => {
                // A script may set what was not declared; that would be one variable more.
                let Some((id, _)) = self.data.first() else {
                    return self.log();
                };
                let id = id.clone();
                let mut script = Element::new("script");
                script.text = format!("{id} = {};", self.number());
                script
            }
            _ => {
                let assign = Element::new("assign").with("location", self.variable());
                match self.random.below(8) {
                    0 => Element {
                        text: self.random.below(5).to_string(),
                        ..assign
                    },
                    1 => assign.with("expr", format!("In('{}')", self.any_state())),
                    _ => assign.with("expr", self.number()),
                }
            }
        }
    }

    fn log(&mut self) -> Element {
        let log = Element::new("log");
        let label = self.random.chance(20);
        let log = if label { log.with("label", "l") } else { log };
        if label && self.random.chance(30) {
            return log;
        }
        log.with("expr", self.logged())
    }

    fn raise(&mut self) -> Element {
        Element::new("raise").with("event", *self.random.pick(EVENTS))
    }

    fn send(&mut self) -> Element {
        let mut send = Element::new("send").with("event", *self.random.pick(EVENTS));
        if self.random.chance(self.raises) {
            send = send.with("target", "#_internal");
        } else if self.random.chance(40) {
            send = send.with("delay", "20ms");
        }
        if !self.null && self.random.chance(60) {
            send.children.push(self.param());
        }
        send
    }

    fn param(&mut self) -> Element {
        let expr = self.number();
        Element::new("param").with("name", "n").with("expr", expr)
    }

    fn conditional(&mut self, depth: usize) -> Element {
        let mut children = self.content(2, depth + 1);
        if self.random.chance(30) {
            children.push(Element::new("elseif").with("cond", self.condition(1)));
            children.extend(self.content(2, depth + 1));
        }
        if self.random.chance(50) {
            children.push(Element::new("else"));
            children.extend(self.content(2, depth + 1));
        }
        Element::new("if").with("cond", self.condition(0)).holding(children)
    }

    fn blocks(&mut self, name: &'static str) -> Vec<Element> {
        let n = match self.random.below(20) {
            0..8 => 0,
            8..18 => 1,
            _ => 2,
        };
        (0..n).map(|_| Element::new(name).holding(self.content(2, 0))).collect()
    }

    fn transition(&mut self, source: usize) -> Element {
        let mut t = Element::new("transition");
        let eventless = self.random.chance(if self.null { 4 } else { 14 });
        if eventless {
            return self.eventless(source, t);
        }
        t = t.with("event", self.descriptors());
        if self.random.chance(35) {
            t = t.with("cond", self.condition(0));
        }
        if self.random.chance(85) {
            t = t.with("target", self.anywhere(source));
        }
        if self.random.chance(35) {
            t = t.with("type", "internal");
        }
        if self.random.chance(60) {
            t.children = self.content(2, 0);
        }
        t
    }

    /// Most loops come to their end, because each round changes what the condition looks at.
    fn eventless(&mut self, source: usize, mut t: Element) -> Element {
        self.safe = true;
        let targets = self.anywhere(source);
        let mut targeted = true;
        if !self.null && !self.data.is_empty() && self.random.chance(65) {
            let x = self.variable();
            t = t.with("cond", format!("{x} < {}", 1 + self.random.below(3)));
            let more = Element::new("assign")
                .with("location", x.clone())
                .with("expr", format!("{x} + 1"));
            t.children.push(more);
            targeted = self.random.chance(70);
        } else if !self.null && self.random.chance(85) {
            let arrived = self.arrived(&targets);
            let besides = match self.random.chance(50) {
                true => format!(" && {}", self.condition(1)),
                false => String::new(),
            };
            t = t.with("cond", format!("!In('{arrived}'){besides}"));
        } else if self.null || self.random.chance(90) {
            t = t.with("cond", self.condition(0));
        }
        self.safe = false;
        if targeted {
            t = t.with("target", targets);
        }
        if self.random.chance(35) {
            t = t.with("type", "internal");
        }
        if self.random.chance(40) {
            t.children.extend(self.content(2, 0));
        }
        t
    }

    /// A state that is active when a transition with these targets was taken: a history itself never is.
    fn arrived(&mut self, targets: &str) -> String {
        let first = targets.split(' ').next().unwrap_or_default();
        let first = self.nodes.iter().position(|n| n.id == first);
        let first = first.expect("targets are ids of states");
        match self.nodes[first].kind.is_history() {
            true => self.name(self.nodes[first].parent),
            false => self.name(first),
        }
    }

    /// Targets, more often than by chance inside the source, or a history that a state around it has.
    fn anywhere(&mut self, source: usize) -> String {
        let inside = self.inside(source);
        let around = self.ancestors_or_self(source);
        let mut histories = self.inside(0);
        histories.retain(|h| self.nodes[*h].kind.is_history() && around.contains(&self.nodes[*h].parent));
        let candidates = match self.random.below(100) {
            0..35 if !inside.is_empty() => inside,
            35..55 if !histories.is_empty() => histories,
            _ => self.inside(0),
        };
        self.targets(candidates)
    }

    fn default_transition(&mut self, targets: String) -> Element {
        let mut t = Element::new("transition").with("target", targets);
        if self.random.chance(50) {
            t.children = self.content(2, 0);
        }
        t
    }

    fn history(&mut self, s: usize) -> Element {
        let parent = self.nodes[s].parent;
        let (name, candidates) = match self.nodes[s].kind {
            Kind::Deep => {
                let mut inside = self.inside(parent);
                inside.retain(|c| !self.nodes[*c].kind.is_history() || self.nodes[*c].parent != parent);
                ("deep", inside)
            }
            _ => ("shallow", self.real_children(parent)),
        };
        let targets = self.targets(candidates);
        let mut history = Element::new("history");
        if name == "deep" || self.random.chance(50) {
            history = history.with("type", name);
        }
        history.children.push(self.default_transition(targets));
        history
    }

    fn data_of(&mut self, s: usize) -> Vec<Element> {
        let ids: Vec<String> = self
            .data
            .iter()
            .filter(|(_, of)| *of == s)
            .map(|(id, _)| id.clone())
            .collect();
        let items = ids.into_iter().map(|id| {
            let data = Element::new("data").with("id", id);
            match self.random.below(10) {
                0 => data,
                1 => Element {
                    text: self.random.below(5).to_string(),
                    ..data
                },
                2 => data.with("expr", self.number()),
                3 => data.with("expr", format!("In('{}')", self.any_state())),
                _ => data.with("expr", self.random.below(3).to_string()),
            }
        });
        let items: Vec<Element> = items.collect();
        match items.is_empty() {
            true => Vec::new(),
            false => vec![Element::new("datamodel").holding(items)],
        }
    }

    fn state(&mut self, s: usize) -> Element {
        let kind = self.nodes[s].kind;
        let mut element = match kind {
            Kind::Shallow | Kind::Deep => self.history(s),
            Kind::Parallel => Element::new("parallel"),
            Kind::Final => Element::new("final"),
            _ => Element::new("state"),
        };
        element.attributes.insert(0, ("id", self.nodes[s].id.clone()));
        if kind.is_history() {
            return element;
        }
        let real = self.real_children(s);
        element.children.extend(self.data_of(s));
        if kind == Kind::State && !real.is_empty() && self.random.chance(60) {
            let inside = self.inside(s);
            let targets = self.targets(inside);
            match self.random.chance(50) {
                true => element.attributes.push(("initial", targets)),
                false => {
                    let t = self.default_transition(targets);
                    element.children.push(Element::new("initial").holding(vec![t]));
                }
            }
        }
        element.children.extend(self.blocks("onentry"));
        element.children.extend(self.blocks("onexit"));
        if kind == Kind::Final {
            if !self.null && self.random.chance(50) {
                let param = self.param();
                element.children.push(Element::new("donedata").holding(vec![param]));
            }
            return element;
        }
        for _ in 0..*self.random.pick(&[0, 1, 1, 2, 2, 3]) {
            element.children.push(self.transition(s));
        }
        for c in self.nodes[s].children.clone() {
            element.children.push(self.state(c));
        }
        element
    }

    fn document(&mut self) -> Element {
        if !self.null {
            for i in 0..*self.random.pick(&[0, 1, 1, 2, 2, 2, 3, 3, 3, 4]) {
                self.data.push((format!("x{i}"), 0));
            }
            for s in 1..self.nodes.len() {
                if matches!(self.nodes[s].kind, Kind::State | Kind::Parallel) && self.random.chance(8) {
                    self.data.push((format!("d{s}"), s));
                }
            }
        }
        let mut root = Element::new("scxml")
            .with("xmlns", "http://www.w3.org/2005/07/scxml")
            .with("version", "1.0")
            .with("datamodel", if self.null { "null" } else { "ecmascript" });
        if self.random.chance(35) {
            root = root.with("binding", "late");
        }
        if self.random.chance(40) {
            let all = self.inside(0);
            root = root.with("initial", self.targets(all));
        }
        root.children = self.data_of(0);
        if !self.data.is_empty() && self.random.chance(10) {
            let mut script = Element::new("script");
            let number = self.number();
            script.text = format!("{} = {number};", self.data[0].0);
            root.children.push(script);
        }
        for s in self.nodes[0].children.clone() {
            root.children.push(self.state(s));
        }
        self.unname(&mut root);
        root
    }

    /// Some of the states that nobody names lose their id.
    fn unname(&mut self, element: &mut Element) {
        if matches!(element.name, "state" | "parallel" | "final" | "history") && self.random.chance(20) {
            element
                .attributes
                .retain(|(name, value)| *name != "id" || self.referenced.contains(value));
        }
        element.children.iter_mut().for_each(|c| self.unname(c));
    }

    fn sequence(&mut self) -> Sequence {
        let mut params = Members::new();
        // Of any item: those of inner states are not to be replaced.
        if !self.data.is_empty() && self.random.chance(30) {
            let (id, _) = self.random.pick(&self.data).clone();
            params.push((id, Value::Number(self.random.below(4) as f64)));
        }
        let n = 2 + self.random.below(14);
        let events = (0..n).map(|_| {
            let name = match self.random.below(20) {
                0 => format!("done.state.s{}", 1 + self.random.below(self.nodes.len() - 1)),
                1 => "error.execution".to_owned(),
                _ => (*self.random.pick(EVENTS)).to_owned(),
            };
            let n = Value::Number(self.random.below(4) as f64);
            let data = self.random.chance(25).then(|| vec![("n".to_owned(), n)]);
            Event { name, data }
        });
        Sequence {
            events: events.collect(),
            params,
        }
    }
}
