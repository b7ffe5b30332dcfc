//! As much ECMAScript as the random charts use, evaluated here: what is compared must not be compared with itself.
//!
//! ```text
//!  or    := and ('||' and)*            and     := equal ('&&' equal)*
//!  equal := order (('=='|'!=') order)* order   := sum (('<'|'<='|'>'|'>=') sum)*
//!  sum   := rest (('+'|'-') rest)*     rest    := unary ('%' unary)*
//!  unary := '!' unary | '-' unary | primary
//!  primary := number | 'text' | true | false | name | In('id') | _event.name | _event.data.name | '(' or ')'
//! ```

use std::collections::BTreeMap;

/// A value that a data item, a log line or an event's data can have.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; whole, or NaN.
    Number(f64),
    /// A string.
    Text(String),
}

/// Evaluating threw: `error.execution`.
#[derive(Debug)]
pub struct Thrown;

/// The members of an event's `data`.
pub type Members = Vec<(String, Value)>;

/// What an expression can see.
pub struct Scope<'a> {
    /// Declared data items.
    pub variables: &'a BTreeMap<String, Value>,
    /// Name and data of `_event`, once there was one.
    pub event: Option<(&'a str, Option<&'a Members>)>,
    /// `In`.
    pub active: &'a dyn Fn(&str) -> bool,
}

impl Value {
    /// ECMA-262 ToBoolean.
    pub fn truth(&self) -> bool {
        match self {
            Value::Undefined | Value::Null => false,
            Value::Bool(b) => *b,
            Value::Number(n) => *n != 0.0 && !n.is_nan(),
            Value::Text(t) => !t.is_empty(),
        }
    }

    /// ECMA-262 ToNumber.
    fn number(&self) -> f64 {
        match self {
            Value::Undefined => f64::NAN,
            Value::Null => 0.0,
            Value::Bool(b) => f64::from(u8::from(*b)),
            Value::Number(n) => *n,
            Value::Text(t) => panic!("a text as a number is not in the subset: {t}"),
        }
    }

    /// ECMA-262 ToString.
    pub fn text(&self) -> String {
        match self {
            Value::Undefined => "undefined".into(),
            Value::Null => "null".into(),
            Value::Bool(b) => b.to_string(),
            Value::Number(n) if n.is_nan() => "NaN".into(),
            Value::Number(n) => whole(*n).to_string(),
            Value::Text(t) => t.clone(),
        }
    }

    /// What `JSON.stringify` makes of it; `None` for undefined.
    pub fn json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Value::Undefined => return None,
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) if n.is_nan() => serde_json::Value::Null,
            Value::Number(n) => whole(*n).into(),
            Value::Text(t) => t.clone().into(),
        })
    }

    /// ECMA-262 IsLooselyEqual, for these kinds.
    fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Undefined | Value::Null, Value::Undefined | Value::Null) => true,
            (Value::Undefined | Value::Null, _) | (_, Value::Undefined | Value::Null) => false,
            (a, b) => a.number() == b.number(),
        }
    }
}

/// The whole number that a number of this subset is; minus zero is written as zero.
fn whole(n: f64) -> i64 {
    assert!(
        n.fract() == 0.0 && n.abs() < 1e15,
        "{n} is not a number of the subset: the generator must bound what it makes"
    );
    n as i64
}

/// Members as they arrive, having travelled as JSON.
pub fn through_json(members: Members) -> Members {
    let arrived = |value| match value {
        Value::Undefined => None,
        Value::Number(n) if n.is_nan() => Some(Value::Null),
        other => Some(other),
    };
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name, arrived(value)?)))
        .collect()
}

/// Value of an expression.
pub fn evaluate(text: &str, scope: &Scope<'_>) -> Result<Value, Thrown> {
    let mut parser = Parser::new(text);
    let expression = parser.or();
    parser.end();
    expression.value(scope)
}

/// The parts of `name = expression;`.
pub fn assignment(text: &str) -> (&str, &str) {
    let (name, expression) = text.split_once('=').expect("a script of the subset is one assignment");
    (name.trim(), expression.trim().trim_end_matches(';'))
}

enum Expression {
    Constant(Value),
    Name(String),
    In(String),
    EventName,
    EventData(String),
    Unary(char, Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
}

impl Expression {
    fn value(&self, scope: &Scope<'_>) -> Result<Value, Thrown> {
        Ok(match self {
            Expression::Constant(value) => value.clone(),
            Expression::Name(name) => scope.variables.get(name).cloned().ok_or(Thrown)?,
            Expression::In(id) => Value::Bool((scope.active)(id)),
            Expression::EventName => Value::Text(scope.event.ok_or(Thrown)?.0.to_owned()),
            Expression::EventData(name) => {
                let members = scope.event.and_then(|(_, data)| data).ok_or(Thrown)?;
                let member = members.iter().find(|(member, _)| member == name);
                member.map_or(Value::Undefined, |(_, value)| value.clone())
            }
            Expression::Unary('!', e) => Value::Bool(!e.value(scope)?.truth()),
            Expression::Unary(_, e) => Value::Number(-e.value(scope)?.number()),
            Expression::Binary("&&", a, b) => match a.value(scope)? {
                a if a.truth() => b.value(scope)?,
                a => a,
            },
            Expression::Binary("||", a, b) => match a.value(scope)? {
                a if a.truth() => a,
                _ => b.value(scope)?,
            },
            Expression::Binary(operator, a, b) => binary(operator, &a.value(scope)?, &b.value(scope)?),
        })
    }
}

fn binary(operator: &str, a: &Value, b: &Value) -> Value {
    match operator {
        "==" => Value::Bool(a.equals(b)),
        "!=" => Value::Bool(!a.equals(b)),
        "<" => Value::Bool(a.number() < b.number()),
        "<=" => Value::Bool(a.number() <= b.number()),
        ">" => Value::Bool(a.number() > b.number()),
        ">=" => Value::Bool(a.number() >= b.number()),
        "+" if matches!(a, Value::Text(_)) || matches!(b, Value::Text(_)) => Value::Text(a.text() + &b.text()),
        "+" => Value::Number(a.number() + b.number()),
        "-" => Value::Number(a.number() - b.number()),
        "%" => Value::Number(a.number() % b.number()),
        other => unreachable!("{other} is no operator of the grammar"),
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

/// Binary operators, those that bind least first; in each row no operator is the beginning of a later one.
const LEVELS: [&[&str]; 6] = [
    &["||"],
    &["&&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["+", "-"],
    &["%"],
];

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Parser { text, rest: text }
    }

    fn unknown(&self) -> ! {
        panic!("not in the subset: `{}`, at `{}`", self.text, self.rest)
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn must(&mut self, token: &str) {
        if !self.take(token) {
            self.unknown();
        }
    }

    fn end(&mut self) {
        self.skip();
        if !self.rest.is_empty() {
            self.unknown();
        }
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !holds(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn or(&mut self) -> Expression {
        self.level(0)
    }

    fn level(&mut self, level: usize) -> Expression {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1);
        while let Some(operator) = operators.iter().copied().find(|o| self.take(o)) {
            left = Expression::Binary(operator, Box::new(left), Box::new(self.level(level + 1)));
        }
        left
    }

    fn unary(&mut self) -> Expression {
        for operator in ['!', '-'] {
            if self.take(operator.encode_utf8(&mut [0; 4])) {
                return Expression::Unary(operator, Box::new(self.unary()));
            }
        }
        self.primary()
    }

    fn primary(&mut self) -> Expression {
        self.skip();
        if self.take("(") {
            let inner = self.or();
            self.must(")");
            return inner;
        }
        if self.take("'") {
            let text = self.take_while(|c| c != '\'').to_owned();
            self.must("'");
            return Expression::Constant(Value::Text(text));
        }
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        match word {
            "" => self.unknown(),
            "true" => Expression::Constant(Value::Bool(true)),
            "false" => Expression::Constant(Value::Bool(false)),
            "undefined" => Expression::Constant(Value::Undefined),
            "_event.name" => Expression::EventName,
            "In" => {
                self.must("('");
                let id = self.take_while(|c| c != '\'').to_owned();
                self.must("')");
                Expression::In(id)
            }
            number if number.bytes().all(|b| b.is_ascii_digit()) => {
                Expression::Constant(Value::Number(number.parse().expect("digits are a number")))
            }
            member if member.starts_with("_event.data.") => {
                Expression::EventData(member["_event.data.".len()..].to_owned())
            }
            name if !name.contains('.') => Expression::Name(name.to_owned()),
            _ => self.unknown(),
        }
    }
}

#[test]
fn the_subset_means_what_it_means_in_ecmascript() {
    let variables = [("x".to_owned(), Value::Number(3.0)), ("u".to_owned(), Value::Undefined)];
    let scope = Scope {
        variables: &variables.into(),
        event: Some(("a.b", None)),
        active: &|id| id == "s1",
    };
    for (text, expected) in [
        ("x - 1 - 1", "1"),
        ("x % 2 == 1 && !In('s2')", "true"),
        ("-x % 2", "-1"),
        ("(x + 4) % 5 < 2 || nowhere", "NaN"),
        ("u + 1", "NaN"),
        ("u == u", "true"),
        ("u < 1", "false"),
        ("'n' + x + In('s1')", "n3true"),
        ("x && 'y'", "y"),
        ("_event.name", "a.b"),
    ] {
        let value = evaluate(text, &scope).map(|v| v.text());
        // The one that reaches a name that does not exist.
        let value = value.unwrap_or_else(|_| "NaN".into());
        assert_eq!(value, expected, "{text}");
    }
    for text in ["nowhere", "_event.data.n", "x == 3 && nowhere"] {
        assert!(evaluate(text, &scope).is_err(), "{text}");
    }
}
