//! The elements of W3C SCXML 1.0: which attributes each takes and what may stand in it.
//!
//! One table, so that a check and its suggestion ("did you mean ...") never disagree, and so that another dialect is
//! another table.

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

    const fn executable(mut self) -> Self {
        self.executable = true;
        self
    }

    const fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// All attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.required.iter().chain(self.optional).copied()
    }

    /// All elements that may stand in it.
    pub fn allowed(&self) -> impl Iterator<Item = &'static str> + '_ {
        let executable: &[&'static str] = if self.executable { EXECUTABLE } else { &[] };
        self.children.iter().chain(executable).copied()
    }
}

/// Executable content (W3C SCXML 4).
pub(crate) const EXECUTABLE: &[&str] = &["raise", "if", "foreach", "log", "assign", "script", "send", "cancel"];

/// Every element.
pub(crate) static RULES: &[Rule] = &[
    Rule::new("scxml")
        .optional(&["initial", "name", "version", "datamodel", "binding"])
        .children(&["state", "parallel", "final", "datamodel", "script"]),
    Rule::new("state").optional(&["id", "initial"]).children(&[
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
    Rule::new("parallel").optional(&["id"]).children(&[
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
        .optional(&["id"])
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
    Rule::new("content").optional(&["expr"]).body(Body::Anything),
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
        .children(&["param", "finalize", "content"]),
    Rule::new("finalize").executable(),
    Rule::new("raise").required(&["event"]),
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
        .children(&["content", "param"]),
    Rule::new("cancel").optional(&["sendid", "sendidexpr"]),
];

/// The rule of an element.
pub(crate) fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_table_has_a_rule_of_its_own() {
        for parent in RULES {
            for child in parent.allowed() {
                assert!(rule(child).is_some(), "<{child}> in <{}>", parent.name);
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
