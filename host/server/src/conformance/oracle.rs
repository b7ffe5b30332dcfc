//! What a person looks for in the tests that a person is to judge (the suite's `manual_oracle`), written down.

use pointsman_contract::TraceEntry;

/// Why a document does not run.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unstarted {
    /// It is not sound.
    #[error("{why}")]
    Refused {
        /// What is wrong with it: codes of the findings.
        codes: Vec<&'static str>,
        /// The same, to be read.
        why: String,
    },
    /// There is something else, which says nothing about it: it cannot be had, or not be compiled, or the host is at fault.
    #[error("{0}")]
    Otherwise(String),
}

/// What can be seen of a session that has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ran {
    /// It reached its own end.
    pub done: bool,
    /// The states that it ended in.
    pub active: Vec<String>,
    /// Label and text of its log lines, in order.
    pub log: Lines,
    /// The logs of those that it has invoked.
    pub children: Vec<Lines>,
    /// What it did, step by step.
    pub trace: Vec<TraceEntry>,
}

pub(super) type Lines = Vec<(String, String)>;

/// What is expected of a test.
#[derive(Clone, Copy)]
pub(super) enum Oracle {
    /// Its document is not loaded, and for this reason only: the code of a finding.
    Refused(&'static str),
    /// Its document reaches `pass`. The standard lets it be refused as well, which is not what happens here.
    Passes,
    /// Its document runs to its end and shows this.
    Shows(fn(&Ran) -> Result<(), String>),
}

/// What is expected of this test, if that is known.
pub(super) fn oracle(id: &str) -> Option<Oracle> {
    Some(match id {
        "178" => Oracle::Shows(both_values_of_a_parameter),
        "230" => Oracle::Shows(the_same_event_for_parent_and_child),
        "250" => Oracle::Shows(exit_handlers_of_a_cancelled_child),
        // Of the document's only `src`.
        "301" => Oracle::Refused("unreadable-src"),
        "307" => Oracle::Shows(the_same_result_before_and_after),
        "313" | "314" => Oracle::Passes,
        "415" => Oracle::Shows(halted_without_another_event),
        _ => return None,
    })
}

impl Oracle {
    /// Judges what has run, or why nothing did.
    pub fn judge(self, ran: Result<Vec<Result<Ran, String>>, Unstarted>) -> Result<(), String> {
        let ran = match (self, ran) {
            (Oracle::Refused(code), Err(Unstarted::Refused { codes, .. })) if codes == [code] => return Ok(()),
            (Oracle::Refused(_), Ok(_)) => return Err("its document was loaded".into()),
            (_, Ok(ran)) => ran,
            (_, Err(why)) => return Err(why.to_string()),
        };
        for one in ran {
            let one = one?;
            match self {
                Oracle::Shows(look) => look(&one)?,
                _ if one.active == ["pass"] => {}
                _ => return Err(format!("it ended in {}", one.active.join(" "))),
            }
        }
        Ok(())
    }
}

fn when(true_: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if true_ { Ok(()) } else { Err(otherwise()) }
}

/// 178: both values of a parameter that is given twice are in the message.
fn both_values_of_a_parameter(ran: &Ran) -> Result<(), String> {
    let raw = ran.log.iter().find(|(label, _)| label.trim() == "_event");
    let raw = raw.map_or("", |(_, text)| text.as_str());
    let (first, second) = (raw.find('2'), raw.find('3'));
    let both = raw.contains("Var1") && first.zip(second).is_some_and(|(first, second)| first < second);
    when(both, || format!("_event.raw shows `{raw}`"))
}

/// 230: the lines that parent and child write about the event are the same, and about the event that the child has sent.
fn the_same_event_for_parent_and_child(ran: &Ran) -> Result<(), String> {
    let about = |lines: &Lines| -> Lines {
        let of_event = lines.iter().filter(|(label, _)| label.ends_with(" is "));
        of_event.cloned().collect()
    };
    let [child] = &ran.children[..] else {
        return Err(format!("{} children were there", ran.children.len()));
    };
    let (parent, child) = (about(&ran.log), about(child));
    let shown = |name: &str| {
        let line = parent
            .iter()
            .find(|(label, _)| label.strip_suffix(" is ") == Some(name));
        line.map_or("", |(_, text)| text.as_str())
    };
    let sent = shown("name") == "childToParent"
        && shown("type") == "external"
        && shown("origin").starts_with("#_scxml_")
        && !matches!(shown("invokeid"), "" | "undefined" | "null");
    let same = ran.active == ["final"] && parent.len() == 7 && parent == child;
    when(sent && same, || {
        format!("the parent shows {parent:?}, the child {child:?}")
    })
}

/// 250: a child that is cancelled leaves its states, and does not enter its final state.
fn exit_handlers_of_a_cancelled_child(ran: &Ran) -> Result<(), String> {
    let [child] = &ran.children[..] else {
        return Err(format!("{} children were there", ran.children.len()));
    };
    let texts: Vec<&str> = child.iter().map(|(_, text)| text.as_str()).collect();
    when(texts == ["Exiting sub01", "Exiting sub0"], || {
        format!("the child shows {texts:?}")
    })
}

/// 307: a variable before its time and a member that is not there show the same value, or are errors both.
fn the_same_result_before_and_after(ran: &Ran) -> Result<(), String> {
    let shown = |label: &str| ran.log.iter().find(|(l, _)| l.starts_with(label)).map(|(_, text)| text);
    let values = (shown("entering s0"), shown("entering s1"));
    let errors = (shown("error in state s0"), shown("error in state s1"));
    // An error beside a value is not the value's: the document's own `expr=""` is no expression.
    let same = match (values, errors) {
        ((Some(before), Some(after)), _) => before == after,
        ((None, None), (Some(_), Some(_))) => true,
        _ => false,
    };
    when(same && ran.active == ["final"], || format!("it shows {:?}", ran.log))
}

/// 415: the event that is raised in a final state of the document is not handled any more. The document has nothing that would
/// show it, so it is looked for in the trace.
fn halted_without_another_event(ran: &Ran) -> Result<(), String> {
    let entered = ran.trace.contains(&TraceEntry::Entered("final".into()));
    let went_on = |entry: &TraceEntry| matches!(entry, TraceEntry::Event(_) | TraceEntry::Transition(_));
    // One transition is the initial one, where a processor shows it: to `final`.
    let event = ran
        .trace
        .iter()
        .skip_while(|entry| !matches!(entry, TraceEntry::Entered(_)))
        .any(went_on);
    let halted = ran.done && ran.active == ["final"] && entered && !event;
    when(halted, || {
        format!("it ended in {} and did {:?}", ran.active.join(" "), ran.trace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pairs: &[(&str, &str)]) -> Lines {
        pairs.iter().map(|(l, t)| ((*l).to_owned(), (*t).to_owned())).collect()
    }

    fn judged(id: &str, ran: Ran) -> Result<(), String> {
        oracle(id).expect("it is known").judge(Ok(vec![Ok(ran)]))
    }

    #[test]
    fn an_oracle_tells_right_from_wrong() {
        let active = vec!["final".to_owned()];
        let raw = |text: &str| Ran {
            log: lines(&[("_event ", text)]),
            ..Ran::default()
        };
        assert!(judged("178", raw("Var1=2&Var1=3")).is_ok() && judged("178", raw(r#"{"Var1":[2,3]}"#)).is_ok());
        assert!(judged("178", raw(r#"{"Var1":3}"#)).is_err() && judged("178", raw("undefined")).is_err());

        let names = ["name", "type", "sendid", "origin", "origintype", "invokeid", "data"];
        let of = |values: [&str; 7]| -> Lines {
            let shown = names.iter().zip(values);
            shown.map(|(n, value)| (format!("{n} is "), value.to_owned())).collect()
        };
        let forwarded = |parent: Lines, child: Lines| Ran {
            active: active.clone(),
            log: parent,
            children: vec![child],
            ..Ran::default()
        };
        let right = [
            "childToParent",
            "external",
            "undefined",
            "#_scxml_x",
            "uri",
            "s0.1",
            "undefined",
        ];
        assert!(judged("230", forwarded(of(right), of(right))).is_ok());
        assert!(judged("230", forwarded(of(right), lines(&[]))).is_err());
        // What is wrong in one copy is not the same; what is wrong in both is another event.
        for (place, wrong) in [(0, "timeout"), (1, "platform"), (3, "undefined"), (5, "undefined")] {
            let mut other = right;
            other[place] = wrong;
            assert!(judged("230", forwarded(of(right), of(other))).is_err());
            assert!(judged("230", forwarded(of(other), of(other))).is_err());
        }

        let cancelled = |child: &[(&str, &str)]| Ran {
            children: vec![lines(child)],
            ..Ran::default()
        };
        let (inner, outer) = (("", "Exiting sub01"), ("", "Exiting sub0"));
        assert!(judged("250", cancelled(&[inner, outer])).is_ok());
        assert!(judged("250", cancelled(&[outer, inner])).is_err() && judged("250", Ran::default()).is_err());

        let of_both = |shown: &[(&str, &str)]| Ran {
            active: active.clone(),
            log: lines(shown),
            ..Ran::default()
        };
        let (first, second) = ("entering s0 value of Var 1 is: ", "entering s1, value of ...");
        assert!(judged("307", of_both(&[(first, "undefined"), (second, "undefined")])).is_ok());
        assert!(judged("307", of_both(&[("error in state s0", ""), ("error in state s1", "")])).is_ok());
        assert!(judged("307", of_both(&[(first, "undefined"), ("error in state s1", "")])).is_err());
        assert!(judged("307", of_both(&[(first, "undefined"), (second, "1")])).is_err());
        assert!(judged("307", of_both(&[("error in state s0", ""), (second, "undefined")])).is_err());
        assert!(judged("307", of_both(&[])).is_err() && judged("307", of_both(&[(first, "undefined")])).is_err());

        let halted = |trace: &[TraceEntry]| Ran {
            done: true,
            active: active.clone(),
            trace: trace.to_vec(),
            ..Ran::default()
        };
        let (entered, event) = (TraceEntry::Entered("final".into()), TraceEntry::Event("event1".into()));
        assert!(judged("415", halted(std::slice::from_ref(&entered))).is_ok());
        assert!(judged("415", halted(&[])).is_err() && judged("415", halted(&[entered, event])).is_err());
    }

    #[test]
    fn a_document_that_must_not_be_loaded_is_not_judged_by_what_it_does() {
        let refused = |codes: &[&'static str]| {
            Err(Unstarted::Refused {
                codes: codes.to_vec(),
                why: "it is not sound".into(),
            })
        };
        let passed = || {
            Ok(vec![Ok(Ran {
                active: vec!["pass".into()],
                ..Ran::default()
            })])
        };
        for (id, of_refused, of_passed) in [
            ("301", true, false),
            ("313", false, true),
            ("314", false, true),
            ("415", false, false),
        ] {
            let oracle = oracle(id).expect("it is known");
            assert_eq!(oracle.judge(refused(&["unreadable-src"])).is_ok(), of_refused, "{id}");
            assert_eq!(oracle.judge(passed()).is_ok(), of_passed, "{id}");
            // Whatever else keeps a document from running is no answer to any test.
            for codes in [&[][..], &["unknown-element"], &["unreadable-src", "no-states"]] {
                assert!(oracle.judge(refused(codes)).is_err(), "{id}");
            }
            let missing = Unstarted::Otherwise("no such file".into());
            assert!(oracle.judge(Err(missing)).is_err(), "{id}");
        }
    }
}
