//! Just enough HTTP for the control API: one request a connection, a body with a length; or a stream of a shared one.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::wire::Signaling;
use crate::target::TargetError;

const PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Posts JSON and reads JSON back.
pub(super) async fn post(
    signaling: &Signaling,
    path: &str,
    api_key: &str,
    body: &Value,
    what: &'static str,
) -> Result<Value, TargetError> {
    let body = body.to_string();
    let refused = |said| TargetError::Refused { what, said };
    let late = |_| TargetError::Timeout(what);
    let broken = |source| TargetError::Io { what, source };
    match signaling {
        Signaling::Http1(address) => {
            let exchange = timeout(PATIENCE, exchange(*address, path, api_key, &body)).await;
            let answer = exchange.map_err(late)?.map_err(broken)?;
            parse(&String::from_utf8_lossy(&answer)).map_err(refused)
        }
        Signaling::Http2(connections) => {
            let exchange = timeout(PATIENCE, connections.post(path, api_key, body)).await;
            let (status, answer) = exchange.map_err(late)?.map_err(broken)?;
            judge(&status.to_string(), &String::from_utf8_lossy(&answer)).map_err(refused)
        }
    }
}

/// Reads a page that needs no key.
pub(super) async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    Ok(String::from_utf8_lossy(&ask(address, &request).await?).into_owned())
}

async fn exchange(address: SocketAddr, path: &str, api_key: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {api_key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    ask(address, &request).await
}

async fn ask(address: SocketAddr, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The JSON of a 2xx answer, else what it said.
fn parse(answer: &str) -> Result<Value, String> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    judge(head.split(' ').nth(1).unwrap_or_default(), body)
}

fn judge(status: &str, body: &str) -> Result<Value, String> {
    if !status.starts_with('2') {
        return Err(format!("{status} {body}"));
    }
    serde_json::from_str(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_good_answers_are_good() {
        assert_eq!(
            parse("HTTP/1.1 201 Created\r\nX: y\r\n\r\n{\"id\":1}").map(|v| v["id"].clone()),
            Ok(1.into())
        );
        assert_eq!(parse("HTTP/1.1 401 Unauthorized\r\n\r\nno"), Err("401 no".to_owned()));
        assert!(parse("HTTP/1.1 200 OK").is_err());
        assert!(parse("HTTP/1.1 200 OK\r\n\r\n<p>").is_err());
    }
}
