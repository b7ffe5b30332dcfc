//! The REST API seen from the command line.

mod problem;
mod settings;

pub(crate) use problem::shown;
pub(crate) use settings::Connection;

use crate::failure::Failure;
use crate::progress;
use pointsman_api::types::{Listing, Problem};
use pointsman_scxml::model::SourceFile;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Request, RequestBuilder, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Time for reaching the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a whole request: a deployment compiles.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Most items that the server gives in one page.
const PAGE: usize = pointsman_api::types::MAX_PAGE as usize;

/// Answers that are about the caller, and are given before a body is read.
const REFUSALS: [StatusCode; 4] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::TOO_MANY_REQUESTS,
];

/// A client of one server.
pub(crate) struct Client {
    http: reqwest::Client,
    runtime: Runtime,
    settings: Settings,
}

impl Connection {
    /// A client with these settings; nothing is sent yet.
    pub fn client(&self) -> Result<Client, Failure> {
        let settings = self.settings()?;
        // The same provider as the server's; only the first call of a process can set it, and this is the only place.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("pointsman/", env!("CARGO_PKG_VERSION")));
        if let Some(ca) = &settings.ca {
            http = http.tls_backend_preconfigured(trusting_only(ca)?);
        }
        let http = http
            .build()
            .map_err(|error| Failure::of("cannot make connections", &error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::of("cannot make connections", &error))?;
        Ok(Client {
            http,
            runtime,
            settings,
        })
    }
}

/// TLS that trusts one CA and nobody else.
fn trusting_only(ca: &std::path::Path) -> Result<rustls::ClientConfig, Failure> {
    let wrong = |why: String| Failure::Usage(format!("the CA certificate {} cannot be used: {why}", ca.display()));
    let pem = std::fs::read(ca).map_err(|error| wrong(error.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(format!("{error:?}")))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it; a PEM file is needed".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for the default versions");
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl Client {
    /// A request for the path of these segments, each encoded; the key goes with it.
    pub fn request(&self, method: Method, path: &[&str], query: &[(&str, Option<&str>)]) -> RequestBuilder {
        let url = url(&self.settings.server, path, query);
        self.http.request(method, url).bearer_auth(&self.settings.key)
    }

    /// The answer's JSON.
    pub fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        self.call_about(request, &[])
    }

    /// The same for a request that uploads `files`: what the server says about them is shown with their lines.
    pub fn call_about<T: DeserializeOwned>(&self, request: RequestBuilder, files: &[SourceFile]) -> Result<T, Failure> {
        let body = self.send(request, files)?;
        serde_json::from_slice(&body).map_err(|error| {
            let server = &self.settings.server;
            Failure::of(
                &format!("{server} gave an answer that is not understood; is it of another version?"),
                &error,
            )
        })
    }

    /// Sends a request whose answer has nothing in it.
    pub fn tell(&self, request: RequestBuilder) -> Result<(), Failure> {
        self.send(request, &[]).map(|_| ())
    }

    /// The first `limit` items of a list, and whether there are more.
    pub fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, Option<&str>)],
        limit: usize,
    ) -> Result<(Vec<T>, bool), Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = (limit - items.len()).min(PAGE).to_string();
            let mut query = query.to_vec();
            query.extend([("limit", Some(page.as_str())), ("cursor", cursor.as_deref())]);
            let listing: Listing<T> = self.call(self.request(Method::GET, path, &query))?;
            let empty = listing.items.is_empty();
            items.extend(listing.items);
            items.truncate(limit);
            match listing.next {
                Some(next) if items.len() < limit && !empty => cursor = Some(next),
                next => return Ok((items, next.is_some())),
            }
        }
    }

    fn send(&self, request: RequestBuilder, files: &[SourceFile]) -> Result<Vec<u8>, Failure> {
        let what = format!("waiting for {}", self.settings.server);
        progress::during(&what, || {
            self.runtime.block_on(async {
                let request = request.build().map_err(|error| self.unreachable(&error))?;
                let bare = without_body(&request);
                let response = match (self.http.execute(request).await, bare) {
                    (Ok(response), _) => response,
                    (Err(error), Some(bare)) if broke_off(&error) => {
                        let refusal = self.refusal(bare).await;
                        refusal.ok_or_else(|| self.upload_broke_off(&error))?
                    }
                    (Err(error), _) => return Err(self.unreachable(&error)),
                };
                let failed = (!response.status().is_success()).then(|| (response.status(), media_type(&response)));
                let body = bounded(response).await?;
                match failed {
                    None => Ok(body),
                    Some((status, media)) => Err(problem(status, &media, &body, files)),
                }
            })
        })
    }

    /// Why an upload broke off. A server refuses a caller before it reads what comes with the request, and closes: a
    /// client that is still writing hears of a broken pipe, and the answer may be lost. Asked without the body, it is
    /// heard. `None`: the server has nothing against the caller.
    async fn refusal(&self, bare: Request) -> Option<Response> {
        let response = self.http.execute(bare).await.ok()?;
        REFUSALS.contains(&response.status()).then_some(response)
    }

    fn upload_broke_off(&self, error: &reqwest::Error) -> Failure {
        match self.unreachable(error) {
            Failure::Failed(message) => Failure::Failed(format!(
                "{message}\n  help: the server ended the connection before it had the whole upload: is that larger \
                 than it takes?"
            )),
            other => other,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let Settings { server, ca, .. } = &self.settings;
        let Failure::Failed(mut message) = Failure::of(&format!("no answer from {server}"), error) else {
            unreachable!("`of` makes failures of this kind");
        };
        if message.contains("UnknownIssuer") || message.contains("UnknownCA") {
            message.push_str(match ca {
                None => "\n  help: give the CA that signed the server's certificate: --ca or POINTSMAN_CA",
                Some(_) => "\n  help: the server's certificate is signed by another CA than the one given",
            });
        } else if error.is_connect() {
            message.push_str("\n  help: is the server running (`pointsman serve`), and is --server its address?");
        }
        Failure::Failed(message)
    }
}

/// An upload without what it uploads, which no server accepts; `None` for other requests: without their body they might
/// have an effect.
fn without_body(request: &Request) -> Option<Request> {
    (request.method() == Method::PUT).then(|| {
        let mut bare = Request::new(Method::PUT, request.url().clone());
        *bare.headers_mut() = request.headers().clone();
        bare
    })
}

/// The connection was there, and was lost before an answer came.
fn broke_off(error: &reqwest::Error) -> bool {
    !error.is_builder() && !error.is_connect() && !error.is_timeout()
}

/// The server's address with a path of these segments and the parameters that have a value.
fn url(server: &Url, path: &[&str], query: &[(&str, Option<&str>)]) -> Url {
    let mut url = server.clone();
    url.path_segments_mut()
        .expect("settings take http and https only")
        .pop_if_empty()
        .extend(path);
    for (name, value) in query {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    url
}

fn media_type(response: &Response) -> String {
    let value = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Failure::of("the answer broke off", &error))?
    {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Failure::Failed(format!(
                "the answer is larger than {MAX_ANSWER_BYTES} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn problem(status: StatusCode, media: &str, body: &[u8], files: &[SourceFile]) -> Failure {
    let document = media
        .starts_with("application/problem+json")
        .then(|| serde_json::from_slice::<Problem>(body));
    match document {
        Some(Ok(document)) => Failure::Rendered(problem::render(&document, files)),
        _ => Failure::Failed(format!(
            "the server answered {status}, and not in the way of a Pointsman server"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_and_queries_are_encoded_and_absent_parameters_left_out() {
        let server = Url::parse("https://host:8443/base/").unwrap();
        let url = url(
            &server,
            &["v1", "Main office/2", "x"],
            &[("a", None), ("b", Some("c d&e"))],
        );
        assert_eq!(url.as_str(), "https://host:8443/base/v1/Main%20office%2F2/x?b=c+d%26e");
    }
}
