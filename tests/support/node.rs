//! A running `consilium`: the real binary, in a folder of its own, on a free port.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const START_TIMEOUT: Duration = Duration::from_secs(30);
/// What `docs/operator.md` promises.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A node. Dropped, it is killed, and where the test failed its log is shown.
pub struct Node {
    child: Child,
    address: SocketAddr,
    data: PathBuf,
    log: Arc<Mutex<String>>,
    logging: Option<JoinHandle<()>>,
    _folder: Option<TempDir>,
}

/// How a node came to its end.
pub struct Ended {
    pub status: ExitStatus,
    pub took: Duration,
    /// Everything it wrote on standard error.
    pub log: String,
}

impl Node {
    /// In dev mode, with a new folder.
    pub fn dev() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut node = Self::dev_in(folder.path());
        node._folder = Some(folder);
        node
    }

    /// In dev mode, with a folder that outlives it.
    pub fn dev_in(data: &Path) -> Self {
        Self::dev_on("127.0.0.1:0", data)
    }

    /// In dev mode, on this address.
    pub fn dev_on(listen: &str, data: &Path) -> Self {
        let data_argument = data.as_os_str();
        let dev = ["serve", "--dev", "--shards", "2", "--listen", listen, "--data"];
        let arguments = dev.iter().map(OsStr::new).chain([data_argument]);
        Self::serve(arguments, data)
    }

    /// With these arguments, which name `data` as its folder.
    pub fn serve<'a>(arguments: impl IntoIterator<Item = &'a OsStr>, data: &Path) -> Self {
        Self::serve_with(arguments, data, &[])
    }

    /// With these arguments and these variables in its environment.
    pub fn serve_with<'a>(
        arguments: impl IntoIterator<Item = &'a OsStr>,
        data: &Path,
        variables: &[(&str, &str)],
    ) -> Self {
        let mut child =
            consilium(arguments).envs(variables.iter().copied()).spawn().expect("the binary starts");
        let (log, logging) = collect(child.stderr.take().expect("piped"));
        let listening = first_address(child.stdout.take().expect("piped"));
        let Ok(address) = listening.recv_timeout(START_TIMEOUT) else {
            let _ = child.kill();
            panic!("the node does not listen after {START_TIMEOUT:?}:\n{}", log.lock().expect("the log"));
        };
        Self { child, address, data: data.to_owned(), log, logging: Some(logging), _folder: None }
    }

    /// Where it serves HTTP and WebSockets.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The API key of dev mode.
    pub fn api_key(&self) -> String {
        self.credential("api_key")
    }

    /// How OAuth 2 calls dev mode's client.
    pub fn client_id(&self) -> String {
        self.credential("client_id")
    }

    fn credential(&self, member: &str) -> String {
        let text = std::fs::read_to_string(self.data.join("dev-credentials.json")).expect("credentials");
        let credentials: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        credentials[member].as_str().expect(member).to_owned()
    }

    /// What it has written on standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(libc::SIGINT);
    }

    /// Sends SIGHUP: files are read again.
    pub fn hang_up(&self) {
        self.signal(libc::SIGHUP);
    }

    fn signal(&self, signal: libc::c_int) {
        let process = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: kill takes two integers and touches no memory; the child was not waited for, so the id is its own.
        let sent = unsafe { libc::kill(process, signal) };
        assert_eq!(sent, 0, "a signal can be sent");
    }

    /// Waits until it has ended. Panics when that takes longer than promised.
    pub fn wait(mut self) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                break status;
            }
            assert!(started.elapsed() < STOP_TIMEOUT, "the node runs on {STOP_TIMEOUT:?} after SIGINT");
            std::thread::sleep(Duration::from_millis(20));
        };
        if let Some(logging) = self.logging.take() {
            logging.join().expect("the log was read");
        }
        Ended { status, took: started.elapsed(), log: self.log() }
    }

    /// Stops it as Ctrl-C does.
    pub fn stop(self) -> Ended {
        self.interrupt();
        self.wait()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the node ---\n{}", self.log());
        }
    }
}

/// The binary with these arguments, its output piped.
pub fn consilium<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consilium"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Reads everything that is said, so that nobody blocks on a full pipe.
fn collect(mut said: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let log = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&log);
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = said.read(&mut buffer) {
            kept.lock().expect("the log").push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
    (log, thread)
}

/// The address in `listening on http://ADDRESS:PORT`, or https, once it was said.
fn first_address(said: impl Read + Send + 'static) -> mpsc::Receiver<SocketAddr> {
    let (found, address) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            if let Some((_, text)) = line.strip_prefix("listening on ").and_then(|url| url.split_once("://"))
            {
                // Nobody listens any more when the node was too slow.
                let _ = found.send(text.trim().parse().expect("an address"));
            }
        }
    });
    address
}
