//! What the routes share.

use crate::backend::Backend;
use crate::options::Options;
use crate::security::{Audit, FailureLimiter, Keys, Room};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) options: Options,
    pub(crate) failures: FailureLimiter,
    /// The text of `/v1/openapi.json`.
    pub(crate) description: String,
    requests: Arc<Room>,
    uploads: Arc<Room>,
    waiting: Arc<Room>,
}

/// How heavy a route is: which bounds hold for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Short, with a small body.
    Ordinary,
    /// A large body, and work.
    Upload,
    /// Waits for a strategy.
    Waiting,
}

impl App {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        keys: Arc<dyn Keys>,
        audit: Arc<dyn Audit>,
        options: Options,
        description: String,
    ) -> Self {
        const WINDOW: Duration = Duration::from_secs(60);
        let room = |places| Room::new(places, options.key_share, options.tenant_share);
        App(Arc::new(Shared {
            backend,
            keys,
            audit,
            failures: FailureLimiter::new(options.wrong_keys_per_minute, WINDOW, options.max_addresses),
            description,
            requests: room(options.max_requests),
            uploads: room(options.max_uploads),
            waiting: room(options.max_waiting),
            options,
        }))
    }
}

impl Shared {
    pub(crate) fn room(&self, class: Class) -> &Arc<Room> {
        match class {
            Class::Ordinary => &self.requests,
            Class::Upload => &self.uploads,
            Class::Waiting => &self.waiting,
        }
    }

    pub(crate) fn max_body(&self, class: Class) -> usize {
        match class {
            Class::Upload => self.options.upload_bytes,
            Class::Ordinary | Class::Waiting => self.options.body_bytes,
        }
    }

    pub(crate) fn timeout(&self, class: Class) -> Duration {
        match class {
            Class::Ordinary => self.options.request_timeout,
            Class::Upload => self.options.upload_timeout,
            // The handler bounds the wait itself; what is left is the time to read the body.
            Class::Waiting => self.options.request_timeout + self.options.reply_timeout,
        }
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
