//! Child sessions: from an `invoke` to a session that has the invoking one as its parent.
//!
//! What is invoked is a document that the strategy brings (`content`, or a file that it named when it was deployed), a deployed
//! strategy (`strategy:NAME[@VERSION]`) or a file of the tenant (`file:`). Finding and compiling it takes its time, so it is a
//! task of its own; the parent's next steps do not wait for it.

use crate::calls::Calls;
use crate::programs::{Found, Programs};
use pointsman_config as config;
use pointsman_contract::{Invoke, SCXML_PROCESSOR};
use pointsman_session::runtime::{Info, Parent, Runtime, StartRequest};
use pointsman_store::Tenant;
use std::time::Duration;

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

impl Calls {
    /// Begins to make a child.
    ///
    /// # Errors
    /// When it is clear at once that there will be none.
    pub(crate) fn invoke(&self, session: &Info, invoke: &Invoke) -> Result<(), String> {
        let kind = invoke.processor.as_deref().unwrap_or("scxml");
        if !kind.is_empty() && !SCXML_TYPES.contains(&kind) {
            return Err(format!(
                "`{kind}` is no type of session that this host can invoke: leave `type` out, or write `scxml`"
            ));
        }
        let document = document(invoke)?;
        let runtime = self.runtime().ok_or("the node is not ready")?.clone();
        let parent = Parent {
            session: session.id,
            invoke: invoke.id.clone(),
            depth: session.parent.as_ref().map_or(1, |above| above.depth + 1),
        };
        let memory = self.memory(&session.tenant)?;
        let url = format!("{}#{}", session.strategy, invoke.id);
        let (programs, tenant, params) = (self.programs().clone(), session.tenant.clone(), invoke.params.clone());
        self.spawn(async move {
            let found = find(&programs, &tenant, document, &url, memory).await;
            let started = found.and_then(|found| start(&runtime, tenant, found, params, &parent));
            if let Err(why) = started {
                tracing::warn!(session = %parent.session, invoke = parent.invoke, why, "an invocation came to nothing");
                runtime.invocation_failed(&parent, &why);
            }
        });
        Ok(())
    }
}

fn document(invoke: &Invoke) -> Result<Document, String> {
    match (&invoke.src, &invoke.content) {
        (Some(src), None) => {
            let parsed = config::DocumentRef::parse(src).map_err(|e| format!("`{src}`: {e}"))?;
            let expanded = parsed.expand(&config::CallFacts::default());
            match expanded.map_err(|e| e.to_string())? {
                config::ResolvedDocument::Http(_) => Err(format!(
                    "`{src}`: documents of other servers cannot be invoked in this version; deploy it, and invoke `strategy:NAME`"
                )),
                config::ResolvedDocument::Script(_) => Err(format!(
                    "`{src}`: a script is for calls; invoke `strategy:NAME` or `file:PATH`"
                )),
                other => Ok(Document::Elsewhere(other)),
            }
        }
        (None, Some(text)) => Ok(Document::Text(text.clone())),
        (Some(_), Some(_)) => Err("both `src` and `content` are given".into()),
        (None, None) => Err("neither `src` nor `content` is given".into()),
    }
}

async fn find(
    programs: &Programs,
    tenant: &Tenant,
    document: Document,
    url: &str,
    memory: usize,
) -> Result<Found, String> {
    let found = match document {
        Document::Text(text) => programs.inline(tenant, url, text, memory).await,
        // Nothing is fetched: there is nothing to wait for.
        Document::Elsewhere(document) => programs.find(tenant, &document, memory, Duration::ZERO).await,
    };
    found.map_err(|e| e.to_string())
}

fn start(runtime: &Runtime, tenant: Tenant, found: Found, params: String, parent: &Parent) -> Result<(), String> {
    let request = StartRequest {
        tenant,
        strategy: found.name,
        version: found.version,
        component: found.component,
        program: found.program,
        params,
        origin: format!("invoke:{}", parent.session),
        trace: false,
        parent: Some(parent.clone()),
    };
    runtime.start(request).map(drop).map_err(|e| e.to_string())
}
