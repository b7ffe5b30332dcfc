//! Functional modules: what a strategy can ask of the platform with elements such as `<queue:submit>`.
//!
//! One table says which modules and actions there are, what each takes and what it answers. The reader checks documents
//! against it and knows from it which attributes are expressions; the lints say which actions nobody carries out yet; and
//! `docs/modules.md` is written from it ([`markdown`]).
//!
//! An action is asynchronous: execution goes on at once, and what becomes of it arrives as an event later, in whatever state
//! the session is then: `MODULE.ACTION.done`, or `error.MODULE.ACTION` with `error` (a word) and `description`. Both carry the
//! `requestid` that the location of that name has received.
//!
//! What is not in the table is not refused: versions of ORS differ. An unknown action is passed on as it is written, and
//! its error event is raised.

mod markdown;
mod table;

pub use markdown::markdown;
pub use table::MODULES;

/// A functional module.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Its name: the end of its namespace, and the beginning of its events.
    pub name: &'static str,
    /// Prefix that documents usually bind to its namespace, and its name in `_genesys`.
    pub prefix: &'static str,
    /// What it is for, in one sentence.
    pub about: &'static str,
    /// Its actions.
    pub actions: &'static [Action],
    /// Events that it raises without being asked.
    pub events: &'static [Event],
}

/// An action: an executable element.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Local name of the element.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Hosts of this version carry it out. Others raise its error event.
    pub served: bool,
    /// Its attributes.
    pub attributes: &'static [Attribute],
    /// Of these attributes one must be given; empty: of none.
    pub one_of: &'static [&'static str],
    /// `<content>` may stand in it. `<param>` may in every action.
    pub content: bool,
    /// Other elements that may stand in it.
    pub children: &'static [Child],
    /// It may stand inside of `<dialog:runtreatments>`.
    pub treatment: bool,
    /// It stands inside of other actions only, not among executable content.
    pub nested: bool,
    /// First part of its events where that is not the module's name.
    pub events_of: Option<&'static str>,
    /// Members of the data of its `.done` event beside `requestid`; `None`: it answers nothing.
    pub done: Option<&'static [&'static str]>,
    /// Further events of it.
    pub events: &'static [Event],
}

/// An element inside of an action.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    /// Local name, in the namespace of the action around it.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub about: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
    /// Elements that may stand in it.
    pub children: &'static [Child],
}

/// What may stand inside of an action or of an element in it.
#[derive(Clone, Copy, Debug)]
pub enum Child {
    /// An element of the same namespace.
    Element(&'static Element),
    /// An action.
    Action {
        /// Its module.
        module: &'static str,
        /// Its name.
        action: &'static str,
    },
    /// Every action of `dialog` that is a treatment.
    Treatments,
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// It must be given.
    pub required: bool,
    /// What counts where it is not given, as the document would write it.
    pub default: Option<&'static str>,
    /// What it says.
    pub about: &'static str,
}

/// How an attribute is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A location, which receives something.
    Location,
    /// An expression.
    Expr(Type),
    /// The text itself, with or without quotes; one of these words where there are any.
    Literal(&'static [&'static str]),
    /// Names of variables with spaces between, each of which becomes a `<param>`.
    Names,
}

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Anything.
    Any,
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// A number of seconds.
    Seconds,
    /// An object.
    Object,
    /// A DN, agent or place as a string, or a resource object.
    Resource,
}

/// An event and the members of its data.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Its name.
    pub name: &'static str,
    /// Members of `_event.data`.
    pub data: &'static [&'static str],
    /// When it comes.
    pub about: &'static str,
}

/// The module of this name.
pub fn module(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

/// The action of this name in the module of that name.
pub fn action(module_name: &str, name: &str) -> Option<&'static Action> {
    module(module_name)?.actions.iter().find(|action| action.name == name)
}

impl Module {
    const fn new(name: &'static str, prefix: &'static str, about: &'static str) -> Self {
        Self {
            name,
            prefix,
            about,
            actions: &[],
            events: &[],
        }
    }

    const fn actions(mut self, actions: &'static [Action]) -> Self {
        self.actions = actions;
        self
    }

    const fn events(mut self, events: &'static [Event]) -> Self {
        self.events = events;
        self
    }
}

impl Action {
    const fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            served: false,
            attributes: &[],
            one_of: &[],
            content: false,
            children: &[],
            treatment: false,
            nested: false,
            events_of: None,
            done: Some(&[]),
            events: &[],
        }
    }

    const fn served(mut self) -> Self {
        self.served = true;
        self
    }

    const fn attributes(mut self, attributes: &'static [Attribute]) -> Self {
        self.attributes = attributes;
        self
    }

    const fn one_of(mut self, names: &'static [&'static str]) -> Self {
        self.one_of = names;
        self
    }

    const fn content(mut self) -> Self {
        self.content = true;
        self
    }

    const fn children(mut self, children: &'static [Child]) -> Self {
        self.children = children;
        self
    }

    const fn treatment(mut self) -> Self {
        self.treatment = true;
        self
    }

    const fn nested(mut self) -> Self {
        self.nested = true;
        self.done = None;
        self
    }

    const fn events_of(mut self, first: &'static str) -> Self {
        self.events_of = Some(first);
        self
    }

    const fn done(mut self, data: &'static [&'static str]) -> Self {
        self.done = Some(data);
        self
    }

    const fn events(mut self, events: &'static [Event]) -> Self {
        self.events = events;
        self
    }
}

impl Element {
    const fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            attributes: &[],
            children: &[],
        }
    }

    const fn attributes(mut self, attributes: &'static [Attribute]) -> Self {
        self.attributes = attributes;
        self
    }

    const fn children(mut self, children: &'static [Child]) -> Self {
        self.children = children;
        self
    }
}

impl Attribute {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            default: None,
            about,
        }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

impl Event {
    const fn new(name: &'static str, data: &'static [&'static str], about: &'static str) -> Self {
        Self { name, data, about }
    }
}

impl Child {
    /// Its name, as a message names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Element(element) => element.name.to_owned(),
            Self::Action { module, action } => format!("{module}:{action}"),
            Self::Treatments => "a treatment of `dialog`".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_chart::MAX_NESTING;

    fn depth(children: &[Child]) -> usize {
        let below = |child: &Child| match child {
            Child::Element(element) => depth(element.children),
            Child::Action { module, action: name } => {
                depth(action(module, name).expect("the action is there").children)
            }
            Child::Treatments => {
                let dialog = module("dialog").expect("the module is there");
                let treatments = dialog.actions.iter().filter(|action| action.treatment);
                1 + treatments.map(|action| depth(action.children)).max().unwrap_or(0)
            }
        };
        children.iter().map(|child| 1 + below(child)).max().unwrap_or(0)
    }

    fn unique<'n>(names: impl Iterator<Item = &'n str>) -> bool {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1])
    }

    #[test]
    fn every_name_is_there_once() {
        assert!(unique(MODULES.iter().map(|module| module.name)));
        for module in MODULES {
            assert!(
                unique(module.actions.iter().map(|action| action.name)),
                "{}",
                module.name
            );
            for action in module.actions {
                assert!(
                    unique(action.attributes.iter().map(|attribute| attribute.name)),
                    "{}",
                    action.name
                );
                for name in action.one_of {
                    assert!(
                        action.attributes.iter().any(|attribute| attribute.name == *name),
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_in_the_table_nests_deeper_than_the_chart_allows() {
        for module in MODULES {
            for action in module.actions {
                assert!(depth(action.children) < MAX_NESTING, "{}", action.name);
            }
        }
    }

    #[test]
    fn sentences_end_as_sentences_do() {
        for module in MODULES {
            assert!(module.about.ends_with('.'), "{}", module.name);
            for action in module.actions {
                assert!(action.about.ends_with('.'), "{}", action.name);
            }
        }
    }
}
