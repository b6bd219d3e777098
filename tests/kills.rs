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
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use acts::BackEnd;
use chance::Chance;
use ledger::{Found, Ledger};
use place::{Crash, Place};

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
