//! Connections that say nothing, or too slowly, or that are too many: closed, and counted.

mod support;

use std::{
    ffi::OsStr,
    fs,
    io::ErrorKind,
    time::{Duration, Instant},
};

use support::node::Node;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"
data = "DATA/data"
shards = 1
address_connections_max = 8
[media]
port = 0
bind_v4 = "127.0.0.1"
"#;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn serve(folder: &TempDir) -> Node {
    let path = folder.path().join("consilium.toml");
    let text = CONFIGURATION.replace("DATA", folder.path().to_str().expect("UTF-8"));
    fs::write(&path, text).expect("a configuration");
    let arguments = ["serve", "--config"].iter().map(OsStr::new).chain([path.as_os_str()]);
    Node::serve(arguments, &folder.path().join("data"))
}

/// Says something and waits until the node closes; how long that took, and what it answered.
async fn until_closed(node: &Node, said: &[u8]) -> (Duration, String) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(node.address()).await.expect("a connection");
    stream.write_all(said).await.expect("it is taken");
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    if let Err(error) = read.expect("the node closes it") {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_or_too_slowly_is_cut_off() {
    let folder = TempDir::new().expect("a temporary folder");
    let node = serve(&folder);
    let half_headers = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    let half_body = b"POST /v1/oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant_type=";
    let (nothing, preface, headers, body) = tokio::join!(
        until_closed(&node, b""),
        until_closed(&node, b"PRI * HTTP/2.0\r\n"),
        until_closed(&node, half_headers),
        until_closed(&node, half_body),
    );
    for (took, answer) in [&nothing, &preface] {
        assert!((9..13).contains(&took.as_secs()), "{took:?}: {answer}");
    }
    for (took, answer) in [&headers, &body] {
        assert!((14..25).contains(&took.as_secs()), "{took:?}: {answer}");
    }
    let (_, answer) = until_closed(&node, REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_holds_so_many_and_no_more() {
    let folder = TempDir::new().expect("a temporary folder");
    let node = serve(&folder);
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(node.address()).await.expect("a connection");
        // Once it is answered, the node has counted it.
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("a request");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        held.push(stream);
    }
    let (_, answer) = until_closed(&node, REQUEST).await;
    assert_eq!(answer, "", "one too many");
    held.pop();
    let metrics = loop {
        let (_, answer) = until_closed(&node, REQUEST).await;
        if !answer.is_empty() {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let refused = metrics.lines().find_map(|line| line.strip_prefix("consilium_connections_refused_total "));
    assert!(refused.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 1)), "{metrics}");
}
