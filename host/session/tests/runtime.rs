//! The runtime over a scripted strategy and real threads.
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

mod common;

use common::{PATIENCE, Script, Threads, World, act, send};
use pointsman_contract::{Cancel, Command, Ended, Event, EventKind, FailureCode, Request, Seq, SessionId, Settings};
use pointsman_session::core;
use pointsman_session::runtime::{Busy, Error, Executor, Filter, Job, Options, Page, Position, RESERVED_EVENTS};
use pointsman_store::{
    Acknowledge, Append, AppendError, Appended, Claimed, Journal, ReadError, Record, Unavailable, journal::Pending,
    memory,
};
use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    task::Poll,
};

fn options() -> Options {
    Options {
        lanes: 2,
        ..Options::default()
    }
}

fn cancel(sendid: &str) -> Command {
    Command::Cancel(Cancel {
        sendid: sendid.into(),
        report: false,
    })
}

fn request(module: &str) -> Command {
    Command::Request(Request {
        module: module.into(),
        action: "act".into(),
        id: "r1".into(),
        params: "{}".into(),
    })
}

fn names(script: &Arc<Mutex<Vec<Event>>>) -> Vec<String> {
    script.lock().unwrap().iter().map(|e| e.name.clone()).collect()
}

#[tokio::test]
async fn a_session_runs_from_its_start_to_its_end() {
    let world = World::new(options());
    let script = Script::default();
    let (handled, dropped) = (script.handled.clone(), script.dropped.clone());
    let id = world.start(script);
    world.send(id, "one");
    world.runtime.send(id, act(&[request("interaction")])).unwrap();
    let (command, _) = world.next_command();
    assert_eq!((command.session, command.ordinal), (id, 0));
    let inspection = world.runtime.inspect(id).await.unwrap();
    assert_eq!(inspection.datamodel, "{\"events\":2}");
    let live = world.runtime.get(id).unwrap();
    assert_eq!(
        (live.active.as_slice(), live.events, live.end),
        (&["after one".to_owned()][..], 2, None)
    );
    world.send(id, "finish");
    let (ended_id, ended) = world.next_end();
    assert_eq!(ended_id, id);
    assert!(matches!(&ended, Ended::Done(done) if done.data.as_deref() == Some("7")));
    assert_eq!(names(&handled), ["one", "do", "finish"]);

    assert_eq!(world.runtime.drain(PATIENCE).await, 0, "it has ended already");
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    assert_eq!(world.runtime.get(id).unwrap().end.unwrap().ended, ended);
    let late = world.runtime.send(id, Event::external("late", None));
    assert_eq!(
        late,
        Err(Error::Ended {
            session: id,
            ended: Some(ended.clone())
        })
    );
    assert!(matches!(world.runtime.inspect(id).await, Err(Error::Ended { .. })));

    let records = world.journal.read(id).await.unwrap();
    let kinds: Vec<_> = records.iter().map(|(_, r)| std::mem::discriminant(r)).collect();
    assert_eq!(
        kinds.len(),
        9,
        "start, step, and for each of three events its arrival and step, the end: {records:?}"
    );
    assert!(matches!(&records[8].1, Record::Ended { ended: recorded, .. } if *recorded == ended));
}

#[tokio::test]
async fn what_is_unknown_is_an_error_with_its_id() {
    let world = World::new(options());
    let nobody = SessionId::from_random([9; 20]);
    let expected = Error::NoSuchSession(nobody);
    assert_eq!(
        world.runtime.send(nobody, Event::external("x", None)),
        Err(expected.clone())
    );
    assert_eq!(world.runtime.inspect(nobody).await, Err(expected.clone()));
    assert_eq!(world.runtime.terminate(nobody, "test"), Err(expected.clone()));
    assert_eq!(world.runtime.get(nobody), Err(expected));
}

/// Sessions in which three events may wait, and a script that handles none while its gate is locked.
fn with_three_places() -> (World, Arc<Mutex<()>>, Script) {
    let session = core::Options {
        max_waiting: 3,
        ..core::Options::default()
    };
    let gate = Arc::new(Mutex::new(()));
    let script = Script {
        gate: Some(gate.clone()),
        ..Script::default()
    };
    (World::new(Options { session, ..options() }), gate, script)
}

#[test]
fn a_full_queue_refuses_events_and_loses_none_that_it_accepted() {
    let (world, gate, script) = with_three_places();
    let handled = script.handled.clone();
    let closed = gate.lock().unwrap();
    let id = world.start(script);
    let mut accepted = 0;
    // One is in the strategy's hands at most, three wait.
    let refused = (0..10)
        .map(|_| world.runtime.send(id, Event::external("e", None)))
        .filter_map(|sent| {
            accepted += usize::from(sent.is_ok());
            sent.err()
        });
    let refused: Vec<_> = refused.collect();
    assert!((3..=4).contains(&accepted), "{accepted}");
    assert!(
        refused.iter().all(|e| *e == Error::QueueFull { session: id, limit: 3 }),
        "{refused:?}"
    );
    drop(closed);
    loop {
        match world.runtime.send(id, Event::external("finish", None)) {
            Ok(()) => break,
            Err(Error::QueueFull { .. }) => std::thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    }
    world.next_end();
    assert_eq!(handled.lock().unwrap().len(), accepted + 1);
    assert!(world.runtime.counters().queue_full.load(Ordering::Relaxed) >= 6);
}

#[test]
fn what_a_link_reports_is_taken_when_the_queue_is_full_of_other_events() {
    let (world, gate, script) = with_three_places();
    let handled = script.handled.clone();
    let closed = gate.lock().unwrap();
    let id = world.start(script);
    let sent = (0..10)
        .filter(|_| world.runtime.send(id, Event::external("e", None)).is_ok())
        .count();
    for _ in 0..RESERVED_EVENTS - 5 {
        world.runtime.report(id, Event::external("reported", None)).unwrap();
    }
    world.runtime.report(id, Event::external("finish", None)).unwrap();
    drop(closed);
    world.next_end();
    assert_eq!(handled.lock().unwrap().len(), sent + RESERVED_EVENTS - 4);
}

#[tokio::test]
async fn a_step_that_fails_ends_its_session_and_its_timers() {
    let world = World::new(options());
    let script = Script::default();
    let (handled, dropped) = (script.handled.clone(), script.dropped.clone());
    let id = world.start(script);
    world
        .runtime
        .send(id, act(&[send("later", "l", None, 50), request("seen")]))
        .unwrap();
    world.next_command();
    assert_eq!(world.runtime.get(id).unwrap().timers, 1);
    world.send(id, "fail");
    let (_, ended) = world.next_end();
    assert!(
        matches!(&ended, Ended::Failed(f) if f.code == FailureCode::TimeLimit),
        "{ended:?}"
    );
    world.runtime.drain(PATIENCE).await;
    world.advance(1_000);
    assert_eq!(names(&handled), ["do", "fail"]);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    assert_eq!(world.runtime.get(id).unwrap().timers, 0);
    assert_eq!(world.runtime.counters().failed(FailureCode::TimeLimit), 1);
    let records = world.journal.read(id).await.unwrap();
    assert!(records.iter().any(|(_, r)| matches!(r, Record::LimitBroken { .. })));
}

#[tokio::test]
async fn a_panic_ends_its_session_and_no_other() {
    let world = World::new(Options { lanes: 1, ..options() });
    let healthy = world.start(Script::default());
    for event in [Event::external("panic", None), act(&[request("panic")])] {
        let id = world.start(Script::default());
        world.runtime.send(id, event).unwrap();
        let (ended_id, ended) = world.next_end();
        assert_eq!(ended_id, id);
        assert!(matches!(&ended, Ended::Failed(f) if f.code == FailureCode::Internal && f.message.contains("broke")));
        let records = world.journal.read(id).await.unwrap();
        assert!(
            matches!(records.last(), Some((_, Record::Ended { .. }))),
            "its end is recorded: {records:?}"
        );
    }
    assert!(world.runtime.inspect(healthy).await.is_ok());
    assert_eq!(world.runtime.counters().live.load(Ordering::Relaxed), 1);
}

#[test]
fn a_session_that_cannot_start_ends_with_the_reason() {
    let world = World::new(options());
    let id = world.start(Script {
        fail_to_start: true,
        ..Script::default()
    });
    let (ended_id, ended) = world.next_end();
    assert_eq!(ended_id, id);
    assert!(matches!(ended, Ended::Failed(f) if f.code == FailureCode::Start && f.message == "no memory for it"));
}

#[test]
fn a_delayed_event_comes_at_its_time_and_a_cancelled_one_never() {
    let world = World::new(options());
    let script = Script::default();
    let handled = script.handled.clone();
    let moments = script.moments.clone();
    let id = world.start(script);
    let commands = [
        send("a", "a", None, 100),
        send("b", "b", None, 50),
        send("c", "c", None, 100),
    ];
    world.runtime.send(id, act(&commands)).unwrap();
    world
        .runtime
        .send(id, act(&[cancel("b"), request("cancelled")]))
        .unwrap();
    world.next_command();
    // A session whose timers came would be seen by its `finish`, after them.
    world.advance(99);
    world.runtime.send(id, act(&[request("at 99")])).unwrap();
    world.next_command();
    assert_eq!(names(&handled), ["do", "do", "do"]);
    world.advance(1);
    let moment = std::time::Instant::now() + PATIENCE;
    while handled.lock().unwrap().len() < 5 {
        assert!(std::time::Instant::now() < moment, "the timers were to fire");
        std::thread::yield_now();
    }
    assert_eq!(names(&handled)[3..], ["a", "c"]);
    assert_eq!(moments.lock().unwrap().last().unwrap().now_ms, 1_100);
    let event = handled.lock().unwrap()[3].clone();
    assert_eq!(event.sendid.as_deref(), Some("a"));
    assert_eq!(event.origin, Some(core::address(id)));
}

#[test]
fn a_session_that_lives_too_long_is_ended() {
    let session = core::Options {
        max_age_ms: 500,
        ..core::Options::default()
    };
    let world = World::new(Options { session, ..options() });
    let id = world.start(Script::default());
    world.runtime.send(id, act(&[request("started")])).unwrap();
    world.next_command();
    world.advance(500);
    let (ended_id, ended) = world.next_end();
    assert_eq!(ended_id, id);
    assert!(matches!(ended, Ended::Terminated(reason) if reason.contains("max-session-age")));
}

#[test]
fn a_document_that_settles_zero_has_the_hosts_limits() {
    let session = core::Options {
        max_age_ms: 500,
        max_waiting: 3,
        ..core::Options::default()
    };
    let world = World::new(Options { session, ..options() });
    let settings = Settings {
        max_age_ms: Some(0),
        max_waiting: Some(0),
        ..Settings::default()
    };
    let id = world.start(Script {
        settings,
        ..Script::default()
    });
    world.runtime.send(id, act(&[request("started")])).unwrap();
    world.next_command();
    world.advance(500);
    let (ended_id, ended) = world.next_end();
    assert_eq!(ended_id, id);
    assert!(matches!(ended, Ended::Terminated(reason) if reason.contains("max-session-age")));
}

#[test]
fn sessions_of_a_tenant_reach_each_other_and_nobody_elses() {
    let world = World::new(options());
    let (receiver, other) = (Script::default(), Script::default());
    let (received, others) = (receiver.handled.clone(), other.handled.clone());
    let receiver = world.start(receiver);
    let other = world.runtime.start(world.request("other", other)).unwrap();
    let sender = Script::default();
    let answered = sender.handled.clone();
    let sender = world.start(sender);
    let targets = [receiver, other, SessionId::from_random([5; 20])];
    let commands: Vec<_> = targets
        .iter()
        .map(|t| send("hello", "h", Some(core::address(*t)), 0))
        .collect();
    world.runtime.send(sender, act(&commands)).unwrap();
    // The refusals come after the step; `finish` after them.
    let deadline = std::time::Instant::now() + PATIENCE;
    while answered.lock().unwrap().len() < 3 || received.lock().unwrap().is_empty() {
        assert!(
            std::time::Instant::now() < deadline,
            "one delivery and two refusals were to come"
        );
        std::thread::yield_now();
    }
    let event = received.lock().unwrap()[0].clone();
    assert_eq!(
        (event.name.as_str(), event.origin),
        ("hello", Some(core::address(sender)))
    );
    assert_eq!(names(&answered), ["do", "error.communication", "error.communication"]);
    let error = answered.lock().unwrap()[1].clone();
    assert_eq!((error.kind, error.sendid.as_deref()), (EventKind::Platform, Some("h")));
    world.send(other, "finish");
    world.next_end();
    assert_eq!(names(&others), ["finish"]);
}

#[test]
fn commands_that_nobody_carries_out_come_back_as_errors() {
    let world = World::new(options());
    let script = Script::default();
    let handled = script.handled.clone();
    let id = world.start(script);
    let bad_target = send("x", "s1", Some("baz".into()), 0);
    let Command::Send(mut unknown_processor) = send("x", "s2", None, 0) else {
        unreachable!()
    };
    unknown_processor.processor = Some("http://nobody".into());
    let commands = [
        bad_target,
        Command::Send(unknown_processor),
        request("nobody"),
        request("somebody"),
    ];
    world.runtime.send(id, act(&commands)).unwrap();
    world.next_command();
    let deadline = std::time::Instant::now() + PATIENCE;
    while handled.lock().unwrap().len() < 4 {
        assert!(std::time::Instant::now() < deadline, "three errors were to come");
        std::thread::yield_now();
    }
    assert_eq!(
        names(&handled)[1..],
        ["error.execution", "error.communication", "error.nobody.act"]
    );
    assert_eq!(handled.lock().unwrap()[1].sendid.as_deref(), Some("s1"));
    assert_eq!(handled.lock().unwrap()[2].sendid.as_deref(), Some("s2"));
    assert!(
        handled.lock().unwrap()[3]
            .data
            .as_ref()
            .unwrap()
            .contains("\"requestid\":\"r1\"")
    );
}

#[tokio::test]
async fn a_session_that_sends_to_itself_for_ever_lets_others_work_and_can_be_terminated() {
    let world = World::new(Options {
        lanes: 1,
        session: core::Options {
            // Else it is ended as soon as this is reached.
            max_own_in_a_row: usize::MAX,
            ..core::Options::default()
        },
        ..options()
    });
    let runaway = world.start(Script::default());
    world.send(runaway, "again");
    let healthy = world.start(Script::default());
    for _ in 0..20 {
        world.runtime.send(healthy, act(&[request("healthy")])).unwrap();
        world.next_command();
    }
    assert!(world.runtime.inspect(runaway).await.is_ok());
    world.runtime.terminate(runaway, "the test").unwrap();
    let (ended_id, ended) = world.next_end();
    assert_eq!((ended_id, ended), (runaway, Ended::Terminated("the test".into())));
}

#[tokio::test]
async fn limits_on_live_sessions_refuse_starts_and_free_their_places() {
    let world = World::new(Options {
        max_live: 3,
        max_live_per_tenant: 2,
        ..options()
    });
    let first = world.start(Script::default());
    world.start(Script::default());
    let tenant = "t".parse().unwrap();
    let refused = world.runtime.start(world.request("t", Script::default()));
    assert_eq!(refused, Err(Error::TooManySessionsOfTenant { tenant, limit: 2 }));
    world.runtime.start(world.request("u", Script::default())).unwrap();
    let refused = world.runtime.start(world.request("v", Script::default()));
    assert_eq!(refused, Err(Error::TooManySessions { limit: 3 }));
    world.send(first, "finish");
    world.next_end();
    let deadline = std::time::Instant::now() + PATIENCE;
    while world.runtime.counters().live.load(Ordering::Relaxed) == 3 {
        assert!(
            std::time::Instant::now() < deadline,
            "an ended session was to leave its place"
        );
        tokio::task::yield_now().await;
    }
    world.start(Script::default());
    assert_eq!(world.runtime.drain(std::time::Duration::ZERO).await, 3);
    assert_eq!(
        world.runtime.start(world.request("t", Script::default())),
        Err(Error::Draining)
    );
    assert_eq!(world.runtime.counters().live.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn ended_sessions_can_be_listed_until_newer_ones_take_their_place() {
    let world = World::new(Options {
        ended_per_tenant: 2,
        ..options()
    });
    let ids: Vec<_> = (0..3)
        .map(|_| {
            world.advance(1);
            world.start(Script::default())
        })
        .collect();
    let deadline = std::time::Instant::now() + PATIENCE;
    for (id, left) in ids.iter().zip([2, 1, 0]) {
        world.send(*id, "finish");
        world.next_end();
        // It is told of its end before it has left, and the next one could leave first.
        while world.runtime.counters().live.load(Ordering::Acquire) != left {
            assert!(std::time::Instant::now() < deadline, "it was to leave");
            std::thread::yield_now();
        }
    }
    assert_eq!(world.runtime.drain(PATIENCE).await, 0);
    assert_eq!(world.runtime.get(ids[0]), Err(Error::NoSuchSession(ids[0])));
    let all = Page { after: None, limit: 10 };
    let expected = [ids[2], ids[1]];
    let listed =
        |filter: &Filter, page| -> Vec<_> { world.runtime.list(filter, page).iter().map(|s| s.info.id).collect() };
    assert_eq!(listed(&Filter::default(), all), expected);
    assert_eq!(
        listed(&Filter::default(), Page { after: None, limit: 1 }),
        expected[..1]
    );
    assert_eq!(
        listed(
            &Filter::default(),
            Page {
                after: Some(world.runtime.get(expected[0]).unwrap().info.position()),
                limit: 1
            }
        ),
        expected[1..]
    );
    assert!(
        listed(
            &Filter {
                live: Some(true),
                ..Filter::default()
            },
            all
        )
        .is_empty()
    );
    let other = Filter {
        tenant: Some("other".parse().unwrap()),
        ..Filter::default()
    };
    assert!(listed(&other, all).is_empty());
}

#[tokio::test]
async fn sessions_are_listed_newest_first_page_by_page_and_counted_past_any_page() {
    let world = World::new(options());
    let mut started = Vec::new();
    for i in 0..25 {
        // Some share their millisecond.
        world.advance(i % 2);
        started.push(world.start(Script::default()));
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = world.runtime.list(&Filter::default(), Page { after, limit: 4 });
        let Some(last) = page.last() else { break };
        let token = last.info.position().to_string();
        after = Some(token.parse().unwrap());
        listed.extend(page.into_iter().map(|s| (s.info.started_ms, s.info.id)));
    }
    assert!(listed.is_sorted_by(|a, b| a > b), "{listed:?}");
    let mut ids: Vec<_> = listed.iter().map(|(_, id)| *id).collect();
    ids.sort();
    started.sort();
    assert_eq!(ids, started);
    let counts = world.runtime.count_by_version(&Filter::default());
    assert_eq!(counts.values().sum::<u64>(), 25);
    for bad in ["", "1", "1-", "-1", "x-y"] {
        assert!(bad.parse::<Position>().is_err(), "{bad}");
    }
}

#[tokio::test]
async fn host_reads_are_answered_bounded_and_recorded() {
    let world = World::new(options());
    let id = world.start(Script::default());
    for source in ["list", "huge", "none"] {
        world
            .runtime
            .send(id, Event::external("read", Some(source.into())))
            .unwrap();
    }
    world.runtime.inspect(id).await.unwrap();
    let log: Vec<_> = world
        .runtime
        .log(id)
        .unwrap()
        .into_iter()
        .map(|l| l.entry.text)
        .collect();
    assert!(
        log[0].contains("key of t") && log[1].contains("32768 allowed") && log[2].contains("no source"),
        "{log:?}"
    );
    let records = world.journal.read(id).await.unwrap();
    let answers = records
        .iter()
        .filter(|(_, r)| matches!(r, Record::HostAnswer { .. }))
        .count();
    assert_eq!(answers, 3);
}

#[test]
fn an_event_too_large_is_refused_before_it_reaches_the_session() {
    let world = World::new(options());
    let id = world.start(Script::default());
    let large = Event::external("x", Some("x".repeat(64 << 10)));
    assert_eq!(
        world.runtime.send(id, large),
        Err(Error::EventTooLarge { size: (64 << 10) + 1 })
    );
}

/// A worker with a queue of one, that works when told to.
#[derive(Default)]
struct Hand {
    queued: Mutex<Option<Job>>,
    overdue: bool,
}

impl Executor for Hand {
    fn run(&self, _: usize, job: Job) -> Result<(), Busy> {
        let mut queued = self.queued.lock().unwrap();
        if queued.is_some() {
            return Err(Busy);
        }
        *queued = Some(job);
        Ok(())
    }

    fn overdue(&self) -> bool {
        self.overdue
    }
}

impl Hand {
    fn work(&self) {
        let job = self.queued.lock().unwrap().take().expect("a job is queued");
        job();
    }
}

#[test]
fn a_worker_whose_queue_is_full_refuses_starts_and_events_without_a_trace() {
    let worker = Arc::new(Hand::default());
    let world = World::with(options(), Arc::new(memory::Journal::default()), worker.clone());
    let script = Script::default();
    let handled = script.handled.clone();
    let id = world.start(script);
    let refused = world.runtime.start(world.request("t", Script::default()));
    assert_eq!(refused, Err(Error::Busy(Busy)));
    assert_eq!(world.runtime.counters().live.load(Ordering::Relaxed), 1);
    assert_eq!(
        world
            .runtime
            .list(&Filter::default(), Page { after: None, limit: 10 })
            .len(),
        1
    );
    world.send(id, "with the job of the start");
    worker.work();
    let _in_the_queue = world.start(Script::default());
    assert_eq!(
        world.runtime.send(id, Event::external("refused", None)),
        Err(Error::Busy(Busy))
    );
    worker.work();
    world.send(id, "later");
    worker.work();
    assert_eq!(names(&handled), ["with the job of the start", "later"]);
    assert_eq!(world.runtime.get(id).unwrap().waiting, 0);
}

#[test]
fn a_job_on_an_overdue_thread_leaves_the_rest_to_the_next_one_and_loses_nothing() {
    let worker = Arc::new(Hand {
        overdue: true,
        ..Hand::default()
    });
    let world = World::with(options(), Arc::new(memory::Journal::default()), worker.clone());
    let script = Script::default();
    let handled = script.handled.clone();
    let id = world.start(script);
    world.send(id, "one");
    world.send(id, "two");
    let jobs = (0..100)
        .take_while(|_| {
            let queued = worker.queued.lock().unwrap().is_some();
            if queued {
                worker.work();
            }
            queued
        })
        .count();
    assert_eq!(names(&handled), ["one", "two"]);
    // In time, all of this is one job's work.
    assert!((3..100).contains(&jobs), "{jobs} jobs");
    assert_eq!(world.runtime.get(id).unwrap().waiting, 0);
}

#[tokio::test]
async fn what_a_slow_step_did_is_done_before_a_termination_that_came_meanwhile() {
    let worker = Arc::new(Hand {
        overdue: true,
        ..Hand::default()
    });
    let world = World::with(options(), Arc::new(memory::Journal::default()), worker.clone());
    let id = world.start(Script::default());
    while worker.queued.lock().unwrap().is_some() && world.runtime.get(id).unwrap().events == 0 {
        if world.runtime.get(id).unwrap().waiting == 0 {
            world.send(id, "slow");
        }
        worker.work();
    }
    assert_eq!(world.runtime.get(id).unwrap().events, 1, "its step was made");
    world.runtime.terminate(id, "the test").unwrap();
    for _ in 0..20 {
        if worker.queued.lock().unwrap().is_some() {
            worker.work();
        }
    }
    let records = world.journal.read(id).await.unwrap();
    let stepped = records
        .iter()
        .filter(|(_, r)| matches!(r, Record::Stepped { .. }))
        .count();
    assert_eq!(stepped, 2, "its start and its event: {records:?}");
    assert!(matches!(records.last(), Some((_, Record::Ended { .. }))), "{records:?}");
}

#[test]
fn a_termination_that_finds_its_worker_full_is_tried_again() {
    let worker = Arc::new(Hand::default());
    let world = World::with(options(), Arc::new(memory::Journal::default()), worker.clone());
    let id = world.start(Script::default());
    worker.work();
    let _in_the_queue = world.start(Script::default());
    world.runtime.terminate(id, "the test").unwrap();
    worker.work();
    let deadline = std::time::Instant::now() + PATIENCE;
    while worker.queued.lock().unwrap().is_none() {
        assert!(
            std::time::Instant::now() < deadline,
            "the session was to be scheduled again"
        );
        std::thread::yield_now();
    }
    worker.work();
    assert_eq!(world.next_end(), (id, Ended::Terminated("the test".into())));
}

/// An answer that is held back, and who waits for it.
type Answer = (SessionId, Seq, Appended, Arc<dyn Acknowledge>);

/// A journal that acknowledges when told to, in batches, from another thread; or refuses.
#[derive(Default)]
struct Slow {
    kept: memory::Journal,
    waiting: Mutex<Vec<Answer>>,
    refuse: std::sync::atomic::AtomicBool,
}

impl Slow {
    fn acknowledge(&self) -> usize {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        let n = waiting.len();
        for (session, last, answer, to) in waiting {
            to.acknowledged(session, last, answer);
        }
        n
    }
}

impl Journal for Slow {
    fn append(&self, append: Append, to: &Arc<dyn Acknowledge>) -> Poll<Appended> {
        if self.refuse.load(Ordering::SeqCst) {
            return Poll::Ready(Err(AppendError::Full {
                reason: "the disk".into(),
            }));
        }
        let (session, last) = (append.session, append.last());
        let Poll::Ready(answer) = self.kept.append(append, to) else {
            unreachable!("memory answers at once")
        };
        self.waiting.lock().unwrap().push((session, last, answer, to.clone()));
        Poll::Pending
    }

    fn read(&self, session: SessionId) -> Pending<'_, Result<Vec<(Seq, Record)>, ReadError>> {
        self.kept.read(session)
    }

    fn claim(&self, session: SessionId) -> Pending<'_, Result<Claimed, ReadError>> {
        self.kept.claim(session)
    }

    fn forget(&self, session: SessionId) -> Pending<'_, Result<(), Unavailable>> {
        self.kept.forget(session)
    }
}

#[test]
fn with_a_slow_journal_nothing_happens_before_its_acknowledgement() {
    let journal = Arc::new(Slow::default());
    let world = World::with(options(), journal.clone(), Threads::new(2, 100));
    let script = Script::default();
    let (handled, moments) = (script.handled.clone(), script.moments.clone());
    let id = world.start(script);
    world.runtime.send(id, act(&[request("one")])).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    // The arrival is handed over while the start is still unacknowledged.
    while journal.waiting.lock().unwrap().len() < 2 {
        assert!(
            std::time::Instant::now() < deadline,
            "two appends were to be handed over"
        );
        std::thread::yield_now();
    }
    assert!(moments.lock().unwrap().is_empty(), "not even the start was called");
    assert_eq!(journal.acknowledge(), 2);
    world.next_command();
    assert_eq!(names(&handled), ["do"]);
}

#[test]
fn a_journal_that_takes_no_more_ends_the_session_with_the_reason() {
    let journal = Arc::new(Slow::default());
    let world = World::with(options(), journal.clone(), Threads::new(2, 100));
    journal.refuse.store(true, Ordering::SeqCst);
    let script = Script::default();
    let moments = script.moments.clone();
    world.start(script);
    let (_, ended) = world.next_end();
    assert!(matches!(ended, Ended::Failed(f) if f.message.contains("the disk")));
    assert!(moments.lock().unwrap().is_empty());
}

#[test]
fn a_session_that_sends_itself_events_without_end_is_ended() {
    let world = World::new(options());
    let id = world.start(Script::default());
    world.send(id, "again");
    let (ended, how) = world.next_end();
    assert_eq!(ended, id);
    let Ended::Failed(failure) = how else {
        panic!("it was to fail: {how:?}")
    };
    assert_eq!(failure.code, FailureCode::MicrostepLimit);
    assert!(failure.message.contains("the last is `again`"), "{failure}");
}

#[test]
fn errors_of_the_strategy_and_refused_commands_stand_in_the_sessions_log() {
    let world = World::new(options());
    let id = world.start(Script::default());
    world.send(id, "wrong");
    world.runtime.send(id, act(&[request("nobody")])).unwrap();
    world.send(id, "last");
    let deadline = std::time::Instant::now() + PATIENCE;
    while world.runtime.log(id).unwrap().len() < 2 {
        assert!(std::time::Instant::now() < deadline, "two lines were to come");
        std::thread::yield_now();
    }
    let log = world.runtime.log(id).unwrap();
    let lines: Vec<_> = log.iter().map(|l| (l.entry.level, l.entry.text.as_str())).collect();
    assert_eq!(
        lines,
        [
            (2, "route.scxml:3:9: boom"),
            (2, "`nobody.act` is refused: nobody there")
        ]
    );
    assert_eq!(world.runtime.counters().commands_refused.load(Ordering::Relaxed), 1);
}

#[test]
fn delays_between_refused_sends_are_no_loop() {
    let few = Options {
        session: core::Options {
            max_own_in_a_row: 3,
            ..core::Options::default()
        },
        ..options()
    };
    let world = World::new(few);
    let id = world.start(Script::default());
    // Nobody is there: what the session handles is one refusal after the other, each after a delay.
    let target = || Some("#_nobody".to_owned());
    let pings: Vec<_> = (1..=8).map(|i| send("ping", "p", target(), 10 * i)).collect();
    world.runtime.send(id, act(&pings)).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    for i in 1..=8 {
        while world.runtime.get(id).unwrap().events < 1 + i {
            if world.runtime.get(id).unwrap().timers == 8 - i as usize + 1 {
                world.advance(10);
                world.runtime.clock_changed();
            }
            assert!(std::time::Instant::now() < deadline, "a refusal was to come");
            std::thread::yield_now();
        }
    }
    assert!(world.runtime.get(id).unwrap().end.is_none());
}
