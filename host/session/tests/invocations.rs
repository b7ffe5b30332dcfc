//! Sessions that invoke sessions.
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

mod common;

use common::{PATIENCE, Script, Seen, World, act, send};
use pointsman_contract::{CANCEL_EVENT, Command, Ended, Event, Invoke, MAX_EVENT_DATA, SessionId};
use pointsman_session::runtime::{Error, Invocation, MAX_CHILDREN, MAX_DEPTH, Options, StartRequest};
use std::sync::{Arc, Mutex};
use std::time::Instant;

fn options() -> Options {
    Options {
        lanes: 2,
        ..Options::default()
    }
}

fn names(script: &Arc<Mutex<Vec<Event>>>) -> Vec<String> {
    let heard = script.lock().unwrap();
    heard.iter().map(|e| e.name.clone()).filter(|n| n != "do").collect()
}

#[track_caller]
fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it was to come true");
        std::thread::yield_now();
    }
}

/// Has a session do this.
fn have(world: &World, session: SessionId, command: Command) {
    world.runtime.send(session, act(&[command])).unwrap();
}

fn invoke() -> Command {
    Command::Invoke(Invoke {
        id: "child".into(),
        processor: None,
        src: None,
        content: Some("a document".into()),
        params: "{}".into(),
        autoforward: false,
    })
}

fn to(target: &str, event: &str) -> Command {
    send(event, "s", Some(target.into()), 0)
}

fn cancel() -> Command {
    Command::CancelInvoke("child".into())
}

/// A session that has invoked `child` and holds its place.
fn invoking(world: &World, script: Script) -> Invocation {
    let parent = world.start(script);
    invoke_again(world, parent)
}

fn invoke_again(world: &World, parent: SessionId) -> Invocation {
    have(world, parent, invoke());
    loop {
        if let Seen::Command(session, command, Command::Invoke(_)) = world.next() {
            assert_eq!(session, parent);
            return Invocation {
                session,
                invoke: "child".into(),
                command,
            };
        }
    }
}

fn child_of(world: &World, invocation: &Invocation, program: Script) -> StartRequest {
    StartRequest {
        invocation: Some(invocation.clone()),
        ..world.request("t", program)
    }
}

#[test]
fn events_for_a_child_that_is_not_there_yet_wait_for_it_and_its_own_reach_the_parent_with_its_name() {
    let world = World::new(options());
    let parent_script = Script::default();
    let heard = parent_script.handled.clone();
    let place = invoking(&world, parent_script);
    let parent = place.session;
    for event in ["one", "two"] {
        have(&world, parent, to("#_child", event));
    }
    wait_until(|| world.runtime.get(parent).unwrap().events == 3);
    let script = Script::default();
    let child_heard = script.handled.clone();
    let child = world.runtime.start(child_of(&world, &place, script)).unwrap();
    wait_until(|| names(&child_heard) == ["one", "two"]);
    have(&world, child, to("#_parent", "hello"));
    world.send(child, "finish");
    wait_until(|| names(&heard).last().is_some_and(|n| n == "done.invoke.child"));
    let heard = heard.lock().unwrap();
    let from_child: Vec<_> = heard
        .iter()
        .filter(|e| e.invokeid.as_deref() == Some("child"))
        .collect();
    assert_eq!(
        from_child.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(),
        ["hello", "done.invoke.child"]
    );
}

#[test]
fn the_end_of_a_child_is_heard_without_its_data_where_these_are_too_large_for_an_event() {
    let world = World::new(options());
    let script = Script::default();
    let heard = script.handled.clone();
    let place = invoking(&world, script);
    let child = world
        .runtime
        .start(child_of(&world, &place, Script::default()))
        .unwrap();
    // As much as an event can bring; `done.invoke.child` has to hold more beside it.
    let data = format!("\"{}\"", "x".repeat(MAX_EVENT_DATA - "finish".len() - 2));
    world
        .runtime
        .send(child, Event::external("finish", Some(data)))
        .unwrap();
    wait_until(|| names(&heard) == ["done.invoke.child"]);
    let event = heard.lock().unwrap().last().cloned().unwrap();
    assert_eq!((event.data, event.invokeid.as_deref()), (None, Some("child")));
    let log = world.runtime.log(place.session).unwrap();
    let last = &log.last().unwrap().entry;
    assert!(
        last.level == 2 && last.text.starts_with("`done.invoke.child` comes without its data"),
        "{last:?}"
    );
}

#[test]
fn an_invocation_that_is_over_takes_no_child() {
    let world = World::new(options());
    let script = Script::default();
    let heard = script.handled.clone();
    let place = invoking(&world, script);
    let parent = place.session;
    have(&world, parent, cancel());
    have(&world, parent, to("#_child", "nobody is there"));
    wait_until(|| names(&heard) == ["error.communication"]);
    let refused = world.runtime.start(child_of(&world, &place, Script::default()));
    assert!(matches!(refused, Err(Error::InvocationOver { .. })), "{refused:?}");
    let other_tenant = StartRequest {
        tenant: "other".parse().unwrap(),
        ..child_of(&world, &invoking(&world, Script::default()), Script::default())
    };
    assert!(matches!(
        world.runtime.start(other_tenant),
        Err(Error::InvocationOver { .. })
    ));
}

#[test]
fn children_end_with_their_parent_and_with_their_invocation() {
    for how in [act(&[cancel()]), Event::external("finish", None)] {
        let world = World::new(options());
        let place = invoking(&world, Script::default());
        let parent = place.session;
        let child = world
            .runtime
            .start(child_of(&world, &place, Script::default()))
            .unwrap();
        world.runtime.send(parent, how.clone()).unwrap();
        wait_until(|| world.runtime.get(child).unwrap().end.is_some());
        let end = world.runtime.get(child).unwrap().end.unwrap();
        assert!(matches!(end.ended, Ended::Terminated(_)), "{how:?}: {end:?}");
    }
}

#[test]
fn a_parent_hears_of_a_child_that_fails_and_of_one_that_never_came() {
    let world = World::new(options());
    let script = Script::default();
    let heard = script.handled.clone();
    let place = invoking(&world, script);
    let parent = place.session;
    let child = world
        .runtime
        .start(child_of(&world, &place, Script::default()))
        .unwrap();
    world.runtime.terminate(child, "an operator").unwrap();
    wait_until(|| names(&heard).iter().filter(|n| *n == "error.communication").count() == 1);
    let place = invoke_again(&world, parent);
    world.runtime.invocation_failed(&place, "no such document");
    // Told once: the place is gone.
    world.runtime.invocation_failed(&place, "no such document");
    world.send(parent, "last");
    wait_until(|| names(&heard).last().is_some_and(|n| n == "last"));
    assert_eq!(names(&heard).iter().filter(|n| *n == "error.communication").count(), 2);
    let log = world.runtime.log(parent).unwrap();
    assert!(log.last().unwrap().entry.text.contains("no such document"), "{log:?}");
}

#[test]
fn a_document_that_comes_late_does_not_take_the_place_of_a_newer_invocation() {
    let world = World::new(options());
    let script = Script::default();
    let heard = script.handled.clone();
    let old = invoking(&world, script);
    have(&world, old.session, cancel());
    let new = invoke_again(&world, old.session);
    let late = world.runtime.start(child_of(&world, &old, Script::default()));
    assert!(matches!(late, Err(Error::InvocationOver { .. })), "{late:?}");
    world.runtime.invocation_failed(&old, "too late");
    assert!(world.runtime.awaits(&new) && !world.runtime.awaits(&old));
    world.runtime.start(child_of(&world, &new, Script::default())).unwrap();
    assert_eq!(names(&heard), [""; 0]);
}

#[test]
fn a_child_hears_that_it_is_over_in_a_last_step_and_its_parent_hears_nothing_of_that() {
    let world = World::new(options());
    let script = Script::default();
    let heard = script.handled.clone();
    let place = invoking(&world, script);
    let child_script = Script::default();
    let child_heard = child_script.handled.clone();
    let child = world.runtime.start(child_of(&world, &place, child_script)).unwrap();
    have(&world, place.session, cancel());
    wait_until(|| world.runtime.get(child).unwrap().end.is_some());
    assert_eq!(names(&child_heard), [CANCEL_EVENT]);
    let end = world.runtime.get(child).unwrap().end.unwrap();
    assert!(matches!(end.ended, Ended::Terminated(_)), "{end:?}");
    world.send(place.session, "last");
    wait_until(|| names(&heard) == ["last"]);
}

#[test]
fn every_event_from_outside_goes_to_a_child_that_wants_them() {
    let world = World::new(options());
    let parent = world.start(Script::default());
    let forwarding = match invoke() {
        Command::Invoke(one) => Command::Invoke(Invoke {
            autoforward: true,
            ..one
        }),
        other => other,
    };
    have(&world, parent, forwarding);
    let (command, _) = world.next_command();
    let place = Invocation {
        session: parent,
        invoke: "child".into(),
        command,
    };
    let script = Script::default();
    let heard = script.handled.clone();
    world.runtime.start(child_of(&world, &place, script)).unwrap();
    let event = Event {
        sendid: Some("its id".into()),
        ..Event::external("forwarded", Some("[1]".into()))
    };
    world.runtime.send(parent, event.clone()).unwrap();
    wait_until(|| !heard.lock().unwrap().is_empty());
    assert_eq!(heard.lock().unwrap()[0], event);
}

#[test]
fn a_session_invokes_only_so_many_at_a_time() {
    let world = World::new(options());
    let script = Script::default();
    let heard = script.handled.clone();
    let parent = world.start(script);
    let many = (0..=MAX_CHILDREN).map(|i| match invoke() {
        Command::Invoke(one) => Command::Invoke(Invoke {
            id: format!("child{i}"),
            ..one
        }),
        other => other,
    });
    world.runtime.send(parent, act(&many.collect::<Vec<_>>())).unwrap();
    wait_until(|| names(&heard) == ["error.communication"]);
    let refused = heard.lock().unwrap().last().cloned().unwrap();
    assert_eq!(refused.invokeid, Some(format!("child{MAX_CHILDREN}")));
}

#[test]
fn sessions_do_not_invoke_one_another_without_end() {
    let world = World::new(options());
    let mut place = invoking(&world, Script::default());
    for _ in 1..MAX_DEPTH {
        let child = world
            .runtime
            .start(child_of(&world, &place, Script::default()))
            .unwrap();
        place = invoke_again(&world, child);
    }
    let script = Script::default();
    let heard = script.handled.clone();
    let deepest = world.runtime.start(child_of(&world, &place, script)).unwrap();
    have(&world, deepest, invoke());
    wait_until(|| names(&heard) == ["error.communication"]);
}
