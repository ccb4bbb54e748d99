//! Tries that were in vain, and networks that are known, in the database.

use uuid::Uuid;

use super::{
    KNOWN_FOR, MOST_OF_ADDRESS, MOST_OF_NAME, MOST_OF_NETWORK, MOST_TRIES, NAME_WITHIN,
    PLACE_WITHIN, Place, TRIES_WITHIN, Tries,
};
use crate::{
    http::sha256, ids::AccountId, problem::Problem, session::user_name::UserName, work::SignIn,
};

/// What is noted of a name and of where the request comes from. Until the work is done nobody else tries anything from this
/// network, nor the name from another network that is not known: known ones never wait for strangers.
pub(crate) async fn tries(work: &mut SignIn, name: &UserName) -> Result<Tries, Problem> {
    let (place, now) = (Place::of(work.errand.address), work.now);
    let known = sqlx::query!(
        r#"
        select known as "known!", pg_advisory_xact_lock(1, hashtext($2)) as network,
               pg_advisory_xact_lock(2, hashtext(case when known then $1 || ' ' || $2 else $1 end)) as name
        from (select exists (
            select from account a join known_network k on k.account_id = a.account_id
            where a.user_name = $1 and k.network = $2::text::inet and k.last_at > $3) as known) judged
        "#,
        name.as_str(),
        place.network,
        now - KNOWN_FOR,
    )
    .fetch_one(work.db())
    .await?
    .known;
    let row = sqlx::query!(
        r#"
        select array(select at from sign_in_failure where user_name_hash = $1 and network = $2::text::inet and at > $4
                     order by at desc limit $5) as "here!",
               (select at from sign_in_failure where user_name_hash = $1 and at > $6
                order by at desc offset $7 limit 1) as of_name,
               (select at from sign_in_failure where address = $3::text::inet and at > $8
                order by at desc offset $9 limit 1) as of_address,
               (select at from sign_in_failure where network = $2::text::inet and at > $8
                order by at desc offset $10 limit 1) as of_network
        "#,
        &sha256(name.as_str().as_bytes())[..],
        place.network,
        place.address,
        now - TRIES_WITHIN,
        i64::try_from(MOST_TRIES).unwrap_or_default(),
        now - NAME_WITHIN,
        MOST_OF_NAME - 1,
        now - PLACE_WITHIN,
        MOST_OF_ADDRESS - 1,
        MOST_OF_NETWORK - 1,
    )
    .fetch_one(work.db())
    .await?;
    Ok(Tries {
        here: row.here,
        of_name: row.of_name,
        of_address: row.of_address,
        of_network: row.of_network,
        known,
    })
}

/// Notes that somebody tries to sign in: in vain, unless it is forgotten.
pub(crate) async fn note_try(work: &mut SignIn, name: &UserName) -> Result<Uuid, Problem> {
    let address = Place::of(work.errand.address).address;
    note(work, name.as_str(), Some(address)).await
}

/// What is noted of guesses without a name, such as of an invitation, from where the request comes from; nobody else
/// guesses from this network until the work is done.
pub(crate) async fn guesses(work: &mut SignIn) -> Result<Tries, Problem> {
    let (place, now) = (Place::of(work.errand.address), work.now);
    sqlx::query!("select pg_advisory_xact_lock(1, hashtext($1))", place.network)
        .execute(work.db())
        .await?;
    let of_network = sqlx::query_scalar!(
        "select at from sign_in_failure where network = $1::text::inet and at > $2 order by at desc offset $3 limit 1",
        place.network,
        now - PLACE_WITHIN,
        MOST_OF_NETWORK - 1,
    );
    let of_network = of_network.fetch_optional(work.db()).await?;
    Ok(Tries { of_network, ..Tries::default() })
}

/// Notes such a guess: in vain, unless it is forgotten.
pub(crate) async fn note_guess(work: &mut SignIn) -> Result<Uuid, Problem> {
    note(work, "", None).await
}

async fn note(work: &mut SignIn, name: &str, address: Option<String>) -> Result<Uuid, Problem> {
    let network = Place::of(work.errand.address).network;
    let (now, id) = (work.now, Uuid::new_v4());
    sqlx::query!(
        "insert into sign_in_failure (user_name_hash, network, address, at, attempt_id)
         values ($1, $2::text::inet, $3::text::inet, $4, $5)",
        &sha256(name.as_bytes())[..],
        network,
        address,
        now,
        id,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Lets a try that could not be judged count of the place it came from alone: nothing was learnt of the name.
pub(crate) async fn count_of_place_alone(work: &mut SignIn, id: Uuid) -> Result<(), Problem> {
    forget(work, id).await?;
    let address = Place::of(work.errand.address).address;
    note(work, "", Some(address)).await.map(drop)
}

/// Forgets a try or a guess that was not in vain.
pub(crate) async fn forget(work: &mut SignIn, id: Uuid) -> Result<(), Problem> {
    sqlx::query!("delete from sign_in_failure where attempt_id = $1", id)
        .execute(work.db())
        .await?;
    Ok(())
}

/// Remembers that an account signed in from here.
pub(crate) async fn know_network(work: &mut SignIn, account: AccountId) -> Result<(), Problem> {
    let (place, now) = (Place::of(work.errand.address), work.now);
    sqlx::query!(
        "insert into known_network (account_id, network, last_at) values ($1, $2::text::inet, $3)
         on conflict (account_id, network) do update set last_at = excluded.last_at",
        account.0,
        place.network,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
