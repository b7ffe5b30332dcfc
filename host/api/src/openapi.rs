//! The description of the API, generated from the table of routes: what it says about keys and roles is what the
//! guard does.

use crate::routes::{Access, Scope, table};
use crate::security::Action;
use crate::types::Problem;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

const ABOUT: &str = "Orchestration sessions, strategies and operations of a Pointsman server. Errors are problem \
    documents (RFC 9457) with a stable `code`. What belongs to a tenant that is not yours does not exist for you: 404.";

/// The whole document.
pub fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Pointsman")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    let router = table().into_iter().fold(
        OpenApiRouter::<crate::app::App>::with_openapi(OpenApiBuilder::new().info(info).build()),
        |router, entry| {
            let (schemas, mut paths, methods) = entry.routes;
            for item in paths.paths.values_mut() {
                let methods = [("get", &mut item.get), ("put", &mut item.put), ("post", &mut item.post)];
                let mut another = false;
                for (method, operation) in methods {
                    let Some(operation) = operation else { continue };
                    declare(operation, entry.access);
                    // One handler for two methods: operation ids have to be unique all the same.
                    if another {
                        operation.operation_id = operation.operation_id.take().map(|id| format!("{id}_by_{method}"));
                    }
                    another = true;
                }
            }
            router.routes((schemas, paths, methods))
        },
    );
    let mut api = router.into_openapi();
    let components = api.components.get_or_insert_with(Default::default);
    let mut schemas = Vec::new();
    <Problem as ToSchema>::schemas(&mut schemas);
    schemas.push((Problem::name().into_owned(), Problem::schema()));
    components.schemas.extend(schemas);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("pm_<id>_<secret>")
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme(
        "api_key",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))),
    );
    api
}

/// The checked-in text of [`description`].
pub fn description_text() -> String {
    let mut text = serde_json::to_string_pretty(&description()).expect("an OpenAPI document has only text keys");
    text.push('\n');
    text
}

/// Adds what the table knows: the key, the role, and the shape of errors.
fn declare(operation: &mut Operation, access: Access) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            // Required by OpenAPI 3.1.
            response.description = if status.starts_with('2') { "Done" } else { "Not now" }.into();
        }
    }
    let needs = match access {
        Access::Open => return,
        Access::Location => "Needs the token of the session's location, and no key.".to_owned(),
        Access::Key(action, scope) => needs_key(operation, action, scope),
    };
    operation.description = Some(match operation.description.take() {
        Some(text) if !text.is_empty() => format!("{text}\n\n{needs}"),
        _ => needs,
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Problem::name())))
        .build();
    let problem = ResponseBuilder::new()
        .description("A problem")
        .content(crate::problem::PROBLEM_JSON, content);
    operation
        .responses
        .responses
        .insert("default".into(), problem.build().into());
}

fn needs_key(operation: &mut Operation, action: Action, scope: Scope) -> String {
    let any: [&str; 0] = [];
    operation.security = Some(vec![
        SecurityRequirement::new("bearer", any),
        SecurityRequirement::new("api_key", any),
    ]);
    let whose = match scope {
        Scope::Tenant | Scope::ChosenTenant => "in the tenant",
        Scope::Session => "in the session's tenant",
        Scope::OwnTenants => "in any tenant",
        Scope::Platform => "for all tenants",
    };
    format!("Needs the role `{}` {whose}.", action.role())
}
