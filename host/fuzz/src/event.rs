//! Events: what a strategy is given from outside.

use super::MAIN;
use pointsman_compiler::{Compiler, Form, Limits};
use pointsman_contract::{Event, FailureCode, Moment, SCXML_PROCESSOR, StartInfo};
use pointsman_sandbox::{NoReads, Options, Sandbox, Strategy, on_big_stack};
use pointsman_scxml::{MapResolver, read};
use std::sync::LazyLock;

/// A strategy that touches all of an event.
const CURIOUS: &str = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" profile="ecmascript">
<datamodel><data id="seen" expr="0"/></datamodel>
<state id="s"><transition event="*"><script>
  seen += 1;
  __Log(_event.toSource()); __Log(_event.raw); __Log(_genesys.ixn.interactions);
  if (_event.data !== undefined) { __Log(typeof _event.data); __Log(String(_event.data)); __Log(JSON.stringify(_event.data)); }
</script><send event="'echo'" target="_sessionid" delay="'1s'"><content expr="_event.data"/></send></transition></state></scxml>"#;

struct Host {
    sandbox: Sandbox,
    strategy: Strategy,
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let options = Options {
        sessions: 4,
        ..Options::default()
    };
    let sandbox = Sandbox::new(options, None).expect("a sandbox");
    let (document, _) = read(MAIN, CURIOUS, &MapResolver::new([])).expect("a sound document");
    let compiler = Compiler::new(sandbox.clone(), Limits::default());
    let compiled = compiler.compile(&document, Form::Image).expect("it compiles");
    let strategy = sandbox.load(&compiled.component).expect("it loads");
    Host { sandbox, strategy }
});

/// The event of an input: a first line `NAME` or `NAME xml`, the rest is the data; `\0` ends the data, the raw message follows.
fn an_event(text: &str) -> Event {
    let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (name, xml) = head.strip_suffix(" xml").map_or((head, false), |name| (name, true));
    let (data, raw) = rest
        .split_once('\0')
        .map_or((rest, None), |(data, raw)| (data, Some(raw.to_owned())));
    let data = match xml {
        true => serde_json::Value::from(data).to_string(),
        false => data.to_owned(),
    };
    Event {
        xml,
        raw,
        ..Event::external(name, (!data.is_empty()).then_some(data))
    }
}

/// An event.
pub fn event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let event = an_event(text);
    let mut instance = HOST.sandbox.instantiate(&HOST.strategy, 16 << 20).expect("a free slot");
    let moment = |now_ms| Moment {
        now_ms,
        seed: 1,
        trace: true,
    };
    let info = StartInfo {
        session_id: "SESSION0000000000000000000000001".into(),
        params: String::new(),
        io_processors: serde_json::json!({ SCXML_PROCESSOR: { "location": "#_scxml_SESSION" } }).to_string(),
    };
    on_big_stack(|| instance.start(moment(0), &info, &mut NoReads)).expect("it starts");
    match on_big_stack(|| instance.handle(moment(1), &event, &mut NoReads)) {
        Ok(_) => {
            let next = Event::external("healthy", None);
            on_big_stack(|| instance.handle(moment(2), &next, &mut NoReads)).expect("it goes on");
            on_big_stack(|| instance.inspect()).expect("it shows itself");
        }
        Err(failure) => assert_ne!(failure.code, FailureCode::Internal, "{failure}"),
    }
}
