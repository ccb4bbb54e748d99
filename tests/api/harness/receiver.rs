//! Somebody's system to which events are sent, as an HTTP server of its own: it keeps what it was sent, and answers as it is told.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How it answers.
#[derive(Debug, Clone)]
pub(crate) enum Answers {
    /// With this status.
    Status(u16),
    /// Ask there.
    Redirect(String),
    /// Not at all, and it keeps the connection.
    Never,
}

/// What it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The method and the path.
    pub(crate) line: String,
    /// The headers, by their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The system. It ends when it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    answers: Mutex<Answers>,
    sent: Mutex<Vec<Sent>>,
    over: AtomicBool,
}

impl Receiver {
    pub(crate) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answers: Mutex::new(answers),
            sent: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&serving);
                thread::spawn(move || drop(stream.map(|stream| state.answer(stream))));
            }
        });
        Self { address, state }
    }

    /// Where it is told.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.address)
    }

    /// How it answers from now on.
    pub(crate) fn answers(&self, answers: Answers) {
        *self.state.answers.lock().unwrap() = answers;
    }

    /// What it was sent since it was last asked.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.state.sent.lock().unwrap())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let headers: BTreeMap<_, _> = head[1..]
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let line = head[0].trim_end_matches(" HTTP/1.1").to_owned();
        self.sent.lock().unwrap().push(Sent { line, headers, body });
        let answers = self.answers.lock().unwrap().clone();
        let (status, more) = match answers {
            Answers::Status(status) => (status, String::new()),
            Answers::Redirect(to) => (307, format!("Location: {to}\r\n")),
            Answers::Never => {
                thread::sleep(Duration::from_secs(20));
                return Ok(());
            }
        };
        write!(
            stream,
            "HTTP/1.1 {status} -\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
    }
}
