//! The backend of the tests: records what it is asked, and answers, fails, hangs or panics as told.

use super::{NORTH, SOUTH, session_of, tenant};
use axum::body::Bytes;
use pointsman_api::backend::{
    self, Answer, Deployment, Error, ExternalEvent, Filter, Message, Reply, Start, Termination,
};
use pointsman_api::types::{
    Deployed, Health, Kind, Listing, LogLine, Page, Session, SessionState, Source, Strategy, StrategyName,
    StrategyVersion, Tenant, TenantName, Version,
};
use pointsman_contract::{Digest, Inspection, SessionId};
use serde_json::Value;
use std::sync::Mutex;

/// The token of every session's location.
pub const TOKEN: &str = "open-sesame";

/// What the fake does instead of answering.
#[derive(Clone, Default)]
pub enum Mood {
    #[default]
    Answer,
    Fail(Error),
    Hang,
    Panic,
}

#[derive(Debug, PartialEq)]
pub enum Asked {
    Start(Start),
    Send(SessionId, ExternalEvent),
    Message(SessionId, Message),
    Request(SessionId, ExternalEvent),
    Terminate(SessionId, Termination),
    List(Filter, Page),
    Deploy(TenantName, StrategyName, Deployment),
    Activate(TenantName, StrategyName, Version, String),
    RollBack(TenantName, StrategyName, String),
    Other(&'static str),
}

#[derive(Default)]
pub struct Fake {
    mood: Mutex<Mood>,
    asked: Mutex<Vec<Asked>>,
    pub reply: Mutex<Option<Reply>>,
}

impl Fake {
    fn answer<'a, T: Send + 'a>(&'a self, asked: Asked, result: Result<T, Error>) -> Answer<'a, T> {
        self.asked.lock().unwrap().push(asked);
        let mood = self.mood.lock().unwrap().clone();
        Box::pin(async move {
            match mood {
                Mood::Answer => result,
                Mood::Fail(error) => Err(error),
                Mood::Hang => std::future::pending().await,
                Mood::Panic => panic!("the caller's secret is 4711"),
            }
        })
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn version(name: &StrategyName, number: u32, by: &str, active: bool) -> StrategyVersion {
    StrategyVersion {
        name: name.clone(),
        version: Version(number),
        kind: Kind::Document,
        digest: Digest([7; 32]),
        size: 3,
        deployed_ms: 1,
        deployed_by: by.into(),
        note: None,
        active,
        sessions: 0,
    }
}

fn session(id: SessionId) -> Session {
    Session {
        id,
        tenant: tenant(if id == session_of(NORTH) { NORTH } else { SOUTH }),
        strategy: "vip".into(),
        version: Some(Version(1)),
        state: SessionState::Running,
        started_ms: 1,
        ended_ms: None,
        active: vec!["waiting".into()],
        end: None,
    }
}

impl backend::Tenants for Fake {
    fn tenants(&self) -> Vec<Tenant> {
        [NORTH, SOUTH]
            .map(|name| Tenant {
                name: tenant(name),
                default: name == NORTH,
            })
            .into()
    }
}

impl backend::Strategies for Fake {
    fn strategies<'a>(&'a self, _: &'a TenantName, _: Page) -> Answer<'a, Listing<Strategy>> {
        self.answer(Asked::Other("strategies"), Ok(Listing::whole(vec![])))
    }

    fn strategy<'a>(&'a self, _: &'a TenantName, name: &'a StrategyName) -> Answer<'a, Strategy> {
        let strategy = Strategy {
            name: name.clone(),
            active: Some(Version(1)),
            latest: Version(1),
        };
        self.answer(Asked::Other("strategy"), Ok(strategy))
    }

    fn deploy<'a>(&'a self, t: &'a TenantName, name: &'a StrategyName, d: Deployment) -> Answer<'a, Deployed> {
        let deployed = Deployed {
            version: version(name, 2, &d.by, d.activate),
            warnings: vec![],
        };
        self.answer(Asked::Deploy(t.clone(), name.clone(), d), Ok(deployed))
    }

    fn versions<'a>(
        &'a self,
        _: &'a TenantName,
        name: &'a StrategyName,
        _: Page,
    ) -> Answer<'a, Listing<StrategyVersion>> {
        self.answer(
            Asked::Other("versions"),
            Ok(Listing::whole(vec![version(name, 1, "x", true)])),
        )
    }

    fn activate<'a>(
        &'a self,
        t: &'a TenantName,
        n: &'a StrategyName,
        v: Version,
        by: String,
    ) -> Answer<'a, StrategyVersion> {
        let asked = Asked::Activate(t.clone(), n.clone(), v, by);
        self.answer(asked, Ok(version(n, v.0, "x", true)))
    }

    fn roll_back<'a>(&'a self, t: &'a TenantName, n: &'a StrategyName, by: String) -> Answer<'a, StrategyVersion> {
        let asked = Asked::RollBack(t.clone(), n.clone(), by);
        self.answer(asked, Ok(version(n, 1, "x", true)))
    }

    fn source<'a>(&'a self, _: &'a TenantName, _: &'a StrategyName, _: Version) -> Answer<'a, Source> {
        let files = [("lib.js".to_owned(), "1".to_owned())].into();
        self.answer(
            Asked::Other("source"),
            Ok(Source {
                document: "<scxml/>".into(),
                path: None,
                files,
            }),
        )
    }

    fn component<'a>(&'a self, _: &'a TenantName, _: &'a StrategyName, _: Version) -> Answer<'a, Bytes> {
        self.answer(Asked::Other("component"), Ok(Bytes::from_static(b"\0asm")))
    }
}

impl backend::Sessions for Fake {
    fn tenant_of(&self, id: SessionId) -> Answer<'_, TenantName> {
        let owner = [NORTH, SOUTH].into_iter().find(|t| session_of(t) == id).map(tenant);
        Box::pin(async move { owner.ok_or(Error::NoSuchSession(id)) })
    }

    fn start(&self, start: Start) -> Answer<'_, SessionId> {
        let id = session_of(start.tenant.as_str());
        self.answer(Asked::Start(start), Ok(id))
    }

    fn send(&self, id: SessionId, event: ExternalEvent) -> Answer<'_, ()> {
        self.answer(Asked::Send(id, event), Ok(()))
    }

    fn located<'a>(&'a self, id: SessionId, token: &'a str) -> Answer<'a, TenantName> {
        Box::pin(async move {
            match token {
                TOKEN => self.tenant_of(id).await,
                _ => Err(Error::NoSuchSession(id)),
            }
        })
    }

    fn message(&self, id: SessionId, message: Message) -> Answer<'_, ()> {
        self.answer(Asked::Message(id, message), Ok(()))
    }

    fn request(&self, id: SessionId, event: ExternalEvent) -> Answer<'_, Reply> {
        let reply = self.reply.lock().unwrap().clone();
        let reply = reply.unwrap_or(Reply {
            status: 200,
            body: Value::Bool(true),
        });
        self.answer(Asked::Request(id, event), Ok(reply))
    }

    fn inspect(&self, _: SessionId) -> Answer<'_, Inspection> {
        let inspection = Inspection {
            configuration: vec!["a".into(), "b".into()],
            datamodel: r#"{"n":1}"#.into(),
        };
        self.answer(Asked::Other("inspect"), Ok(inspection))
    }

    fn terminate(&self, id: SessionId, termination: Termination) -> Answer<'_, ()> {
        self.answer(Asked::Terminate(id, termination), Ok(()))
    }

    fn session(&self, id: SessionId) -> Answer<'_, Session> {
        self.answer(Asked::Other("session"), Ok(session(id)))
    }

    fn sessions(&self, filter: Filter, page: Page) -> Answer<'_, Listing<Session>> {
        let all = [NORTH, SOUTH].map(|t| session(session_of(t)));
        let seen = all
            .into_iter()
            .filter(|s| filter.tenants.as_ref().is_none_or(|t| t.contains(&s.tenant)));
        let listing = Listing {
            items: seen.collect(),
            next: Some("more".into()),
        };
        self.answer(Asked::List(filter, page), Ok(listing))
    }

    fn log(&self, _: SessionId, _: Page) -> Answer<'_, Listing<LogLine>> {
        let line = LogLine {
            seq: 1,
            time_ms: 2,
            label: None,
            text: "hello".into(),
            level: 0,
        };
        self.answer(Asked::Other("log"), Ok(Listing::whole(vec![line])))
    }
}

impl backend::Operations for Fake {
    fn live(&self) -> Health {
        Health {
            ok: true,
            reasons: vec![],
        }
    }

    fn ready(&self) -> Health {
        let ok = matches!(*self.mood.lock().unwrap(), Mood::Answer);
        Health {
            ok,
            reasons: if ok {
                vec![]
            } else {
                vec!["the store does not answer".into()]
            },
        }
    }

    fn started(&self) -> Health {
        Health {
            ok: true,
            reasons: vec![],
        }
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
}
