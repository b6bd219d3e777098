//! WebSockets over HTTP/2 (RFC 8441): many on one connection, beside those over HTTP/1.1, with the same checks.

mod support;

use std::{ffi::OsStr, fs, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use consilium_loadtest::{
    run::{self, RunOptions},
    scenario::Scenario,
    target::{Target, consilium::http2::Connections},
};
use futures_util::{SinkExt as _, StreamExt as _};
use h2::{Ping, Reason, client::SendRequest, ext::Protocol};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use serde_json::{Value, json};
use support::{
    control::{BackEnd, PATIENT, PROVIDER},
    node::Node,
    signal::Signal,
    within_patience,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::LocalSet,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        http::{Method, Request, StatusCode, Version, request},
        protocol::Role,
    },
};

type Socket = WebSocketStream<consilium_loadtest::target::consilium::http2::Stream>;

async fn open(connections: &Connections) -> Socket {
    let stream = connections.websocket("/v1/signal", "consilium.v1");
    let stream = within_patience("a WebSocket", stream).await.expect("a WebSocket");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

async fn say(socket: &mut Socket, message: Value) {
    within_patience("a write", socket.send(Message::text(message.to_string()))).await.expect("it is taken");
}

/// The next message of this type.
async fn expect(socket: &mut Socket, wanted: &str) -> Value {
    loop {
        match within_patience(wanted, socket.next()).await {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).expect("the server says JSON");
                if message["type"] == wanted {
                    return message;
                }
            }
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("{other:?} instead of {wanted}"),
        }
    }
}

/// A bare HTTP/2 connection, with the server's settings in force.
async fn speak<T>(stream: T) -> SendRequest<Bytes>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (requests, mut connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let mut pings = connection.ping_pong().expect("the first to ask");
    tokio::spawn(connection);
    within_patience("a PING's answer", pings.ping(Ping::opaque())).await.expect("an answer");
    requests
}

/// A request for a WebSocket that lacks nothing.
fn wanted(address: SocketAddr) -> request::Builder {
    Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri(format!("http://{address}/v1/signal"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "consilium.v1")
        .extension(Protocol::from_static("websocket"))
}

async fn status(requests: &mut SendRequest<Bytes>, request: request::Builder) -> StatusCode {
    let (response, mut send) =
        requests.send_request(request.body(()).expect("a request"), false).expect("sent");
    let response = within_patience("an answer", response).await.expect("an answer");
    send.send_reset(Reason::CANCEL);
    response.status()
}

#[tokio::test]
async fn many_websockets_share_a_connection_and_see_those_on_http_1() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let connections = Connections::new(node.address(), 200);
    let mut idle = Vec::new();
    for _ in 0..150 {
        idle.push(open(&connections).await);
    }
    let mut patient = open(&connections).await;
    assert_eq!(connections.count().await, 1);
    let ticket = back_end.ticket(&consult, PATIENT).await.token;
    say(&mut patient, json!({ "type": "hello", "ticket": ticket })).await;
    expect(&mut patient, "welcome").await;
    let mut provider = Signal::open(node.address()).await;
    provider.hello(&back_end.ticket(&consult, PROVIDER).await.token).await;
    provider.expect("welcome").await;
    provider.say(&json!({ "type": "chat", "text": "good morning" })).await;
    assert_eq!(expect(&mut patient, "chat").await["text"], "good morning");
    say(&mut patient, json!({ "type": "chat", "text": "x".repeat(1_900) })).await;
    assert_eq!(provider.expect("chat").await["text"].as_str().map(str::len), Some("good morning".len()));
    assert_eq!(provider.expect("chat").await["text"].as_str().map(str::len), Some(1_900));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_arrive_before_the_stream_ends() {
    let node = Node::dev();
    let connections = Connections::new(node.address(), 10);
    let mut socket = open(&connections).await;
    say(&mut socket, json!({ "type": "hello", "ticket": "none" })).await;
    assert_eq!(expect(&mut socket, "error").await["code"], "ticket_invalid");
    let closed = within_patience("a close frame", socket.next()).await;
    assert!(matches!(closed, Some(Ok(Message::Close(Some(_))))), "{closed:?}");
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let mut patient = open(&connections).await;
    let ticket = back_end.ticket(&consult, PATIENT).await.token;
    say(&mut patient, json!({ "type": "hello", "ticket": ticket })).await;
    expect(&mut patient, "welcome").await;
    node.interrupt();
    assert_eq!(expect(&mut patient, "leave").await["reason"], "server_shutdown");
    drop((socket, patient, connections));
    assert!(node.wait().status.success());
}

#[tokio::test]
async fn what_is_refused_over_http_1_is_refused_over_http_2() {
    let node = Node::dev();
    let address = node.address();
    let stream = TcpStream::connect(address).await.expect("the node takes connections");
    let mut requests = speak(stream).await;
    assert!(requests.is_extended_connect_protocol_enabled());
    assert_eq!(requests.current_max_send_streams(), 256);
    let own = format!("http://{address}");
    for (request, expected) in [
        (wanted(address), 200),
        (wanted(address).header("origin", own.as_str()), 200),
        (wanted(address).header("origin", "https://evil.example"), 403),
        (wanted(address).header("origin", "https://evil.example").header("host", "evil.example"), 403),
        (wanted(address).extension(Protocol::from_static("connect-udp")), 400),
        (wanted(address).uri(format!("http://{address}/v1/whip")), 405),
        (wanted(address).uri(format!("http://{address}/healthz")), 405),
    ] {
        let told = format!("{request:?}");
        assert_eq!(status(&mut requests, request).await.as_u16(), expected, "{told}");
    }
    for (missing, value) in
        [("sec-websocket-protocol", "chat"), ("sec-websocket-version", "12"), ("sec-websocket-version", "")]
    {
        let mut request = wanted(address);
        let headers = request.headers_mut().expect("a good request");
        headers.insert(missing, value.parse().expect("a header"));
        assert_eq!(status(&mut requests, request).await, StatusCode::BAD_REQUEST, "{missing}: {value}");
    }
}

#[tokio::test]
async fn websockets_go_over_tls_when_http_2_was_agreed_on() {
    let folder = TempDir::new().expect("a temporary folder");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.path().join("chain.pem"), cert.pem()).expect("a certificate file");
    fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).expect("a key file");
    let text = "listen = \"127.0.0.1:0\"\ndata = \"DATA/data\"\nshards = 1\n[media]\nport = 0\n\
        bind_v4 = \"127.0.0.1\"\n[tls]\ncertificate = \"DATA/chain.pem\"\nkey = \"DATA/key.pem\"\n";
    let file = folder.path().join("consilium.toml");
    fs::write(&file, text.replace("DATA", folder.path().to_str().expect("UTF-8"))).expect("a configuration");
    let arguments = ["serve", "--config"].iter().map(OsStr::new).chain([file.as_os_str()]);
    let node = Node::serve(arguments, &folder.path().join("data"));
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate to trust");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut client = client.expect("versions").with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(node.address()).await.expect("the node takes connections");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut requests = speak(stream).await;
    let request =
        wanted(node.address()).uri("https://localhost/v1/signal").header("origin", "https://localhost");
    assert_eq!(status(&mut requests, request).await, StatusCode::OK);
}

#[tokio::test]
async fn a_load_with_shared_connections_comes_through() {
    let node = Node::dev();
    let text = "[consults]\ncount = 6\nparticipants = 3\n[media]\naudio_packets_per_second = 2.5\n\
        video_frames_per_second = 0.0\n[run]\nwarm_up_s = 1.0\nmeasure_s = 3.0\nsignaling = \"http2\"\n\
        streams_per_connection = 7\n";
    let scenario = Scenario::parse(text).expect("a scenario");
    let address = format!("http://{}", node.address());
    let target = Target::parse(&address, Some(node.api_key())).expect("a target");
    let options = RunOptions::default();
    let running = run::run(&scenario, &target, &options);
    let report = LocalSet::new().run_until(running).await.expect("a report");
    let c = &report.counters;
    assert_eq!((report.participants, report.lost_participants), (18, 0), "{report}");
    assert_eq!((c.misrouted, c.lost, c.unauthenticated, c.duplicate), (0, 0, 0, 0), "{report}");
    assert!(c.sent > 100 && c.received > 200, "{report}");
}
