//! One message to somebody: a plain POST, without redirects or proxies, whose answer counts by its status alone.

use std::time::Duration;

use reqwest::{
    Client,
    header::{HeaderName, HeaderValue},
};

use super::{
    address::{Reach, check},
    fetch::client_of,
};

/// How long all of it may take: name, connection, answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Sends messages; must be made on the runtime that sends them.
#[derive(Debug, Clone)]
pub struct Poster {
    reach: Reach,
    deadline: Duration,
    client: Option<Client>,
}

impl Poster {
    /// One that goes so far.
    #[must_use]
    pub fn new(reach: Reach) -> Self {
        Self { reach, deadline: DEADLINE, client: client_of(DEADLINE) }
    }

    /// The same, which waits no longer than this.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The address as it is asked for, which is what a signature covers; otherwise why it is not asked.
    pub fn target(&self, url: &str) -> Result<String, &'static str> {
        check(url, self.reach).map(String::from)
    }

    /// Sends a body, and tells the status of the answer; otherwise why there was none. The address is looked at anew, and so is
    /// every network address that its name leads to. What is answered is not read.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<u16, &'static str> {
        let client = self.client.as_ref().ok_or("it could not be sent")?;
        let url = check(url, self.reach).map_err(|_| "the address is refused")?;
        let mut request = client.post(url).body(body);
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| "it could not be sent")?;
            request = request.header(HeaderName::from_static(name), value);
        }
        match tokio::time::timeout(self.deadline, request.send()).await {
            Ok(Ok(answer)) => Ok(answer.status().as_u16()),
            Ok(Err(error)) if error.is_timeout() => Err("no answer in time"),
            Ok(Err(_)) => Err("not reached"),
            Err(_) => Err("no answer in time"),
        }
    }
}
