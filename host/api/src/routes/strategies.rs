//! `/v1/tenants/{tenant}/strategies`: the catalog.

use crate::app::App;
use crate::backend::{Artifact, Deployment};
use crate::extract::{At, Question, Raw, json, media_type, utf8, wrong_media_type};
use crate::problem::Failure;
use crate::security::{AuditObject, Caller};
use crate::types::{
    Code, DeployQuery, DeployRequest, Deployed, Listing, PageQuery, Source, Strategy, StrategyName, StrategyVersion,
    Version,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

/// Media type of an SCXML document (W3C SCXML 1.0, appendix E).
const SCXML: &str = "application/scxml+xml";
/// Media type of a component.
const WASM: &str = "application/wasm";

/// The bytes of a component, for the description of the API only.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only its schema is used")]
struct Component(Vec<u8>);

/// Most files that a document may bring along.
const MAX_FILES: usize = 256;

/// Longest note, in characters.
const MAX_NOTE_CHARS: usize = 500;

/// What a name in a path stands for: one that cannot exist does not.
fn known(name: &str) -> Result<StrategyName, Failure> {
    let shown: String = name.chars().take(64).collect();
    let unknown = |_| Failure::new(Code::NoSuchStrategy, format!("There is no strategy `{shown}`."));
    name.parse().map_err(unknown)
}

fn version(name: &StrategyName, text: &str) -> Result<Version, Failure> {
    let shown: String = text.chars().take(64).collect();
    let unknown = |_| {
        Failure::new(
            Code::NoSuchVersion,
            format!("Strategy `{name}` has no version `{shown}`: versions are numbers from 1."),
        )
    };
    text.parse().map_err(unknown)
}

fn page(query: PageQuery) -> Result<crate::types::Page, Failure> {
    query
        .page()
        .map_err(|detail| Failure::new(Code::BadRequest, format!("{detail}.")))
}

/// The tenant's strategies, by name.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/strategies", tag = "strategies", operation_id = "list_strategies",
    params(("tenant" = String, Path, description = "Name of the tenant"), PageQuery),
    responses((status = 200, body = Listing<Strategy>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Question(query): Question<PageQuery>,
) -> Result<Json<Listing<Strategy>>, Failure> {
    Ok(Json(app.backend.strategies(caller.tenant()?, page(query)?).await?))
}

/// One strategy: its active and its newest version.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/strategies/{name}", tag = "strategies", operation_id = "show_strategy",
    params(("tenant" = String, Path, description = "Name of the tenant"),
        ("name" = String, Path, description = "Name of the strategy")),
    responses((status = 200, body = Strategy)))]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String)>,
) -> Result<Json<Strategy>, Failure> {
    let (_, name) = path;
    Ok(Json(app.backend.strategy(caller.tenant()?, &known(&name)?).await?))
}

/// Deploys the body as the strategy's next version, and makes the strategy if it is new.
///
/// The body is an SCXML document (`application/scxml+xml`), a document with its includes as JSON
/// (`DeployRequest`), or a component (`application/wasm`). What does not compile is refused with its diagnostics,
/// and nothing changes.
#[utoipa::path(method(put, post), path = "/v1/tenants/{tenant}/strategies/{name}", tag = "strategies",
    operation_id = "deploy_strategy",
    params(("tenant" = String, Path, description = "Name of the tenant"),
        ("name" = String, Path, description = "Name of the strategy"), DeployQuery),
    request_body(content((DeployRequest = "application/json"), (String = "application/scxml+xml"), (Component = "application/wasm"))),
    responses((status = 201, body = Deployed)))]
pub(super) async fn deploy(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String)>,
    Question(query): Question<DeployQuery>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Failure> {
    let (_, name) = path;
    let name: StrategyName = name.parse().map_err(|e| Failure::new(Code::BadName, format!("{e}.")))?;
    let media = media_type(&headers)?;
    if body.is_empty() {
        return Err(Failure::new(
            Code::BadRequest,
            "The body is empty; send the document or component.",
        ));
    }
    let (artifact, note, activate) = match media.as_str() {
        "application/json" => {
            let DeployRequest {
                document,
                path,
                files,
                note,
                activate,
            } = json(&body)?;
            if files.len() > MAX_FILES {
                let detail = format!(
                    "The upload brings {} files along; at most {MAX_FILES} are taken.",
                    files.len()
                );
                return Err(Failure::new(Code::TooLarge, detail));
            }
            (
                Artifact::Document {
                    text: document,
                    path,
                    files,
                },
                note.or(query.note),
                activate || query.activate,
            )
        }
        SCXML | "application/xml" | "text/xml" => {
            let artifact = Artifact::Document {
                text: utf8(&body)?.to_owned(),
                path: None,
                files: Default::default(),
            };
            (artifact, query.note, query.activate)
        }
        WASM => (Artifact::Component(body), query.note, query.activate),
        other => return Err(wrong_media_type(other, &format!("{SCXML}, application/json or {WASM}"))),
    };
    if note.as_ref().is_some_and(|n| n.chars().count() > MAX_NOTE_CHARS) {
        let detail = format!("The note is longer than {MAX_NOTE_CHARS} characters; shorten it.");
        return Err(Failure::new(Code::BadRequest, detail));
    }
    let deployment = Deployment {
        artifact,
        note,
        activate,
        by: caller.id(),
    };
    let tenant = caller.tenant()?;
    let deployed = app.backend.deploy(tenant, &name, deployment).await?;
    let number = deployed.version.version;
    let object = AuditObject(format!("strategy {name}@{number} of {tenant}"));
    Ok((StatusCode::CREATED, Extension(object), Json(deployed)).into_response())
}

/// The strategy's versions, newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/strategies/{name}/versions", tag = "strategies",
    operation_id = "list_versions",
    params(("tenant" = String, Path, description = "Name of the tenant"),
        ("name" = String, Path, description = "Name of the strategy"), PageQuery),
    responses((status = 200, body = Listing<StrategyVersion>)))]
pub(super) async fn versions(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String)>,
    Question(query): Question<PageQuery>,
) -> Result<Json<Listing<StrategyVersion>>, Failure> {
    let (_, name) = path;
    Ok(Json(
        app.backend
            .versions(caller.tenant()?, &known(&name)?, page(query)?)
            .await?,
    ))
}

/// New sessions use this version from now on; running ones keep theirs.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/strategies/{name}/versions/{version}/activate", tag = "strategies",
    operation_id = "activate_version",
    params(("tenant" = String, Path, description = "Name of the tenant"),
        ("name" = String, Path, description = "Name of the strategy"),
        ("version" = u32, Path, description = "Number of the version")),
    responses((status = 200, body = StrategyVersion)))]
pub(super) async fn activate(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String, String)>,
) -> Result<Json<StrategyVersion>, Failure> {
    let (_, name, number) = path;
    let name = known(&name)?;
    let number = version(&name, &number)?;
    let activated = app.backend.activate(caller.tenant()?, &name, number, caller.id());
    Ok(Json(activated.await?))
}

/// Activates the version that was active before.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/strategies/{name}/rollback", tag = "strategies",
    operation_id = "roll_back_strategy",
    params(("tenant" = String, Path, description = "Name of the tenant"),
        ("name" = String, Path, description = "Name of the strategy")),
    responses((status = 200, body = StrategyVersion)))]
pub(super) async fn roll_back(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String)>,
) -> Result<Response, Failure> {
    let (_, name) = path;
    let name = known(&name)?;
    let version = app.backend.roll_back(caller.tenant()?, &name, caller.id()).await?;
    let object = AuditObject(format!("strategy {name} back to {}", version.version));
    Ok((Extension(object), Json(version)).into_response())
}

/// The source that the version carries: the document, or with `Accept: application/json` also its includes.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/strategies/{name}/versions/{version}/source", tag = "strategies",
    operation_id = "download_source",
    params(("tenant" = String, Path, description = "Name of the tenant"),
        ("name" = String, Path, description = "Name of the strategy"),
        ("version" = u32, Path, description = "Number of the version")),
    responses((status = 200, content((String = "application/scxml+xml"), (Source = "application/json")))))]
pub(super) async fn source(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (_, name, number) = path;
    let name = known(&name)?;
    let number = version(&name, &number)?;
    let source = app.backend.source(caller.tenant()?, &name, number).await?;
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let json = accept
        .split(',')
        .any(|range| range.trim().to_ascii_lowercase().starts_with("application/json"));
    if json {
        return Ok(Json(source).into_response());
    }
    Ok((
        [
            (header::CONTENT_TYPE, SCXML.to_owned()),
            attachment(&name, number, "scxml"),
        ],
        source.document,
    )
        .into_response())
}

/// The version's component.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/strategies/{name}/versions/{version}/component", tag = "strategies",
    operation_id = "download_component",
    params(("tenant" = String, Path, description = "Name of the tenant"),
        ("name" = String, Path, description = "Name of the strategy"),
        ("version" = u32, Path, description = "Number of the version")),
    responses((status = 200, body = Component, content_type = "application/wasm")))]
pub(super) async fn component(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String, String)>,
) -> Result<Response, Failure> {
    let (_, name, number) = path;
    let name = known(&name)?;
    let number = version(&name, &number)?;
    let component = app.backend.component(caller.tenant()?, &name, number).await?;
    Ok((
        [
            (header::CONTENT_TYPE, WASM.to_owned()),
            attachment(&name, number, "wasm"),
        ],
        component,
    )
        .into_response())
}

/// What a browser or `curl -OJ` calls the file. A name has only letters that need no quoting.
fn attachment(name: &StrategyName, version: Version, extension: &str) -> (header::HeaderName, String) {
    (
        header::CONTENT_DISPOSITION,
        format!("attachment; filename=\"{name}-{version}.{extension}\""),
    )
}
