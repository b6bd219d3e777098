//! A node that speaks TLS itself, with the certificate of its configuration.

mod support;

use std::{ffi::OsStr, fs, sync::Arc, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use support::node::{Node, consilium};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"
data = "DATA/data"
shards = 1
[media]
port = 0
bind_v4 = "127.0.0.1"
[tls]
certificate = "DATA/chain.pem"
key = "DATA/key.pem"
"#;

fn configuration(folder: &TempDir) -> std::path::PathBuf {
    let path = folder.path().join("consilium.toml");
    let text = CONFIGURATION.replace("DATA", folder.path().to_str().expect("UTF-8"));
    fs::write(&path, text).expect("a configuration");
    path
}

/// Puts a new certificate and its key where the configuration says; the certificate.
fn certify(folder: &TempDir) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.path().join("chain.pem"), cert.pem()).expect("a certificate file");
    fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).expect("a key file");
    cert.der().clone()
}

fn serve(folder: &TempDir) -> Node {
    let file = configuration(folder);
    let arguments = ["serve", "--config"].iter().map(OsStr::new).chain([file.as_os_str()]);
    Node::serve(arguments, &folder.path().join("data"))
}

/// Shakes hands with a node that has to show this certificate.
async fn connect(node: &Node, shown: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(shown.clone()).expect("a certificate to trust");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = client.expect("protocol versions").with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(node.address()).await.expect("the node takes connections");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(client)).connect(name, stream).await
}

async fn ask(mut stream: TlsStream<TcpStream>) -> String {
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("a request is taken");
    let mut answer = Vec::new();
    // The server may close without a TLS goodbye.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_https_with_the_configured_certificate() {
    let folder = TempDir::new().expect("a temporary folder");
    let certificate = certify(&folder);
    let node = serve(&folder);
    let answer = ask(connect(&node, &certificate).await.expect("a TLS handshake")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    assert!(node.stop().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_up_and_nobody_is_cut_off() {
    let folder = TempDir::new().expect("a temporary folder");
    let old = certify(&folder);
    let node = serve(&folder);
    let before = connect(&node, &old).await.expect("a TLS handshake");
    fs::write(folder.path().join("chain.pem"), "no certificate").expect("a broken file");
    node.hang_up();
    tokio::time::sleep(Duration::from_millis(300)).await;
    connect(&node, &old).await.expect("the certificate before stays");

    let new = certify(&folder);
    node.hang_up();
    let mut tries = 0;
    let after = loop {
        match connect(&node, &new).await {
            Ok(stream) => break stream,
            Err(error) if tries == 100 => panic!("the new certificate is not shown: {error}"),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for stream in [before, after] {
        let answer = ask(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let ended = node.stop();
    assert!(ended.log.contains("the TLS certificate stays as it was"), "{}", ended.log);
    assert!(ended.log.contains("the TLS certificate was taken up"), "{}", ended.log);
}

#[test]
fn it_does_not_start_without_the_certificate_it_was_told_of() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = configuration(&folder);
    let arguments = ["serve", "--config"].iter().map(OsStr::new).chain([file.as_os_str()]);
    let ended = consilium(arguments).output().expect("the binary runs");
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(!said.contains("listening on"), "{said}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("chain.pem"));
}
