//! What documents settle for their sessions, and the reports that documents of ORS wait for.

#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

mod common;

use common::{PATIENCE, Script, World, act, send};
use pointsman_contract::{Cancel, Command, Ended, Event, Settings};
use pointsman_session::core;
use pointsman_session::runtime::{Error, Options};
use std::sync::{Arc, Mutex};
use std::time::Instant;

fn options() -> Options {
    Options {
        lanes: 1,
        session: core::Options {
            max_waiting: 10,
            max_age_ms: 60_000,
            ..core::Options::default()
        },
        ..Options::default()
    }
}

fn script(settings: Settings) -> Script {
    Script {
        settings,
        ..Script::default()
    }
}

/// Waits for this many events, and gives name, send id and data of each.
fn heard(handled: &Arc<Mutex<Vec<Event>>>, count: usize) -> Vec<(String, Option<String>, Option<String>)> {
    let until = Instant::now() + PATIENCE;
    while handled.lock().unwrap().len() < count {
        assert!(Instant::now() < until, "{:?}", handled.lock().unwrap());
        std::thread::yield_now();
    }
    let events = handled.lock().unwrap();
    let told = |e: &Event| (e.name.clone(), e.sendid.clone(), e.data.clone());
    events.iter().map(told).collect()
}

fn cancel(sendid: &str) -> Command {
    Command::Cancel(Cancel {
        sendid: sendid.into(),
        report: true,
    })
}

#[test]
fn a_session_that_wants_to_hear_of_its_cancels_hears_whether_they_were_in_time() {
    let world = World::new(options());
    let script = Script::default();
    let handled = script.handled.clone();
    let id = world.start(script);
    let commands = [send("later", "a", None, 100), cancel("a"), cancel("a"), cancel("none")];
    world.runtime.send(id, act(&commands)).unwrap();
    let told = |name: &str, id: &str| {
        (
            name.to_owned(),
            Some(id.to_owned()),
            Some(format!(r#"{{"sendid":"{id}"}}"#)),
        )
    };
    assert_eq!(
        heard(&handled, 4)[1..],
        [
            told("cancel.successful", "a"),
            told("error.notallowed", "a"),
            told("error.notallowed", "none")
        ]
    );
}

#[test]
fn a_documents_longest_life_holds_where_the_hosts_is_not_shorter() {
    for (of_document, lives) in [(Some(5_000), 5_000), (Some(600_000), 60_000), (None, 60_000)] {
        let world = World::new(options());
        let settings = Settings {
            max_age_ms: of_document,
            ..Settings::default()
        };
        let script = script(settings);
        let handled = script.handled.clone();
        let id = world.start(script);
        world.send(id, "begun");
        heard(&handled, 1);
        world.advance(lives - 1);
        world.send(id, "alive");
        heard(&handled, 2);
        world.advance(1);
        let (ended, why) = world.next_end();
        assert_eq!(ended, id);
        assert!(matches!(why, Ended::Terminated(_)), "{of_document:?}: {why:?}");
    }
}

#[test]
fn a_documents_limit_of_waiting_events_holds_where_the_hosts_is_not_lower() {
    for (of_document, limit) in [(Some(3), 3), (Some(1_000), 10), (None, 10)] {
        let world = World::new(options());
        let gate = Arc::new(Mutex::new(()));
        let held = gate.lock().unwrap();
        let settings = Settings {
            max_waiting: of_document,
            ..Settings::default()
        };
        let script = Script {
            gate: Some(gate.clone()),
            ..script(settings)
        };
        let id = world.start(script);
        let refused = (0..100).find_map(|_| world.runtime.send(id, Event::external("e", None)).err());
        assert!(
            matches!(refused, Some(Error::QueueFull { limit: told, .. }) if told == limit),
            "{of_document:?}: {refused:?}"
        );
        drop(held);
    }
}
