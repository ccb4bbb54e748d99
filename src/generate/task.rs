//! The making itself: rows are made on every core, and go in on one connection, all or none.

use std::{io, thread};

use population::{Population, by_block};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;

use super::{
    Plan,
    child::{Block, block},
    directory::Directory,
    store::{self, Table},
};
use crate::{audit::Trail, problem::Problem, word::Refusal, work::Errands};

/// How much was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Organisations.
    pub organisations: u64,
    /// Children.
    pub children: u64,
    /// Involvements.
    pub involvements: u64,
}

/// What is told while it is made.
#[derive(Debug, Clone, Copy)]
pub enum News {
    /// So much is in.
    Made(Summary),
    /// So many indexes, foreign keys and triggers of so many are put back.
    PutBack(u64, u64),
}

/// Fills an index that holds no child, in one transaction: killed or failed, it leaves nothing. Needs a role that owns the tables.
pub async fn fill(
    work: &mut Errands,
    plan: Plan,
    mut tell: impl FnMut(News),
) -> Result<Summary, Problem> {
    if store::holds_children(work).await? {
        let why =
            "the index holds children already: fictitious ones are made in an empty index alone";
        return Err(Problem::internal(anyhow::anyhow!(why)));
    }
    let population = Population::new(plan.children, plan.seed).on(plan.today);
    let directory = Directory::new(plan, &population, &store::authorities(work).await?);
    let aside = store::put_aside(work).await?;
    let (rows, organisations) = directory.rows();
    store::copy(work, Table::Organisation, rows).await?;

    let mut summary = Summary { organisations, ..Summary::default() };
    let (to, mut made) = mpsc::channel(1);
    let making = thread::spawn(move || make(plan, &population, &directory, &to));
    while let Some(block) = made.recv().await {
        let Block { children, involvements, rows } = block.map_err(Problem::internal)?;
        for (table, rows) in Table::OF_CHILDREN.into_iter().zip(rows) {
            store::copy(work, table, rows).await?;
        }
        summary.children += children;
        summary.involvements += involvements;
        tell(News::Made(summary));
    }
    let made =
        making.join().map_err(|_| Problem::internal(anyhow::anyhow!("the making stopped")))?;
    made.map_err(Problem::internal)?;
    for n in 0..aside {
        store::put_back(work).await?;
        tell(News::PutBack(n + 1, aside));
    }
    let Summary { organisations, children, involvements } = summary;
    let details = json!({
        "seed": plan.seed, "organisations": organisations, "children": children, "involvements": involvements,
    });
    work.record(Trail::default().with(details)).await?;
    Ok(summary)
}

/// Makes every block in its order, for as long as they are taken.
fn make(
    plan: Plan,
    population: &Population,
    directory: &Directory,
    to: &mpsc::Sender<Result<Block, Refusal>>,
) -> io::Result<()> {
    by_block(
        population,
        |children| block(&plan, population, directory, children),
        |made| to.blocking_send(made).map_err(io::Error::other),
    )
}

/// Has PostgreSQL know what there is now: to be done once it is lasting.
pub async fn settle(options: &PgConnectOptions) -> Result<(), Problem> {
    store::settle(options).await
}
