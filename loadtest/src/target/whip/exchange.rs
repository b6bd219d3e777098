//! An offer by HTTP, its answer, and the end of the session (RFC 9725 §4.2).

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream as BlockingStream},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::target::TargetError;

const PATIENCE: Duration = Duration::from_secs(20);
/// A goodbye waits no longer for its connection.
const GOODBYE: Duration = Duration::from_millis(100);
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// Where offers go.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub address: SocketAddr,
    pub path: String,
    pub bearer: Option<String>,
}

/// A session. Dropped, it is deleted.
#[derive(Debug)]
pub(super) struct Resource {
    endpoint: Endpoint,
}

impl Endpoint {
    /// Posts an offer; the answer and the session that it made.
    pub(super) async fn offer(&self, sdp: &str) -> Result<(String, Resource), TargetError> {
        let what = "an offer";
        let request = format!(
            "{}Content-Type: application/sdp\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{sdp}",
            self.head("POST", &self.path),
            sdp.len()
        );
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
            Ok(answer)
        };
        let answer = timeout(PATIENCE, exchange).await.map_err(|_| TargetError::Timeout(what))?;
        let answer = answer.map_err(|source| TargetError::Io { what, source })?;
        let answer = String::from_utf8_lossy(&answer);
        let (location, body) = parse(&answer).map_err(|said| TargetError::Refused { what, said })?;
        let endpoint = Self { path: location.to_owned(), ..self.clone() };
        Ok((body.to_owned(), Resource { endpoint }))
    }

    fn head(&self, method: &str, path: &str) -> String {
        let bearer =
            self.bearer.as_ref().map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{bearer}", self.address)
    }
}

impl Drop for Resource {
    /// RFC 9725 §4.2: the session ends by DELETE. Nobody waits for the answer.
    fn drop(&mut self) {
        let Self { endpoint } = self;
        let request = format!(
            "{}Content-Length: 0\r\nConnection: close\r\n\r\n",
            endpoint.head("DELETE", &endpoint.path)
        );
        if let Ok(mut stream) = BlockingStream::connect_timeout(&endpoint.address, GOODBYE) {
            // A server that has gone has ended the session too.
            let _ = stream.write_all(request.as_bytes());
        }
    }
}

/// Location and body of a 201, else what was said. A location with a host is cut down to its path.
fn parse(answer: &str) -> Result<(&str, &str), String> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "201" {
        return Err(format!("{status} {body}"));
    }
    let is_location = |line: &&str| line.get(..9).is_some_and(|name| name.eq_ignore_ascii_case("location:"));
    let location = head.lines().find(is_location).and_then(|line| line.get(9..)).ok_or("no Location")?.trim();
    let path = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => location,
    };
    // A chunked body: the answer is small enough to stand in one.
    let chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let body = if chunked { body.split_once("\r\n").map_or(body, |(_, rest)| rest) } else { body };
    Ok((path, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_and_its_answer_are_read() {
        let answer = "HTTP/1.1 201 Created\r\nlocation: http://a:1/v1/whip/7\r\n\r\nv=0\r\n";
        assert_eq!(parse(answer), Ok(("/v1/whip/7", "v=0\r\n")));
        let answer = "HTTP/1.1 201 Created\r\nLocation: /s/7\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nv=0\r\n\r\n0\r\n\r\n";
        assert!(parse(answer).is_ok_and(|(path, body)| path == "/s/7" && body.starts_with("v=0\r\n")));
        assert_eq!(parse("HTTP/1.1 401 No\r\n\r\nno"), Err("401 no".to_owned()));
        assert!(parse("HTTP/1.1 201 Created\r\n\r\nv=0").is_err() && parse("").is_err());
    }
}
