//! Health, metrics, and the description of the API.

use crate::app::App;
use crate::types::Health;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

/// Media type of the OpenMetrics text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn answer(health: Health) -> (StatusCode, Json<Health>) {
    let status = if health.ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health))
}

/// Whether the process makes progress. If not, restart it.
#[utoipa::path(get, path = "/livez", tag = "operations",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn livez(State(app): State<App>) -> (StatusCode, Json<Health>) {
    answer(app.backend.live())
}

/// Whether it can serve. If not, send it nothing.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn readyz(State(app): State<App>) -> (StatusCode, Json<Health>) {
    answer(app.backend.ready())
}

/// Whether it has started up. Until then, ask neither of the others.
#[utoipa::path(get, path = "/startupz", tag = "operations",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn startupz(State(app): State<App>) -> (StatusCode, Json<Health>) {
    answer(app.backend.started())
}

/// The server's metrics.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], app.backend.metrics())
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operations", responses((status = 200, body = Object)))]
pub(super) async fn openapi(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], app.description.clone())
}
