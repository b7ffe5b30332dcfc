//! Enhanced Routing Scripts: a named application with parameters.

use crate::application_ref::template::Template;
use crate::application_ref::{ApplicationRefError, DocumentRef};
use crate::names::{Milliseconds, ScriptName, TenantName};
use crate::setting::{Effect, Field, FromText, Read, Reader, Setting, Shown, Value, options, text_setting};
use std::collections::BTreeMap;

options! {
    /// An Enhanced Routing Script.
    object Script at "[[script]]" {
        /// The script's name, for `script:NAME`.
        "name" name: ScriptName, required, Immediate, Ors("Script name");
        /// The tenant that it belongs to; only DNs of that tenant may name it.
        "tenant" tenant: TenantName, required, Immediate, Ors("Script, Tenant");
        /// The section `Application`.
        "Application" application: ScriptApplication, required, Immediate, Ors("Script section [Application]");
        /// The section `ApplicationParms`: what the session finds in the `<data>` items of the same ids.
        "ApplicationParms" parameters: ScriptParameters, default(ScriptParameters::default()), Immediate,
            Ors("Script section [ApplicationParms]");
    }
    known as |script| format!("{}@{}", script.name, script.tenant)
}

options! {
    /// An Enhanced Routing Script's section `Application`.
    object ScriptApplication at "[script.Application]" {
        /// The document: `strategy:NAME`, `strategy:NAME@VERSION`, `file:PATH` or `http(s)://...`, with placeholders.
        "url" url: DocumentRef, required, Immediate, Ors("Application/url");
        /// The document to use when `url` cannot be fetched or compiled.
        "alternate-url" alternate_url: Option<DocumentRef>, optional, Immediate, Ors("Application/alternate-url");
        /// How long fetching the document may take.
        "fetch-timeout" fetch_timeout: Milliseconds, default(Milliseconds(30_000)) from 1 to 600_000 unit "milliseconds",
            Immediate, Ors("Application/fetch-timeout");
    }
    not yet ["http-useragent", "http-version", "max-age", "max-stale", "max-duration", "max-loop-count"]
}

impl FromText for DocumentRef {
    const EXPECTED: &'static str = "a document: strategy:NAME, file:PATH or an http(s) URL";

    fn from_text(text: &str) -> Result<Self, (String, String)> {
        let read = DocumentRef::parse(text).and_then(|document| match document {
            DocumentRef::Script(_) => Err(ApplicationRefError::ScriptInScript),
            document => Ok(document),
        });
        read.map_err(|error| (error.to_string(), error.help()))
    }
}

text_setting!(DocumentRef);

/// Parameters of an Enhanced Routing Script, by the id of the `<data>` that each goes to.
///
/// A value may hold placeholders. They are filled in as they are, without URL-encoding: a parameter is data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptParameters(pub BTreeMap<String, Template>);

impl Setting for ScriptParameters {
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
        let parameters = reader.entries(value, "parameters, each a string", |reader, value| {
            reader.string(value, "a string, as in ORS").map(Template::data)
        });
        parameters.map(ScriptParameters)
    }

    fn show(&self) -> Shown {
        let fields = self.0.iter().map(|(key, template)| Field {
            key: key.clone(),
            shown: Shown::text(template.to_string()),
            effect: Effect::Immediate,
        });
        Shown::Table(fields.collect())
    }
}
