//! Two nodes on one database, in made-up time.

use std::sync::Arc;

use control_api::{Database, Store, keys::LocalMasterKeys};
use media_model::{ConsultId, Pii, Role, TenantId};
use signaling_protocol::ticket::{Ticket, TicketId};

use super::*;
use crate::wiring::NothingRuns;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// A node's keys, in a folder of their own, and its rules over a database that nodes share.
struct Node {
    folder: tempfile::TempDir,
    keys: NodeKeys,
    signing: SigningKeys,
    api: ControlApi,
}

impl Node {
    async fn new(database: &Database, master: &Arc<LocalMasterKeys>) -> Self {
        Self::start(tempfile::tempdir().expect("a folder"), database, master).await
    }

    async fn start(folder: tempfile::TempDir, database: &Database, master: &Arc<LocalMasterKeys>) -> Self {
        let keys = NodeKeys::load_or_generate(folder.path()).expect("keys");
        let signing = SigningKeys::open(&keys, 30 * DAY).expect("keys");
        let store = Store::open(database).await.expect("the database");
        let api = ControlApi::new(store, keys.tickets.signer.clone(), Arc::new(NothingRuns), master.clone());
        Self { folder, keys, signing, api }
    }

    async fn follow(&mut self, now: SystemTime) {
        self.signing.follow(&self.api, now).await.expect("the database works");
    }

    fn ticket(&self) -> String {
        self.keys.tickets.signer.sign(&ticket())
    }

    fn believes(&self, token: &str) -> bool {
        self.keys.tickets.verifier.genuine(token).is_ok()
    }

    fn kid(&self) -> String {
        self.keys.tickets.signer.public_key().kid().to_owned()
    }
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::from_bytes([2; 16]),
        tenant: TenantId::SYSTEM,
        consult: ConsultId::from_bytes([1; 16]),
        person: Pii::new("person-1".into()),
        role: Role::Nurse,
        display_name: Pii::new("Somebody".into()),
        node: None,
        waits: false,
        break_glass: None,
        issued_at_unix_s: 1_800_000_000,
        not_before_unix_s: None,
        expires_at_unix_s: 1_800_000_300,
    }
}

fn database() -> (tempfile::TempDir, Database, Arc<LocalMasterKeys>) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::Sqlite(folder.path().join("consilium.db"));
    (folder, database, Arc::new(LocalMasterKeys::ephemeral()))
}

#[tokio::test]
async fn nodes_on_one_database_believe_each_others_tickets_also_while_it_is_away() {
    let (_folder, database, master) = database();
    let now = SystemTime::now();
    let (mut one, mut other) = (Node::new(&database, &master).await, Node::new(&database, &master).await);
    assert!(one.believes(&one.ticket()) && !other.believes(&one.ticket()));
    one.follow(now).await;
    other.follow(now).await;
    one.follow(now).await;
    assert!(other.believes(&one.ticket()) && one.believes(&other.ticket()));

    // Started anew, and nothing asked yet.
    let ticket = one.ticket();
    let Node { folder, .. } = other;
    let again = Node::start(folder, &database, &master).await;
    assert!(again.believes(&ticket) && again.believes(&again.ticket()));
}

#[tokio::test]
async fn who_does_not_have_the_master_key_adds_no_key() {
    let (_folder, database, master) = database();
    let stranger = Arc::new(LocalMasterKeys::ephemeral());
    let mut one = Node::new(&database, &master).await;
    one.follow(SystemTime::now()).await;
    let mut theirs = Node::new(&database, &stranger).await;
    assert!(theirs.signing.follow(&theirs.api, SystemTime::now()).await.is_err());
    one.follow(SystemTime::now()).await;
    assert!(!one.believes(&theirs.ticket()));
    assert_eq!(one.api.published_keys().await.expect("the database works").len(), 3);
}

#[tokio::test]
async fn a_new_key_signs_a_minute_after_all_can_know_it_and_the_old_one_is_believed_for_a_day() {
    let (_folder, database, master) = database();
    let start = SystemTime::now();
    let (mut one, mut other) = (Node::new(&database, &master).await, Node::new(&database, &master).await);
    let (old, first) = (one.ticket(), one.kid());
    one.follow(start).await;
    let end = start + 30 * DAY;
    one.follow(end - 3 * MINUTE).await;
    other.follow(end - 3 * MINUTE).await;
    one.follow(end - 2 * MINUTE).await;
    other.follow(end - 2 * MINUTE).await;
    assert_eq!(one.kid(), first, "the successor is published, and does not sign");

    // Killed and started in between.
    let Node { folder, .. } = one;
    let mut one = Node::start(folder, &database, &master).await;
    one.follow(end - MINUTE - Duration::from_secs(1)).await;
    assert_eq!(one.kid(), first);
    one.follow(end - MINUTE).await;
    assert_ne!(one.kid(), first);
    assert!(other.believes(&one.ticket()), "it was known before it signed");
    assert!(one.believes(&old) && other.believes(&old));
    let kid = one.kid();
    let one = Node::start(one.folder, &database, &master).await;
    assert_eq!(one.kid(), kid, "also after a start");

    let long_after = end + DAY + 61 * MINUTE;
    other.signing.trust(long_after).expect("good keys");
    assert!(!other.believes(&old) && other.believes(&one.ticket()));
}

#[tokio::test]
async fn a_key_that_is_taken_back_opens_nothing_and_its_node_signs_with_another() {
    let (_folder, database, master) = database();
    let now = SystemTime::now();
    let (mut one, mut other) = (Node::new(&database, &master).await, Node::new(&database, &master).await);
    one.follow(now).await;
    other.follow(now).await;
    let (stolen, kid) = (one.ticket(), one.kid());
    assert!(other.believes(&stolen));
    one.api.revoke_signing_key(&kid).await.expect("it is there");
    assert!(one.api.revoke_signing_key(&kid).await.is_err(), "once");
    one.follow(now).await;
    other.follow(now).await;
    assert!(!one.believes(&stolen) && !other.believes(&stolen));
    assert_ne!(one.kid(), kid);
    assert!(other.believes(&one.ticket()));
}
