//! How a connection is closed, so that the client can read what it was told last.

use actix_web::{ResponseError, body::MessageBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{LINGER, connection::End};
use crate::problem::{Kind, Problem};

const MAX_UNREAD: u64 = 256 * 1024;
const FIELDS: &str = "connection: close\r\n\
    content-type: application/problem+json\r\n\
    cache-control: no-store\r\n\
    x-content-type-options: nosniff\r\n\
    content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n\
    referrer-policy: no-referrer\r\n";

/// Closes a connection; one that does not take its answer is cut off, so that nothing of it stays in memory.
pub(super) async fn part(mut io: TcpStream, end: End) {
    match end {
        End::Over => {}
        End::Stalled => drop(io.set_zero_linger()),
        End::Closed => drop(timeout(LINGER, hang_up(&mut io)).await),
        End::Refused(kind) => {
            let told = io.try_write(&answer(kind)).is_ok();
            if told {
                drop(timeout(LINGER, hang_up(&mut io)).await);
            }
        }
    }
}

async fn hang_up(io: &mut TcpStream) -> std::io::Result<()> {
    io.shutdown().await?;
    tokio::io::copy(&mut io.take(MAX_UNREAD), &mut tokio::io::sink()).await?;
    Ok(())
}

fn answer(kind: Kind) -> Vec<u8> {
    let problem = match kind {
        Kind::InvalidHeader => Problem::new(kind, "The request line or a field cannot be read."),
        kind => kind.into(),
    };
    let response = problem.error_response();
    let status = response.status();
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{FIELDS}content-length: {length}\r\n\r\n");
    [head.as_bytes(), &body].concat()
}
