//! A strategy, threads and listeners for the tests of the runtime.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

use pointsman_contract::{
    Command, CommandId, Digest, Done, Ended, Event, Failure, FailureCode, Inspection, LogEntry, Moment,
    Send as SendCommand, SessionId, Settings, StartInfo, Step, TraceEntry,
};
use pointsman_session::runtime::{
    Busy, Clock, Commands, Executor, HostData, Info, Job, Options, Program, Reads, Refused, Runtime, Services,
    StartRequest, Strategy,
};
use pointsman_store::{Journal, memory};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
    mpsc,
};

/// Longest that a test waits for what must come.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// One thread per lane.
pub struct Threads {
    lanes: Vec<mpsc::SyncSender<Job>>,
}

impl Threads {
    pub fn new(lanes: usize, queue: usize) -> Arc<Self> {
        let lanes = (0..lanes).map(|_| {
            let (sender, jobs) = mpsc::sync_channel::<Job>(queue);
            std::thread::spawn(move || jobs.into_iter().for_each(|job| job()));
            sender
        });
        Arc::new(Threads { lanes: lanes.collect() })
    }
}

impl Executor for Threads {
    fn run(&self, lane: usize, job: Job) -> Result<(), Busy> {
        self.lanes[lane].try_send(job).map_err(|_| Busy)
    }
}

/// A clock that tests move.
#[derive(Default)]
pub struct Manual(pub AtomicU64);

impl Clock for Manual {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Everything that left the runtime.
#[derive(Debug)]
pub enum Seen {
    Command(SessionId, CommandId, Command),
    Ended(SessionId, Ended),
}

/// Reports everything; refuses requests to the module `nobody`, panics at `panic`.
pub struct Listener(pub Mutex<mpsc::Sender<Seen>>);

impl Commands for Listener {
    fn perform(&self, session: &Info, id: CommandId, command: Command) -> Result<(), Box<Refused>> {
        let module = match &command {
            Command::Request(request) => request.module.as_str(),
            Command::Send(_) => "nobody",
            _ => "",
        };
        match module {
            "nobody" => {
                return Err(Box::new(Refused {
                    command,
                    reason: "nobody there".into(),
                }));
            }
            "panic" => panic!("a performer broke"),
            _ => {}
        }
        self.0
            .lock()
            .unwrap()
            .send(Seen::Command(session.id, id, command))
            .unwrap();
        Ok(())
    }

    fn ended(&self, session: &Info, ended: &Ended) {
        // The test may be over.
        let _over = self.0.lock().unwrap().send(Seen::Ended(session.id, ended.clone()));
    }
}

pub struct Table;

impl HostData for Table {
    fn read(&self, session: &Info, source: &str, key: &str) -> Result<String, String> {
        match source {
            "list" => Ok(format!("\"{key} of {}\"", session.tenant)),
            "huge" => Ok("x".repeat(1 << 20)),
            _ => Err(format!("no source `{source}`")),
        }
    }
}

/// Does what its events say, and keeps what it was given.
#[derive(Default)]
pub struct Script {
    pub handled: Arc<Mutex<Vec<Event>>>,
    pub dropped: Arc<AtomicUsize>,
    pub gate: Option<Arc<Mutex<()>>>,
    pub fail_to_start: bool,
    pub moments: Arc<Mutex<Vec<Moment>>>,
    pub settings: Settings,
}

struct Instance {
    handled: Arc<Mutex<Vec<Event>>>,
    dropped: Arc<AtomicUsize>,
    gate: Option<Arc<Mutex<()>>>,
    moments: Arc<Mutex<Vec<Moment>>>,
    events: usize,
}

impl Program for Script {
    fn instantiate(&self, _: &Info) -> Result<Box<dyn Strategy>, Failure> {
        if self.fail_to_start {
            return Err(Failure {
                code: FailureCode::Start,
                message: "no memory for it".into(),
            });
        }
        Ok(Box::new(Instance {
            handled: self.handled.clone(),
            dropped: self.dropped.clone(),
            gate: self.gate.clone(),
            moments: self.moments.clone(),
            events: 0,
        }))
    }

    fn settings(&self) -> Settings {
        self.settings.clone()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

pub fn send(event: &str, id: &str, target: Option<String>, delay_ms: u64) -> Command {
    Command::Send(SendCommand {
        id: Some(id.into()),
        event: event.into(),
        target,
        processor: None,
        data: None,
        xml: false,
        delay_ms,
    })
}

/// Commands are the JSON of the event `do`.
pub fn act(commands: &[Command]) -> Event {
    Event::external("do", Some(serde_json::to_string(commands).unwrap()))
}

impl Strategy for Instance {
    fn start(&mut self, moment: Moment, _: &StartInfo, _: &mut dyn Reads) -> Result<Step, Failure> {
        self.moments.lock().unwrap().push(moment);
        Ok(Step {
            active: Some(vec!["ready".into()]),
            ..Step::default()
        })
    }

    fn handle(&mut self, moment: Moment, event: &Event, reads: &mut dyn Reads) -> Result<Step, Failure> {
        if let Some(gate) = &self.gate {
            drop(gate.lock().unwrap());
        }
        self.events += 1;
        self.handled.lock().unwrap().push(event.clone());
        self.moments.lock().unwrap().push(moment);
        let mut step = Step::default();
        match event.name.as_str() {
            "do" => step.commands = serde_json::from_str(event.data.as_deref().unwrap()).unwrap(),
            "again" => step.commands = vec![send("again", "a", None, 0)],
            "log" => {
                step.log = vec![LogEntry {
                    label: None,
                    text: format!("line {}", self.events),
                    level: 1,
                }];
            }
            "finish" => {
                let data = event.data.clone().or(Some("7".into()));
                step.done = Some(Done { data });
            }
            "read" => {
                let text = format!("{:?}", reads.read(event.data.as_deref().unwrap(), "key"));
                step.log = vec![LogEntry {
                    label: None,
                    text,
                    level: 0,
                }];
            }
            "wrong" => step.trace = vec![TraceEntry::Failed("route.scxml:3:9: boom".into())],
            "panic" => panic!("the instance broke"),
            "fail" => {
                return Err(Failure {
                    code: FailureCode::TimeLimit,
                    message: "too slow".into(),
                });
            }
            name => step.active = Some(vec![format!("after {name}")]),
        }
        Ok(step)
    }

    fn inspect(&mut self) -> Result<Inspection, Failure> {
        Ok(Inspection {
            configuration: vec!["ready".into()],
            datamodel: format!("{{\"events\":{}}}", self.events),
        })
    }
}

/// A runtime with all of the above.
pub struct World {
    pub runtime: Runtime,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<Manual>,
    pub seen: mpsc::Receiver<Seen>,
}

impl World {
    pub fn new(options: Options) -> Self {
        World::with(
            options,
            Arc::new(memory::Journal::default()),
            Threads::new(options.lanes, 10_000),
        )
    }

    pub fn with(options: Options, journal: Arc<dyn Journal>, executor: Arc<dyn Executor>) -> Self {
        let (sender, seen) = mpsc::channel();
        let clock = Arc::new(Manual(AtomicU64::new(1_000)));
        let services = Services {
            journal: journal.clone(),
            executor,
            commands: Arc::new(Listener(Mutex::new(sender))),
            host_data: Arc::new(Table),
            clock: clock.clone(),
        };
        World {
            runtime: Runtime::new(options, services).unwrap(),
            journal,
            clock,
            seen,
        }
    }

    pub fn request(&self, tenant: &str, program: Script) -> StartRequest {
        StartRequest {
            tenant: tenant.parse().unwrap(),
            strategy: "script".parse().unwrap(),
            version: 1,
            component: Digest([1; 32]),
            program: Arc::new(program),
            params: "{}".into(),
            origin: "test".into(),
            trace: false,
            invocation: None,
        }
    }

    pub fn start(&self, program: Script) -> SessionId {
        self.runtime.start(self.request("t", program)).unwrap()
    }

    pub fn send(&self, session: SessionId, event: &str) {
        self.runtime.send(session, Event::external(event, None)).unwrap();
    }

    pub fn next(&self) -> Seen {
        self.seen
            .recv_timeout(PATIENCE)
            .expect("something was to leave the runtime")
    }

    pub fn next_end(&self) -> (SessionId, Ended) {
        match self.next() {
            Seen::Ended(session, ended) => (session, ended),
            other => panic!("an end was to come, not {other:?}"),
        }
    }

    pub fn next_command(&self) -> (CommandId, Command) {
        match self.next() {
            Seen::Command(_, id, command) => (id, command),
            other => panic!("a command was to come, not {other:?}"),
        }
    }

    pub fn advance(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
        self.runtime.clock_changed();
    }
}
