//! Somebody's system to which events are sent, as an HTTP server of its own: it keeps what it was sent, and answers as it is told.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::outside::Outside;

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
    server: Outside,
    state: Arc<State>,
}

struct State {
    answers: Mutex<Answers>,
    sent: Mutex<Vec<Sent>>,
}

impl Receiver {
    pub(crate) fn start(answers: Answers) -> Self {
        let state = Arc::new(State { answers: Mutex::new(answers), sent: Mutex::default() });
        let serving = Arc::clone(&state);
        let server = Outside::start(move |stream| serving.answer(stream));
        Self { server, state }
    }

    /// Where it is told.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.server.address)
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
