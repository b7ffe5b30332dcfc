//! Many sessions on few threads: every event exactly once, and in order.
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

mod common;

use common::{PATIENCE, Script, World};
use pointsman_contract::Event;
use pointsman_session::runtime::{Error, Options};
use std::{sync::atomic::Ordering, time::Instant};

#[test]
fn every_event_of_1000_sessions_is_handled_once_and_in_order() {
    const SESSIONS: usize = 1_000;
    const EVENTS: usize = 100;
    const SENDERS: usize = 2;
    let world = World::new(Options {
        lanes: 4,
        ..Options::default()
    });
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let script = Script::default();
            let handled = script.handled.clone();
            (world.start(script), handled)
        })
        .collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (world, sessions) = (&world.runtime, &sessions);
            scope.spawn(move || {
                // Round robin, so that every session's events come from one sender, mixed with everybody else's.
                for n in 0..EVENTS {
                    for (id, _) in sessions.iter().skip(sender).step_by(SENDERS) {
                        while let Err(error) = world.send(*id, Event::external(n.to_string(), None)) {
                            assert!(matches!(error, Error::QueueFull { .. }), "{error}");
                            std::thread::yield_now();
                        }
                    }
                }
            });
        }
    });
    let all = || {
        sessions
            .iter()
            .all(|(_, handled)| handled.lock().unwrap().len() >= EVENTS)
    };
    while !all() {
        assert!(began.elapsed() < 3 * PATIENCE, "every event was to be handled");
        std::thread::yield_now();
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} events in {seconds:.2} s: {:.0} per second",
        SESSIONS * EVENTS,
        (SESSIONS * EVENTS) as f64 / seconds
    );
    for (_, handled) in &sessions {
        let names: Vec<_> = handled.lock().unwrap().iter().map(|e| e.name.clone()).collect();
        assert_eq!(names, (0..EVENTS).map(|n| n.to_string()).collect::<Vec<_>>());
    }
    let counters = world.runtime.counters();
    assert_eq!(counters.events.load(Ordering::Relaxed), (SESSIONS * EVENTS) as u64);
    let steps: u64 = counters.step_buckets.iter().map(|b| b.load(Ordering::Relaxed)).sum();
    assert_eq!(steps, (SESSIONS * EVENTS + SESSIONS) as u64);
}
