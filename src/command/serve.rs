//! `contactpoint serve`: the service itself.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use actix_web::web::Data;
use anyhow::Context;
use clap::Args;
use secrecy::SecretString;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use url::Url;

use super::{
    DatabaseUrl, Refused, address_in,
    load::told,
    telemetry::{Log, Telemetry},
};
use crate::{
    app::Shared,
    audit::{
        Trail,
        ledger::Ledger,
        roots::{Signer, task::Sealer, witness::Witness},
    },
    clock::Clock,
    database,
    edge::TrustedProxies,
    external::Issuers,
    feed::batch::LargestBatch,
    health::Draining,
    keys::Keys,
    listener::{self, Limits},
    matching::matcher::Matchers,
    remote::{Reach, RemoteKeys},
    seal::Vault,
    server::{self, Settings},
    session::{Door, secret::Credential},
    token::{Issuer, Verifier},
    work::{Connections, Errands, Nearness, follow_replica, guarded},
};

/// Runs the service until it is told to stop. It refuses to start with exit code 78 where a secret is missing or readable
/// by others, where the database is not up to date, and where its database role may do what it must not.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    database: DatabaseUrl,
    /// The folder of the secrets, as `contactpoint keys generate` makes it
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
    #[command(flatten)]
    running: Running,
}

/// How the service runs.
#[derive(Debug, Clone, Args)]
pub(super) struct Running {
    /// Where to listen; TLS is ended by a proxy in front
    #[arg(
        long,
        env = "CONTACTPOINT_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub(super) listen: SocketAddr,
    /// Where to serve metrics for Prometheus; not served unless said
    #[arg(long, env = "CONTACTPOINT_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// A replica of the database: changes and reports are read there, as long as it is no more than 5 seconds behind
    #[arg(long, env = "DATABASE_REPLICA_URL", hide_env_values = true, value_name = "URL")]
    replica: Option<SecretString>,
    /// A file that holds that address with its password
    #[arg(
        long,
        env = "DATABASE_REPLICA_URL_FILE",
        value_name = "FILE",
        conflicts_with = "replica"
    )]
    replica_file: Option<PathBuf>,
    /// Where traces of requests go: an OpenTelemetry collector, by OTLP over HTTP; none are made unless said
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    traces_to: Option<Url>,
    /// The name of the service as issuer of tokens: the address under which callers reach it
    #[arg(long, env = "CONTACTPOINT_ISSUER", value_name = "URL")]
    issuer: Option<String>,
    /// Workers, one a core unless said
    #[arg(long, env = "CONTACTPOINT_WORKERS", value_name = "NUMBER")]
    workers: Option<usize>,
    /// Proxies that may open any number of connections, separated by commas
    #[arg(
        long,
        env = "CONTACTPOINT_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    trusted_proxies: Vec<IpAddr>,
    /// Seconds between withdrawing readiness on SIGTERM and stopping, for the balancer to see it
    #[arg(long, env = "CONTACTPOINT_DRAIN_NOTICE", default_value_t = 5, value_name = "SECONDS")]
    drain_notice: u64,
    /// The issuers by which people may sign in, such as a council's directory: a JSON file, as `api-spec/README.md` says
    #[arg(long, env = "CONTACTPOINT_ISSUERS", value_name = "FILE")]
    issuers: Option<PathBuf>,
    /// A file outside the database to which every signed root of the audit is appended; the service does not start on a
    /// database that lacks its last root. docs/audit.md says what it is for
    #[arg(long, env = "CONTACTPOINT_AUDIT_WITNESS", value_name = "FILE")]
    audit_witness: Option<PathBuf>,
    /// For tests: fetch the keys of clients and issuers from this machine also, by http
    #[arg(long, env = "CONTACTPOINT_LOOPBACK_ISSUERS", hide = true)]
    loopback_issuers: bool,
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), Refused> {
        let _telemetry = self.running.telemetry(Log::Lines)?;
        let options = self.database.options()?;
        let keys = Keys::load(&self.keys).map_err(Refused::configuration)?;
        let issuers = self.running.issuers()?;
        database::check(&options).await.map_err(Refused::configuration)?;
        self.running.serve(options, keys, &self.keys, issuers, |_| Ok(())).await
    }
}

impl Running {
    /// Serves until told to stop; `ready` is called once with the address that is listened on.
    pub(super) async fn serve(
        self,
        options: PgConnectOptions,
        keys: Keys,
        folder: &Path,
        issuers: Issuers,
        ready: impl FnOnce(SocketAddr) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let listener = listener::listen(self.listen)
            .map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}", self.listen))?;
        let address = listener.local_addr()?;
        let issuer = self.issuer.clone().unwrap_or_else(|| format!("http://{address}"));
        let shared = self.shared(&options, keys, issuer, issuers)?;
        let replica = self.replica()?;
        if let Some((replica, nearness)) = &replica {
            let following = follow_replica(options.clone(), replica.clone(), nearness.clone());
            actix_web::rt::spawn(following);
        }
        let settings = Settings {
            database: options.clone(),
            replica,
            connections: Connections::default(),
            workers: self.workers.unwrap_or_else(cores).max(1),
            limits: Limits { trusted_proxies: self.trusted_proxies, ..Limits::default() },
        };
        let metrics = server::measure()?;
        let today = crate::clock::day_in_london(shared.clock.now());
        database::prepare_audit_months(&options, today).await?;
        shared.ledger.prepare(today).await.map_err(|problem| told(&problem))?;
        let witness = self.audit_witness.as_deref().map(Witness::new);
        if let Some(witness) = &witness {
            let mut connection = PgConnection::connect_with(&options).await?;
            witness.check(&mut connection).await.map_err(Refused::configuration)?;
        }
        server::take_matcher(&options, &shared).await.map_err(|problem| told(&problem))?;
        let (signer, vault) = (shared.signer.clone(), shared.door.vault.clone());
        let sealer = Sealer::new(signer, vault, shared.clock.clone(), witness);
        actix_web::rt::spawn(server::seal_audit(options.clone(), sealer));
        actix_web::rt::spawn(server::send_events(options.clone(), shared.clone()));
        server::run_errands(options.clone(), shared.clone())?;
        actix_web::rt::spawn(server::follow_keys(folder.to_owned(), shared.clone()));
        if let Some(address) = self.metrics_listen {
            actix_web::rt::spawn(server::serve_metrics(address, metrics)?);
        }
        let running = server::start(listener, &settings, &shared)?;
        let notice = Duration::from_secs(self.drain_notice);
        let (clock, ledger) = (shared.clock.clone(), shared.ledger.clone());
        actix_web::rt::spawn(server::stop_when_told(running.handle(), shared, notice)?);
        ready(address)?;
        running.await?;
        let last = Errands::begin(&options, &clock, "end_instance").await?;
        let mut last = last.with_ledger(ledger);
        let recorded = last.record(Trail::default()).await;
        Ok(last.end(recorded).await?)
    }

    /// Begins to tell what happens.
    pub(super) fn telemetry(&self, log: Log) -> Result<Telemetry, Refused> {
        Telemetry::begin(log, self.traces_to.as_ref()).map_err(Refused::configuration)
    }

    fn replica(&self) -> Result<Option<(PgConnectOptions, Nearness)>, Refused> {
        let kept = self.replica_file.as_ref().map(address_in).transpose()?;
        let Some(url) = kept.or_else(|| self.replica.clone()) else { return Ok(None) };
        let options = database::options(&url).map_err(Refused::configuration)?;
        Ok(Some((options, Nearness::default())))
    }

    /// The issuers that are configured.
    pub(super) fn issuers(&self) -> Result<Issuers, Refused> {
        let Some(file) = &self.issuers else { return Ok(Issuers::default()) };
        let read = std::fs::read(file).map_err(anyhow::Error::from);
        let read = read.and_then(|json| Issuers::read(&json, self.reach()));
        read.with_context(|| file.display().to_string()).map_err(Refused::configuration)
    }

    fn reach(&self) -> Reach {
        if self.loopback_issuers { Reach::Loopback } else { Reach::Public }
    }

    fn shared(
        &self,
        options: &PgConnectOptions,
        keys: Keys,
        issuer: String,
        issuers: Issuers,
    ) -> Result<Shared, Refused> {
        let issuer = Issuer { issuer, audience: "contactpoint".to_owned(), keys: keys.signing };
        let vault = Vault::new(keys.sealer, &keys.pepper);
        let credential = Credential::new(keys.pepper)?;
        Ok(Shared {
            verifier: Data::new(Verifier::new(issuer)),
            signer: Signer::new(keys.roots),
            ledger: Ledger::new(&guarded(options), vault.clone()),
            door: Data::new(Door::new(credential, vault)?),
            remote: Data::new(RemoteKeys::start(self.reach())?),
            issuers: Data::new(issuers),
            rates: Data::default(),
            matchers: Matchers::default(),
            largest_batch: LargestBatch::default(),
            clock: Clock::System,
            draining: Draining::default(),
            proxies: TrustedProxies(self.trusted_proxies.clone()),
        })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
