//! What the lints report, and what they leave alone.

use std::fs;
use std::path::Path;

use pointsman_scxml::lint::{self, RULES};
use pointsman_scxml::{Diagnostic, MapResolver, NoFiles, Resolver, Severity, read, render};

const HEAD: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' \
                    xmlns:ixn='http://www.genesyslab.com/modules/interaction'>";

fn lints_of(text: &str, resolver: &dyn Resolver) -> (Vec<Diagnostic>, String) {
    let (document, _) = read("main.scxml", text, resolver).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let found = lint::check(&document);
    let shown = render(&found, &document.files);
    (found, shown)
}

/// Code and offending text of each finding.
fn lints(body: &str) -> Vec<(&'static str, String)> {
    let text = format!("{HEAD}\n{body}\n</scxml>");
    let (found, _) = lints_of(&text, &NoFiles);
    let marked = |found: &Diagnostic| {
        let line = text.lines().nth(found.at.line as usize - 1).expect("the line is there");
        let marked = line.chars().skip(found.at.column as usize - 1);
        marked.take(found.length as usize).collect()
    };
    found.iter().map(|found| (found.code, marked(found))).collect()
}

fn assert_lints(body: &str, expected: &[(&str, &str)]) {
    let found = lints(body);
    let found: Vec<(&str, &str)> = found.iter().map(|(code, text)| (*code, text.as_str())).collect();
    assert_eq!(found, expected, "{body}");
}

fn assert_clean(body: &str) {
    assert_lints(body, &[]);
}

#[test]
fn a_finding_is_a_warning_with_its_place_and_what_to_do() {
    let text = format!(
        "{HEAD}\n<state id='a'><onentry><raise event='tick'/></onentry>\n  <transition event='tock' target='b'/></state>\n<final id='b'/></scxml>"
    );
    let (found, shown) = lints_of(&text, &NoFiles);
    assert_eq!(found[0].severity, Severity::Warning);
    assert_eq!(
        shown,
        "warning[event-not-handled]: `tick` is raised, and no transition waits for it
 --> main.scxml:2:38
  |
2 | <state id='a'><onentry><raise event='tick'/></onentry>
  |                                      ^^^^
  = help: did you mean `tock`?
"
    );
}

#[test]
fn every_rule_is_described_once() {
    for rule in RULES {
        assert!(
            rule.summary.ends_with('.') && rule.explanation.ends_with('.'),
            "{}",
            rule.code
        );
        assert_eq!(RULES.iter().filter(|other| other.code == rule.code).count(), 1);
    }
}

#[test]
fn a_state_that_nothing_leads_to_is_reported_and_what_is_in_it_is_not() {
    assert_lints(
        "<state id='a'/><state id='lost' initial='in'><state id='in'/><state id='in2'/></state>",
        &[("unreachable-state", "lost")],
    );
    // States that lead to each other only.
    assert_lints(
        "<state id='a'/>\n<state id='b'><transition event='e' target='c'/></state>\n<state id='c'><transition event='e' target='b'/></state>",
        &[("unreachable-state", "b"), ("unreachable-state", "c")],
    );
    assert_lints("<state id='a'/><state/>", &[("unreachable-state", "<state")]);
    // Entered past its first child.
    assert_lints(
        "<state id='a'><transition event='e' target='q'/></state><state id='c'><state id='p'/><state id='q'/></state>",
        &[("unreachable-state", "p")],
    );
    assert_lints(
        "<state id='a'><history id='h'><transition target='b'/></history><state id='b'/></state>",
        &[("unreachable-state", "h")],
    );
}

#[test]
fn everything_that_leads_to_a_state_counts() {
    for body in [
        "<state id='a'><transition cond='false' target='b'/></state><state id='b'/>",
        "<state id='a' initial='y'><state id='x'/><state id='y'><transition event='e' target='x'/></state></state>",
        "<state><initial><transition target='y'/></initial><state id='x'/><state id='y'><transition event='e' target='x'/></state></state>",
        // The other region of a parallel is entered with the one that is named.
        "<state id='a'><transition event='e' target='p1b'/></state>\
         <parallel id='p'><state id='p1'><state id='p1a'/><state id='p1b'><transition event='e' target='p1a'/></state></state><state id='p2'><state id='p2a'/></state></parallel>",
        // By way of a history, and its default.
        "<state id='a'><transition event='e' target='h'/></state>\
         <state id='c' initial='x'><history id='h' type='deep'><transition target='y'/></history><state id='y'><transition event='e' target='x'/></state><state id='x'/></state>",
        // A transition of a state around the active ones.
        "<state id='a'><transition event='e' target='b'/><state><state/></state></state><final id='b'/>",
    ] {
        assert_clean(body);
    }
}

#[test]
fn done_state_of_what_cannot_be_done_is_reported() {
    assert_lints(
        "<state id='a'><transition event='done.state.servce' target='a'/><state id='service'><final/></state></state>",
        &[("event-never-sent", "done.state.servce")],
    );
    for (body, event) in [
        (
            "<state id='a'><transition event='x done.state.a' target='a'/><state/></state>",
            "done.state.a",
        ),
        (
            "<state id='a'><transition event='done.state.a.*' target='a'/></state>",
            "done.state.a.*",
        ),
        (
            "<parallel id='a'><transition event='done.state.a' target='a'/><state><final/></state><state/></parallel>",
            "done.state.a",
        ),
        (
            "<state id='a'><transition event='done.state.f' target='a'/><final id='f'/></state>",
            "done.state.f",
        ),
        (
            "<state id='a'><transition event='done.invoke.b' target='a'/></state>",
            "done.invoke.b",
        ),
    ] {
        assert_lints(body, &[("event-never-sent", event)]);
    }
}

#[test]
fn done_events_that_can_come_are_not_questioned() {
    for body in [
        "<state id='a'><transition event='done.state.a' target='a'/><final/></state>",
        "<parallel id='p'><transition event='done.state.p done.state' target='p'/><state><final/></state><state><final/></state></parallel>",
        "<state id='a'><transition event='done.state.b' target='a'/><state id='b.c'><final/></state></state>",
        "<state id='a'><transition event='done.invoke.b done.invoke' target='a'/><invoke id='b'/></state>",
        "<state id='a'><transition event='done.invoke.a' target='a'/><invoke/></state>",
        // The author sends it.
        "<state id='a'><onentry><raise event='done.state.z'/></onentry><transition event='done.state.z' target='a'/></state>",
        "<state id='a'><transition event='done done.other agent.ready error.whatever' target='a'/></state>",
    ] {
        assert_clean(body);
    }
}

#[test]
fn an_event_to_the_session_itself_that_no_transition_matches_is_reported() {
    for send in [
        "<raise event='a.b'/>",
        "<send event='a.b'/>",
        "<send event='a.b' delay='1s'/>",
        "<send event='a.b' target='#_internal'/>",
        "<if cond='x'><foreach array='y' item='z'><raise event='a.b'/></foreach></if>",
    ] {
        let body =
            format!("<state><onexit>{send}</onexit><transition event='a.b.c x' target='f'/></state><final id='f'/>");
        assert_lints(&body, &[("event-not-handled", "a.b")]);
    }
}

#[test]
fn an_event_that_is_matched_or_goes_elsewhere_is_not_questioned() {
    for (send, event) in [
        ("<raise event='a.b'/>", "a"),
        ("<raise event='a.b'/>", "a.*"),
        ("<raise event='a.b'/>", "x a.b."),
        ("<raise event='a.b'/>", "*"),
        ("<send event='a.b' target='#_parent'/>", "x"),
        ("<send event='a.b' targetexpr='t'/>", "x"),
        (
            "<send event='a.b' type='http://www.w3.org/TR/scxml/#BasicHTTPEventProcessor' target='http://x'/>",
            "x",
        ),
        ("<send eventexpr='e'/>", "x"),
    ] {
        assert_clean(&format!(
            "<state><onentry>{send}</onentry><transition event='{event}' target='f'/></state><final id='f'/>"
        ));
    }
    assert_clean("<state><onentry><send event='e'/></onentry><invoke id='i' autoforward='true'/></state>");
}

/// A strategy whose call comes to `state`.
fn strategy(state: &str) -> String {
    format!(
        "<state id='idle'><transition event='interaction.onrouterequest' target='queued'/>\
         <transition event='interaction.abandoned interaction.deleted' target='over'/></state>\n\
         {state}\n\
         <state id='routing'><onentry><ixn:redirect to='_event.data.to'/></onentry>\
         <transition event='interaction.redirect.done error.interaction.redirect interaction.abandoned interaction.deleted' target='over'/></state>\
         <final id='over'/>"
    )
}

const END: &str = "<transition event='interaction.abandoned interaction.deleted' target='over'/>";
const READY: &str = "<transition event='agent.ready' target='routing'/>";

#[test]
fn a_call_that_waits_for_somebody_without_a_timeout_is_reported() {
    for state in [
        format!("<state id='queued'>{READY}{END}</state>"),
        format!("<state id='queued'>{READY}{END}<transition event='error.*' target='over'/></state>"),
        // A timer that nobody hears there does not help.
        format!(
            "<state id='queued'><onentry><send event='late' delay='5s'/></onentry>{READY}{END}</state>\
             <state id='elsewhere'><transition event='late' target='over'/></state>"
        )
        .replace(
            "target='routing'/>",
            "target='routing'/><transition event='x' target='elsewhere'/>",
        )
        .replace("<state id='elsewhere'>", &format!("<state id='elsewhere'>{END}")),
    ] {
        assert_lints(&strategy(&state), &[("wait-without-timeout", "queued")]);
    }
    // The innermost state is named, wherever the transitions stand.
    assert_lints(
        &strategy(&format!("<state id='queued'>{READY}{END}<state id='calm'/></state>")),
        &[("wait-without-timeout", "calm")],
    );
}

#[test]
fn a_wait_that_ends_by_itself_is_not_questioned() {
    let timer = "<send event='late' delay='5s'/>";
    let late = "<transition event='late' target='over'/>";
    for state in [
        format!("<state id='queued'><onentry>{timer}</onentry>{late}{READY}{END}</state>"),
        // The timer runs around it, or beside it.
        format!("<state id='queued'><onentry>{timer}</onentry>{late}{END}<state>{READY}</state></state>"),
        format!(
            "<parallel id='queued'>{END}<state>{READY}</state><state><onentry>{timer}</onentry>{late}</state></parallel>"
        ),
        // Somebody answers.
        format!("<state id='queued'><transition event='session.fetch.done' target='over'/>{READY}{END}</state>"),
        format!("<state id='queued'><onentry><send event='ask' target='#_scxml_x'/></onentry>{READY}{END}</state>"),
        format!("<state id='queued'><invoke id='i'/>{READY}{END}</state>"),
        format!("<state id='queued'><onentry><ixn:redirect to='_event.data.to'/></onentry>{READY}{END}</state>"),
        format!("<state id='queued'><transition cond='x' target='over'/>{READY}{END}</state>"),
        format!("<state id='queued'><transition event='*' target='over'/>{READY}</state>"),
        format!("<state id='queued'><onentry><send eventexpr='e' delay='1s'/></onentry>{READY}{END}</state>"),
    ] {
        assert_clean(&strategy(&state));
    }
}

#[test]
fn without_a_call_nothing_is_said_of_calls() {
    assert_clean("<state><transition event='agent.ready' target='b'/></state><state id='b'/>");
    // Before the call comes, and after it is decided, a strategy may wait as long as it likes.
    assert_clean(&strategy(&format!(
        "<state id='queued'><onentry><ixn:redirect to='_event.data.to'/></onentry>\
         <transition event='interaction.redirect.done' target='wrapup'/>{END}</state>\
         <state id='wrapup'><transition event='agent.done.with.it' target='routing'/></state>"
    )));
    assert_clean(&strategy(&format!(
        "<state id='queued'><transition cond='x' target='idle'/><transition target='routing'/>{END}</state>"
    )));
}

#[test]
fn a_session_that_does_not_hear_the_end_of_its_call_is_reported() {
    for state in [
        "<state id='queued'><onentry><ixn:redirect to='_event.data.to'/></onentry>\
         <transition event='interaction.redirect.done error.interaction.redirect' target='routing'/></state>",
        "<state id='queued'><transition event='interaction.redirect.done' target='routing'/><state id='in'/></state>",
    ] {
        let name = if state.contains("'in'") { "in" } else { "queued" };
        assert_lints(&strategy(state), &[("session-outlives-call", name)]);
    }
    let both = strategy(&format!("<state id='queued'>{READY}</state>"));
    assert_lints(
        &both,
        &[("session-outlives-call", "queued"), ("wait-without-timeout", "queued")],
    );
}

#[test]
fn a_state_that_was_meant_to_be_final_is_reported() {
    let body = strategy(&format!(
        "<state id='queued'>{END}<transition target='routing'/></state>"
    ))
    .replace("<final id='over'/>", "<state id='over'/>");
    assert_lints(&body, &[("session-outlives-call", "over")]);
}

#[test]
fn a_comment_directly_before_the_element_allows_a_lint() {
    let lost = "<state id='lost'/>";
    assert_lints(&format!("<state/>{lost}"), &[("unreachable-state", "lost")]);
    for comment in [
        "<!-- pointsman:allow(unreachable-state) -->",
        "<!--pointsman:allow( event-never-sent , unreachable-state ) kept for later -->\n  ",
        "<!-- pointsman:allow(unreachable-state) --> <!-- the old queue -->\n",
    ] {
        assert_clean(&format!("<state/>{comment}{lost}"));
    }
    for comment in [
        "<!-- pointsman:allow(event-never-sent) -->",
        "<!-- pointsman:allow(unreachable-state) --><final/>",
        "<!-- allow(unreachable-state) -->",
    ] {
        let found = lints(&format!(
            "<state><transition event='e' target='f'/></state><final id='f'/>{comment}{lost}"
        ));
        assert!(
            found.contains(&("unreachable-state", "lost".to_owned())),
            "{comment}: {found:?}"
        );
    }
    let everywhere = format!("<!-- pointsman:allow(unreachable-state) -->\n{HEAD}<state/>{lost}</scxml>");
    assert_eq!(lints_of(&everywhere, &NoFiles).0, []);
}

#[test]
fn the_samples_are_clean() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../strategies");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("the samples are there") {
        let path = entry.expect("the folder can be read").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        let Ok(text) = fs::read_to_string(path.join(format!("{name}.scxml"))) else {
            continue;
        };
        let files = [("vip.json", "{}")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let (found, shown) = lints_of(&text, &MapResolver::new(files));
        assert_eq!(found, [], "{name}:\n{shown}");
        seen += 1;
    }
    assert_eq!(seen, 4, "documents among the samples");
}

#[test]
fn a_hostile_document_takes_no_longer_than_a_moment() {
    let started = std::time::Instant::now();
    let many = |count: usize, of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<String>();
    let raises = many(30_000, &|n| format!("<raise event='e{n}.x.y'/>"));
    let waits = many(30_000, &|n| format!(" done.state.s{n} done.invoke.i.{n}"));
    let comments = "<!-- pointsman:allow(x) -->".repeat(10_000);
    let states = many(4000, &|n| {
        format!("<state id='q{n}'><transition event='done.state.q' target='q{n}'/></state>")
    });
    let deep = format!("{}{}", "<state>".repeat(60), "</state>".repeat(60));
    let body =
        format!("<state>{comments}<transition event='{waits}'/><onentry>{raises}</onentry></state>{states}{deep}");
    assert_eq!(lints(&body).len(), 50);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn actions_that_nobody_carries_out_are_told_with_what_was_meant() {
    let text = format!(
        "{HEAD}<state id='a'><onentry><ixn:redirekt to='1'/><ixn:redirect to='1'/><ixn:terminate/><queue:submit \
         xmlns:queue='www.genesyslab.com/modules/queue'/><q:submit xmlns:q='www.genesyslab.com/modules/qeue'/></onentry></state></scxml>"
    );
    let (found, shown) = lints_of(&text, &NoFiles);
    assert_eq!(found.len(), 3, "{shown}");
    for part in [
        "carries out `interaction.redirekt`: `error.interaction.redirekt` is raised",
        "did you mean `redirect`?",
        "no link of this version serves `queue.submit`: `error.queue.submit` is raised",
        "did you mean the module `queue`?",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn an_action_that_is_not_served_is_told_once() {
    let text = format!(
        "{HEAD}<state id='a'><onentry><ixn:detach/><ixn:attach/></onentry><onexit><ixn:detach/></onexit></state></scxml>"
    );
    let (found, shown) = lints_of(&text, &NoFiles);
    assert_eq!(found.len(), 2, "{shown}");
    assert_eq!(shown.matches("warning[unserved-action]").count(), 2, "{shown}");
}
