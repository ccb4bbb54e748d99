//! Which client asks: found, proved, and held until the work is done.

use aws_lc_rs::constant_time;
use secrecy::ExposeSecret;

use super::{
    method::Proof,
    presented::Presented,
    store::{Known, hold, known},
};
use crate::{
    digest::Once,
    http::Form,
    jose::PublicKeys,
    problem::{Kind, Problem},
    remote::RemoteKeys,
    session::secret_hash,
    work::{Arrival, SignIn, spend},
};

/// The client that authenticates by a form or these `Authorization` headers, if one does. Its keys are fetched before a
/// transaction begins; what it proves itself by once is used up by the transaction.
pub(crate) async fn admit(
    form: &Form,
    authorization: &[&str],
    arrival: Arrival,
    issuer: &str,
    remote: &RemoteKeys,
) -> Result<(SignIn, Option<Known>), Problem> {
    let Some(presented) = Presented::read(form, authorization)? else {
        return Ok((arrival.begin().await?, None));
    };
    let client = known(&arrival, presented.client()).await?.ok_or(Kind::InvalidClient)?;
    let once = proved(&presented, &client.proof, issuer, &arrival, remote).await?;
    let mut work = arrival.begin().await?;
    let unused = match once {
        Some(once) => spend(work.db(), &once).await?,
        None => true,
    };
    if unused && hold(&mut work, &client).await? {
        Ok((work, Some(client)))
    } else {
        Err(Kind::InvalidClient.into())
    }
}

/// Refuses what a client does not prove itself by; tells what of it is good once.
async fn proved(
    presented: &Presented<'_>,
    proof: &Proof,
    issuer: &str,
    arrival: &Arrival,
    remote: &RemoteKeys,
) -> Result<Option<Once>, Problem> {
    let once = match (presented, proof) {
        (Presented::Secret(_, secret), Proof::Secret(held)) => {
            let hash = secret_hash(secret.expose_secret());
            let right = constant_time::verify_slices_are_equal(&hash, held).is_ok();
            return if right { Ok(None) } else { Err(Kind::InvalidClient.into()) };
        }
        (Presented::Assertion(assertion), Proof::Keys(jwks)) => {
            let keys = PublicKeys::registered(jwks).ok();
            let key = keys.as_ref().and_then(|keys| keys.find(assertion.kid()));
            key.and_then(|key| assertion.judge(key, issuer, arrival.now))
        }
        (Presented::Assertion(assertion), Proof::KeysAt(uri)) => {
            let found = remote.find(uri, assertion.kid(), arrival.now).await;
            let key = found.map_err(|gone| Problem::unavailable(gone).retry_after(10))?;
            key.and_then(|key| assertion.judge(&key, issuer, arrival.now))
        }
        _ => None,
    };
    once.map(Some).ok_or_else(|| Kind::InvalidClient.into())
}
