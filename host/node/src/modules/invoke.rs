//! Child sessions: from an `invoke` to a session that has the invoking one as its parent.
//!
//! What is invoked is a document that the strategy brings (`content`, or a file that it named when it was deployed), a deployed
//! strategy (`strategy:NAME[@VERSION]`), a file of the tenant (`file:`), or a document of a server that the tenant allows.
//! Finding and compiling it takes its time, so it is a task of its own; the parent's next steps do not wait for it.

use super::session::{self, FETCH_TIMEOUT};
use super::{Modules, plain};
use crate::programs::{Found, NamedBy, Programs, Turn};
use pointsman_config as config;
use pointsman_contract::{CommandId, Invoke, SCXML_PROCESSOR};
use pointsman_session::runtime::{Info, Invocation, Runtime, StartRequest};
use pointsman_store::Tenant;
use pointsman_web::url::Url;

/// Names of the one type of session that can be invoked (W3C SCXML 6.4.2).
const SCXML_TYPES: [&str; 4] = [
    "scxml",
    "http://www.w3.org/TR/scxml/",
    "http://www.w3.org/TR/scxml",
    SCXML_PROCESSOR,
];

/// Where the document is.
enum Document {
    Text(String),
    Elsewhere(config::ResolvedDocument),
}

impl Modules {
    /// Begins to make a child.
    ///
    /// # Errors
    /// When it is clear at once that there will be none.
    pub(super) fn invoke(&self, session: &Info, command: CommandId, invoke: &Invoke) -> Result<(), String> {
        let kind = invoke.processor.as_deref().unwrap_or("scxml");
        if !kind.is_empty() && !SCXML_TYPES.contains(&kind) {
            return Err(format!(
                "`{}` is no type of session that this host can invoke: leave `type` out, or write `scxml`",
                plain(kind)
            ));
        }
        let document = document(invoke, self.programs().base(session.id).as_ref())?;
        let runtime = self.runtime()?.clone();
        let invocation = Invocation {
            session: session.id,
            invoke: invoke.id.clone(),
            command,
        };
        let memory = self.memory(&session.tenant)?;
        // Not its id, of which every invocation may have another: what was compiled once is to be found again.
        let url = format!("{}#invoked", session.strategy);
        let (programs, tenant, params) = (self.programs().clone(), session.tenant.clone(), invoke.params.clone());
        self.spawn(async move {
            let mut work = Work {
                runtime,
                invocation,
                outcome: Some("the host could not go on with it".to_owned()),
            };
            let found = work.find(&programs, &tenant, document, &url, memory).await;
            work.outcome = found
                .and_then(|found| work.start(&programs, tenant, found, params))
                .err();
        });
        Ok(())
    }
}

fn document(invoke: &Invoke, base: Option<&Url>) -> Result<Document, String> {
    match (&invoke.src, &invoke.content) {
        (Some(src), None) => match session::document(src, base)? {
            session::Document::Script(_) => Err(format!(
                "`{}`: a script is for calls; invoke `strategy:NAME` or `file:PATH`",
                plain(src)
            )),
            session::Document::Elsewhere(other) => Ok(Document::Elsewhere(other)),
        },
        (None, Some(text)) => Ok(Document::Text(text.clone())),
        (Some(_), Some(_)) => Err("both `src` and `content` are given".into()),
        (None, None) => Err("neither `src` nor `content` is given".into()),
    }
}

/// An invocation that is worked on. However the work ends, the runtime hears of it.
struct Work {
    runtime: Runtime,
    invocation: Invocation,
    /// Why it came to nothing; `None`: it has its session.
    outcome: Option<String>,
}

impl Work {
    async fn find(
        &self,
        programs: &Programs,
        tenant: &Tenant,
        document: Document,
        url: &str,
        memory: usize,
    ) -> Result<Found, String> {
        if !self.runtime.awaits(&self.invocation) {
            return Err("it is over".to_owned());
        }
        let found = match document {
            Document::Text(text) => programs.inline(tenant, url, text, memory).await,
            Document::Elsewhere(document) => {
                let by = NamedBy::Strategy;
                programs
                    .find(tenant, &document, by, Turn::InTurn, memory, FETCH_TIMEOUT)
                    .await
            }
        };
        found.map_err(|e| e.to_string())
    }

    fn start(&self, programs: &Programs, tenant: Tenant, found: Found, params: String) -> Result<(), String> {
        let origin = format!("invoke:{}", self.invocation.session);
        let id = self.runtime.new_id().map_err(|e| e.to_string())?;
        let started = programs.start_as(&self.runtime, id, found, |found| StartRequest {
            invocation: Some(self.invocation.clone()),
            ..found.request(tenant, params, origin)
        });
        started.map(drop).map_err(|e| e.to_string())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(why) = &self.outcome {
            let Invocation { session, invoke, .. } = &self.invocation;
            tracing::debug!(%session, invoke, why, "an invocation came to nothing");
            self.runtime.invocation_failed(&self.invocation, &plain(why));
        }
    }
}
