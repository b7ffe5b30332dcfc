//! Sessions that invoke sessions.
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

mod common;

use common::{PATIENCE, Script, Seen, World, act, send};
use pointsman_contract::{Command, Ended, Event, Invoke, SessionId};
use pointsman_session::runtime::{Error, MAX_CHILDREN, MAX_DEPTH, Options, Parent, StartRequest};
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
fn invoking(world: &World, script: Script) -> SessionId {
    let parent = world.start(script);
    have(world, parent, invoke());
    assert!(matches!(world.next_command(), (_, Command::Invoke(i)) if i.id == "child"));
    parent
}

fn child_of(world: &World, parent: SessionId, depth: u16, program: Script) -> StartRequest {
    StartRequest {
        parent: Some(Parent {
            session: parent,
            invoke: "child".into(),
            depth,
        }),
        ..world.request("t", program)
    }
}

#[test]
fn events_for_a_child_that_is_not_there_yet_wait_for_it_and_its_own_reach_the_parent_with_its_name() {
    let world = World::new(options());
    let parent_script = Script::default();
    let heard = parent_script.handled.clone();
    let parent = invoking(&world, parent_script);
    for event in ["one", "two"] {
        have(&world, parent, to("#_child", event));
    }
    wait_until(|| world.runtime.get(parent).unwrap().events == 3);
    let script = Script::default();
    let child_heard = script.handled.clone();
    let child = world.runtime.start(child_of(&world, parent, 1, script)).unwrap();
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
fn an_invocation_that_is_over_takes_no_child() {
    let world = World::new(options());
    let script = Script::default();
    let heard = script.handled.clone();
    let parent = invoking(&world, script);
    have(&world, parent, cancel());
    have(&world, parent, to("#_child", "nobody is there"));
    wait_until(|| names(&heard) == ["error.communication"]);
    let refused = world.runtime.start(child_of(&world, parent, 1, Script::default()));
    assert!(matches!(refused, Err(Error::InvocationOver { .. })), "{refused:?}");
    let other_tenant = StartRequest {
        tenant: "other".parse().unwrap(),
        ..child_of(&world, invoking(&world, Script::default()), 1, Script::default())
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
        let parent = invoking(&world, Script::default());
        let child = world
            .runtime
            .start(child_of(&world, parent, 1, Script::default()))
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
    let parent = invoking(&world, script);
    let child = world
        .runtime
        .start(child_of(&world, parent, 1, Script::default()))
        .unwrap();
    world.runtime.terminate(child, "an operator").unwrap();
    wait_until(|| names(&heard).iter().filter(|n| *n == "error.communication").count() == 1);
    have(&world, parent, invoke());
    wait_until(|| {
        world
            .seen
            .try_iter()
            .any(|seen| matches!(seen, Seen::Command(_, _, Command::Invoke(_))))
    });
    let place = Parent {
        session: parent,
        invoke: "child".into(),
        depth: 1,
    };
    world.runtime.invocation_failed(&place, "no such document");
    // Told once: the place is gone.
    world.runtime.invocation_failed(&place, "no such document");
    world.send(parent, "last");
    wait_until(|| names(&heard).last().is_some_and(|n| n == "last"));
    assert_eq!(names(&heard).iter().filter(|n| *n == "error.communication").count(), 2);
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
    let parent = invoking(&world, Script::default());
    let script = Script::default();
    let heard = script.handled.clone();
    let deepest = world
        .runtime
        .start(child_of(&world, parent, MAX_DEPTH, script))
        .unwrap();
    have(&world, deepest, invoke());
    wait_until(|| names(&heard).iter().any(|n| n == "error.communication"));
}
