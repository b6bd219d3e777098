//! The drill of `docs/operator.md`: back up, erase somebody, lose the database, restore. Who was erased stays erased.

#[path = "backup/copies.rs"]
mod copies;
#[path = "kills/place.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod place;
mod support;

use place::Place;
use serde_json::{Value, json};
use support::{control::BackEnd, node::Node};

const GONE: &str = "ehr-4711-0815-2342";
const STAYS: &str = "ehr-who-stays";

async fn registered(back_end: &BackEnd, external_id: &str) -> String {
    let answer = back_end.call("POST", "/v1/people", &json!({"external_id": external_id})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    format!("/v1/people/{}", answer.json()["id"].as_str().expect("an id"))
}

async fn external_id(back_end: &BackEnd, path: &str) -> Value {
    let answer = back_end.call("GET", path, &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["external_id"].clone()
}

fn back_end(place: &Place, node: &Node) -> BackEnd {
    BackEnd::with_key(node.address(), &place.key)
}

/// Who is there after the drill, by their ids of the EHR's: the one who was erased, and the one who was not.
async fn drill(mut place: Place) -> (Value, Value) {
    let node = place.serve();
    let at = back_end(&place, &node);
    let (gone, stays) = (registered(&at, GONE).await, registered(&at, STAYS).await);
    let backup = place.back_up();
    let keys = place.wrapped_keys().await;
    assert_eq!(keys.len(), 2);
    for key in &keys {
        assert!(!copies::holds(&backup.join("data"), key), "the data's copy has no keys");
    }
    assert!(!copies::holds(&backup, GONE.as_bytes()), "and nothing names anybody");
    assert_eq!(at.call("DELETE", &gone, &json!({})).await.status, 204);
    assert!(node.stop().status.success());

    place.lose_the_database().await;
    assert!(place.restore(&backup).contains("1 people were erased again"));
    let node = place.serve();
    place.verify(Some("0 unsealed")).await;
    let at = back_end(&place, &node);
    (external_id(&at, &gone).await, external_id(&at, &stays).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_restore_brings_nobody_back_who_was_erased() {
    assert_eq!(drill(Place::sqlite().await).await, (Value::Null, json!(STAYS)));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_a_restore_brings_nobody_back_who_was_erased() {
    assert_eq!(drill(Place::postgres().await).await, (Value::Null, json!(STAYS)));
}
