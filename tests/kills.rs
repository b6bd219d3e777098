//! A node, and its database, are killed a hundred times at random moments while back ends act: no act is without its audit
//! entry, no entry without its act, and the chain has no gap.

#[path = "kills/acts.rs"]
mod acts;
#[path = "kills/chance.rs"]
mod chance;
#[path = "kills/ledger.rs"]
mod ledger;
#[path = "kills/place.rs"]
mod place;
mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use acts::BackEnd;
use chance::Chance;
use ledger::{Found, Ledger};
use place::{Crash, Place};
use serde_json::json;
use support::{
    control::{self, PATIENT, PROVIDER},
    metrics::Metrics,
    signal::Signal,
    within_patience,
};

/// Together with the other database: a hundred.
const KILLS: usize = 50;
/// Back ends that act at the same time.
const BACK_ENDS: usize = 6;
/// How long a node that has started may work until it is killed.
const WORK_MS_MAX: u64 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_on_sqlite_leave_no_act_without_its_entry_and_no_gap() {
    let faults = faults_after_kills(Place::sqlite().await).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_on_postgresql_and_of_it_leave_no_act_without_its_entry_and_no_gap() {
    let faults = faults_after_kills(Place::postgres().await).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_while_the_database_is_away_is_in_the_audit_log_when_it_is_back() {
    let place = Place::postgres().await;
    let node = place.serve();
    let back_end = control::BackEnd::with_key(node.address(), &place.key);
    let consult = back_end.consult().await;
    let tickets = [back_end.ticket(&consult, PATIENT).await, back_end.ticket(&consult, PROVIDER).await];
    let mut patient = Signal::open(node.address()).await;
    patient.hello(&tickets[0].token).await;
    patient.expect("welcome").await;

    place.shut_nodes_out(true).await;
    let mut provider = Signal::open(node.address()).await;
    provider.hello(&tickets[1].token).await;
    provider.expect("welcome").await;
    patient.say(&json!({ "type": "leave" })).await;
    assert_eq!(patient.expect_close().await, 1000);
    let spooled = async || Metrics::of(node.address()).await.value("consilium_audit_spool_entries");
    within_patience("both entries in the spool", async {
        while spooled().await < 2.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let refused = back_end.call("POST", "/v1/consults", &json!({})).await;
    assert_eq!(refused.status, 503, "nothing else is done without the database: {refused:?}");

    // Killed as it is: what waits is on its disk.
    drop(node);
    place.shut_nodes_out(false).await;
    let node = place.serve();
    within_patience("an empty spool", async {
        while Metrics::of(node.address()).await.value("consilium_audit_spool_entries") > 0.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let told = sqlx::query_scalar::<_, String>(
        "SELECT action FROM audit WHERE consult_id = $1 AND surface = 'signaling' ORDER BY at, nr",
    );
    let told = told.bind(&consult).fetch_all(&place.raw().await).await.expect("the entries");
    assert_eq!(told, ["joined", "joined", "left"]);
    place.verify(Some("0 unsealed")).await;
}

async fn faults_after_kills(place: Place) -> Vec<String> {
    let (mut chance, started) = (Chance::of_this_run(), Instant::now());
    let mut back_ends: Vec<_> =
        (0..BACK_ENDS).map(|n| BackEnd::new(n, &place.key, tomorrow_ms(), chance.split())).collect();
    let mut crashes = 0;
    for kill in 0..KILLS {
        if chance.once_in(5) {
            place.kill_while_it_starts(chance.up_to_ms(60)).await;
            continue;
        }
        let node = place.serve();
        let stop = Arc::new(AtomicBool::new(false));
        let working: Vec<_> =
            back_ends.drain(..).map(|one| tokio::spawn(work(one, node.address(), stop.clone()))).collect();
        tokio::time::sleep(chance.up_to_ms(WORK_MS_MAX)).await;
        if place.is_postgres() && chance.once_in(4) {
            crashes += 1;
            place.crash(if chance.once_in(2) { Crash::Server } else { Crash::Backend }).await;
            tokio::time::sleep(chance.up_to_ms(WORK_MS_MAX)).await;
        }
        drop(node);
        stop.store(true, Ordering::Relaxed);
        for one in working {
            back_ends.push(one.await.expect("a back end does not panic"));
        }
        if kill % 10 == 9 {
            place.verify(None).await;
        }
    }
    let node = place.serve();
    for one in &mut back_ends {
        one.settle(node.address()).await;
    }
    place.verify(Some("0 unsealed")).await;
    let (mut ledger, mut visits) = (Ledger::default(), Vec::new());
    for one in back_ends {
        ledger.add(one.ledger);
        visits.extend(one.visits);
    }
    let (done, unknown) = (ledger.done(), ledger.unknown());
    println!(
        "{KILLS} kills, {crashes} of the database, in {:.1?}: {done} acts answered, {unknown} not",
        started.elapsed()
    );
    assert!(done > 5 * KILLS && unknown > KILLS / 2, "the kills hit a node at work: {done}, {unknown}");
    Found::read(&place.raw().await).await.faults(&ledger, &visits)
}

async fn work(mut one: BackEnd, node: SocketAddr, stop: Arc<AtomicBool>) -> BackEnd {
    while !stop.load(Ordering::Relaxed) {
        one.act(node).await;
    }
    one
}

/// In ten minutes' steps from here on there are appointments.
fn tomorrow_ms() -> i64 {
    let day_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() / 86_400 + 1;
    i64::try_from(day_s * 86_400_000).expect("a time")
}
