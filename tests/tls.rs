//! A node that speaks TLS itself, with the certificate of its configuration.

mod support;

use std::{ffi::OsStr, fs, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use support::node::{Node, consilium};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

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

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_https_with_the_configured_certificate() {
    let folder = TempDir::new().expect("a temporary folder");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.path().join("chain.pem"), cert.pem()).expect("a certificate file");
    fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).expect("a key file");
    let file = configuration(&folder);
    let arguments = ["serve", "--config"].iter().map(OsStr::new).chain([file.as_os_str()]);
    let node = Node::serve(arguments, &folder.path().join("data"));

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate to trust");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = client.expect("protocol versions").with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(node.address()).await.expect("the node takes connections");
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(name, stream).await.expect("a TLS handshake");
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("a request is taken");
    let mut answer = Vec::new();
    // The server may close without a TLS goodbye.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    assert!(node.stop().status.success());
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
