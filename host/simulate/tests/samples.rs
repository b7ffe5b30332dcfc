//! The sample strategies do what their test files say; and a test file that says something else fails.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

use pointsman_sandbox::{Options, Sandbox};
use pointsman_simulate::{Case, Colour, Data, Duration, Error, Input, Report, Simulator, Step, TestFile};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static SIMULATOR: LazyLock<Simulator> = LazyLock::new(|| {
    let options = Options {
        sessions: 8,
        ..Options::default()
    };
    Simulator::new(Sandbox::new(options, None).expect("a sandbox can be made"))
});

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../strategies")
        .join(name)
        .join(format!("{name}.test.toml"))
}

fn run(file: &TestFile) -> Report {
    let program = SIMULATOR
        .load(&file.strategy, None)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(program.warnings, "");
    SIMULATOR.test(&program, file)
}

fn passes(name: &str, cases: usize) {
    let file = TestFile::read(&sample(name)).unwrap_or_else(|error| panic!("{error}"));
    let report = run(&file);
    assert!(report.passed(), "{}", report.text(Colour::None, true));
    // A file whose cases are not read passes everything.
    assert_eq!(report.cases.len(), cases);
}

#[test]
fn the_sample_business_hours_does_what_its_test_file_says() {
    passes("business-hours", 6);
}

#[test]
fn the_sample_queue_overflow_does_what_its_test_file_says() {
    passes("queue-overflow", 4);
}

#[test]
fn the_sample_split_does_what_its_test_file_says() {
    passes("split", 3);
}

#[test]
fn the_sample_vip_does_what_its_test_file_says() {
    passes("vip", 5);
}

/// A document in the way Genesys Composer writes them, includes and all: warnings are about what no host serves yet.
#[test]
fn the_sample_in_the_way_of_composer_does_what_its_test_file_says() {
    let path = sample("composer").with_file_name("inbound.test.toml");
    let file = TestFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
    let program = SIMULATOR
        .load(&file.strategy, None)
        .unwrap_or_else(|error| panic!("{error}"));
    let report = SIMULATOR.test(&program, &file);
    assert!(
        report.passed(),
        "{}\n{}",
        program.warnings,
        report.text(Colour::None, true)
    );
    assert_eq!(report.cases.len(), 6);
}

#[test]
fn the_sample_least_cost_in_rust_does_what_its_test_file_says() {
    let file = TestFile::read(&sample("least-cost")).unwrap();
    let module = pointsman_guest::LEAST_COST.to_vec();
    let program = SIMULATOR
        .load_bytes(&file.strategy, None, module)
        .unwrap_or_else(|error| panic!("{error}"));
    let report = SIMULATOR.test(&program, &file);
    assert!(report.passed(), "{}", report.text(Colour::None, true));
    assert_eq!(report.cases.len(), 3);
}

/// A document and a test file for it, in a folder of their own.
fn written(document: &str, cases: &str) -> (tempfile::TempDir, TestFile) {
    let dir = tempfile::tempdir().unwrap();
    let head = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript">"#;
    std::fs::write(dir.path().join("x.scxml"), format!("{head}{document}</scxml>")).unwrap();
    let path = dir.path().join("x.test.toml");
    std::fs::write(&path, format!("strategy = 'x.scxml'\n{cases}")).unwrap();
    let file = TestFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
    (dir, file)
}

const ECHO: &str = r##"
    <state id="a">
      <onentry><log expr="'started'"/></onentry>
      <transition event="go" target="b">
        <log expr="'heard ' + (_event.data ? _event.data.x : 'nothing')"/>
        <send event="later" delay="5s" id="timer"/>
        <send event="out" target="#_parent"/>
      </transition>
    </state>
    <state id="b">
      <transition event="later" target="end"/>
      <transition event="stop" target="a"><cancel sendid="timer"/></transition>
    </state>
    <final id="end"><donedata><param name="x" expr="1"/></donedata></final>"##;

#[test]
fn a_wrong_expectation_fails_and_shows_expected_and_actual() {
    let (_dir, file) = written(
        ECHO,
        "[[case]]\nname = 'wrong'\n[[case.step]]\nevent = 'go'\ndata = { x = 7 }\n[case.step.expect]\n\
         configuration = ['a']\nlog = ['heard 8']\ncommands = []\nended = 'done'\ndone = { x = 2 }\n",
    );
    let report = run(&file);
    assert!(!report.passed());
    let found: Vec<_> = report.cases[0].steps[1]
        .mismatches
        .iter()
        .map(|m| (m.what, &m.expected, &m.actual))
        .collect();
    assert_eq!(
        found,
        [
            ("configuration", &json!(["a"]), &json!(["b"])),
            ("log", &json!(["heard 8"]), &json!(["heard 7"])),
            (
                "commands",
                &json!([]),
                &json!([{ "send": "out", "target": "#_parent" }])
            ),
            ("done", &json!({ "x": 2 }), &json!("(the session has not ended)")),
            ("ended", &json!("done"), &json!(null)),
        ]
    );
    let text = report.text(Colour::None, true);
    let shown =
        "            MISMATCH in log\n              expected   [\"heard 8\"]\n              actual     [\"heard 7\"]\n";
    assert!(text.contains(shown), "{text}");
    assert!(text.ends_with("1 of 1 case failed\n"), "{text}");
    let last: serde_json::Value = serde_json::from_str(report.json_lines().lines().last().unwrap()).unwrap();
    assert_eq!((&last["kind"], &last["passed"]), (&json!("case"), &json!(false)));
}

#[test]
fn sends_to_the_session_itself_and_cancels_are_compared_where_they_are_expected() {
    let own = "{ send = 'later', delay = '5s' }, { send = 'out', target = '#_parent' }";
    let case = |commands: &str, cancels: &str| {
        format!(
            "[[case]]\nname = 'n'\n[[case.step]]\nevent = 'go'\nexpect.commands = [{commands}]\n\
             [[case.step]]\nevent = 'stop'\nexpect.commands = [{cancels}]\n"
        )
    };
    for (commands, cancels, passes) in [
        ("{ send = 'out', target = '#_parent' }", "", true),
        (own, "{ cancel = 'timer' }", true),
        (own, "{ cancel = 'other' }", false),
        (
            "{ send = 'later', delay = '6s' }, { send = 'out', target = '#_parent' }",
            "",
            false,
        ),
        (
            "{ send = 'out', target = '#_parent' }, { send = 'later', delay = '5s' }",
            "",
            false,
        ),
        ("", "", false),
    ] {
        let (_dir, file) = written(ECHO, &case(commands, cancels));
        let report = run(&file);
        assert_eq!(
            report.passed(),
            passes,
            "{commands} {cancels}\n{}",
            report.text(Colour::None, true)
        );
    }
}

#[test]
fn a_strategy_finds_the_processors_that_a_server_gives() {
    let (_dir, file) = written(
        r##"
        <state id="a">
          <onentry>
            <log expr="_ioprocessors['http://www.w3.org/TR/scxml/#BasicHTTPEventProcessor'].location"/>
            <send event="own" type="basichttp" targetexpr="_ioprocessors.basichttp.location"><param name="x" expr="1"/></send>
            <send event="out" type="basichttp" target="http://other/"/>
          </onentry>
          <transition event="own"><log expr="'own ' + _event.data.x"/></transition>
        </state>"##,
        "[[case]]\nname = 'http'\n[[case.step]]\nexpect.log = ['http://localhost/simulation/basichttp', 'own 1']\n\
         expect.commands = [{ send = 'own', type = 'basichttp', target = 'http://localhost/simulation/basichttp', data = { x = 1 } }, \
         { send = 'out', type = 'basichttp', target = 'http://other/' }]\n",
    );
    let report = run(&file);
    assert!(report.passed(), "{}", report.text(Colour::None, true));
}

#[test]
fn timers_fire_at_their_time_and_never_before() {
    let (_dir, file) = written(
        ECHO,
        "[[case]]\nname = 'n'\n[[case.step]]\nexpect.log = ['started']\n[[case.step]]\nevent = 'go'\n\
         [[case.step]]\nadvance = '4999ms'\nexpect.configuration = ['b']\n\
         [[case.step]]\nadvance = '1ms'\n[case.step.expect]\nended = 'done'\ndone = { x = 1.0 }\n",
    );
    let report = run(&file);
    assert!(report.passed(), "{}", report.text(Colour::None, true));
    let case = &report.cases[0];
    let last = case.steps.last().unwrap();
    assert_eq!(last.macrosteps[0].at_ms - case.started_ms, 5_000);
    assert_eq!(
        last.macrosteps[0].event.as_ref().map(|event| event.name.as_str()),
        Some("later")
    );
}

#[test]
fn an_event_for_a_session_that_has_ended_is_a_mismatch() {
    let (_dir, file) = written(
        ECHO,
        "[[case]]\nname = 'n'\n[[case.step]]\nevent = 'go'\n[[case.step]]\nadvance = '5s'\n[[case.step]]\nevent = 'late'\n",
    );
    let report = run(&file);
    assert!(report.cases[0].steps[2].mismatches.is_empty());
    assert_eq!(
        report.cases[0].steps[3].mismatches[0].actual,
        json!("the session has ended")
    );
}

#[test]
fn a_failure_that_nobody_expected_fails_the_case_and_an_expected_one_does_not() {
    let endless = "<state id='a'><transition event='go' target='b'/></state>\
                   <state id='b'><transition target='c'/></state><state id='c'><transition target='b'/></state>";
    let case = |expect: &str| format!("[[case]]\nname = 'n'\n[[case.step]]\nevent = 'go'\n{expect}");
    for (expect, passes) in [
        ("", false),
        ("expect.ended = 'microstep-limit'", true),
        ("expect.ended = 'time-limit'", false),
    ] {
        let (_dir, file) = written(endless, &case(expect));
        let report = run(&file);
        assert_eq!(report.passed(), passes, "{expect}\n{}", report.text(Colour::None, true));
    }
}

#[test]
fn a_session_that_keeps_itself_busy_for_ever_is_ended_by_the_simulation() {
    let busy = "<state id='a'><transition event='go'><send event='go'/></transition></state>";
    let (_dir, file) = written(
        busy,
        "[[case]]\nname = 'n'\n[[case.step]]\nevent = 'go'\nexpect.ended = 'terminated'\n",
    );
    let report = run(&file);
    assert!(report.passed(), "{}", report.text(Colour::None, true));
    assert!(
        report
            .text(Colour::None, true)
            .contains("more than 10000 macrosteps in one step")
    );
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let random = "<state id='a'><transition event='go'><log expr='Math.random()'/></transition></state>";
    let (_dir, file) = written(random, "case = []");
    let program = SIMULATOR.load(&file.strategy, None).unwrap();
    let go = Step {
        input: Input::Event {
            name: "go".into(),
            data: None,
        },
        expect: Default::default(),
    };
    let logged = |seed: u64| {
        let case = Case {
            seed,
            steps: vec![go.clone(), go.clone()],
            ..Case::default()
        };
        let report = SIMULATOR.run(&program, &case, &Data::default());
        let steps = report.steps.iter().flat_map(|step| &step.macrosteps);
        steps
            .flat_map(|macrostep| &macrostep.log)
            .map(|line| line.text.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(logged(1), logged(1));
    assert_ne!(logged(1), logged(2));
    assert_ne!(logged(1)[0], logged(1)[1]);
}

#[test]
fn time_stands_still_unless_it_is_advanced() {
    let clock = "<state id='a'><transition event='go'><log expr='Date.now()'/></transition></state>";
    let (_dir, file) = written(clock, "case = []");
    let program = SIMULATOR.load(&file.strategy, None).unwrap();
    let step = |input: Input| Step {
        input,
        expect: Default::default(),
    };
    let go = || {
        step(Input::Event {
            name: "go".into(),
            data: None,
        })
    };
    let hour = step(Input::Advance("1h".parse::<Duration>().unwrap()));
    let case = Case {
        at: "2026-03-03T09:30:00Z".parse().unwrap(),
        steps: vec![go(), go(), hour, go()],
        ..Case::default()
    };
    let report = SIMULATOR.run(&program, &case, &Data::default());
    let steps = report.steps.iter().flat_map(|step| &step.macrosteps);
    let texts: Vec<_> = steps
        .flat_map(|macrostep| &macrostep.log)
        .map(|line| line.text.as_str())
        .collect();
    assert_eq!(texts, ["1772530200000", "1772530200000", "1772533800000"]);
}

#[test]
fn what_is_wrong_with_a_document_is_shown_under_the_path_that_the_user_knows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.scxml");
    std::fs::write(&path, "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0'><state id='a'>\n<transition target='b'/></state></scxml>").unwrap();
    let Err(Error::Document(errors)) = SIMULATOR.load(&path, None).map(|_| ()) else {
        panic!("the document is refused")
    };
    assert!(
        errors.to_string().contains(&format!("--> {}:2:21", path.display())),
        "{errors}"
    );
}

#[test]
fn bytes_that_are_no_strategy_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wasm");
    for (bytes, message) in [
        (&b"\0asm\x01\0\0\0"[..], "does not export the contract's functions"),
        (b"\0asm\x0d\0\x01\0", "does not export the contract's functions"),
        (b"\xff\xfe", "neither a WebAssembly file nor UTF-8 text"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = SIMULATOR.load(&path, None).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
