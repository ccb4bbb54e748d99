//! Feeds: what other systems send, batch by batch, and what becomes of it.

use crate::code::codes;

pub mod import;
pub mod row;

codes! {
    /// Whether what a feed sends counts.
    FeedStage {
        /// Its batches change nothing and report everything.
        Trial = "trial",
        /// Its batches change the index.
        Live = "live",
    }
}

codes! {
    /// In which form a batch comes.
    BatchFormat {
        /// One JSON object on each line (`application/x-ndjson`).
        Ndjson = "ndjson",
        /// Comma-separated values with a header (RFC 4180, `text/csv`).
        Csv = "csv",
        /// The Common Transfer File of the Department for Education (`application/xml`).
        Ctf = "ctf",
    }
}

codes! {
    /// How far a batch is.
    BatchStatus {
        /// Its rows are coming in.
        Receiving = "receiving",
        /// All rows are here; nobody has begun.
        Waiting = "waiting",
        /// Rows are being done.
        Processing = "processing",
        /// Every row has an outcome.
        Done = "done",
        /// The body broke off, or could not be read to its end; nothing of it was done.
        Failed = "failed",
    }
}

codes! {
    /// What became of a row.
    RowOutcome {
        /// It is of a child of the index, whose record follows it.
        Linked = "linked",
        /// It is of a child who was not in the index, and now is.
        Created = "created",
        /// It says what it said before.
        Unchanged = "unchanged",
        /// It may be of a child of the index; a steward decides.
        Review = "review",
        /// It cannot be taken; `errors` say why.
        Rejected = "rejected",
    }
}
