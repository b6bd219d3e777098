//! Master keys change while a node runs: in a file, in a token, and from the one to the other.

#[path = "master_keys/clinic.rs"]
mod clinic;
#[path = "kills/place.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod place;
#[path = "../control-api/tests/suite/support/softhsm.rs"]
mod softhsm;
mod support;

use std::{path::PathBuf, time::Duration};

use clinic::Clinic;
use place::Place;
use support::{
    control::{BackEnd, PATIENT, PROVIDER},
    http,
    metrics::Metrics,
    node::Node,
    signal::Signal,
    within_patience,
};

/// A clinic that runs, all of whose keys a key in a token wraps; a patient's path.
struct Moved {
    clinic: Clinic,
    token: PathBuf,
    node: Node,
    path: String,
}

async fn moved_to(key: &str) -> Moved {
    moved(Clinic::new().await, key).await
}

async fn moved(clinic: Clinic, key: &str) -> Moved {
    let token = clinic.hsm.token("clinic");
    clinic.configure(&clinic.beside_the_file(&[key]));
    clinic.said(&["master-key", "create"]);
    let node = clinic.serve();
    let path = clinic.register(&node).await;
    clinic.until_all_is_wrapped_by(&format!("pkcs11:clinic/{key}")).await;
    Moved { clinic, token, node, path }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_moves_from_a_file_to_a_token_and_everybody_can_still_be_read() {
    let clinic = Clinic::new().await;
    let node = clinic.serve();
    let path = clinic.register(&node).await;
    let [of_file] = &clinic.listed()[..] else { panic!("one key") };
    assert!(of_file.name.starts_with("local:") && of_file.wraps > 0, "{of_file:?}");
    drop(node);

    clinic.hsm.token("clinic");
    clinic.configure(&clinic.beside_the_file(&["2026"]));
    assert!(clinic.said(&["master-key", "create"]).starts_with("pkcs11:clinic/2026 is in the token"));
    let node = clinic.serve();
    clinic.until_all_is_wrapped_by("pkcs11:clinic/2026").await;
    assert_eq!(clinic.external_id(&node, &path).await, PATIENT.id);
    let (told, why) = clinic.refused(&["master-key", "retire"]);
    assert!(told.contains("master_keys_file or master_keys_variable may go"), "{told}");
    assert!(why.contains("nothing was changed"), "{why}");

    // The file goes while the node runs.
    clinic.configure(&clinic.in_token(&["2026"]));
    std::fs::remove_file(clinic.data().join("keys/master.keys")).expect("the file");
    clinic.reload(&node, "master keys read again").await;
    assert_eq!(clinic.external_id(&node, &path).await, PATIENT.id);
    drop(node);
    let node = clinic.serve();
    assert_eq!(clinic.external_id(&node, &path).await, PATIENT.id);
    assert_eq!(clinic.register(&node).await, path, "found by the same hash");
    assert!(!clinic.data().join("keys/master.keys").exists(), "nobody has made another one");
    let notes = clinic.notes().await;
    assert_eq!(notes, ["master_key_created master_key:pkcs11:clinic/2026", "master_key", "master_key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_token_follows_another_by_the_list_while_the_node_runs() {
    for place in [Place::sqlite().await, Place::postgres().await] {
        follows_by_the_list(Clinic::over(place)).await;
    }
}

async fn follows_by_the_list(clinic: Clinic) {
    let Moved { clinic, node, path, .. } = moved(clinic, "2025").await;
    clinic.configure(&clinic.in_token(&["2025"]));
    clinic.reload(&node, "master keys read again").await;

    let (told, why) = clinic.refused(&["master-key", "rotate"]);
    assert!(told.is_empty() && why.contains("Put a new label first in `keys`"), "{told}{why}");
    let (told, why) = clinic.refused(&["master-key", "create"]);
    assert!(told.is_empty() && why.contains("nothing was made"), "{told}{why}");
    clinic.configure(&clinic.in_token(&["2026", "2025"]));
    clinic.reload(&node, "the master keys stay as they were").await;
    let (told, why) = clinic.refused(&["master-key", "list"]);
    assert!(told.contains("pkcs11:clinic/2026: wraps 0 keys"), "{told}");
    assert!(why.contains("key `2026` is not there"), "{why}");
    clinic.said(&["master-key", "create"]);
    clinic.reload(&node, "master keys read again").await;
    clinic.until_all_is_wrapped_by("pkcs11:clinic/2026").await;
    let (told, _) = clinic.refused(&["master-key", "retire"]);
    assert_eq!(told, "pkcs11:clinic/2025 wraps nothing: its label may go from `keys`\n");

    clinic.configure(&clinic.in_token(&["2026"]));
    clinic.reload(&node, "master keys read again").await;
    drop(node);
    assert_eq!(clinic.external_id(&clinic.serve(), &path).await, PATIENT.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_moves_back_from_a_token_to_a_file() {
    let Moved { clinic, node, path, .. } = moved_to("2026").await;
    clinic.configure(&format!("{}unwraps_only = true\n", clinic.beside_the_file(&["2026"])));
    clinic.reload(&node, "master keys read again").await;
    let of_file = clinic.listed().remove(0).name;
    clinic.until_all_is_wrapped_by(&of_file).await;
    let said = clinic.said(&["master-key", "rotate"]);
    assert!(said.starts_with("local:"), "the file's, which wraps: {said}");
    clinic.configure("");
    clinic.reload(&node, "master keys read again").await;
    drop(node);
    assert_eq!(clinic.external_id(&clinic.serve(), &path).await, PATIENT.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_while_its_token_is_away_and_lets_in_who_has_a_ticket() {
    let Moved { clinic, token, node, path } = moved_to("2026").await;
    let back_end = BackEnd::with_key(node.address(), &clinic.place.key);
    let ticket = back_end.ticket(&back_end.consult().await, PROVIDER).await;
    drop(node);

    let elsewhere = clinic.place.folder.path().join("away");
    std::fs::rename(&token, &elsewhere).expect("the token's folder");
    let node = clinic.serve();
    assert!(node.log().contains("the master keys are away"), "{}", node.log());
    let mut provider = Signal::open(node.address()).await;
    provider.hello(&ticket.token).await;
    provider.expect("welcome").await;
    assert_eq!(http::get(node.address(), "/readyz").await.status, 503);
    let are_away = async || Metrics::of(node.address()).await.value("consilium_master_keys_away");
    assert_eq!(are_away().await, 1.0);
    clinic.reload(&node, "the master keys stay as they were").await;
    std::fs::rename(&elsewhere, &token).expect("the token's folder");
    within_patience("a node that is ready", async {
        while http::get(node.address(), "/readyz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(clinic.external_id(&node, &path).await, PATIENT.id);
    assert_eq!(are_away().await, 0.0);
    assert!(!node.log().contains("was taken back"), "its own keys are good still: {}", node.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_hangs_holds_up_nobody_whose_keys_are_in_hand() {
    let Moved { clinic, token, node, path } = moved_to("2026").await;
    let held = clinic::hold(&token);
    clinic.reload(&node, "no answer within 5s").await;
    clinic.reload(&node, "an earlier call has not come back yet").await;
    assert_eq!(clinic.external_id(&node, &path).await, PATIENT.id);
    drop(held);
    within_patience("the token to answer again", async {
        while !node.log().contains("master keys read again") {
            node.hang_up();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    assert_eq!(clinic.external_id(&node, &path).await, PATIENT.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_with_a_wrong_pin_nor_without_its_keys() {
    let clinic = Clinic::new().await;
    clinic.hsm.token("clinic");
    clinic.configure(&clinic.in_token(&["2026"]));
    let (_, why) = clinic.refused(&["serve"]);
    assert!(why.contains("token clinic: key `2026` is not there"), "{why}");
    clinic.said(&["master-key", "create"]);
    clinic.set_pin("0000-0000");
    for _ in 0..2 {
        let (_, why) = clinic.refused(&["serve"]);
        assert!(why.contains("refuses the PIN") && !why.contains("0000"), "{why}");
    }
    // The tenant from before has keys of the file's.
    clinic.set_pin(softhsm::PIN);
    let node = clinic.serve();
    clinic.reload(&node, "keys were not wrapped anew").await;
    assert!(node.log().contains("is not configured here"), "{}", node.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_making_cannot_be_put_down_is_not_made() {
    let clinic = Clinic::new().await;
    clinic.hsm.token("clinic");
    clinic.configure(&clinic.beside_the_file(&["2026"]));
    let database = clinic.place.raw().await;
    for (from, to) in [("audit_pending", "away"), ("away", "audit_pending")] {
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        sqlx::query(sqlx::AssertSqlSafe(rename)).execute(&database).await.expect("the owner may");
        let done = if to == "away" { clinic.refused(&["master-key", "create"]).1 } else { String::new() };
        assert!(done.is_empty() || done.contains("database"), "{done}");
        let (_, why) = clinic.refused(&["master-key", "list"]);
        assert!(why.contains("key `2026` is not there"), "{why}");
    }
    clinic.said(&["master-key", "create"]);
    assert_eq!(clinic.notes().await, ["master_key_created master_key:pkcs11:clinic/2026"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_file_is_made_rotated_and_retired_by_commands_each_with_its_entry() {
    let clinic = Clinic::new().await;
    let (told, why) = clinic.refused(&["master-key", "create"]);
    assert!(told.is_empty() && why.contains("master.keys cannot be created"), "{told}{why}");
    let old = clinic.listed().remove(0).name;
    let said = clinic.said(&["master-key", "rotate"]);
    let (new, rest) = said.split_once(' ').expect("a name");
    assert_eq!(rest, "wraps from now on: send SIGHUP to every node that has this file\n");
    assert_eq!(clinic.listed().iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), [new, &old]);
    assert_eq!(clinic.said(&["master-key", "retire"]), "", "the old one wraps everything still");
    let node = clinic.serve();
    clinic.until_all_is_wrapped_by(new).await;
    assert_eq!(clinic.said(&["master-key", "retire"]), format!("{old} is gone from the file\n"));
    std::fs::write(clinic.data().join("keys/master.keys"), "broken").expect("the file");
    clinic.reload(&node, "the master keys stay as they were").await;
    clinic.register(&node).await;
    let notes = clinic.notes().await;
    let [rotated, retired] = [&notes[0], &notes[notes.len() - 1]];
    assert_eq!(*rotated, format!("master_key_rotated master_key:{new}"));
    assert_eq!(*retired, format!("master_key_retired master_key:{old}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_keys_that_is_made_beside_a_store_is_put_down_first() {
    let clinic = Clinic::new().await;
    let file = clinic.data().join("keys/master.keys");
    std::fs::remove_file(&file).expect("the file");
    let database = clinic.place.raw().await;
    for (from, to, made) in [("audit_pending", "away", false), ("away", "audit_pending", true)] {
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        sqlx::query(sqlx::AssertSqlSafe(rename)).execute(&database).await.expect("the owner may");
        if !made {
            assert!(clinic.refused(&["master-key", "create"]).1.contains("database"));
            assert!(!file.exists(), "what cannot be put down is not done");
        }
    }
    clinic.said(&["master-key", "create"]);
    let [made, lost] = &clinic.listed()[..] else { panic!("two keys") };
    assert!(made.wraps == 0 && lost.wraps > 0, "{made:?} {lost:?}");
    assert_eq!(clinic.notes().await, [format!("master_key_created master_key:{}", made.name)]);
    assert!(file.exists() && clinic.refused(&["master-key", "create"]).1.contains("cannot be created"));
}
