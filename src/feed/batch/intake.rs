//! How a batch comes in: read as its pieces come, sealed row by row, and never more than a little of it in memory.

use std::{
    cell::Cell,
    io,
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt, future};
use serde_json::json;
use tokio::{sync::mpsc, task};

use super::{
    Batch, BatchFailure, BatchIn, LargestBatch,
    reader::{Incoming, Piece, Reading, Rows, Stop},
    store::{self, NewBatch},
};
use crate::{
    access::{Access, SendBatch},
    audit::Trail,
    digest::Digest,
    feed::{self, BatchFormat},
    http::IdempotencyKey,
    ids::{BatchId, FeedId},
    problem::{Kind, Problem},
    work::{self, Answer, Db, Midway, Reply, Work},
};

/// As many pieces as wait to be read, and as many lots of rows as wait to go in.
const WAITING: usize = 2;
/// How often it is tried to go on where the database has no connection to spare.
const TRIES: u32 = 6;

/// What is to come in.
pub(super) struct Asked {
    pub(super) feed: FeedId,
    pub(super) said: BatchIn,
    pub(super) format: BatchFormat,
    pub(super) key: IdempotencyKey,
    /// How long the body is, where that is known.
    pub(super) bytes: u64,
    /// How long it may be.
    pub(super) most: LargestBatch,
}

impl Asked {
    /// All that the request says, by which a repetition is known.
    fn told(&self, content: &Content) -> Vec<u8> {
        let Self { feed, said, format, .. } = self;
        let complete = said.complete.unwrap_or(false);
        let said = format!("{feed} {complete} {:?} {format} ", said.as_at);
        [said.as_bytes(), &content.digest].concat()
    }
}

/// What came in.
struct Content {
    bytes: u64,
    digest: [u8; 32],
}

/// Takes a batch in, and answers how far it is; or, where the same was sent before, how far that is.
pub(super) async fn receive<B: AsRef<[u8]> + Send + 'static, E>(
    access: Access<SendBatch>,
    db: &Db,
    asked: Asked,
    body: impl Stream<Item = Result<B, E>> + Unpin,
) -> Reply<Batch> {
    let mut work = access.begin(db).await?;
    let feed = feed::store::lock(&mut work, asked.feed).await?;
    let as_at = asked.said.as_at(work.today())?;
    if asked.bytes > asked.most.0 {
        return Err(Kind::BodyTooLarge.into());
    }
    if work.knows(&asked.key).await? {
        return again(work.put_off().await?, db, asked, body).await;
    }
    let complete = asked.said.complete.unwrap_or(false);
    let new = NewBatch { feed: feed.id, format: asked.format, complete, stage: feed.stage, as_at };
    let batch = store::insert(&mut work, new).await?;
    let (today, vault) = (work.today(), work.vault());
    let details = json!({ "feed": feed.id, "batch": batch, "format": asked.format, "complete": complete, "asAt": as_at });
    let midway = work.begun("begin_batch", Trail::default().with(details)).await?;
    let reading = Reading { format: asked.format, batch, today, vault };
    let receiving = Receiving { db, midway, batch, bytes: Cell::new(0) };
    match receiving.take(reading, asked.most, body).await {
        Ok(content) => receiving.end(asked, content).await,
        Err(broken) => Err(receiving.fail(asked.feed, broken).await),
    }
}

/// Of a request whose key was used before only the content is looked at.
async fn again<B: AsRef<[u8]>, E>(
    midway: Midway,
    db: &Db,
    asked: Asked,
    body: impl Stream<Item = Result<B, E>> + Unpin,
) -> Reply<Batch> {
    let known = async {
        let content = pump(body, asked.most, async |_| true).await.map_err(Broken::told)?;
        let mut work = midway.go_on(db).await?;
        let known = work.once_at(&asked.key, &asked.told(&content), "").await?;
        let batch = known.as_deref().and_then(batch_at).ok_or(Kind::RequestInProgress)?;
        Ok((work, batch))
    };
    match known.await {
        Ok((work, batch)) => answer(work, asked.feed, batch, json!({ "repeated": true })).await,
        Err(problem) => Err(midway.clone().refuse(db, problem, Trail::default()).await),
    }
}

/// Why a batch does not come in whole.
enum Broken {
    /// It failed.
    Failed(BatchFailure, Problem),
    /// We did.
    Ours(Problem),
}

impl Broken {
    fn told(self) -> Problem {
        match self {
            Self::Failed(_, problem) | Self::Ours(problem) => problem,
        }
    }

    fn unreadable(detail: String) -> Self {
        Self::Failed(BatchFailure::Unreadable, Problem::new(Kind::BatchUnreadable, detail))
    }

    fn off() -> Self {
        let detail = "The body broke off.";
        Self::Failed(BatchFailure::BrokenOff, Problem::new(Kind::BatchUnreadable, detail))
    }
}

impl From<Stop> for Broken {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Ours(problem) => Self::Ours(problem),
            Stop::Body(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::unreadable(error.to_string())
            }
            Stop::Body(_) => Self::off(),
        }
    }
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self::Ours(problem)
    }
}

/// Takes a body piece by piece, and hands each on as long as it is wanted.
async fn pump<B: AsRef<[u8]>, E>(
    mut body: impl Stream<Item = Result<B, E>> + Unpin,
    LargestBatch(most): LargestBatch,
    mut wanted: impl AsyncFnMut(B) -> bool,
) -> Result<Content, Broken> {
    let (mut digest, mut bytes) = (Digest::default(), 0_u64);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| Broken::off())?;
        bytes += length(&piece);
        if bytes > most {
            return Err(Broken::Failed(BatchFailure::TooLarge, Kind::BodyTooLarge.into()));
        }
        digest.take(piece.as_ref());
        if !wanted(piece).await {
            break;
        }
    }
    Ok(Content { bytes, digest: digest.end() })
}

fn length(piece: &impl AsRef<[u8]>) -> u64 {
    u64::try_from(piece.as_ref().len()).unwrap_or(u64::MAX)
}

/// A batch that is coming in.
struct Receiving<'d> {
    db: &'d Db,
    midway: Midway,
    batch: BatchId,
    bytes: Cell<u64>,
}

impl Receiving<'_> {
    /// Takes the body and its rows in.
    async fn take<B: AsRef<[u8]> + Send + 'static, E>(
        &self,
        reading: Reading,
        most: LargestBatch,
        body: impl Stream<Item = Result<B, E>> + Unpin,
    ) -> Result<Content, Broken> {
        let (pieces, incoming) = mpsc::channel(WAITING);
        let (out, rows) = mpsc::channel(WAITING);
        let read = task::spawn_blocking(move || reading.read(Incoming::of(incoming), &out));
        let pumped = async move {
            let pass_on = async |piece: B| {
                self.bytes.update(|bytes| bytes + length(&piece));
                pieces.send(Piece::Bytes(piece)).await.is_ok()
            };
            let content = pump(body, most, pass_on).await?;
            let _ = pieces.send(Piece::End).await;
            Ok(content)
        };
        let (content, taken) = future::join(pumped, self.keep(rows)).await;
        read.await.map_err(|_| Problem::internal(anyhow::anyhow!("the reading stopped")))?;
        let content: Content = match (content, taken) {
            (Err(broken), _) | (_, Err(broken)) => return Err(broken),
            (Ok(content), Ok(0)) if content.bytes == 0 => {
                return Err(Broken::unreadable("The body is empty.".to_owned()));
            }
            (Ok(_), Ok(0)) => {
                return Err(Broken::unreadable("The body holds no row.".to_owned()));
            }
            (Ok(content), Ok(_)) => content,
        };
        Ok(content)
    }

    /// Keeps rows as they are read; says how many there were. It gives way to those who look, and rests as long as it works.
    async fn keep(&self, mut read: mpsc::Receiver<Result<Rows, Stop>>) -> Result<usize, Broken> {
        let mut all = 0;
        while let Some(rows) = read.recv().await {
            let rows = rows?;
            let some = rows.good.lines.len() + rows.bad.lines.len();
            if some == 0 {
                continue;
            }
            all += some;
            let mut work = self.go_on().await?;
            work::give_way(work.db()).await?;
            let begun = Instant::now();
            store::add(&mut work, self.batch, rows, self.bytes.get()).await?;
            work.keep_part().await?;
            tokio::time::sleep(begun.elapsed()).await;
        }
        Ok(all)
    }

    /// The next transaction, waiting for a connection where others have them all.
    async fn go_on(&self) -> Result<Work, Problem> {
        let mut tried = 0;
        loop {
            match self.midway.go_on(self.db).await {
                Err(problem) if problem.kind() == Kind::Unavailable && tried < TRIES => {
                    tried += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                other => return other,
            }
        }
    }

    /// Says that all is here, unless the same was here before.
    async fn end(self, asked: Asked, content: Content) -> Reply<Batch> {
        match self.told(&asked, &content).await {
            Ok((reply, batch)) => {
                if batch != self.batch {
                    self.forget().await;
                }
                Ok(reply)
            }
            Err(problem) => Err(self.fail(asked.feed, Broken::Ours(problem)).await),
        }
    }

    async fn told(
        &self,
        asked: &Asked,
        content: &Content,
    ) -> Result<(Answer<Batch>, BatchId), Problem> {
        let (work, batch) = self.once(asked, content).await?;
        let repeated = batch != self.batch;
        let details = if repeated { json!({ "repeated": true }) } else { json!({}) };
        Ok((answer(work, asked.feed, batch, details).await?, batch))
    }

    async fn once(&self, asked: &Asked, content: &Content) -> Result<(Work, BatchId), Problem> {
        let mut work = self.go_on().await?;
        feed::store::lock(&mut work, asked.feed).await?;
        let twin = store::twin(&mut work, self.batch, &content.digest).await?;
        let at = location(asked.feed, twin.unwrap_or(self.batch));
        let known = work.once_at(&asked.key, &asked.told(content), &at).await?;
        let known = known.as_deref().and_then(batch_at);
        let batch = known.or(twin).unwrap_or(self.batch);
        if batch == self.batch {
            store::complete(&mut work, batch, &content.digest, content.bytes).await?;
        } else {
            store::fail(&mut work, self.batch, None).await?;
        }
        Ok((work, batch))
    }

    /// Forgets what has come in, and refuses.
    async fn fail(self, feed: FeedId, broken: Broken) -> Problem {
        let failure = match &broken {
            Broken::Failed(failure, _) => Some(*failure),
            Broken::Ours(_) => None,
        };
        let undone = async {
            let mut work = self.midway.undo(self.db).await?;
            store::fail(&mut work, self.batch, failure).await?;
            work.keep_part().await
        };
        if let Err(problem) = undone.await {
            // The batch has broken off for good in an hour.
            tracing::warn!(
                cause = problem.cause(),
                "a batch that has failed could not be said to have"
            );
        }
        self.forget().await;
        let trail =
            Trail::default().with(json!({ "feed": feed, "batch": self.batch, "failure": failure }));
        self.midway.refuse(self.db, broken.told(), trail).await
    }

    /// Forgets the rows of a batch that has failed; what is left, others forget later.
    async fn forget(&self) {
        let some = async || {
            let mut work = self.midway.undo(self.db).await?;
            let more = store::forget(&mut work, self.batch).await?;
            work.keep_part().await?;
            Ok::<_, Problem>(more)
        };
        while let Ok(true) = some().await {}
    }
}

/// Where a batch is.
fn location(feed: FeedId, batch: BatchId) -> String {
    format!("/v1/feeds/{feed}/batches/{batch}")
}

/// Which batch is there.
fn batch_at(location: &str) -> Option<BatchId> {
    location.rsplit('/').next()?.parse().ok().map(BatchId)
}

async fn answer(
    mut work: Work,
    feed: FeedId,
    id: BatchId,
    mut details: serde_json::Value,
) -> Reply<Batch> {
    let batch = store::reread(&mut work, feed, id).await?;
    details["feed"] = json!(feed);
    details["batch"] = json!(id);
    details["bytes"] = json!(batch.bytes);
    details["rows"] = json!(batch.rows);
    details["rejected"] = json!(batch.outcomes.rejected);
    let at = location(feed, id);
    work.record_accepted(Trail::default().with(details), batch, at).await
}
