//! What the audit log says of the request behind an entry.

use control_api::{TrustedProxies, audit::RequestId};
use serde_json::json;
use sqlx::Row as _;

use crate::support::{Fixture, on_both, tenant};

async fn the_last_entry(f: &Fixture) -> (String, Vec<u8>, i64) {
    let newest =
        "SELECT request, address, duration_us FROM audit WHERE tenant = 'clinic' ORDER BY nr DESC LIMIT 1";
    let row = sqlx::query(newest).fetch_one(&f.raw().await).await.expect("an entry");
    (row.get("request"), row.get("address"), row.get("duration_us"))
}

async fn address_of(f: &Fixture) -> String {
    let (request, address, _) = the_last_entry(f).await;
    let request: RequestId = request.parse().expect("an id");
    let opened = f.api.open_address(tenant("clinic"), request, &address).await.expect("it opens");
    opened.expect("an address").reveal().to_string()
}

#[tokio::test]
async fn an_entry_names_its_request_its_address_sealed_and_its_time() {
    on_both(async |f| {
        let (_, headers, _) = f.send_as(("POST", "/v1/consults"), &f.key, json!({}), None, &[]).await;
        let id = headers["x-request-id"].to_str().expect("text").to_owned();
        let (request, address, duration_us) = the_last_entry(&f).await;
        assert_eq!(request, id);
        assert!(duration_us > 0 && duration_us < 60_000_000, "{duration_us}");
        assert!(!String::from_utf8_lossy(&address).contains("198.51.100.7"));
        assert_eq!(address_of(&f).await, "198.51.100.7");
        let elsewhere = RequestId::from_bytes([1; 16]);
        assert!(f.api.open_address(tenant("clinic"), elsewhere, &address).await.is_err(), "bound to its row");

        let (_, headers, _) = f.send_as(("GET", "/v1/people/x"), "nobody", json!({}), None, &[]).await;
        assert_ne!(headers["x-request-id"].to_str().expect("text"), id, "refused requests have one, too");
    })
    .await;
}

#[tokio::test]
async fn a_forwarded_address_counts_from_a_configured_proxy_only() {
    on_both(async |mut f| {
        let forwarded = [("x-forwarded-for", "203.0.113.9")];
        f.send_as(("POST", "/v1/consults"), &f.key, json!({}), None, &forwarded).await;
        assert_eq!(address_of(&f).await, "198.51.100.7");
        let proxies = TrustedProxies::parse(&["198.51.100.0/24"]).expect("a network");
        f.router = f.api.clone().with_trusted_proxies(proxies).router();
        f.send_as(("POST", "/v1/consults"), &f.key, json!({}), None, &forwarded).await;
        assert_eq!(address_of(&f).await, "203.0.113.9");
    })
    .await;
}
