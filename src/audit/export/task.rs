//! Exporting.

use futures_util::TryStreamExt;
use serde_json::json;
use sqlx::PgConnection;

use super::{Of, Place, store};
use crate::{
    audit::{
        Trail,
        roots::{Root, hex, path},
    },
    ids::ChildId,
    work::Errands,
};

/// Before all events, and after them.
const ENDS: (Place, Place) = ((i32::MIN, 0), (i32::MAX, i64::MAX));

/// Hands the lines of an export to `tell`, one by one, and says how many events they hold. That it was made is written down first.
pub async fn export(
    work: &mut Errands,
    of: &Of,
    mut tell: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let trail = match of {
        Of::All => Trail::default(),
        Of::Period(since, until) => {
            Trail::default().with(json!({ "since": since, "until": until }))
        }
        Of::Child(child) => Trail::of(*child),
    };
    work.record(trail).await?;
    tell(&json!({ "export": { "form": 1, "of": of.as_str() } }).to_string())?;
    match of {
        Of::All => {
            let (events, end) = whole(work.db(), 0, i64::MAX, ENDS.0, &mut tell).await?;
            Ok(events + rest(work.db(), end, &mut tell).await?)
        }
        Of::Period(since, until) => match store::made(work.db(), *since, *until).await? {
            None => Ok(0),
            Some((first, last)) => {
                let begin = store::roots(work.db(), first - 1).await?;
                let begin =
                    begin.first().map_or(ENDS.0, |root| (root.range.epoch, root.range.from));
                Ok(whole(work.db(), first - 1, last, begin, &mut tell).await?.0)
            }
        },
        Of::Child(child) => of_child(work.db(), *child, &mut tell).await,
    }
}

/// The roots after a number, up to another, each after the events under it; how many events, and where they end.
async fn whole(
    db: &mut PgConnection,
    mut after: i64,
    last: i64,
    mut from: Place,
    tell: &mut impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<(u64, Place)> {
    let mut told = 0;
    loop {
        let mut roots = store::roots(db, after).await?;
        roots.retain(|root| root.n <= last);
        let Some(end) = roots.last().map(end) else { return Ok((told, from)) };
        after = roots.last().map_or(after, |root| root.n);
        let mut next = roots.iter().peekable();
        let mut events = store::events(&mut *db, from, end);
        while let Some(event) = events.try_next().await? {
            let at = (event.epoch, event.tx);
            while let Some(root) = next.next_if(|root| self::end(root) <= at) {
                tell(&line(root))?;
            }
            tell(&event.text)?;
            told += 1;
        }
        drop(events);
        for root in next {
            tell(&line(root))?;
        }
        from = from.max(end);
    }
}

async fn rest(
    db: &mut PgConnection,
    from: Place,
    tell: &mut impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let mut told = 0;
    let mut events = store::events(db, from, ENDS.1);
    while let Some(event) = events.try_next().await? {
        tell(&event.text)?;
        told += 1;
    }
    Ok(told)
}

async fn of_child(
    db: &mut PgConnection,
    child: ChildId,
    tell: &mut impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let mut told = 0;
    let mut known = None;
    for event in store::of_child(&mut *db, child).await? {
        told += 1;
        let Some((n, range)) = store::over(&mut *db, (event.epoch, event.tx)).await? else {
            tell(&event.text)?;
            continue;
        };
        let entries = match known.take() {
            Some((held, entries)) if held == n => entries,
            _ => store::entries(&mut *db, range).await?,
        };
        let index = entries.iter().position(|(id, _)| *id == event.id).unwrap_or_default();
        let hashes: Vec<_> = entries.iter().map(|(_, hash)| *hash).collect();
        let hashes: Vec<_> = path(&hashes, index).iter().map(|hash| hex(hash)).collect();
        let path = json!({ "n": n, "index": index, "hashes": hashes });
        let open = event.text.trim_end_matches('}');
        tell(&format!(r#"{open},"path":{path}}}}}"#))?;
        known = Some((n, entries));
    }
    let mut after = 0;
    loop {
        let roots = store::roots(&mut *db, after).await?;
        let Some(last) = roots.last() else { return Ok(told) };
        after = last.n;
        for root in &roots {
            tell(&line(root))?;
        }
    }
}

fn end(root: &Root) -> Place {
    (root.range.epoch, root.range.to)
}

fn line(root: &Root) -> String {
    json!({ "root": root.told() }).to_string()
}
