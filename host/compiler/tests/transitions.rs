//! What W3C's tests leave open in the algorithm: histories, regions, kinds of transitions, delays.

mod common;

use common::{Bench, chart, logged, on_go, options};
use pointsman_contract::{Command, Step, TraceEntry};
use std::sync::LazyLock;

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(options(16)));

fn entered(step: &Step) -> Vec<&str> {
    step.trace
        .iter()
        .filter_map(|t| match t {
            TraceEntry::Entered(id) => Some(id.as_str()),
            _ => None,
        })
        .collect()
}

fn left(step: &Step) -> Vec<&str> {
    step.trace
        .iter()
        .filter_map(|t| match t {
            TraceEntry::Left(id) => Some(id.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn shallow_history_remembers_children_and_deep_history_what_is_inside_them() {
    let text = chart(
        r#"<state id="out"><transition event="shallow" target="h"/><transition event="deep" target="d"/></state>
<state id="p" initial="a"><history id="h"><transition target="a"/></history><history id="d" type="deep"><transition target="a"/></history>
 <transition event="leave" target="out"/>
 <state id="a"><transition event="next" target="b2"/></state>
 <state id="b" initial="b1"><state id="b1"/><state id="b2"/></state></state>"#,
    );
    let (mut session, _) = BENCH.begun(&text);
    // Nothing remembered yet: the default.
    assert_eq!(entered(&session.step("deep", "")), ["p", "a"]);
    session.step("next", "");
    assert_eq!(left(&session.step("leave", "")), ["b2", "b", "p"]);
    assert_eq!(entered(&session.step("deep", "")), ["p", "b", "b2"]);
    session.step("leave", "");
    assert_eq!(entered(&session.step("shallow", "")), ["p", "b", "b1"]);
}

#[test]
fn a_parallel_is_done_when_all_its_regions_are_and_tells_in_order() {
    let text = chart(
        r#"<parallel id="p"><state id="x"><state id="x1"><transition event="x" target="xf"/></state><final id="xf"/></state>
<state id="y"><state id="y1"><transition event="y" target="yf"/></state><final id="yf"><donedata><param name="n" expr="7"/></donedata></final></state>
<transition event="done.state.x"><log expr="_event.name"/></transition><transition event="done.state.y"><log expr="_event.name + _event.data.n"/></transition>
<transition event="done.state.p" target="end"><log expr="_event.name"/></transition></parallel><final id="end"/>"#,
    );
    let (mut session, step) = BENCH.begun(&text);
    assert_eq!(step.active, Some(vec!["x1".to_owned(), "y1".to_owned()]));
    assert_eq!(logged(&session.step("x", "")), ["done.state.x"]);
    let step = session.step("y", "");
    assert_eq!(logged(&step), ["done.state.y7", "done.state.p"]);
    assert!(step.done.is_some());
}

#[test]
fn a_transition_may_name_targets_in_several_regions() {
    let text = chart(
        r#"<state id="s"><transition event="go" target="x2 y2"/></state>
<parallel id="p"><state id="x"><state id="x1"/><state id="x2"/></state><state id="y"><state id="y1"/><state id="y2"/></state>
<state id="z"><state id="z1"/><state id="z2"/></state></parallel>"#,
    );
    let step = BENCH.begun(&text).0.step("go", "");
    assert_eq!(entered(&step), ["p", "x", "x2", "y", "y2", "z", "z1"]);
}

#[test]
fn an_internal_transition_does_not_leave_its_source() {
    let text = chart(
        r#"<state id="s" initial="a"><transition event="internal" type="internal" target="b"/><transition event="external" target="b"/>
<transition event="targetless"><log expr="'here'"/></transition><state id="a"/><state id="b"/></state>"#,
    );
    let (mut session, _) = BENCH.begun(&text);
    let step = session.step("internal", "");
    assert_eq!((left(&step), entered(&step)), (vec!["a"], vec!["b"]));
    let step = session.step("external", "");
    assert_eq!((left(&step), entered(&step)), (vec!["b", "s"], vec!["s", "b"]));
    let step = session.step("targetless", "");
    assert_eq!(
        (left(&step), entered(&step), step.active.clone()),
        (vec![], vec![], None)
    );
    assert_eq!(logged(&step), ["here"]);
}

#[test]
fn delays_are_times_of_css2_and_nothing_else() {
    for (delay, ms) in [
        ("0s", 0),
        ("150ms", 150),
        ("2s", 2000),
        ("1.5s", 1500),
        (".5s", 500),
        ("0.4ms", 0),
        (" 3s ", 3000),
    ] {
        let text = on_go(&format!(
            r#"<send id="t" event="e" delayexpr="'{delay}'"/><cancel sendidexpr="'t'"/>"#
        ));
        let step = BENCH.begun(&text).0.step("go", "");
        let [Command::Send(send), Command::Cancel(cancel)] = &step.commands[..] else {
            panic!("{delay}: {step:?}")
        };
        assert_eq!((send.delay_ms, cancel.sendid.as_str()), (ms, "t"), "{delay}");
    }
    for delay in ["5", "s", "-1s", "1 week", "", "1e3s", "1..2s", "2m", "1 s", "1.s"] {
        let text = on_go(&format!(r#"<send id="t" event="e" delayexpr="'{delay}'"/>"#)).replace(
            "</state>",
            r#"<transition event="error.execution"><log expr="_event.sendid + ' ' + _event.data.message"/></transition></state>"#,
        );
        let step = BENCH.begun(&text).0.step("go", "");
        assert_eq!(step.commands, [], "{delay}");
        assert_eq!(
            logged(&step),
            [format!("t `{delay}` is not a duration such as 2s or 150ms")]
        );
    }
}
