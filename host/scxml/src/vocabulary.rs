//! The elements of both dialects: which attributes each takes and what may stand in it.
//!
//! One table, so that a check and its suggestion ("did you mean ...") never disagree. What the ORS dialect has beyond W3C
//! SCXML 1.0 stands in the same rules, apart.

use crate::model::Dialect;

/// What stands between the tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Elements only.
    Elements,
    /// Characters only: `script`.
    Characters,
    /// Characters or any markup: `data`, `assign`, `content`.
    Anything,
}

/// An element.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its local name.
    pub name: &'static str,
    /// Attributes that must be there.
    pub required: &'static [&'static str],
    /// Attributes that may be there.
    pub optional: &'static [&'static str],
    /// Elements that may stand in it, beside executable content.
    pub children: &'static [&'static str],
    /// Attributes that may be there in the ORS dialect.
    ors_optional: &'static [&'static str],
    /// Elements that may stand in it in the ORS dialect.
    ors_children: &'static [&'static str],
    /// There is such an element in the ORS dialect only.
    ors_only: bool,
    /// Executable content may stand in it.
    pub executable: bool,
    /// What else may.
    pub body: Body,
}

impl Rule {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            required: &[],
            optional: &[],
            children: &[],
            ors_optional: &[],
            ors_children: &[],
            ors_only: false,
            executable: false,
            body: Body::Elements,
        }
    }

    const fn required(mut self, required: &'static [&'static str]) -> Self {
        self.required = required;
        self
    }

    const fn optional(mut self, optional: &'static [&'static str]) -> Self {
        self.optional = optional;
        self
    }

    const fn children(mut self, children: &'static [&'static str]) -> Self {
        self.children = children;
        self
    }

    const fn ors(mut self, optional: &'static [&'static str], children: &'static [&'static str]) -> Self {
        self.ors_optional = optional;
        self.ors_children = children;
        self
    }

    const fn ors_only(mut self) -> Self {
        self.ors_only = true;
        self
    }

    const fn executable(mut self) -> Self {
        self.executable = true;
        self
    }

    const fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// All attributes.
    pub fn attributes(&self, dialect: Dialect) -> impl Iterator<Item = &'static str> + '_ {
        let ors = of(dialect, self.ors_optional);
        self.required.iter().chain(self.optional).chain(ors).copied()
    }

    /// All elements that may stand in it.
    pub fn allowed(&self, dialect: Dialect) -> impl Iterator<Item = &'static str> + '_ {
        let executable: &[&'static str] = if self.executable { EXECUTABLE } else { &[] };
        let old = of(dialect, if self.executable { &["event"] } else { &[] });
        let ors = of(dialect, self.ors_children);
        self.children.iter().chain(executable).chain(old).chain(ors).copied()
    }
}

fn of(dialect: Dialect, ors: &'static [&'static str]) -> &'static [&'static str] {
    match dialect {
        Dialect::W3c => &[],
        Dialect::Ors => ors,
    }
}

/// Executable content (W3C SCXML 4).
pub(crate) const EXECUTABLE: &[&str] = &["raise", "if", "foreach", "log", "assign", "script", "send", "cancel"];

/// Attributes of every state but histories; those with `_` are extensions of ORS, in both dialects.
const STATE: &[&str] = &["id", "_type", "_persist", "_es_store", "_deactivate"];

/// The same, and `initial`.
const STATE_WITH_INITIAL: &[&str] = &["id", "initial", "_type", "_persist", "_es_store", "_deactivate"];

/// Every element.
static RULES: &[Rule] = &[
    Rule::new("scxml")
        .optional(&[
            "initial",
            "name",
            "version",
            "datamodel",
            "binding",
            "_type",
            "_persist",
            "_sendSessionRecovered",
            "_maxtime",
            "_debug",
            "_microStepLimit",
            "_stateEntryLimit",
            "_eventLimit",
            "_processEventTimeout",
            "_transitionStyle",
            "_filterEvents",
            "_filterEvent",
        ])
        .children(&["state", "parallel", "final", "datamodel", "script"])
        .ors(&["profile", "exmode"], &[]),
    Rule::new("state").optional(STATE_WITH_INITIAL).children(&[
        "onentry",
        "onexit",
        "transition",
        "initial",
        "state",
        "parallel",
        "final",
        "history",
        "datamodel",
        "invoke",
    ]),
    Rule::new("parallel").optional(STATE).children(&[
        "onentry",
        "onexit",
        "transition",
        "state",
        "parallel",
        "history",
        "datamodel",
        "invoke",
    ]),
    Rule::new("final")
        .optional(STATE)
        .children(&["onentry", "onexit", "donedata"]),
    Rule::new("history").optional(&["id", "type"]).children(&["transition"]),
    Rule::new("initial").children(&["transition"]),
    Rule::new("transition")
        .optional(&["event", "cond", "target", "type"])
        .executable(),
    Rule::new("onentry").executable(),
    Rule::new("onexit").executable(),
    Rule::new("datamodel").children(&["data"]),
    Rule::new("data")
        .required(&["id"])
        .optional(&["src", "expr"])
        .body(Body::Anything),
    Rule::new("donedata").children(&["content", "param"]),
    // Genesys Composer writes `_expr`.
    Rule::new("content")
        .optional(&["expr"])
        .ors(&["_expr"], &[])
        .body(Body::Anything),
    Rule::new("param").required(&["name"]).optional(&["expr", "location"]),
    Rule::new("invoke")
        .optional(&[
            "type",
            "typeexpr",
            "src",
            "srcexpr",
            "id",
            "idlocation",
            "namelist",
            "autoforward",
        ])
        .children(&["param", "finalize", "content"])
        .ors(&["targettype", "invokeid"], &[]),
    Rule::new("finalize").executable(),
    Rule::new("raise").required(&["event"]).ors(&[], &["param"]),
    Rule::new("event").required(&["name"]).ors_only(),
    Rule::new("if")
        .required(&["cond"])
        .children(&["elseif", "else"])
        .executable(),
    Rule::new("elseif").required(&["cond"]),
    Rule::new("else"),
    Rule::new("foreach")
        .required(&["array", "item"])
        .optional(&["index"])
        .executable(),
    // `level` is ORS, and harmless: it says how the line is logged, not whether.
    Rule::new("log").optional(&["label", "expr", "level"]),
    Rule::new("assign")
        .required(&["location"])
        .optional(&["expr"])
        .body(Body::Anything),
    Rule::new("script").optional(&["src"]).body(Body::Characters),
    Rule::new("send")
        .optional(&[
            "event",
            "eventexpr",
            "target",
            "targetexpr",
            "type",
            "typeexpr",
            "id",
            "idlocation",
            "delay",
            "delayexpr",
            "namelist",
        ])
        .children(&["content", "param"])
        .ors(&["targettype", "targettypeexpr", "sendid", "timeout", "hints"], &[]),
    Rule::new("cancel")
        .optional(&["sendid", "sendidexpr"])
        .ors(&["id"], &[]),
];

/// The rule of an element.
pub(crate) fn rule(name: &str, dialect: Dialect) -> Option<&'static Rule> {
    rules(dialect).find(|rule| rule.name == name)
}

/// The rules of a dialect.
pub(crate) fn rules(dialect: Dialect) -> impl Iterator<Item = &'static Rule> {
    RULES
        .iter()
        .filter(move |rule| dialect == Dialect::Ors || !rule.ors_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_table_has_a_rule_of_its_own() {
        for parent in RULES {
            for dialect in [Dialect::W3c, Dialect::Ors] {
                for child in parent.allowed(dialect) {
                    assert!(rule(child, dialect).is_some(), "<{child}> in <{}>", parent.name);
                }
            }
            assert_eq!(
                RULES.iter().filter(|other| other.name == parent.name).count(),
                1,
                "{}",
                parent.name
            );
        }
    }
}
