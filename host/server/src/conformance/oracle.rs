//! What a person looks for in the tests that a person is to judge (the suite's `manual_oracle`), written down.

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
}

pub(super) type Lines = Vec<(String, String)>;

/// What is expected of a test.
#[derive(Clone, Copy)]
pub(super) enum Oracle {
    /// Its document is not loaded.
    Refused,
    /// Its document is not loaded, or reaches `pass`.
    RefusedOrPassed,
    /// Its document runs to its end and shows this.
    Shows(fn(&Ran) -> Result<(), String>),
}

/// What is expected of this test, if that is known.
pub(super) fn oracle(id: &str) -> Option<Oracle> {
    Some(match id {
        "178" => Oracle::Shows(both_values_of_a_parameter),
        "230" => Oracle::Shows(the_same_event_for_parent_and_child),
        "250" => Oracle::Shows(exit_handlers_of_a_cancelled_child),
        "301" => Oracle::Refused,
        "307" => Oracle::Shows(the_same_result_before_and_after),
        "313" | "314" => Oracle::RefusedOrPassed,
        "415" => Oracle::Shows(halted_without_another_event),
        _ => return None,
    })
}

impl Oracle {
    /// Judges what has run, or why nothing did.
    pub fn judge(self, ran: Result<Vec<Result<Ran, String>>, String>) -> Result<(), String> {
        let ran = match (self, ran) {
            (Oracle::Refused | Oracle::RefusedOrPassed, Err(_)) => return Ok(()),
            (Oracle::Refused, Ok(_)) => return Err("its document was loaded".into()),
            (_, Ok(ran)) => ran,
            (Oracle::Shows(_), Err(why)) => return Err(why),
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

/// 230: the lines that parent and child write about the event are the same.
fn the_same_event_for_parent_and_child(ran: &Ran) -> Result<(), String> {
    let about = |lines: &Lines| -> Lines {
        let of_event = lines.iter().filter(|(label, _)| label.ends_with(" is "));
        of_event.cloned().collect()
    };
    let [child] = &ran.children[..] else {
        return Err(format!("{} children were there", ran.children.len()));
    };
    let (parent, child) = (about(&ran.log), about(child));
    let same = ran.active == ["final"] && parent.len() == 7 && parent == child;
    when(same, || format!("the parent shows {parent:?}, the child {child:?}"))
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
    let (before, after) = (shown("entering s0"), shown("entering s1"));
    when(before == after && ran.active == ["final"], || {
        format!("it shows {:?}", ran.log)
    })
}

/// 415: the event that is raised in a final state of the document is not handled any more.
fn halted_without_another_event(ran: &Ran) -> Result<(), String> {
    let halted = ran.done && ran.active == ["final"] && ran.log.is_empty();
    when(halted, || {
        format!("it ended in {} and shows {:?}", ran.active.join(" "), ran.log)
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
        let of = |value: &str| -> Lines { names.iter().map(|n| (format!("{n} is "), value.to_owned())).collect() };
        let forwarded = |child: Lines| Ran {
            active: active.clone(),
            log: of("x"),
            children: vec![child],
            ..Ran::default()
        };
        assert!(judged("230", forwarded(of("x"))).is_ok());
        assert!(judged("230", forwarded(of("y"))).is_err() && judged("230", forwarded(lines(&[]))).is_err());

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

        let halted = |log: &[(&str, &str)]| Ran {
            done: true,
            active: active.clone(),
            log: lines(log),
            ..Ran::default()
        };
        assert!(judged("415", halted(&[])).is_ok() && judged("415", halted(&[("", "event1")])).is_err());
    }

    #[test]
    fn a_document_that_must_not_be_loaded_is_not_judged_by_what_it_does() {
        let refused = || Err("no such file".to_owned());
        let passed = || {
            Ok(vec![Ok(Ran {
                active: vec!["pass".into()],
                ..Ran::default()
            })])
        };
        for (id, of_refused, of_passed) in [("301", true, false), ("313", true, true), ("415", false, false)] {
            let oracle = oracle(id).expect("it is known");
            assert_eq!(oracle.judge(refused()).is_ok(), of_refused, "{id}");
            assert_eq!(oracle.judge(passed()).is_ok(), of_passed, "{id}");
        }
    }
}
