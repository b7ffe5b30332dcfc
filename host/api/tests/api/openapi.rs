//! The checked-in description is the generated one.

use crate::support::{api, call};

#[test]
fn the_checked_in_openapi_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let generated = pointsman_api::description_text();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == generated,
        "host/api/openapi.json is not what the code says; update it with\n\n    UPDATE_OPENAPI=1 cargo test -p pointsman-api openapi\n"
    );
}

#[tokio::test]
async fn the_openapi_document_served_is_the_one_checked_in() {
    let answer = api().send("scraper", call("GET", "/v1/openapi.json")).await;
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        pointsman_api::description_text()
    );
}

#[test]
fn every_reference_of_the_openapi_document_leads_somewhere() {
    let text = pointsman_api::description_text();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let references = text
        .split("\"$ref\": \"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    let mut count = 0;
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
        count += 1;
    }
    assert!(count > 20, "{count} references");
}

#[test]
fn operation_ids_are_unique_and_every_response_is_described() {
    let document: serde_json::Value = serde_json::from_str(&pointsman_api::description_text()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{method} {path}: {id} a second time");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].is_string(), "{method} {path}: {status}");
            }
        }
    }
}
