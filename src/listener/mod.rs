//! The door: how connections are let in, kept within deadlines and closed.

use std::{
    cell::RefCell,
    fmt,
    future::{Future, poll_fn},
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use actix_http::{HttpService, KeepAlive, Request, Response};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_factory,
    fn_service, map_config,
};
use actix_web::{body::MessageBody, dev::AppConfig};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep},
};

mod connection;
mod door;
mod farewell;
mod head;
mod stream;
mod watch;

use connection::{Connection, End};
use door::Door;
use stream::GuardedStream;

/// How much, and how long, one connection may ask of the service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From the opening of a connection to its first byte.
    pub first_byte: Duration,
    /// From the first byte of a request to the end of its header.
    pub header: Duration,
    /// From the end of the header to the end of the body.
    pub body: Duration,
    /// From the beginning of an answer until the client has taken all of it.
    pub write: Duration,
    /// From an answer to the first byte of the next request.
    pub idle: Duration,
    /// Octets a second that a long body, or a long answer, must come or go at, beside the time of any other.
    pub octets_per_second: u32,
    /// Where long bodies are sent: how the method with the path begins, and how it ends.
    pub long_bodies: &'static [(&'static str, &'static str)],
    /// Requests on one connection; the last is answered with `Connection: close`.
    pub requests: u32,
    /// Connections open at once from one address (IPv6: from one /64).
    pub per_address: usize,
    /// Connections open at once in all.
    pub connections: usize,
    /// Octets of a header, its request line included.
    pub header_octets: usize,
    /// Proxies, which may open any number of connections.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(5),
            header: Duration::from_secs(10),
            body: Duration::from_secs(15),
            write: Duration::from_secs(30),
            idle: Duration::from_secs(15),
            octets_per_second: 32 * 1024,
            long_bodies: &[("POST/v1/feeds/", "/batches")],
            requests: 100,
            per_address: 64,
            connections: 8_000,
            header_octets: 16 * 1024,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Limits {
    fn may_take_long(&self, method: &str, path: &str) -> bool {
        let rest =
            |begins: &str| begins.strip_prefix(method).and_then(|begins| path.strip_prefix(begins));
        self.long_bodies
            .iter()
            .any(|(begins, ends)| rest(begins).is_some_and(|rest| rest.ends_with(ends)))
    }
}

const DRAIN_SECONDS: u64 = 25;
const LINGER: Duration = Duration::from_secs(1);
const MAX_WORKERS: usize = 512;
/// As many connections wait to be accepted as the system lets wait, so that many that come at once are not kept from us.
const BACKLOG: u32 = 4_096;
/// Octets of an answer that the system takes off our hands before the client has; it reserves twice as many. Left to itself it takes
/// up to 4 MB a connection, of memory that all connections of the machine share, and no deadline of ours would see it.
const SEND_BUFFER: u32 = 64 * 1024;

/// Listens on an address, for `serve`; to be called within a runtime.
pub fn listen(on: SocketAddr) -> io::Result<TcpListener> {
    let socket = if on.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Those that are accepted have it of the one that listens.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(on)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves HTTP/1.1 on `listener` within `limits`; `factory` makes one app for each worker.
///
/// Signals are left to the caller, who ends it with `server.handle().stop(true)`: idle connections are closed at once,
/// and requests under way have 25 seconds.
pub fn serve<F, I, S, B>(
    listener: TcpListener,
    workers: usize,
    limits: Limits,
    factory: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let door = Door::new(limits);
    let builder = Server::build()
        .workers(workers.clamp(1, MAX_WORKERS))
        .disable_signals()
        .shutdown_timeout(DRAIN_SECONDS);
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("contactpoint", listener, move || {
        let app = factory().into_factory().map_err(|error| error.into().error_response().into());
        let app =
            apply_fn_factory(map_config(app, |()| AppConfig::default()), |request, app: &_| {
                watch::call(request, app)
            });
        let http = HttpService::build()
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|stream: &GuardedStream, data| {
                data.insert(stream.connection());
            })
            .h1(app);
        let (door, stopping) = (door.clone(), stopping.clone());
        fn_factory(move || {
            let (http, door, stopping) = (http.new_service(()), door.clone(), stopping.clone());
            async move {
                let http = Rc::new(http.await?);
                Ok::<_, ()>(fn_service::<_, _, _, _, _, ()>(move |io: TcpStream| {
                    attend(io, door.clone(), stopping.clone(), Rc::clone(&http))
                }))
            }
        })
    })?;
    Ok(builder.run())
}

async fn attend<H>(
    io: TcpStream,
    door: Door,
    stopping: GracefulShutdownSignal,
    http: Rc<H>,
) -> io::Result<()>
where
    H: Service<(GuardedStream, Option<SocketAddr>)>,
{
    let peer = io.peer_addr()?;
    let Some(_place) = door.enter(peer.ip()) else { return Ok(()) };
    io.set_nodelay(true)?;
    let io = Rc::new(RefCell::new(io));
    let connection = Rc::new(Connection::new(door.limits()));
    let stream = GuardedStream::new(Rc::clone(&io), Rc::clone(&connection));
    let end = converse(&connection, http.call((stream, Some(peer))), stopping.notified()).await;
    if let Some(io) = Rc::into_inner(io) {
        farewell::part(io.into_inner(), end).await;
    }
    Ok(())
}

async fn converse(
    connection: &Connection,
    dispatcher: impl Future,
    stopping: impl Future<Output = ()>,
) -> End {
    let (mut dispatcher, mut stopping) = (pin!(dispatcher), pin!(stopping));
    let mut stopped = false;
    let mut timer = pin!(sleep(Duration::ZERO));
    poll_fn(|context| {
        let over = dispatcher.as_mut().poll(context).is_ready();
        if !stopped && stopping.as_mut().poll(context).is_ready() {
            stopped = true;
            connection.drain();
        }
        if let Some(end) = connection.end(over) {
            return Poll::Ready(end);
        }
        while let Some(due) = connection.due() {
            if due < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(context).is_pending() {
                break;
            }
            let now = Instant::now();
            if due <= now {
                return Poll::Ready(connection.expire(now));
            }
        }
        Poll::Pending
    })
    .await
}
