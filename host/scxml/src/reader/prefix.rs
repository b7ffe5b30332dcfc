//! Names in included texts: each inclusion with `resolveid` has its own.
//!
//! Genesys Composer generates a process once and includes it wherever it is called. So that ids stay unique, `resolveid`
//! puts a prefix before every id of a state in the included text, and before whatever names one of these: `target`, `initial`,
//! and the events `done.state.ID`. The text can name the prefix itself: `$$_MY_PREFIX_$$` stands for it anywhere, and in
//! expressions and scripts the identifier `_my_prefix` is a string with it.
//!
//! Ids of `data`, `send` and `invoke` are not touched: scripts name them in ways that cannot be seen here.

use std::collections::HashSet;

use crate::limits::MAX_PREFIX_TOTAL_BYTES;
use crate::xml::{Attribute, Element, Namespace, Node};

/// What stands for the prefix in attributes and texts.
const PLACEHOLDER: &str = "$$_MY_PREFIX_$$";

/// The identifier with the prefix in expressions and scripts.
const IDENTIFIER: &str = "_my_prefix";

/// The event of a state that is done (W3C SCXML 3.7.1), without the id.
const DONE: &str = "done.state.";

/// Words of ECMAScript after which an operand follows, so that `/` begins a regular expression.
const BEFORE_OPERAND: [&str; 11] = [
    "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do",
];

/// Words after which a name is declared.
const DECLARE: [&str; 4] = ["var", "let", "const", "function"];

/// What prefixes may still add to the document.
pub(super) struct Room {
    bytes: usize,
    /// There was too little.
    pub exceeded: bool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: MAX_PREFIX_TOTAL_BYTES,
            exceeded: false,
        }
    }
}

impl Room {
    /// Takes that much, if it is there.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.bytes.checked_sub(bytes);
        self.exceeded |= left.is_none();
        self.bytes = left.unwrap_or(0);
        left.is_some()
    }

    /// Takes what it costs to put the prefix into the place of each of these words.
    fn take_for(&mut self, text: &str, word: &str, prefix: &str) -> bool {
        self.take(text.matches(word).count() * (prefix.len() + 2))
    }
}

/// Attributes of SCXML elements that are no expressions in any dialect.
fn is_literal(element: &Element, name: &str) -> bool {
    let plain = matches!(
        name,
        "id" | "initial" | "name" | "label" | "level" | "src" | "parse" | "version"
    );
    let event = matches!(element.name.as_str(), "transition" | "raise") && matches!(name, "event" | "target" | "type");
    element.namespace == Namespace::Scxml && (plain || event)
}

/// Puts the prefix where the element itself, its attributes and its own text, name it.
pub(super) fn put(element: &mut Element, prefix: &str, room: &mut Room) {
    let mut attributes = std::mem::take(&mut element.attributes);
    for attribute in &mut attributes {
        if attribute.value.contains(PLACEHOLDER) && room.take_for(&attribute.value, PLACEHOLDER, prefix) {
            attribute.value = attribute.value.replace(PLACEHOLDER, prefix);
            attribute.whole = true;
        }
        if attribute.value.contains(IDENTIFIER)
            && !is_literal(element, &attribute.name)
            && room.take_for(&attribute.value, IDENTIFIER, prefix)
        {
            attribute.value = with_prefix(&attribute.value, prefix);
        }
    }
    element.attributes = attributes;
    for child in &mut element.children {
        if let Node::Text(text) = child {
            put_text(&mut text.text, prefix, room);
        }
    }
}

/// Puts the prefix where a text names it.
pub(super) fn put_text(text: &mut String, prefix: &str, room: &mut Room) {
    if text.contains(PLACEHOLDER) && room.take_for(text, PLACEHOLDER, prefix) {
        *text = text.replace(PLACEHOLDER, prefix);
    }
    if text.contains(IDENTIFIER) && room.take_for(text, IDENTIFIER, prefix) {
        *text = with_prefix(text, prefix);
    }
}

/// Puts the prefix before all ids of states in these, and before what names them.
pub(super) fn resolve(nodes: &mut [Node], prefix: &str, room: &mut Room) {
    let mut ids = HashSet::new();
    nodes.iter().for_each(|node| collect(node, &mut ids));
    let mut resolver = Resolver { prefix, ids, room };
    nodes.iter_mut().for_each(|node| resolver.node(node));
}

/// Puts one prefix before ids.
struct Resolver<'r> {
    prefix: &'r str,
    /// The ids that are to have it.
    ids: HashSet<String>,
    room: &'r mut Room,
}

impl Resolver<'_> {
    fn node(&mut self, node: &mut Node) {
        let Node::Element(element) = node else { return };
        if element.namespace == Namespace::Scxml {
            let (state, transition) = (is_state(element), element.name == "transition");
            for attribute in &mut element.attributes {
                match attribute.name.as_str() {
                    "id" if state && !attribute.whole => {
                        if let Some(id) = self.id(&attribute.value) {
                            attribute.value = id;
                        }
                    }
                    "initial" if state => self.words(attribute, Self::id),
                    "target" if transition => self.words(attribute, Self::id),
                    "event" if transition => self.words(attribute, Self::event),
                    _ => {}
                }
            }
        }
        element.children.iter_mut().for_each(|child| self.node(child));
    }

    /// The id with its prefix, if it is one of those.
    fn id(&mut self, id: &str) -> Option<String> {
        let known = self.ids.contains(id) && self.room.take(self.prefix.len() + 1);
        known.then(|| format!("{}.{id}", self.prefix))
    }

    /// The event of a state that is done, with the prefix in it.
    fn event(&mut self, descriptor: &str) -> Option<String> {
        let id = descriptor.strip_prefix(DONE)?;
        let (id, ending) = id.split_at(id.trim_end_matches('*').trim_end_matches('.').len());
        self.id(id).map(|id| format!("{DONE}{id}{ending}"))
    }

    /// Changes words of a list; a list in which none changes stays as it is written.
    fn words(&mut self, attribute: &mut Attribute, change: impl Fn(&mut Self, &str) -> Option<String>) {
        let mut changed = false;
        let words = attribute.value.split_ascii_whitespace().map(|word| {
            let new = change(self, word);
            changed |= new.is_some();
            new.unwrap_or_else(|| word.to_owned())
        });
        let words: Vec<String> = words.collect();
        if changed {
            attribute.value = words.join(" ");
        }
    }
}

fn is_state(element: &Element) -> bool {
    element.namespace == Namespace::Scxml && matches!(element.name.as_str(), "state" | "parallel" | "final" | "history")
}

fn collect(node: &Node, ids: &mut HashSet<String>) {
    let Node::Element(element) = node else { return };
    if let Some(id) = element.attribute("id").filter(|id| is_state(element) && !id.whole) {
        ids.insert(id.value.clone());
    }
    element.children.iter().for_each(|child| collect(child, ids));
}

/// The program with a string in the place of the identifier. Strings, comments, regular expressions, members (`a._my_prefix`)
/// and names of members (`{ _my_prefix: 1 }`) are left alone; so is a program that declares the name itself.
fn with_prefix(program: &str, prefix: &str) -> String {
    let literal = literal(prefix);
    let mut text = String::with_capacity(program.len());
    let mut tokens = Tokens::new(program);
    while let Some(token) = tokens.next() {
        if token != IDENTIFIER {
            text.push_str(token);
            continue;
        }
        if DECLARE.contains(&tokens.before) {
            return program.to_owned();
        }
        let member = tokens.before == ".";
        let named = matches!(tokens.before, "{" | ",") && tokens.rest().trim_start().starts_with(':');
        text.push_str(if member || named { token } else { &literal });
    }
    text
}

/// A string literal of ECMAScript.
fn literal(text: &str) -> String {
    let mut literal = String::from("'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}

/// The tokens of a program, as far as it takes to tell an identifier from what only looks like one. All of them together
/// are the program.
struct Tokens<'p> {
    program: &'p str,
    at: usize,
    /// The last token but white space and comments, before the one that was answered last.
    before: &'p str,
    last: &'p str,
    /// Of the last line in which a regular expression was looked for.
    expressions: RegularExpressions,
}

impl<'p> Tokens<'p> {
    fn new(program: &'p str) -> Self {
        Self {
            program,
            at: 0,
            before: "",
            last: "",
            expressions: RegularExpressions::default(),
        }
    }

    fn rest(&self) -> &'p str {
        &self.program[self.at..]
    }

    /// A `/` here divides: an operand stands before it.
    fn divides(&self) -> bool {
        let ends_operand =
            |character: char| is_name(character) || matches!(character, ')' | ']' | '}' | '\'' | '"' | '`');
        self.last.ends_with(ends_operand) && !BEFORE_OPERAND.contains(&self.last)
    }
}

impl<'p> Iterator for Tokens<'p> {
    type Item = &'p str;

    fn next(&mut self) -> Option<&'p str> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        let comment = rest.starts_with("//") || rest.starts_with("/*");
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if comment => rest
                .get(2..)
                .and_then(|inside| inside.find("*/"))
                .map_or(rest.len(), |end| end + 4),
            '/' if !self.divides() => self.expressions.length(self.program, self.at),
            '\'' | '"' | '`' => string(rest, first),
            _ if is_name(first) => rest.find(|character| !is_name(character)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let token = &rest[..length];
        self.at += length;
        if !comment && !first.is_whitespace() {
            self.before = std::mem::replace(&mut self.last, token);
        }
        Some(token)
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

/// Length of the string that begins here; to its end where it is not closed.
fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (offset, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return offset + 1,
            '\n' if quote != '`' => return offset,
            _ => {}
        }
    }
    text.len()
}

/// Where regular expressions close in one line. Found for the whole line at once, from its end: a line can hold as many `/` as
/// bytes, and to look for the end of each by itself would take time quadratic in its length.
#[derive(Default)]
struct RegularExpressions {
    /// Where the line begins, as far as it has been asked about.
    start: usize,
    /// For each of its bytes: where an expression closes whose inside goes on there, outside and inside of a class (`[...]`).
    closes: Vec<[Option<u32>; 2]>,
}

impl RegularExpressions {
    /// Length of the regular expression that begins with the `/` there; 1 where there is none after all.
    fn length(&mut self, program: &str, at: usize) -> usize {
        if at < self.start || at - self.start >= self.closes.len() {
            let line = program[at..].split('\n').next().unwrap_or_default();
            self.start = at;
            self.closes = closes(line.as_bytes());
        }
        let at = at - self.start;
        let close = self.closes.get(at + 1).and_then(|after| after[0]);
        close.map_or(1, |close| close as usize - at)
    }
}

/// What [`RegularExpressions`] holds of a line. What counts is ASCII, of which no byte is inside of another character.
fn closes(line: &[u8]) -> Vec<[Option<u32>; 2]> {
    let mut closes: Vec<[Option<u32>; 2]> = vec![[None; 2]; line.len()];
    for (at, byte) in line.iter().enumerate().rev() {
        let after = |skipped: usize| closes.get(at + skipped).copied().unwrap_or_default();
        let [outside, inside] = after(1);
        closes[at] = match byte {
            // The rest of a character of several bytes that is escaped changes nothing.
            b'\\' => after(2),
            b'[' => [inside, inside],
            b']' => [outside, outside],
            b'/' => [u32::try_from(at + 1).ok(), inside],
            _ => [outside, inside],
        };
    }
    closes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_becomes_a_string_where_it_is_an_identifier() {
        for (program, expected) in [
            ("_my_prefix", "'Main.Sub'"),
            (
                "_event.data.resolveid == _my_prefix",
                "_event.data.resolveid == 'Main.Sub'",
            ),
            ("f(_my_prefix+'_my_prefix')", "f('Main.Sub'+'_my_prefix')"),
            ("\"it's _my_prefix\" + _my_prefix", "\"it's _my_prefix\" + 'Main.Sub'"),
            (
                "a._my_prefix + _my_prefixes + x_my_prefix",
                "a._my_prefix + _my_prefixes + x_my_prefix",
            ),
            ("({ _my_prefix: _my_prefix })", "({ _my_prefix: 'Main.Sub' })"),
            ("a ? _my_prefix : b", "a ? 'Main.Sub' : b"),
            (
                "/* _my_prefix */ _my_prefix // _my_prefix",
                "/* _my_prefix */ 'Main.Sub' // _my_prefix",
            ),
            ("/'/.test(x) || _my_prefix", "/'/.test(x) || 'Main.Sub'"),
            ("a / b + '/' + _my_prefix / 2", "a / b + '/' + 'Main.Sub' / 2"),
            ("return /[/']/.exec(_my_prefix)", "return /[/']/.exec('Main.Sub')"),
            ("var _my_prefix = 1; f(_my_prefix)", "var _my_prefix = 1; f(_my_prefix)"),
            ("'\\'_my_prefix' + _my_prefix", "'\\'_my_prefix' + 'Main.Sub'"),
            ("'open _my_prefix", "'open _my_prefix"),
            ("grüße(_my_prefix, 'ü')", "grüße('Main.Sub', 'ü')"),
            ("/* open _my_prefix", "/* open _my_prefix"),
            ("/", "/"),
        ] {
            assert_eq!(with_prefix(program, "Main.Sub"), expected, "{program}");
        }
        assert_eq!(with_prefix("_my_prefix", "a'\\b"), "'a\\'\\\\b'");
    }

    #[test]
    fn a_regular_expression_ends_where_it_closes_in_its_line() {
        for (program, length) in [
            ("/a/g", 3),
            ("/[/]/", 5),
            ("/\\//", 4),
            ("/\\é\\//é", 7),
            ("/[\\]/]/", 7),
            ("/]/", 3),
            ("/[a", 1),
            ("/a\n/", 1),
            ("/\\\n/", 1),
            ("/", 1),
        ] {
            assert_eq!(RegularExpressions::default().length(program, 0), length, "{program}");
        }
        let (mut expressions, program) = (RegularExpressions::default(), "/[=/b/\n/c/ /[/ /d/");
        let lengths = [0, 3, 7, 11, 15].map(|at| expressions.length(program, at));
        assert_eq!(lengths, [1, 3, 3, 1, 3]);
    }

    #[test]
    fn a_line_of_slashes_takes_time_that_is_linear_in_its_length() {
        // Looked for one by one, it took minutes to find that none of these begins a regular expression.
        for piece in ["=/[", "/\\", "/]=[/="] {
            let program = piece.repeat((2 << 20) / piece.len()) + " + _my_prefix";
            let expected = program.len() + "'P'".len() - IDENTIFIER.len();
            assert_eq!(with_prefix(&program, "P").len(), expected, "{piece}");
        }
    }

    #[test]
    fn tokens_are_the_whole_program() {
        for program in ["a /* é", "'x\ny", "/re/g / 2 //", "`a\n${b}` é\\", "/*/", "//"] {
            assert_eq!(Tokens::new(program).collect::<String>(), program);
        }
    }
}
