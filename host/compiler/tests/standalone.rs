//! Stand-alone components: the contract alone is enough to run them, in any wasmtime.

mod common;

use common::{Bench, MEMORY, T0, options, start_info};
use pointsman_compiler::{Form, component_of_module};
use pointsman_contract as contract;
use pointsman_sandbox::{NoReads, on_big_stack};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, Store};

#[allow(
    missing_docs,
    clippy::all,
    reason = "generated from wit/, where everything is documented"
)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "strategy" });
}

use bindings::pointsman::strategy::{host, types};

/// A host of a few lines: it has no data.
struct Bare;

impl types::Host for Bare {}

impl host::Host for Bare {
    fn read(&mut self, source: String, key: String) -> Result<String, String> {
        Err(format!("no {key} in {source}"))
    }
}

/// What one step did, in a shape that both sides can be brought into.
#[derive(Debug, PartialEq)]
struct Did {
    commands: Vec<String>,
    log: Vec<(Option<String>, String, u8)>,
    active: Option<Vec<String>>,
    done: Option<Option<String>>,
}

impl From<contract::Step> for Did {
    fn from(step: contract::Step) -> Did {
        let command = |c: contract::Command| match c {
            contract::Command::Send(s) => {
                format!("send {:?} {} {:?} {:?} {}", s.id, s.event, s.target, s.data, s.delay_ms)
            }
            contract::Command::Cancel(c) => format!("cancel {} {}", c.sendid, c.report),
            contract::Command::Request(r) => format!("{}.{} {} {}", r.module, r.action, r.id, r.params),
            other => panic!("unexpected {other:?}"),
        };
        Did {
            commands: step.commands.into_iter().map(command).collect(),
            log: step.log.into_iter().map(|l| (l.label, l.text, l.level)).collect(),
            active: step.active,
            done: step.done.map(|d| d.data),
        }
    }
}

impl From<types::Step> for Did {
    fn from(step: types::Step) -> Did {
        let command = |c: types::Command| match c {
            types::Command::Send(s) => {
                format!("send {:?} {} {:?} {:?} {}", s.id, s.event, s.target, s.data, s.delay_ms)
            }
            types::Command::Cancel(c) => format!("cancel {} {}", c.sendid, c.report),
            types::Command::Request(r) => format!("{}.{} {} {}", r.module, r.action, r.id, r.params),
            other => panic!("unexpected {other:?}"),
        };
        Did {
            commands: step.commands.into_iter().map(command).collect(),
            log: step.log.into_iter().map(|l| (l.label, l.text, l.level)).collect(),
            active: step.active,
            done: step.done.map(|d| d.data),
        }
    }
}

/// A caller who waits, loses patience, is not taken by the overflow group, and gives up.
const CALL: &[(u64, &str, &str)] = &[
    (
        1_000,
        "interaction.onrouterequest",
        r#"{"interactionid":"C1","ani":"5551000","dnis":"7003","dn":"7003"}"#,
    ),
    (11_000, "impatient", ""),
    (12_000, "agent.ready", r#"{"param":{"dn":"2301"}}"#),
    (13_000, "error.interaction.redirect", r#"{"interactionid":"C1"}"#),
    (33_000, "overflow", ""),
    (34_000, "interaction.redirect.done", ""),
];

fn moments() -> impl Iterator<Item = (u64, u64)> {
    CALL.iter().zip(2..).map(|((at, ..), seed)| (T0 + at, seed))
}

fn in_the_sandbox(bench: &Bench, component: &[u8]) -> (Vec<Did>, String) {
    let strategy = bench.sandbox.load(component).expect("it loads");
    on_big_stack(|| {
        let mut instance = bench.sandbox.instantiate(&strategy, MEMORY).expect("a slot");
        let moment = |now_ms, seed| contract::Moment {
            now_ms,
            seed,
            trace: false,
        };
        let first = instance.start(moment(T0, 1), &start_info(r#"{"patience":20}"#), &mut NoReads);
        let mut steps = vec![Did::from(first.expect("it starts").step)];
        for ((_, name, data), (now_ms, seed)) in CALL.iter().zip(moments()) {
            let event = contract::Event::external(*name, (!data.is_empty()).then(|| (*data).to_owned()));
            let outcome = instance.handle(moment(now_ms, seed), &event, &mut NoReads);
            steps.push(outcome.expect("it goes on").step.into());
        }
        (steps, instance.inspect().expect("it shows").datamodel)
    })
}

fn in_bare_wasmtime(component: &[u8]) -> (Vec<Did>, String) {
    // Deep recursion in a script needs more stack than wasmtime allows by default; this strategy has none.
    let engine = Engine::new(&Config::new()).expect("an engine");
    let component = Component::new(&engine, component).expect("it compiles");
    let mut linker = Linker::new(&engine);
    host::add_to_linker::<_, HasSelf<Bare>>(&mut linker, |s: &mut Bare| s).expect("the one import");
    types::add_to_linker::<_, HasSelf<Bare>>(&mut linker, |s: &mut Bare| s).expect("its types");
    let mut store = Store::new(&engine, Bare);
    let strategy = bindings::Strategy::instantiate(&mut store, &component, &linker).expect("it starts");
    let moment = |now_ms, seed| types::Moment {
        now_ms,
        seed,
        trace: false,
    };
    let info = start_info(r#"{"patience":20}"#);
    let info = types::StartInfo {
        session_id: info.session_id,
        params: info.params,
        io_processors: info.io_processors,
    };
    let first = strategy.call_start(&mut store, moment(T0, 1), &info);
    let mut steps = vec![Did::from(first.expect("no trap").expect("it starts"))];
    for ((_, name, data), (now_ms, seed)) in CALL.iter().zip(moments()) {
        let event = types::Event {
            name: (*name).to_owned(),
            kind: types::EventKind::External,
            data: (!data.is_empty()).then(|| (*data).to_owned()),
            xml: false,
            sendid: None,
            origin: None,
            origintype: None,
            invokeid: None,
            raw: None,
        };
        let step = strategy.call_handle(&mut store, moment(now_ms, seed), &event);
        steps.push(step.expect("no trap").expect("it goes on").into());
    }
    (steps, strategy.call_inspect(&mut store).expect("no trap").datamodel)
}

#[test]
fn a_sample_runs_alike_as_image_stand_alone_and_in_bare_wasmtime() {
    let sample = include_str!("../../../strategies/queue-overflow/queue-overflow.scxml");
    let bench = Bench::new(options(4));
    let image = in_the_sandbox(&bench, &bench.compile(sample, Form::Image).component);
    let standalone = bench.compile(sample, Form::Standalone).component;
    assert_eq!(in_the_sandbox(&bench, &standalone), image);
    assert_eq!(in_bare_wasmtime(&standalone), image);

    // That they agree says little unless it is the right thing that they do.
    let (steps, datamodel) = image;
    let lines: Vec<&str> = steps
        .iter()
        .flat_map(|s| &s.log)
        .map(|(_, text, _)| text.as_str())
        .collect();
    assert_eq!(
        lines,
        [
            "5551000 has waited for half of the patience",
            "waited 11 s",
            "waited 32 s"
        ]
    );
    let redirects: Vec<&String> = steps
        .iter()
        .flat_map(|s| &s.commands)
        .filter(|c| c.contains("redirect"))
        .collect();
    assert!(
        redirects[0].contains("2301") && redirects[1].contains("9300") && redirects.len() == 2,
        "{redirects:?}"
    );
    assert_eq!(steps[6].done, Some(Some(r#"{"target":"9300"}"#.into())));
    assert!(datamodel.contains(r#""patience":20"#), "{datamodel}");
}

#[test]
fn a_stand_alone_component_imports_the_contract_and_nothing_else() {
    let bench = Bench::new(options(1));
    let component = bench.compile(&common::on_go(""), Form::Standalone).component;
    let engine = Engine::new(&Config::new()).expect("an engine");
    let loaded = Component::new(&engine, &component).expect("it compiles");
    let ty = loaded.component_type();
    let mut imports: Vec<&str> = ty.imports(&engine).map(|(name, _)| name).collect();
    imports.sort_unstable();
    assert_eq!(
        imports,
        ["pointsman:strategy/host@0.1.0", "pointsman:strategy/types@0.1.0"]
    );
    // Nothing of what deploying needs is left to call.
    let mut exports: Vec<&str> = ty.exports(&engine).map(|(name, _)| name).collect();
    exports.sort_unstable();
    assert_eq!(exports, ["handle", "inspect", "start"]);
}

#[test]
fn a_strategy_in_rust_loads_and_answers() {
    let bench = Bench::new(options(1));
    let component = component_of_module(pointsman_guest::LEAST_COST).expect("it speaks the contract");
    let strategy = bench.sandbox.load(&component).expect("it loads");
    assert_eq!(strategy.form(), pointsman_sandbox::Form::SelfContained);
    let mut session = bench.session(&strategy);
    session.start("").expect("it starts");
    let call =
        r#"{"interactionid":"C1","ani":"5551000","dnis":"8002","dn":"8002","udata":{"destination":"447700900123"}}"#;
    let step = session.step("interaction.onrouterequest", call);
    assert_eq!(step.log[0].text, "447700900123 by carrier-c, carrier-b");
    let [contract::Command::Request(request)] = &step.commands[..] else {
        panic!("{step:?}")
    };
    assert_eq!(
        (request.module.as_str(), request.action.as_str()),
        ("interaction", "redirect")
    );
    assert!(
        request.params.contains("447700900123@carrier-c.example"),
        "{}",
        request.params
    );
    let step = session.step("interaction.deleted", "");
    assert!(step.done.is_some(), "{step:?}");
}

#[test]
fn a_module_that_does_not_speak_the_contract_is_refused() {
    let module = wat::parse_str(r#"(module (func (export "main")))"#).expect("valid text");
    let bare = component_of_module(b"no wasm").expect_err("no module").to_string();
    assert!(
        bare.starts_with("this module does not speak the strategy contract ("),
        "{bare}"
    );
    // A module without the contract's description becomes a component without exports: loading it says so.
    let refused = match component_of_module(&module) {
        Err(e) => e.to_string(),
        Ok(component) => match Bench::new(options(1)).sandbox.load(&component) {
            Err(e) => e.to_string(),
            Ok(_) => panic!("it was loaded"),
        },
    };
    assert!(refused.contains("contract"), "{refused}");
}
