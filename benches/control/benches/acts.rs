//! How many acts, tickets and reads a second the control API does on each database, every act flushed to disk, and what the audit
//! log costs a read. `BENCH_SECONDS=1` is quicker.

#[path = "../../../control-api/tests/suite/support/postgres.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod postgres;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use control_api::{
    ControlApi, Database, RunningConsults, Said, Store, ids::PersonId, keys::LocalMasterKeys,
    permissions::Scopes,
};
use hdrhistogram::Histogram;
use media_model::{ConsultId, Pii};
use serde_json::{Value, json};
use signaling_protocol::ticket::{TicketId, TicketSigner, TicketVerifier};
use tower::ServiceExt as _;

/// Requests at a time.
const CALLERS: usize = 32;
/// Reads at a time: enough that the disk's delay is not what is measured. Every audited one waits for a flush.
const READERS: usize = 256;
const PEOPLE: usize = 500;
/// Turns of audited and unaudited reads.
const TURNS: u32 = 5;

struct NothingRuns;

impl RunningConsults for NothingRuns {
    fn end(&self, _consult: ConsultId) {}
    fn revoke_ticket(&self, _consult: ConsultId, _ticket: TicketId) {}
    fn bar_ticket(&self, _consult: ConsultId, _ticket: TicketId) {}
    fn pass_on_chat(&self, _said: &Said<'_>) {}
}

struct Bench {
    api: ControlApi,
    router: Router,
    key: String,
    verifier: TicketVerifier,
    seconds: Duration,
}

/// What was done in a time.
struct Done {
    a_second: f64,
    times_us: Histogram<u64>,
}

fn main() {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let seconds = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!(
        "{CALLERS} acts and {READERS} reads at a time, every act and every audit entry flushed to disk\n"
    );
    println!(
        "| | audited writes a second | p50 | p99 | tickets issued a second | p99 | tickets verified a second (one thread) | audited reads a second | unaudited | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = Database::Sqlite(folder.path().join("consilium.db"));
        Bench::new(&sqlite, seconds).await.run("SQLite").await;
        postgres::flush_to_disk();
        let server = postgres::Postgres::new().await;
        let database = Database::Postgres(Pii::new(server.node_url.reveal().clone()));
        Bench::new(&database, seconds).await.run("PostgreSQL").await;
    });
}

impl Bench {
    async fn new(database: &Database, seconds: Duration) -> Self {
        let store = Store::open(database).await.expect("the database");
        let signer = TicketSigner::generate().expect("a key");
        let verifier = TicketVerifier::new([signer.public_key()]).expect("a good key");
        let master = Arc::new(LocalMasterKeys::ephemeral());
        // One back end asks as fast as it can: what is measured is the rest.
        let api = ControlApi::new(store, signer, Arc::new(NothingRuns), master).with_requests_per_s(u32::MAX);
        let tenant = "clinic".parse().expect("a tenant");
        api.create_tenant(tenant).await.expect("a tenant");
        let key = api.create_client(tenant, "bench", Scopes::all()).await.expect("a client");
        tokio::spawn(api.clone().keep_sealing());
        Self { router: api.router(), api, key: key.reveal().to_owned(), verifier, seconds }
    }

    async fn run(self, name: &str) {
        let bench = Arc::new(self);
        let writes = bench.clone().for_a_while(CALLERS, bench.seconds, |bench, _| async move {
            bench.post("/v1/consults", json!({})).await;
        });
        let writes = writes.await;
        let consult = bench.post("/v1/consults", json!({})).await["id"].as_str().expect("an id").to_owned();
        let path = Arc::new(format!("/v1/consults/{consult}/tickets"));
        let tickets = {
            let path = path.clone();
            bench.clone().for_a_while(CALLERS, bench.seconds, move |bench, n| {
                let path = path.clone();
                async move {
                    bench.post(&path, a_patient(n)).await;
                }
            })
        };
        let tickets = tickets.await;
        let token = bench.post(&path, a_patient(0)).await["ticket"].as_str().expect("a token").to_owned();
        let verified = bench.verified_a_second(&token);
        let (audited, unaudited) = bench.clone().reads().await;
        let ms = |done: &Done, quantile: f64| done.times_us.value_at_quantile(quantile) as f64 / 1000.0;
        println!(
            "| {name} | {:.0} | {:.1} ms | {:.1} ms | {:.0} | {:.1} ms | {verified:.0} | {audited:.0} | {unaudited:.0} | {:.2} |",
            writes.a_second,
            ms(&writes, 0.5),
            ms(&writes, 0.99),
            tickets.a_second,
            ms(&tickets, 0.99),
            audited / unaudited,
        );
    }

    /// Audited and unaudited reads a second, by turns; the medians.
    async fn reads(self: Arc<Self>) -> (f64, f64) {
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            let person = self.post("/v1/people", json!({"external_id": format!("ehr-{n}")})).await;
            people.push(person["id"].as_str().and_then(|id| id.parse::<PersonId>().ok()).expect("an id"));
        }
        let people = Arc::new(people);
        let (mut audited, mut unaudited) = (Vec::new(), Vec::new());
        for turn in 0..2 * TURNS {
            let (is_audited, people) = (turn % 2 == 0, people.clone());
            let read = self.clone().for_a_while(READERS, self.seconds / 3, move |bench, n| {
                let person = people[n % people.len()];
                async move {
                    assert!(bench.api.bench_read(&bench.key, person, is_audited).await, "a read fails");
                }
            });
            let a_second = read.await.a_second;
            if is_audited { audited.push(a_second) } else { unaudited.push(a_second) }
        }
        (median(audited), median(unaudited))
    }

    fn verified_a_second(&self, token: &str) -> f64 {
        let now_s =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let (started, mut verified) = (Instant::now(), 0_u32);
        while started.elapsed() < self.seconds / 3 {
            assert!(self.verifier.verify(token, now_s).is_ok(), "a good ticket");
            verified += 1;
        }
        f64::from(verified) / started.elapsed().as_secs_f64()
    }

    /// Has all callers do something again and again.
    async fn for_a_while<F>(
        self: Arc<Self>,
        callers: usize,
        time: Duration,
        act: impl Fn(Arc<Self>, usize) -> F + Clone + Send + 'static,
    ) -> Done
    where
        F: Future<Output = ()> + Send,
    {
        let started = Instant::now();
        let working: Vec<_> = (0..callers)
            .map(|caller| {
                let (bench, act) = (self.clone(), act.clone());
                tokio::spawn(async move {
                    let mut times_us = Histogram::<u64>::new(3).expect("three digits");
                    let mut n = caller;
                    while started.elapsed() < time {
                        let began = Instant::now();
                        act(bench.clone(), n).await;
                        times_us.record(began.elapsed().as_micros() as u64).expect("it grows");
                        n += callers;
                    }
                    times_us
                })
            })
            .collect();
        let mut times_us = Histogram::<u64>::new(3).expect("three digits");
        for caller in working {
            times_us.add(caller.await.expect("no panic")).expect("the same digits");
        }
        Done { a_second: times_us.len() as f64 / started.elapsed().as_secs_f64(), times_us }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        assert!(matches!(answer.status(), StatusCode::OK | StatusCode::CREATED), "{}", answer.status());
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

fn a_patient(n: usize) -> Value {
    json!({"role": "patient", "person_id": format!("ehr-{}", n % PEOPLE), "display_name": "Somebody"})
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
