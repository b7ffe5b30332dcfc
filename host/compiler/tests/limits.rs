//! Strategies that run away: each ends with its reason, and nobody else notices.

mod common;

use common::{Bench, chart, escaped, logged, on_go, options};
use pointsman_contract::{Event, FailureCode, MAX_EVENT_DATA};
use pointsman_sandbox::Options;
use std::time::Duration;

/// A bad strategy: what it does, how it ends, and what the operator reads.
struct Bad {
    name: &'static str,
    chart: String,
    code: FailureCode,
    message: &'static str,
}

fn impatient(sessions: u32) -> Options {
    Options {
        step_budget: Duration::from_millis(400),
        ..options(sessions)
    }
}

fn script(name: &'static str, code: FailureCode, message: &'static str, text: &str) -> Bad {
    Bad {
        name,
        chart: on_go(&format!("<script>{}</script>", escaped(text))),
        code,
        message,
    }
}

fn content(name: &'static str, code: FailureCode, message: &'static str, xml: &str) -> Bad {
    Bad {
        name,
        chart: on_go(xml),
        code,
        message,
    }
}

fn strategy(name: &'static str, code: FailureCode, message: &'static str, inside: &str) -> Bad {
    Bad {
        name,
        chart: chart(inside),
        code,
        message,
    }
}

/// Two slots: a healthy neighbour in one, one bad session after the other in the second.
fn all_end_with_their_reason(bad: &[Bad]) {
    all_end_in(&Bench::new(options(2)), bad);
}

fn all_end_in(bench: &Bench, bad: &[Bad]) {
    let healthy = bench.strategy(&on_go(""));
    let mut neighbour = bench.session(&healthy);
    neighbour.start("").expect("the neighbour starts");
    for (i, bad) in bad.iter().enumerate() {
        let loaded = bench.strategy(&bad.chart);
        let mut session = bench.session(&loaded);
        session.start("").unwrap_or_else(|f| panic!("{}: {f}", bad.name));
        let Err(failure) = session.event("go", "") else {
            panic!("{}: it went on", bad.name)
        };
        assert_eq!(failure.code, bad.code, "{}: {failure}", bad.name);
        assert!(failure.message.contains(bad.message), "{}: {failure}", bad.name);
        drop(session);
        // The only free slot is the one that the bad session had.
        let mut next = bench.session(&healthy);
        next.start("").unwrap_or_else(|f| panic!("after {}: {f}", bad.name));
        assert_eq!(logged(&next.step("count", "")), ["1"], "after {}", bad.name);
        // Its own data, untouched: the count goes on where it was.
        let step = neighbour.step("count", "");
        assert_eq!(logged(&step), [(i + 1).to_string()], "the neighbour of `{}`", bad.name);
    }
}

#[test]
fn endless_scripts_run_out_of_their_time() {
    use FailureCode::TimeLimit;
    let message = "one step ran longer than 400 ms";
    all_end_in(
        &Bench::new(impatient(2)),
        &[
            script("a loop", TimeLimit, message, "for(;;);"),
            script(
                "a loop that catches",
                TimeLimit,
                message,
                "for(;;) { try { for(;;); } catch (e) {} finally { continue; } }",
            ),
            script("a getter", TimeLimit, message, "({ get x() { for(;;); } }).x"),
            script(
                "a promise that makes the next",
                TimeLimit,
                message,
                "(function again() { Promise.resolve().then(again); })()",
            ),
            script(
                "a regular expression",
                TimeLimit,
                message,
                "/^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')",
            ),
            script(
                "a comparator",
                TimeLimit,
                message,
                "[3, 2, 1].sort(function() { for(;;); })",
            ),
            script(
                "a search in a huge length",
                TimeLimit,
                message,
                "Array.prototype.indexOf.call({ length: 9007199254740991 }, 1)",
            ),
            script(
                "a big integer",
                TimeLimit,
                message,
                "var b = 3n; for (var i = 0; i < 40; i++) { b = b * b; if (b > 1n << 200000n) b = 3n ** 100000n; } for(;;) b % 7n;",
            ),
            content(
                "a condition",
                TimeLimit,
                message,
                r#"<if cond="(function() { for(;;); })()"><raise event="x"/></if>"#,
            ),
            content(
                "the text of a log line",
                TimeLimit,
                message,
                r#"<log expr="({ toString: function() { for(;;); }, toJSON: function() { for(;;); } })"/>"#,
            ),
        ],
    );
}

#[test]
fn charts_without_an_end_run_out_of_microsteps() {
    use FailureCode::{MicrostepLimit, QueueLimit};
    let microsteps = "more than 1000 microsteps without an external event, in";
    all_end_with_their_reason(&[
        strategy(
            "an endless raise",
            MicrostepLimit,
            microsteps,
            r#"<state id="s"><transition event="go again"><raise event="again"/></transition></state>"#,
        ),
        strategy(
            "an eventless loop",
            MicrostepLimit,
            microsteps,
            r#"<state id="s"><transition event="go" target="a"/></state>
               <state id="a"><transition target="b"/></state><state id="b"><transition target="a"/></state>"#,
        ),
        strategy(
            "a condition that always fails, and an answer to its error",
            MicrostepLimit,
            microsteps,
            r#"<state id="s"><transition event="go error.execution"><log expr="nobody.knows"/></transition></state>"#,
        ),
        strategy(
            "two raises for each",
            QueueLimit,
            "more than 1000 internal events waiting (last: again)",
            r#"<state id="s"><transition event="go again"><raise event="again"/><raise event="again"/><raise event="again"/></transition></state>"#,
        ),
    ]);
}

#[test]
fn scripts_that_want_too_much_memory_run_out_of_it() {
    use FailureCode::OutOfMemory;
    let message = "asked for more than its 8388608 bytes of memory";
    all_end_with_their_reason(&[
        script(
            "arrays",
            OutOfMemory,
            message,
            "kept = []; for(;;) kept.push(new Array(1000).fill(7));",
        ),
        script(
            "arrays, caught",
            OutOfMemory,
            message,
            "kept = []; try { for(;;) kept.push(new Array(1000).fill(7)); } catch (e) { kept = null; }",
        ),
        script(
            "strings",
            OutOfMemory,
            message,
            "kept = []; for(;;) kept.push('x'.repeat(10000) + kept.length);",
        ),
        script("one long string", OutOfMemory, message, "kept = 'x'.repeat(100000000);"),
        script(
            "one large array",
            OutOfMemory,
            message,
            "kept = new Array(50000000).fill(0);",
        ),
        script(
            "a typed array",
            OutOfMemory,
            message,
            "kept = new Uint8Array(64 << 20);",
        ),
        script(
            "a regular expression that remembers",
            OutOfMemory,
            message,
            "/(?:(x)|y)*z/.test('xy'.repeat(1000000))",
        ),
        content(
            "commands with much in them",
            OutOfMemory,
            // Whether a script or the engine asks for the last byte depends on the build.
            "memory",
            r#"<assign location="kept" expr="[]"/><script>for (var i = 0; i &lt; 900; i++) kept.push(i); big = 'x'.repeat(100000)</script>
               <foreach array="kept" item="i"><send event="e"><param name="big" expr="big"/></send></foreach>"#,
        ),
    ]);
}

#[test]
fn deep_recursion_runs_out_of_the_stack_before_the_sandbox_does() {
    use FailureCode::StackLimit;
    let message = "the script's stack ran out: RangeError";
    let nested = "var a = []; for (var i = 0; i < 20000; i++) a = [a];";
    all_end_with_their_reason(&[
        script("recursion", StackLimit, message, "(function f() { return f() + 1; })()"),
        script(
            "recursion through a getter",
            StackLimit,
            message,
            "var o = { get x() { return this.x; } }; o.x",
        ),
        script(
            "recursion through a comparator",
            StackLimit,
            message,
            "(function f() { [2, 1].sort(f); })()",
        ),
        script(
            "recursion through a proxy",
            StackLimit,
            message,
            "var p = new Proxy({}, { get: function(t, k, r) { return r[k]; } }); p.x",
        ),
        script("nested JSON", StackLimit, message, "JSON.parse('['.repeat(100000))"),
        script(
            "nested arrays as JSON",
            StackLimit,
            message,
            &format!("{nested} JSON.stringify(a)"),
        ),
        script(
            "nested arrays as text",
            StackLimit,
            message,
            &format!("{nested} String(a)"),
        ),
        content(
            "nested arrays in a log line",
            StackLimit,
            message,
            &format!(r#"<log expr="(function() {{ {} return a; }})()"/>"#, escaped(nested)),
        ),
    ]);
}

#[test]
fn floods_of_output_are_stopped() {
    use FailureCode::{LogLimit, QueueLimit};
    let list = r#"<script>kept = []; for (var i = 0; i &lt; 5000; i++) kept.push(i);</script>"#;
    let each = |inside: &str| format!(r#"{list}<foreach array="kept" item="i">{inside}</foreach>"#);
    all_end_with_their_reason(&[
        content(
            "log lines",
            LogLimit,
            "more than 65536 bytes of log in one step",
            &each(r#"<log label="flood" expr="i"/>"#),
        ),
        content(
            "empty log lines",
            LogLimit,
            "more than 65536 bytes of log in one step",
            &each("<log/>"),
        ),
        content(
            "one long log line",
            LogLimit,
            "more than 65536 bytes of log in one step",
            r#"<log expr="'x'.repeat(70000)"/>"#,
        ),
        content(
            "sends",
            QueueLimit,
            "more than 1000 commands in one step",
            &each(r#"<send event="e"/>"#),
        ),
        content(
            "cancels",
            QueueLimit,
            "more than 1000 commands in one step",
            &each(r#"<cancel sendid="e"/>"#),
        ),
        content(
            "raises",
            QueueLimit,
            "more than 1000 internal events waiting (last: e)",
            &each(r#"<raise event="e"/>"#),
        ),
    ]);
}

#[test]
fn a_limit_says_where_in_the_document_it_was_broken_and_says_it_once() {
    let bench = Bench::new(options(1));
    let mut text = on_go(
        "\n<if cond=\"true\">\n<foreach array=\"[1]\" item=\"i\">\n<script>(function f() { f(); })()</script></foreach></if>",
    );
    let line = text.lines().position(|l| l.contains("<script>")).expect("it is there") + 1;
    text.push('\n');
    let (mut session, _) = bench.begun(&text);
    let failure = session.event("go", "").expect_err("too deep");
    assert!(
        failure.message.starts_with(&format!("chart.scxml:{line}:")),
        "{failure}"
    );
    assert_eq!(failure.message.matches("chart.scxml").count(), 1, "{failure}");
}

#[test]
fn what_only_asks_for_much_and_lives_without_it_goes_on() {
    let bench = Bench::new(options(1));
    for text in [
        "kept = new Array(4294967295).length",
        "try { (function f() { f(); })(); } catch (e) { kept = e.name; }",
        "try { 'x'.repeat(4294967295); } catch (e) { kept = e.name; }",
        "try { kept = 'x'; for(;;) kept += kept; } catch (e) { kept = e.name; }",
        "try { new Array(-1); } catch (e) { kept = e.name; }",
    ] {
        let (mut session, _) = bench.begun(&on_go(&format!(r#"<script>{text}</script><log expr="kept"/>"#)));
        let step = session.step("go", "");
        assert!(
            ["4294967295", "RangeError", "InternalError"].contains(&logged(&step)[0]),
            "{text}: {step:?}"
        );
        assert_eq!(logged(&session.step("count", "")), ["1"]);
    }
}

#[test]
fn foreach_over_a_huge_array_is_an_error_of_the_document() {
    let bench = Bench::new(options(1));
    let chart = on_go(r#"<foreach array="new Array(4294967295)" item="i"><log expr="i"/></foreach>"#).replace(
        "</state>",
        r#"<transition event="error.execution"><log expr="_event.data.message"/></transition></state>"#,
    );
    let (mut session, _) = bench.begun(&chart);
    assert_eq!(
        logged(&session.step("go", "")),
        ["foreach over 4294967295 elements, at most 1048576 are allowed"]
    );
}

#[test]
fn an_event_or_start_parameters_that_are_too_large_are_refused_before_the_call() {
    let bench = Bench::new(options(2));
    let loaded = bench.strategy(&on_go(""));
    let mut session = bench.session(&loaded);
    session.start("").expect("it starts");
    let event = Event::external("go", Some(format!("{:?}", "x".repeat(MAX_EVENT_DATA))));
    let failure = session.handle(&event).expect_err("too large");
    assert_eq!(failure.code, FailureCode::EventTooLarge);
    assert_eq!(
        failure.message,
        "the event has 65540 bytes, a strategy is given at most 65536"
    );
    // Refused outside: the session itself is unharmed.
    assert_eq!(logged(&session.step("count", "")), ["1"]);

    let mut other = bench.session(&loaded);
    let failure = other
        .start(&format!("{{\"x\":{:?}}}", "x".repeat(MAX_EVENT_DATA)))
        .expect_err("too large");
    assert_eq!(failure.code, FailureCode::EventTooLarge);
    assert!(failure.message.starts_with("the start parameters have 65"), "{failure}");
}

#[test]
fn a_failed_session_stays_failed_and_says_so() {
    let bench = Bench::new(impatient(1));
    let (mut session, _) = bench.begun(&on_go("<script>for(;;);</script>"));
    assert_eq!(
        session.event("go", "").expect_err("endless").code,
        FailureCode::TimeLimit
    );
    let again = session.event("count", "").expect_err("of no more use");
    assert_eq!(again.code, FailureCode::Internal, "{again}");
    assert!(session.inspect().is_err());
}

#[test]
fn more_sessions_than_slots_are_refused_with_the_limit_named() {
    // The pool has some slots more than sessions, for the compiler.
    const MORE: usize = 100;
    let bench = Bench::new(options(1));
    let loaded = bench.strategy(&on_go(""));
    let mut held = Vec::new();
    let refused = loop {
        assert!(held.len() < MORE, "{MORE} sessions in one slot");
        match bench.sandbox.instantiate(&loaded, common::MEMORY) {
            Ok(session) => held.push(session),
            Err(refused) => break refused,
        }
    };
    assert!(!held.is_empty());
    assert_eq!(
        refused.to_string(),
        "no free sandbox: 1 sessions live, raise the limit on live sessions or wait for some to end"
    );
    held.pop();
    bench.session(&loaded).start("").expect("a slot is free again");
}

#[test]
fn a_session_does_not_die_of_garbage() {
    let bench = Bench::new(options(1));
    // Five of eight MiB are held; cycles of some hundred KiB come and go, in one step and over many.
    let cycles = |n: u32| format!("for (var i = 0; i < {n}; i++) {{ var c = new Array(2000).fill(i); c.push(c); }}");
    let text = on_go(&format!("<script>{}</script>", escaped(&cycles(20)))).replace(
        "</state>",
        &format!(
            r#"<transition event="fill"><script>kept = []; for (var k = 0; k &lt; 160; k++) kept.push(new Array(4000).fill(k));</script></transition>
<transition event="much"><script>{}</script></transition></state>"#,
            escaped(&cycles(2000))
        ),
    );
    let (mut session, _) = bench.begun(&text);
    session.step("fill", "");
    for _ in 0..50 {
        session.step("go", "");
    }
    session.step("much", "");
    assert_eq!(logged(&session.step("count", "")), ["1"]);
}

#[test]
fn what_is_worked_out_ahead_of_time_is_bounded() {
    let regions: String = (0..4000).map(|i| format!("<state id='r{i}'/>")).collect();
    let transitions = "<transition event='e' target='p'/>".repeat(60_000);
    let text = chart(&format!(
        "<state id='s'>{transitions}</state><parallel id='p'>{regions}</parallel>"
    ));
    let (document, _) = pointsman_scxml::read("chart.scxml", &text, &pointsman_scxml::NoFiles).expect("it is valid");
    let tables = pointsman_compiler::flatten(&document).expect("it fits the tables");
    let entries: usize = tables
        .transitions
        .iter()
        .filter_map(|t| t.entry.as_ref())
        .map(Vec::len)
        .sum();
    assert!(entries <= 1 << 20, "{entries}");
    assert!(tables.transitions.last().expect("many").entry.is_none());
}

#[test]
fn what_was_not_worked_out_ahead_of_time_is_entered_all_the_same() {
    let regions: String = (0..2000).map(|i| format!("<state id='r{i}'/>")).collect();
    let early = "<transition event='early' target='p'/>".repeat(300);
    let text = chart(&format!(
        "<state id='s'>{early}<transition event='late' target='p'/></state><parallel id='p'>{regions}</parallel>"
    ));
    let bench = Bench::new(options(1));
    let step = bench.begun(&text).0.step("late", "");
    assert_eq!(step.active.expect("it went").len(), 2000);
}
