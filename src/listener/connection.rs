//! What one connection is doing, and until when it may.

use std::{
    cell::Cell,
    io,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{Limits, head::Head};
use crate::problem::Kind;

/// What the HTTP library can hold; with more it answers no problem of ours.
const MAX_FIELDS: usize = 96;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    Fresh,
    /// All requests are answered, and the next has not begun.
    Idle,
    /// A header is coming.
    Head,
    /// A header has come and goes to the app.
    Whole,
    /// A body is coming.
    Body,
    /// The request is here; nothing more is read until it is answered.
    Work,
    /// The request was answered before all of its body was read.
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    None,
    Working,
    Answering,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is left to say.
    Over,
    /// Answers were given; more requests may have been sent, and stay unread.
    Closed,
    /// A request could not be taken in, and is still to be told so.
    Refused(Kind),
    /// The client does not take its answer.
    Stalled,
}

/// Something long that is on its way: since when, and how much of it has come or gone.
#[derive(Debug, Clone, Copy)]
struct Flow {
    since: Instant,
    octets: u64,
}

impl Flow {
    fn begin() -> Self {
        Self { since: Instant::now(), octets: 0 }
    }

    /// Until when more of it is waited for, at the latest: `pause` from now, and as long again from its beginning as it takes at
    /// `rate` octets a second.
    fn more(&mut self, octets: usize, pause: Duration, rate: u32) -> Instant {
        self.octets = self.octets.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        let whole = Duration::from_secs(self.octets / u64::from(rate.max(1)));
        (Instant::now() + pause).min(self.since + pause + whole)
    }
}

/// One connection, known to its stream, its requests and its timer.
pub(super) struct Connection {
    limits: Arc<Limits>,
    phase: Cell<Phase>,
    due: Cell<Option<Instant>>,
    write_due: Cell<Option<Instant>>,
    call: Cell<Call>,
    head: Cell<Head>,
    coming: Cell<Option<Flow>>,
    going: Cell<Option<Flow>>,
    requests: Cell<u32>,
    last: Cell<bool>,
    closed: Cell<bool>,
    refusal: Cell<Option<Kind>>,
    reader: Cell<Option<Waker>>,
}

impl Connection {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self {
            due: Cell::new(Some(Instant::now() + limits.first_byte)),
            limits,
            phase: Cell::new(Phase::Fresh),
            write_due: Cell::default(),
            call: Cell::new(Call::None),
            head: Cell::default(),
            coming: Cell::default(),
            going: Cell::default(),
            requests: Cell::default(),
            last: Cell::default(),
            closed: Cell::default(),
            refusal: Cell::default(),
            reader: Cell::default(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether bytes are wanted now; if not, the reader is woken when they are.
    pub(super) fn reads(&self, context: &Context<'_>) -> bool {
        let reads = !matches!(self.phase.get(), Phase::Whole | Phase::Work);
        if !reads {
            self.reader.set(Some(context.waker().clone()));
        }
        reads
    }

    /// Bytes have come.
    pub(super) fn arrived(&self, bytes: &[u8]) -> io::Result<()> {
        if matches!(self.phase.get(), Phase::Fresh | Phase::Idle) && !bytes.is_empty() {
            self.head.set(Head::default());
            self.enter(Phase::Head, Some(self.limits.header));
        }
        if self.phase.get() != Phase::Head {
            return Ok(());
        }
        let mut head = self.head.get();
        let whole = head.take(bytes);
        self.head.set(head);
        if head.octets > self.limits.header_octets || head.lines > MAX_FIELDS + 1 {
            self.refusal.set(Some(Kind::HeaderTooLarge));
            return Err(io::ErrorKind::InvalidData.into());
        }
        if whole {
            self.phase.set(Phase::Whole);
        }
        Ok(())
    }

    /// Whether bytes about to be written are no answer of the app but the HTTP library's own, given to what it cannot read.
    pub(super) fn refuses(&self) -> bool {
        let unread = matches!(self.phase.get(), Phase::Head | Phase::Whole);
        let refuses = unread && self.call.get() == Call::None && self.write_due.get().is_none();
        if refuses {
            self.refusal.set(Some(Kind::InvalidHeader));
        }
        refuses
    }

    /// A request goes to the app; its number, or nothing if the connection takes no more.
    pub(super) fn begin(&self, has_body: bool) -> Option<u32> {
        if self.closed.get() {
            return None;
        }
        let number = self.requests.get() + 1;
        self.requests.set(number);
        if number >= self.limits.requests {
            self.last.set(true);
        }
        self.call.set(Call::Working);
        self.coming.set(None);
        if has_body {
            self.enter(Phase::Body, Some(self.limits.body));
        } else {
            self.enter(Phase::Work, None);
        }
        Some(number)
    }

    /// The body that comes is a long one, which has the time that its length takes.
    pub(super) fn comes_long(&self) {
        self.coming.set(Some(Flow::begin()));
    }

    /// A part of the body of a request is here.
    pub(super) fn body_comes(&self, number: u32, octets: usize) {
        if self.requests.get() == number
            && self.phase.get() == Phase::Body
            && let Some(mut flow) = self.coming.get()
        {
            self.due.set(Some(flow.more(octets, self.limits.body, self.limits.octets_per_second)));
            self.coming.set(Some(flow));
        }
    }

    /// The body of a request is here, all of it.
    pub(super) fn body_here(&self, number: u32) {
        if self.requests.get() == number && self.phase.get() == Phase::Body {
            self.enter(Phase::Work, None);
        }
    }

    /// An answer begins; whether it is the last.
    pub(super) fn answer(&self) -> bool {
        self.call.set(Call::Answering);
        if self.write_due.get().is_none() {
            self.write_due.set(Some(Instant::now() + self.limits.write));
        }
        self.closed.set(self.last.get());
        self.last.get()
    }

    /// The answer that begins is one of unknown length, which has the time that its length takes.
    pub(super) fn goes_long(&self) {
        self.going.set(Some(Flow::begin()));
    }

    /// A part of an answer goes to the buffer.
    pub(super) fn answer_goes(&self, octets: usize) {
        if let Some(mut flow) = self.going.get() {
            let due = flow.more(octets, self.limits.write, self.limits.octets_per_second);
            self.write_due.set(Some(due));
            self.going.set(Some(flow));
        }
    }

    /// This request is the last.
    pub(super) fn close(&self) {
        self.last.set(true);
    }

    /// An answer stands in the buffer, all of it.
    pub(super) fn answered(&self) {
        self.going.set(None);
        self.call.set(Call::None);
    }

    /// The client has taken what stood in the buffer.
    pub(super) fn flushed(&self) {
        if self.call.get() != Call::Answering {
            self.write_due.set(None);
        }
        if self.call.get() == Call::None {
            match self.phase.get() {
                Phase::Work => self.enter(Phase::Idle, Some(self.limits.idle)),
                Phase::Body => self.phase.set(Phase::Rest),
                _ => {}
            }
        }
    }

    /// The service is stopping: at most one more request.
    pub(super) fn drain(&self) {
        self.last.set(true);
        if matches!(self.phase.get(), Phase::Idle | Phase::Rest) {
            self.closed.set(true);
        }
    }

    /// The nearest deadline.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.get().into_iter().chain(self.write_due.get()).min()
    }

    /// How it ended, if it has; `over` when the HTTP library is done with it.
    pub(super) fn end(&self, over: bool) -> Option<End> {
        if let Some(kind) = self.refusal.get() {
            return Some(self.refused(kind));
        }
        if over {
            return Some(End::Over);
        }
        let taken = self.call.get() == Call::None && self.write_due.get().is_none();
        (self.closed.get() && taken).then_some(End::Closed)
    }

    /// How it ends when its time is up.
    pub(super) fn expire(&self, now: Instant) -> End {
        if self.write_due.get().is_some_and(|due| due <= now) {
            return End::Stalled;
        }
        match self.phase.get() {
            Phase::Head | Phase::Whole | Phase::Body => self.refused(Kind::RequestTimeout),
            _ => End::Over,
        }
    }

    fn refused(&self, kind: Kind) -> End {
        if self.write_due.get().is_some() { End::Stalled } else { End::Refused(kind) }
    }

    fn enter(&self, phase: Phase, time: Option<Duration>) {
        self.phase.set(phase);
        self.due.set(time.map(|time| Instant::now() + time));
        if matches!(phase, Phase::Body | Phase::Idle)
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
    }
}
