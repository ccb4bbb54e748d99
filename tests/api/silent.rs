//! A database that goes silent: whoever asks is told so in time, and is served again as soon as it answers.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
};

use crate::harness::{Answer, Index};

/// Between the service and its database. What was connected before the last silence hears nothing for good, as if a firewall had forgotten
/// it; who connects anew is served.
#[derive(Clone)]
struct Between {
    address: SocketAddr,
    silences: Arc<AtomicUsize>,
}

impl Between {
    async fn of(index: &Index) -> Self {
        let options = index.application();
        let socket = options
            .get_socket()
            .map(|folder| folder.join(format!(".s.PGSQL.{}", options.get_port())));
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let between = Self { address: listener.local_addr().unwrap(), silences: Arc::default() };
        let silences = Arc::clone(&between.silences);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(
                    stream,
                    socket.clone(),
                    (host.clone(), port),
                    Arc::clone(&silences),
                ));
            }
        });
        between
    }

    fn fall_silent(&self) {
        self.silences.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pass(
    mut stream: TcpStream,
    socket: Option<PathBuf>,
    at: (String, u16),
    silences: Arc<AtomicUsize>,
) {
    let since = silences.load(Ordering::SeqCst);
    let ended = async {
        while silences.load(Ordering::SeqCst) == since {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let passing = async {
        match socket {
            Some(socket) => both(&mut stream, UnixStream::connect(socket).await.unwrap()).await,
            None => both(&mut stream, TcpStream::connect(at).await.unwrap()).await,
        }
    };
    tokio::select! {
        () = passing => return,
        () = ended => {}
    }
    // What is sent is taken, and nothing is answered; nobody hears that the other side is gone.
    let mut taken = [0; 4096];
    while stream.read(&mut taken).await.is_ok_and(|read| read > 0) {}
    std::future::pending::<()>().await;
}

async fn both(one: &mut TcpStream, mut other: impl AsyncReadExt + AsyncWriteExt + Unpin) {
    let _ = copy_bidirectional(one, &mut other).await;
}

#[track_caller]
fn told_in_time(answer: Answer, took: Duration) {
    let answer = answer.refused(503, "unavailable");
    assert!(answer.header("Retry-After").parse::<u32>().unwrap() > 0);
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[actix_web::test]
async fn whoever_asks_a_silent_database_is_told_in_time_and_served_as_soon_as_it_answers() {
    let index = Index::start().await;
    let between = Between::of(&index).await;
    let service = index.through(between.address).await;
    let authority = index.authority().await;
    let (practitioner, steward) = (
        index.caller(Role::Practitioner, authority).await,
        index.caller(Role::Steward, authority).await,
    );
    let child = index.child(authority).await;
    let path = format!("/v1/children/{}", child.number);
    let carer = json!({ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
                        "parentalResponsibility": true });
    let ask = async |n: usize| {
        let begun = Instant::now();
        let answer = match n % 3 {
            0 => service.get(&practitioner, &path).await,
            1 => service.post(&steward, &format!("{path}/carers"), carer.clone()).await,
            _ => {
                let search = json!({ "indexNumber": child.number });
                service.post(&practitioner, "/v1/children/search", search).await
            }
        };
        (answer, begun.elapsed())
    };
    for n in 0..24 {
        let (answer, _) = ask(n).await;
        assert!(answer.status < 300, "{:#}", answer.body);
    }

    between.fall_silent();
    let mut silenced = 0;
    for (answer, took) in join_all((0..12).map(&ask)).await {
        // Whoever got a connection that was made since is served.
        if answer.status >= 300 {
            told_in_time(answer, took);
            silenced += 1;
        }
    }
    assert!(silenced > 0);

    let begun = Instant::now();
    loop {
        let all = join_all((0..12).map(&ask)).await;
        if all.iter().all(|(answer, _)| answer.status < 300) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "it is not served again");
    }
}
