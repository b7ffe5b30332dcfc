//! Requests to the web that sessions wait for.

use super::lock;
use pointsman_contract::{CommandId, SessionId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Requests to the web that one session may have in work.
pub(super) const MAX_OF_SESSION: usize = 16;

/// How often is looked whether all are over, at the end of a process.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

type Open = HashMap<SessionId, HashMap<CommandId, Option<AbortHandle>>>;

/// Requests in work, by session.
#[derive(Clone, Default)]
pub(super) struct Outstanding(Arc<Mutex<Open>>);

impl Outstanding {
    /// Begins one, unless the session has too many. A session that ends needs no answer, so it stops what is `dropped_at_end`.
    /// Work that does not come to its end, because it panics, is `lost`: whoever waits is to hear of it.
    pub fn begin(
        &self,
        tasks: &tokio::runtime::Handle,
        command: CommandId,
        dropped_at_end: bool,
        work: impl Future<Output = ()> + Send + 'static,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<(), String> {
        // Held until it is entered: it may be done before.
        let mut open = lock(&self.0);
        let own = open.entry(command.session).or_default();
        if own.len() >= MAX_OF_SESSION {
            return Err(format!(
                "{MAX_OF_SESSION} requests of this session are in work: wait for one to end"
            ));
        }
        let held = Held {
            all: self.clone(),
            command,
            lost: Some(lost),
        };
        let task = tasks.spawn(async move {
            // All of it: it is dropped with the task, whatever becomes of that.
            let mut held = held;
            work.await;
            held.lost = None;
        });
        own.insert(command, dropped_at_end.then(|| task.abort_handle()));
        Ok(())
    }

    fn over(&self, command: CommandId) {
        let mut open = lock(&self.0);
        if let Some(own) = open.get_mut(&command.session) {
            own.remove(&command);
            if own.is_empty() {
                open.remove(&command.session);
            }
        }
    }

    /// A session is over.
    pub fn ended(&self, session: SessionId) {
        let mut dropped = Vec::new();
        let mut open = lock(&self.0);
        if let Some(own) = open.get_mut(&session) {
            own.retain(|_, task| match task.take() {
                Some(task) => {
                    dropped.push(task);
                    false
                }
                None => true,
            });
            if own.is_empty() {
                open.remove(&session);
            }
        }
        drop(open);
        dropped.iter().for_each(AbortHandle::abort);
    }

    /// Waits until none is in work, or so long.
    pub async fn settled(&self, most: Duration) {
        let none = async {
            while !lock(&self.0).is_empty() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(most, none).await.is_err() {
            tracing::warn!("requests of sessions that have ended were not answered in time: they are given up");
        }
    }
}

/// A place, which is given back however the work ends.
struct Held<F: FnOnce()> {
    all: Outstanding,
    command: CommandId,
    /// `None`: it has come to its end.
    lost: Option<F>,
}

impl<F: FnOnce()> Drop for Held<F> {
    fn drop(&mut self) {
        self.all.over(self.command);
        if let Some(lost) = self.lost.take() {
            lost();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;
    use pointsman_contract::Seq;
    use tokio::sync::oneshot;

    fn command(ordinal: u32) -> CommandId {
        CommandId {
            session: SessionId::from_random([1; 20]),
            seq: Seq(1),
            ordinal,
        }
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back_and_somebody_hears_of_it() {
        let all = Outstanding::default();
        let tasks = tokio::runtime::Handle::current();
        let (told, heard) = oneshot::channel();
        let work = async { panic!("on purpose") };
        let begun = all.begin(&tasks, command(0), true, work, move || told.send(()).unwrap());
        begun.unwrap();
        heard.await.unwrap();
        all.settled(Duration::from_secs(5)).await;
        assert!(lock(&all.0).is_empty());
        let (told, heard) = oneshot::channel::<()>();
        all.begin(&tasks, command(1), true, async {}, move || told.send(()).unwrap())
            .unwrap();
        assert!(heard.await.is_err(), "it has come to its end");
    }

    #[tokio::test]
    async fn a_session_that_ends_drops_what_it_only_reads_and_the_rest_is_waited_for() {
        let all = Outstanding::default();
        let tasks = tokio::runtime::Handle::current();
        let (read, was_read) = oneshot::channel::<()>();
        let reads = async move {
            let _read = read;
            std::future::pending::<()>().await;
        };
        let (answer, answered) = oneshot::channel::<()>();
        let writes = async move { answered.await.unwrap() };
        all.begin(&tasks, command(0), true, reads, || {}).unwrap();
        all.begin(&tasks, command(1), false, writes, || {}).unwrap();
        all.ended(command(0).session);
        assert!(was_read.await.is_err());
        all.settled(Duration::from_millis(50)).await;
        assert!(!lock(&all.0).is_empty());
        answer.send(()).unwrap();
        all.settled(Duration::from_secs(5)).await;
        assert!(lock(&all.0).is_empty());
    }
}
