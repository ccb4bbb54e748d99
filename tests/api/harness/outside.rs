//! A server outside the index, over plain TCP: each connection is answered on a thread of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The server. It ends when it is dropped.
pub(super) struct Outside {
    pub(super) address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Outside {
    /// Begins to answer every connection so.
    pub(super) fn start(
        answer: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, over) = (Arc::new(answer), Arc::new(AtomicBool::new(false)));
        let ends = Arc::clone(&over);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                thread::spawn(move || drop(stream.map(|stream| answer(stream))));
            }
        });
        Self { address, over }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}
