//! Requests byte by byte, for what an HTTP client would not send.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// An answer, read to the end of its connection.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Raw {
    /// The values of the headers of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(held, _)| held == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// Connects and sends.
pub(crate) fn open(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Sends and reads what is answered.
pub(crate) fn send(address: SocketAddr, request: &str) -> Raw {
    let mut answer = String::new();
    open(address, request).read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.lines().filter_map(|line| line.split_once(": "));
    Raw {
        status: line.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        body: body.to_owned(),
    }
}

/// Sends a request of this method, path, header lines and body.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Raw {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    send(address, &format!("{head}Content-Length: {length}\r\n{headers}\r\n{body}"))
}

/// Reads.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Raw {
    ask(address, "GET", path, headers, "")
}
