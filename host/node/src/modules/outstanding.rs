//! Requests to the web that sessions wait for.

use super::lock;
use pointsman_contract::{CommandId, SessionId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::task::AbortHandle;

/// Requests to the web that one session may have in work.
pub(super) const MAX_OF_SESSION: usize = 16;

type Open = HashMap<SessionId, HashMap<CommandId, Option<AbortHandle>>>;

/// Requests in work, by session.
#[derive(Clone, Default)]
pub(super) struct Outstanding(Arc<Mutex<Open>>);

impl Outstanding {
    /// Begins one, unless the session has too many. A session that ends needs no answer, so it stops what is `dropped_at_end`.
    pub fn begin(
        &self,
        tasks: &tokio::runtime::Handle,
        command: CommandId,
        dropped_at_end: bool,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), String> {
        // Held until it is entered: it may be done before.
        let mut open = lock(&self.0);
        let own = open.entry(command.session).or_default();
        if own.len() >= MAX_OF_SESSION {
            return Err(format!(
                "{MAX_OF_SESSION} requests of this session are in work: wait for one to end"
            ));
        }
        let this = self.clone();
        let task = tasks.spawn(async move {
            work.await;
            this.over(command);
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
        let mut open = lock(&self.0);
        if let Some(own) = open.get_mut(&session) {
            own.retain(|_, task| match task {
                Some(task) => {
                    task.abort();
                    false
                }
                None => true,
            });
            if own.is_empty() {
                open.remove(&session);
            }
        }
    }
}
