//! Slow, greedy and honest clients at the door.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use actix_server::ServerHandle;
use actix_web::{App, HttpResponse, rt::System, web};
use contactpoint::listener::{Limits, listen, serve};
use futures_util::{StreamExt, stream};

const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);
const LARGE: usize = 32 * 1024 * 1024;
const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

struct Service {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<()>,
    calls: Arc<AtomicUsize>,
}

/// Deadlines of hundreds of milliseconds, but for those that a loaded machine could let an honest client miss.
fn short() -> Limits {
    Limits {
        first_byte: 3 * PATIENCE,
        header: Duration::from_millis(500),
        body: Duration::from_millis(700),
        write: Duration::from_millis(900),
        idle: 3 * PATIENCE,
        ..Limits::default()
    }
}

fn start(limits: Limits) -> Service {
    let calls = Arc::new(AtomicUsize::new(0));
    let (counter, (sender, started)) = (Arc::clone(&calls), mpsc::channel());
    let thread = thread::spawn(move || {
        System::new().block_on(async move {
            let large = web::Bytes::from(vec![b'x'; LARGE]);
            let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
            let address = listener.local_addr().unwrap();
            let server = serve(listener, 2, limits, move || {
                let (counter, large) = (Arc::clone(&counter), large.clone());
                App::new()
                    .route(
                        "/",
                        web::get().to(move || {
                            counter.fetch_add(1, Ordering::SeqCst);
                            async { "here" }
                        }),
                    )
                    .route(
                        "/",
                        web::post().to(|body: web::Bytes| async move { body.len().to_string() }),
                    )
                    .route(
                        "/unread",
                        web::post().to(|| async { HttpResponse::Forbidden().body("no") }),
                    )
                    .route("/long/body", web::post().to(count))
                    .route("/long", web::get().to(long))
                    .route("/slow", web::to(slow))
                    .route("/large", web::get().to(move || std::future::ready(large.clone())))
            })
            .unwrap();
            sender.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = started.recv().unwrap();
    Service { address, handle, thread, calls }
}

async fn count(mut body: web::Payload) -> String {
    let mut octets = 0;
    while let Some(Ok(part)) = body.next().await {
        octets += part.len();
    }
    octets.to_string()
}

/// An answer of unknown length, as fast as it is taken.
async fn long() -> HttpResponse {
    let parts =
        stream::repeat_with(|| web::Bytes::from(vec![b'x'; 64 * 1024])).take(LARGE / 64 / 1024);
    HttpResponse::Ok().streaming(parts.map(Ok::<_, std::io::Error>))
}

async fn slow(body: web::Bytes) -> String {
    actix_web::rt::time::sleep(Duration::from_secs(3)).await;
    format!("slept on {}", body.len())
}

impl Service {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn stop(&self) {
        drop(self.handle.stop(true));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// Feeds the connection a piece at a time, until the service closes it; how long that took, and what was said.
fn until_dropped(mut stream: TcpStream, piece: &str) -> (Duration, String) {
    let begun = Instant::now();
    stream.set_read_timeout(Some(STEP)).unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while begun.elapsed() < PATIENCE {
        let _ = stream.write(piece.as_bytes());
        match stream.read(&mut buffer) {
            Ok(0) => return (begun.elapsed(), String::from_utf8_lossy(&said).into_owned()),
            Ok(n) => {
                said.extend_from_slice(&buffer[..n]);
                sleep(STEP);
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return (begun.elapsed(), String::from_utf8_lossy(&said).into_owned()),
        }
    }
    panic!("still open after {PATIENCE:?}; {} octets were said", said.len());
}

fn answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).unwrap();
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    answer(stream)
}

fn is_closed(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0]), Ok(1..)) && stream.set_read_timeout(Some(STEP)).is_ok()
}

#[track_caller]
fn assert_times_out(said: &str) {
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("content-type: application/problem+json"), "{said}");
    assert!(said.contains("/problems/request-timeout"), "{said}");
}

#[test]
fn a_client_that_says_nothing_is_dropped() {
    let service = start(Limits { first_byte: Duration::from_millis(300), ..short() });
    let (time, said) = until_dropped(service.connect(), "");
    assert!(time >= Duration::from_millis(250), "{time:?}");
    assert_eq!(said, "");
}

#[test]
fn a_slow_first_header_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").unwrap();
    let (time, said) = until_dropped(stream, "y");
    assert!(time >= Duration::from_millis(400), "{time:?}");
    assert_times_out(&said);
}

#[test]
fn a_slow_second_header_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    assert!(ask(&mut stream, GET).starts_with("http/1.1 200"));
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").unwrap();
    let (_, said) = until_dropped(stream, "y");
    assert_times_out(&said);
}

#[test]
fn a_slow_header_after_pipelined_requests_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all(format!("{GET}{GET}GET / HTTP/1.1\r\nx: ").as_bytes()).unwrap();
    let (_, said) = until_dropped(stream, "y");
    assert_eq!(said.matches("HTTP/1.1 200").count(), 2, "{said}");
    assert_eq!(said.matches("HTTP/1.1 408").count(), 1, "{said}");
}

#[test]
fn a_slow_body_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 9000\r\n\r\n").unwrap();
    let (_, said) = until_dropped(stream, "y");
    assert_times_out(&said);
}

#[test]
fn a_stalled_body_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 9000\r\n\r\nabc").unwrap();
    let (time, said) = until_dropped(stream, "");
    assert!(time >= Duration::from_millis(500), "{time:?}");
    assert_times_out(&said);
}

#[test]
fn dribbled_chunks_are_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n")
        .unwrap();
    let (_, said) = until_dropped(stream, "1\r\ny\r\n");
    assert_times_out(&said);
}

/// Bodies to `/long/` have the time of 10,000 octets a second beside that of any other.
fn patient() -> Limits {
    Limits { octets_per_second: 10_000, long_bodies: &[("POST/long", "/body")], ..short() }
}

const CHUNKED: &str = "host: test\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn a_long_body_may_take_its_time_as_long_as_enough_of_it_comes() {
    let service = start(patient());
    let mut stream = service.connect();
    stream.write_all(format!("POST /long/body HTTP/1.1\r\n{CHUNKED}").as_bytes()).unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < Duration::from_millis(2_500) {
        let part = "x".repeat(4_000);
        stream.write_all(format!("fa0\r\n{part}\r\n").as_bytes()).unwrap();
        sent += part.len();
        sleep(2 * STEP);
    }
    let said = ask(&mut stream, "0\r\n\r\n");
    assert!(said.ends_with(&format!("\r\n\r\n{sent}")), "{said}");
}

#[test]
fn a_long_body_of_which_too_little_comes_is_dropped() {
    let service = start(patient());
    let mut stream = service.connect();
    stream.write_all(format!("POST /long/body HTTP/1.1\r\n{CHUNKED}").as_bytes()).unwrap();
    let (took, said) = until_dropped(stream, "1\r\nx\r\n");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_times_out(&said);
}

#[test]
fn a_long_body_that_stalls_is_dropped_however_much_of_it_came() {
    let service = start(patient());
    let mut stream = service.connect();
    let part = "x".repeat(60_000);
    let begun = format!("POST /long/body HTTP/1.1\r\n{CHUNKED}ea60\r\n{part}\r\n");
    stream.write_all(begun.as_bytes()).unwrap();
    let (took, said) = until_dropped(stream, "");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_times_out(&said);
}

#[test]
fn an_answer_of_unknown_length_may_take_its_time_and_is_dropped_when_nobody_takes_it() {
    let service = start(Limits { octets_per_second: 10_000_000, ..short() });
    let mut stream = service.connect();
    stream.write_all(b"GET /long HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let (begun, mut taken, mut buffer) = (Instant::now(), 0, vec![0; 256 * 1024]);
    while taken < LARGE {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "{taken} octets were taken");
        taken += read;
        if begun.elapsed() < Duration::from_millis(1_500) {
            sleep(Duration::from_millis(5));
        }
    }
    let mut stream = service.connect();
    stream.write_all(b"GET /long HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    sleep(Duration::from_secs(5));
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    assert!(end.is_err() || rest.len() < LARGE, "it was cut off");
}

#[test]
fn chunks_that_nobody_reads_are_dropped_too() {
    let service = start(short());
    let mut stream = service.connect();
    stream
        .write_all(b"POST /unread HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n")
        .unwrap();
    let (_, said) = until_dropped(stream, "1\r\ny\r\n");
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
}

#[test]
fn a_client_that_does_not_take_its_answer_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    sleep(Duration::from_secs(4));
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken);
    assert!(taken.len() < LARGE, "{}", taken.len());
}

#[test]
fn the_system_holds_little_of_an_answer_that_nobody_takes() {
    let service = start(Limits { write: PATIENCE, ..short() });
    let mut stream = service.connect();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let held = || held_to_send(service.address.port(), stream.local_addr().unwrap().port());
    let begun = Instant::now();
    while held() == 0 && begun.elapsed() < PATIENCE {
        sleep(STEP);
    }
    sleep(Duration::from_millis(500));
    assert!((1..=256 * 1024).contains(&held()), "{} octets are held", held());
}

/// The octets that the system holds to be sent from a port of this machine to another.
fn held_to_send(from: u16, to: u16) -> usize {
    let (from, to) = (format!(":{from:04X}"), format!(":{to:04X}"));
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut fields = connections.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = fields.find(|field| field[1].ends_with(&from) && field[2].ends_with(&to)).unwrap();
    usize::from_str_radix(found[4].split(':').next().unwrap(), 16).unwrap()
}

#[test]
fn a_client_that_takes_its_answer_slowly_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let (_, said) = until_dropped(stream, "");
    assert!(said.len() < LARGE, "{}", said.len());
}

#[test]
fn deep_pipelining_without_reading_is_dropped() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all("GET /large HTTP/1.1\r\nhost: test\r\n\r\n".repeat(90).as_bytes()).unwrap();
    sleep(Duration::from_secs(4));
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken);
    assert!(taken.len() < LARGE, "{}", taken.len());
}

#[test]
fn pipelined_requests_over_the_limit_are_never_called() {
    let service = start(short());
    let stream = service.connect();
    let mut writer = stream.try_clone().unwrap();
    let flood = thread::spawn(move || {
        let _ = writer.write_all(GET.repeat(5_000).as_bytes());
    });
    let (_, said) = until_dropped(stream, "");
    flood.join().unwrap();
    assert_eq!(said.matches("HTTP/1.1 200").count(), 100);
    assert_eq!(service.calls.load(Ordering::SeqCst), 100);
}

#[test]
fn an_idle_connection_is_closed() {
    let service = start(Limits { idle: Duration::from_millis(400), ..short() });
    let mut stream = service.connect();
    ask(&mut stream, GET);
    let (time, said) = until_dropped(stream, "");
    assert!(time >= Duration::from_millis(300), "{time:?}");
    assert_eq!(said, "");
}

#[test]
fn an_honest_slow_handler_may_work_longer_than_every_deadline() {
    let service = start(short());
    let mut stream = service.connect();
    let said = ask(&mut stream, "GET /slow HTTP/1.1\r\nhost: test\r\n\r\n");
    assert!(said.ends_with("slept on 0"), "{said}");
    let said =
        ask(&mut stream, "POST /slow HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc");
    assert!(said.ends_with("slept on 3"), "{said}");
}

#[test]
fn a_request_pipelined_behind_a_slow_one_is_answered() {
    let service = start(short());
    let mut stream = service.connect();
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    sleep(STEP);
    assert!(ask(&mut stream, GET).ends_with("slept on 0"));
    assert!(answer(&mut stream).ends_with("here"));
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let service = start(Limits::default());
    let mut stream = service.connect();
    let chunked = "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let body = "y".repeat(60_000);
    for _ in 0..5 {
        assert!(ask(&mut stream, GET).ends_with("here"));
        let said = ask(&mut stream, &format!("POST / HTTP/1.1\r\nhost: test\r\n{chunked}"));
        assert!(said.ends_with('3'), "{said}");
        let said = ask(
            &mut stream,
            &format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 60000\r\n\r\n{body}"),
        );
        assert!(said.ends_with("60000"), "{said}");
        assert!(!said.contains("connection: close"), "{said}");
    }
}

#[test]
fn the_hundredth_answer_is_the_last() {
    let service = start(Limits::default());
    let mut stream = service.connect();
    for number in 1..=100 {
        let said = ask(&mut stream, GET);
        assert_eq!(said.contains("connection: close"), number == 100, "{number}: {said}");
    }
    let _ = stream.write_all(GET.as_bytes());
    assert!(is_closed(&mut stream));
    assert_eq!(service.calls.load(Ordering::SeqCst), 100);
}

#[test]
fn the_sixty_fifth_connection_of_an_address_is_closed_until_another_leaves() {
    let service = start(Limits::default());
    let mut held: Vec<_> = (0..64).map(|_| service.connect()).collect();
    for stream in &mut held {
        assert!(ask(stream, GET).ends_with("here"));
    }
    assert!(is_closed(&mut service.connect()));
    drop(held);
    assert!(is_let_in(&service));
}

#[test]
fn a_trusted_proxy_may_open_more_but_not_more_than_all() {
    let trusted_proxies = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let service =
        start(Limits { per_address: 2, connections: 6, trusted_proxies, ..Limits::default() });
    let mut held: Vec<_> = (0..6).map(|_| service.connect()).collect();
    for stream in &mut held {
        assert!(ask(stream, GET).ends_with("here"));
    }
    assert!(is_closed(&mut service.connect()));
    drop(held);
    assert!(is_let_in(&service));
}

fn is_let_in(service: &Service) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let mut stream = service.connect();
        let mut octet = [0];
        if stream.write_all(GET.as_bytes()).is_ok() && matches!(stream.read(&mut octet), Ok(1)) {
            return true;
        }
        sleep(STEP);
    }
    false
}

#[track_caller]
fn assert_header_too_large(said: &str) {
    assert!(said.contains("HTTP/1.1 431 "), "{said}");
    assert!(said.contains("content-type: application/problem+json"), "{said}");
    assert!(said.contains("/problems/header-too-large"), "{said}");
}

#[test]
fn a_header_over_sixteen_kibibytes_is_refused() {
    let service = start(Limits::default());
    let mut stream = service.connect();
    let field = "y".repeat(20_000);
    let request = format!("GET / HTTP/1.1\r\nhost: test\r\nx: {field}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    assert_header_too_large(&until_dropped(stream, "").1);

    let mut stream = service.connect();
    stream.write_all(&request.as_bytes()[..18_000]).unwrap();
    assert_header_too_large(&until_dropped(stream, "").1);

    let mut stream = service.connect();
    stream.write_all(format!("{GET}{request}").as_bytes()).unwrap();
    let (_, said) = until_dropped(stream, "");
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert_header_too_large(&said);
    assert_eq!(service.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_header_of_too_many_fields_is_refused() {
    let service = start(Limits::default());
    let request = |fields: usize| {
        GET.replace("\r\n\r\n", &format!("\r\n{}\r\n", "x: y\r\n".repeat(fields - 1)))
    };
    assert!(ask(&mut service.connect(), &request(96)).starts_with("http/1.1 200"));
    let mut stream = service.connect();
    stream.write_all(request(97).as_bytes()).unwrap();
    assert_header_too_large(&until_dropped(stream, "").1);
}

#[test]
fn stopping_closes_idle_connections_and_finishes_requests() {
    let service = start(Limits::default());
    let mut idle = service.connect();
    ask(&mut idle, GET);
    let mut busy = service.connect();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    sleep(Duration::from_secs(1));
    let begun = Instant::now();
    service.stop();
    assert!(is_closed(&mut idle));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let said = answer(&mut busy);
    assert!(said.ends_with("slept on 0"), "{said}");
    assert!(said.contains("connection: close"), "{said}");
    while !service.thread.is_finished() && begun.elapsed() < PATIENCE {
        sleep(STEP);
    }
    assert!(service.thread.is_finished());
}

#[test]
fn a_header_that_cannot_be_read_is_refused() {
    let service = start(Limits::default());
    for request in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nhost: test\r\na b: c\r\n\r\n", "\0\r\n"]
    {
        let mut stream = service.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let (_, said) = until_dropped(stream, "");
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        assert!(said.contains("/problems/invalid-header"), "{said}");
    }
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let service = start(Limits::default());
    let mut stream = service.connect();
    stream
        .write_all(b"POST /unread HTTP/1.1\r\nhost: test\r\ncontent-length: 200000\r\n\r\n")
        .unwrap();
    sleep(STEP);
    stream.write_all("y".repeat(100_000).as_bytes()).unwrap();
    let (_, said) = until_dropped(stream, "y");
    assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
}

#[test]
fn a_client_that_only_listens_after_its_request_is_answered() {
    let service = start(Limits::default());
    let mut stream = service.connect();
    stream.write_all(GET.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(answer(&mut stream).ends_with("here"));
    assert!(is_closed(&mut stream));
}
