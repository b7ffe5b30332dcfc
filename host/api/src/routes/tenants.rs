//! `/v1/tenants`.

use crate::app::App;
use crate::security::Caller;
use crate::types::{Listing, Tenant};
use axum::Json;
use axum::extract::State;

/// The tenants that your key is for, in the order of the configuration.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", operation_id = "list_tenants",
    responses((status = 200, body = Listing<Tenant>)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Json<Listing<Tenant>> {
    let visible = caller.visible();
    let tenants = app.backend.tenants().into_iter().filter(|t| visible.contains(&t.name));
    Json(Listing::whole(tenants.collect()))
}
