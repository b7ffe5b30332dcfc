//! The table of modules as a page for authors.

use std::fmt::Write;

use super::{Action, Attribute, Child, Element, Event, Kind, MODULES, Module, Type};

const HEAD: &str = "\
# Functional modules

<!-- Written from the table in host/scxml/src/modules. Do not edit: change the table, then run
     POINTSMAN_WRITE_DOCS=1 cargo test -p pointsman-scxml --test modules -->

What a strategy can ask of the platform. A module is a namespace: `http://www.genesyslab.com/modules/NAME`, also without
`http://`. Each action is an element that may stand where `<send>` may:

```xml
<state id=\"routing\" xmlns:ixn=\"http://www.genesyslab.com/modules/interaction\">
  <onentry><ixn:redirect requestid=\"request\" to=\"'7001'\"/></onentry>
  <transition event=\"interaction.redirect.done\" cond=\"_event.data.requestid == request\" target=\"over\"/>
  <transition event=\"error.interaction.redirect\" target=\"elsewhere\"/>
</state>
```

An action is asynchronous. Execution goes on at once; the answer is an event, which may come in any later state:
`MODULE.ACTION.done`, or `error.MODULE.ACTION` with `error` (a word) and `description`. Both carry the `requestid` that the
location of that name has received. Actions do not stand inside of one another, but for treatments while a call waits in a
queue (`<queue:submit>`, `<queue:update>`).

The host is told `{\"ATTRIBUTE\": VALUE, ..., \"params\": {...}, \"content\": VALUE, \"children\": [{\"element\": NAME, ...}]}`:
an attribute whose expression gives undefined is left out, `<param>` may stand in every action, and elements are children in
their order, with attributes and children of their own. An action inside of another one is named `MODULE.ACTION` there.

An action that this version does not serve raises its error event, and `pointsman check` says so (`unserved-action`).
Attributes and actions that are not listed are passed on with a warning (`unknown-attribute`, `unknown-action`): versions of
ORS differ.

How attributes are written:

| Kind | Meaning |
|---|---|
| location | a location that receives something: `App_Target['requestid']` |
| expression | its value counts; a literal needs quotes of its own: `\"'music'\"` |
| text | the text itself: `\"agent\"`, or `\"'agent'\"` |
| names | variables with spaces between: `\"first second\"`; each is a parameter of its name |
";

/// `docs/modules.md`: the whole table.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for module in MODULES {
        put_module(&mut page, module);
    }
    page
}

macro_rules! put {
    ($page:expr, $($text:tt)*) => {
        writeln!($page, $($text)*).expect("writing to a String does not fail")
    };
}

fn put_module(page: &mut String, module: &Module) {
    put!(page, "\n## {}\n\n{}", module.name, module.about);
    let prefix = module.prefix;
    if module.actions.is_empty() {
        put!(page, "\nNo actions: only `_genesys.{prefix}`.");
    } else {
        put!(page, "\nUsual prefix: `{prefix}`. In scripts: `_genesys.{prefix}`.");
    }
    for action in module.actions {
        put_action(page, module, action);
    }
    if !module.events.is_empty() {
        put!(page, "\n### Events of {}\n", module.name);
        put_events(page, module.events.iter().map(|event| (event.name.to_owned(), *event)));
    }
}

fn put_action(page: &mut String, module: &Module, action: &Action) {
    put!(page, "\n### `<{}:{}>`\n\n{}", module.prefix, action.name, action.about);
    let mut notes = Vec::new();
    notes.push(match (action.served, action.nested) {
        (true, _) => "Served by this version.",
        (false, false) => "Not served by this version.",
        (false, true) => "Stands inside of other actions only.",
    });
    if action.treatment {
        notes.push("A treatment: it may stand in `<dialog:runtreatments>`.");
    }
    put!(page, "\n{}", notes.join(" "));
    put_attributes(page, action.attributes);
    if let [first, rest @ ..] = action.one_of {
        let rest: Vec<String> = rest.iter().map(|name| format!(" or `{name}`")).collect();
        put!(page, "\nOne of them must be given: `{first}`{}.", rest.concat());
    }
    if action.content {
        put!(page, "\n`<content>` may stand in it.");
    }
    put_children(page, module.prefix, action.children, 0);
    let first = action.events_of.unwrap_or(module.name);
    let mut events = Vec::new();
    if let Some(data) = action.done {
        let of = |name: String, data: &'static [&'static str], about| (name, Event::new("", data, about));
        events.push(of(format!("{first}.{}.done", action.name), data, "It is done."));
        let error = &["error", "description"];
        events.push(of(format!("error.{first}.{}", action.name), error, "It failed."));
    }
    events.extend(action.events.iter().map(|event| (event.name.to_owned(), *event)));
    if !events.is_empty() {
        put!(page,);
        put_events(page, events.into_iter());
    }
}

fn put_attributes(page: &mut String, attributes: &[Attribute]) {
    if attributes.is_empty() {
        return;
    }
    put!(page, "\n| Attribute | Kind | Default | Meaning |\n|---|---|---|---|");
    for attribute in attributes {
        let default = match (attribute.required, attribute.default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => String::new(),
        };
        let kind = kind(attribute.kind);
        put!(
            page,
            "| `{}` | {kind} | {default} | {} |",
            attribute.name,
            attribute.about
        );
    }
}

fn kind(kind: Kind) -> String {
    let of = match kind {
        Kind::Location => return "location".to_owned(),
        Kind::Literal([]) => return "text".to_owned(),
        Kind::Literal(words) => return format!("text: {}", words.join(", ")),
        Kind::Names => return "names".to_owned(),
        Kind::Expr(of) => of,
    };
    let what = match of {
        Type::Any => return "expression".to_owned(),
        Type::Text => "string",
        Type::Integer => "whole number",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Seconds => "seconds",
        Type::Object => "object",
        Type::Resource => "string or resource object",
    };
    format!("expression: {what}")
}

fn put_children(page: &mut String, prefix: &str, children: &[Child], level: usize) {
    if children.is_empty() {
        return;
    }
    if level == 0 {
        put!(page, "\nIn it may stand:\n");
    }
    let indent = "  ".repeat(level);
    for child in children {
        match child {
            Child::Element(element) => put_element(page, prefix, element, level),
            Child::Action { module, action } => put!(page, "{indent}- `<{module}:{action}>`"),
            Child::Treatments => put!(page, "{indent}- every treatment of `dialog`"),
        }
    }
}

fn put_element(page: &mut String, prefix: &str, element: &Element, level: usize) {
    let indent = "  ".repeat(level);
    put!(page, "{indent}- `<{prefix}:{}>`: {}", element.name, element.about);
    for attribute in element.attributes {
        let need = match (attribute.required, attribute.default) {
            (true, _) => ", required".to_owned(),
            (false, Some(default)) => format!(", default `{default}`"),
            (false, None) => String::new(),
        };
        let (name, kind) = (attribute.name, kind(attribute.kind));
        put!(page, "{indent}  - `{name}` ({kind}{need}): {}", attribute.about);
    }
    put_children(page, prefix, element.children, level + 1);
}

fn put_events(page: &mut String, events: impl Iterator<Item = (String, Event)>) {
    put!(page, "| Event | Data | When |\n|---|---|---|");
    for (name, event) in events {
        let mut data: Vec<String> = event.data.iter().map(|member| format!("`{member}`")).collect();
        if event.name.is_empty() {
            data.insert(0, "`requestid`".to_owned());
        }
        put!(page, "| `{name}` | {} | {} |", data.join(", "), event.about);
    }
}
