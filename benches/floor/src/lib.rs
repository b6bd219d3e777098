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
//! A bench may serve in a thread of its own instead ([`serve`]) and bring its clients along ([`Keys`], [`registration`]).
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

pub use packet::{HEADER_BYTES, Keys, TAG_BYTES, open, registration, seal};
pub use system::pin;

/// Before anything is counted: everyone is registered and caches are warm.
const WARM_UP: Duration = Duration::from_secs(1);

/// What the program does with its command line, the program's name left out.
///
/// # Errors
/// What the system said. A command line that cannot be understood ends the process.
pub fn run(words: impl Iterator<Item = String>) -> io::Result<()> {
    let options = match Options::parse(words) {
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

/// Serves clients from outside on this thread, as `media-floor` does without options. Asked whether to go on after each
/// batch, and ten times a second when nothing comes.
///
/// # Errors
/// What the system said.
pub fn serve(socket: UdpSocket, is_over: &dyn Fn() -> bool) -> io::Result<()> {
    let options = Options::parse(std::iter::empty()).map_err(io::Error::other)?;
    Server::new(socket, &options)?.run(is_over)
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
