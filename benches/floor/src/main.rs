//! The floor: a bare loop that receives, opens, copies, seals and sends in a consult's shape, and does nothing else.
//!
//! No demultiplexing beyond a table, no replay window, no header rewriting, no feedback. What a media shard costs is
//! quoted as a ratio to what this costs in the same run.
//!
//! ```text
//! media-floor --port 5000 --core 0                       serves clients from outside until SIGTERM
//! media-floor --study 30 --secs 6 --core 0 --clients-core 1   brings its own clients: 30 consults of three
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `options.rs` | the command line |
//! | `server.rs` | the loop, and the ways to wait |
//! | `members.rs` | who is in which group, by address; their keys |
//! | `inbox.rs`, `trains.rs` | `recvmmsg` with GRO, `sendmmsg` of GSO trains |
//! | `packet.rs` | the sealed packets |
//! | `clients.rs` | clients of its own, on another core |
//! | `system.rs` | the system calls |

mod clients;
mod inbox;
mod members;
mod options;
mod packet;
mod server;
mod system;
mod trains;

use std::{io, net::UdpSocket, sync::Arc, sync::atomic::Ordering::Relaxed, thread, time::Duration};

use clients::{Clients, Shared};
use options::Options;
use server::{Server, Tally};

/// Before anything is counted: everyone is registered and caches are warm.
const WARM_UP: Duration = Duration::from_secs(1);

fn main() -> io::Result<()> {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n{}", options::USAGE);
            std::process::exit(2);
        }
    };
    system::stop_on_signals();
    let socket = UdpSocket::bind((options.bind, options.port))?;
    if options.study_consults == 0 {
        println!("listening on {}", socket.local_addr()?);
        system::pin(options.core)?;
        let mut server = Server::new(socket, &options)?;
        let before = server.tally();
        server.run(&|| system::is_stopped())?;
        println!("{}", server.tally().since(&before));
        return Ok(());
    }
    study(socket, &options)
}

/// Serves clients of its own for a while and prints one line.
fn study(socket: UdpSocket, options: &Options) -> io::Result<()> {
    let shared = Arc::new(Shared::default());
    let clients = Clients::new(socket.local_addr()?, options)?;
    let client_thread = {
        let (shared, core) = (shared.clone(), options.clients_core);
        thread::spawn(move || clients.run(&shared, core))
    };
    system::pin(options.core)?;
    let mut server = Server::new(socket, options)?;
    let begin = std::time::Instant::now();
    server.run(&|| begin.elapsed() >= WARM_UP || system::is_stopped())?;
    let (before, received) = (server.tally(), shared.received.load(Relaxed));
    shared.measures.store(true, Relaxed);
    server.run(&|| begin.elapsed() >= WARM_UP + options.duration || system::is_stopped())?;
    let spent: Tally = server.tally().since(&before);
    shared.measures.store(false, Relaxed);
    thread::sleep(Duration::from_millis(50));
    let received = shared.received.load(Relaxed) - received;
    shared.stop.store(true, Relaxed);
    let delays = client_thread.join().map_err(|_| io::Error::other("the clients failed"))??;
    let delivered = received as f64 * 100.0 / spent.sent.max(1) as f64;
    println!(
        "consults={} {spent} delivered={delivered:.2}% delay p50={} p99={} us",
        options.study_consults,
        clients::quantile(&delays, 0.5),
        clients::quantile(&delays, 0.99),
    );
    Ok(())
}
