//! `contactpoint account`: accounts, clients and one-time codes.

use std::{io::Read, path::PathBuf};

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;
use validator::Validate;

use super::{DatabaseUrl, KeysFolder, Refused, demo};
use crate::{
    access::Role,
    account::{NewAccount, new_password, new_pin, shown, store},
    audit::Trail,
    client::{ClientIn, method::AuthMethod, scope::Scope, store::insert_by_operator},
    clock::Clock,
    ids::{AccountId, OrganisationId},
    keys::Keys,
    problem::Problem,
    seal::Vault,
    session::{
        secret::Credential,
        seed_context,
        totp::{Seed, code_at},
        user_name::UserName,
    },
    work::Errands,
};

/// Adds accounts and clients, and shows one-time codes.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Add an account, and print everything needed to sign in, once
    Add(Add),
    /// Add a client for a system, and print its secret, once, unless it proves itself by a key
    AddClient(AddClient),
    /// Print the present one-time code of an account of the demo, or of an otpauth address
    Code(Code),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    database: DatabaseUrl,
    /// The folder of the secrets
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
    /// The name to sign in with
    #[arg(long, value_name = "NAME")]
    user_name: UserName,
    /// The person's name
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Whom the person acts for, by a code: authority:887, urn:900001, ods:Y90001, reference:…
    #[arg(long, value_name = "CODE")]
    organisation: String,
    /// What the person is to the index: practitioner, steward, auditor, …
    #[arg(long, value_name = "ROLE")]
    role: Role,
}

#[derive(Debug, Args)]
pub(super) struct AddClient {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// What the system is called
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Whom the system acts for, by a code: authority:887, urn:900001, ods:Y90001, reference:…
    #[arg(long, value_name = "CODE")]
    organisation: String,
    /// What the system is to the index: feed or caseSystem
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// A file of its public keys (RFC 7517), where it proves itself by a key and not by a secret
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where it publishes its public keys, where it does
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// What its tokens may permit, such as involvement:read; may be given several times; everything unless said
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// Always bind its tokens to a key of its own (RFC 9449)
    #[arg(long)]
    dpop: bool,
    /// How many requests a second it may make to one instance: 1 to 1000; 5 unless said
    #[arg(long, value_name = "NUMBER")]
    requests_per_second: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct Code {
    /// The user name of an account of the demo; `-` to read an otpauth address from standard input
    #[arg(value_name = "USER NAME")]
    account: String,
    /// The folder of the demo
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Account {
    pub(super) async fn run(self) -> Result<(), Refused> {
        match self {
            Self::Add(add) => add.run().await,
            Self::AddClient(add) => add.run().await,
            Self::Code(code) => code.run(),
        }
    }
}

impl Add {
    async fn run(self) -> Result<(), Refused> {
        let keys = Keys::load(&self.keys).map_err(Refused::configuration)?;
        let vault = Vault::new(keys.sealer, &keys.pepper);
        let credential = Credential::new(keys.pepper)?;
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "account_add").await?;
        let mut work = work.with_vault(vault.clone());
        let organisation = organisation(&mut work, &self.organisation).await?;
        let person =
            Person { user_name: self.user_name, name: self.name, organisation, role: self.role };
        let made = person.make(&mut work, &credential, &vault).await?;
        println!("{}", serde_json::to_string_pretty(&made)?);
        Ok(())
    }
}

impl AddClient {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "account_add_client").await?;
        let mut work = work.with_vault(self.keys.vault()?);
        let organisation = organisation(&mut work, &self.organisation).await?;
        let made = client(&mut work, self.asked()?, organisation).await?;
        println!("{}", serde_json::to_string_pretty(&made)?);
        Ok(())
    }

    /// What would be asked over HTTP.
    fn asked(self) -> Result<ClientIn, Refused> {
        let by_key = self.jwks.is_some() || self.jwks_uri.is_some();
        let method = if by_key { AuthMethod::PrivateKeyJwt } else { AuthMethod::ClientSecret };
        let jwks = self.jwks.map(std::fs::read).transpose()?;
        Ok(ClientIn {
            jwks: jwks.map(|jwks| serde_json::from_slice(&jwks)).transpose()?,
            jwks_uri: self.jwks_uri,
            scopes: Some(self.scopes).filter(|scopes| !scopes.is_empty()),
            dpop_required: Some(self.dpop),
            requests_per_second: self.requests_per_second,
            ..ClientIn::new(self.name.parse()?, self.role, method)
        })
    }
}

async fn organisation(work: &mut Errands, code: &str) -> Result<OrganisationId, Refused> {
    let found = store::organisation(work, code).await?;
    Ok(found.ok_or_else(|| anyhow::anyhow!("no organisation has the code {code}"))?)
}

/// A person who is to have an account.
pub(super) struct Person {
    pub(super) user_name: UserName,
    pub(super) name: String,
    pub(super) organisation: OrganisationId,
    pub(super) role: Role,
}

impl Person {
    /// Makes the account with a new password, PIN and seed, and tells them, once.
    pub(super) async fn make(
        self,
        work: &mut Errands,
        credential: &Credential,
        vault: &Vault,
    ) -> Result<serde_json::Value, Refused> {
        if self.role.is_system() {
            return Err(anyhow::anyhow!(
                "a {} is a system: use `contactpoint account add-client`",
                self.role
            )
            .into());
        }
        let (id, today) = (AccountId::new(), work.today());
        let (password, pin, seed) = (new_password()?, new_pin()?, Seed::generate()?);
        let otpauth =
            seed.uri(&self.user_name).ok_or_else(|| anyhow::anyhow!("no otpauth address"))?;
        let account = NewAccount {
            id,
            user_name: self.user_name,
            name: self.name,
            organisation: self.organisation,
            role: self.role,
            police_checked_on: Some(today),
            trained_on: Some(today),
            agreement_signed_on: Some(today),
        };
        let kept = vault.seal(seed.expose(), &seed_context(id.0))?;
        let credential = credential.hash(&password, &pin)?;
        store::insert_enrolled(work, &account, &credential, &kept).await?;
        work.record(Trail::default().with(json!({ "account": id, "role": self.role }))).await?;
        Ok(json!({
            "userName": account.user_name, "password": shown(&password), "pin": shown(&pin),
            "otpauth": otpauth.expose_secret(), "role": self.role,
        }))
    }
}

/// Registers a client, and tells its secret, if one was made, once.
pub(super) async fn client(
    work: &mut Errands,
    asked: ClientIn,
    organisation: OrganisationId,
) -> Result<serde_json::Value, Refused> {
    let told = |problem: Problem| {
        let faults = problem.errors().iter();
        let faults: Vec<_> = faults.map(|f| format!("{} {}", f.pointer, f.detail)).collect();
        anyhow::anyhow!("{}", faults.join("; "))
    };
    asked.validate()?;
    let (client, secret) = asked.register(organisation).map_err(told)?;
    insert_by_operator(work, &client).await?;
    work.record(Trail::default().with(json!({ "client": client.id, "role": client.role }))).await?;
    let mut made = json!({ "clientId": client.id, "role": client.role });
    if let Some(secret) = secret {
        made["clientSecret"] = json!(secret);
    }
    Ok(made)
}

impl Code {
    fn run(self) -> Result<(), Refused> {
        let otpauth = if self.account == "-" {
            let mut address = String::new();
            std::io::stdin().read_to_string(&mut address)?;
            address.trim().to_owned()
        } else {
            demo::otpauth(self.folder, &self.account)?
        };
        let seed = Seed::from_uri(&otpauth)
            .ok_or_else(|| anyhow::anyhow!("that is no otpauth address"))?;
        let code = code_at(&seed, Clock::System.now()).ok_or_else(|| anyhow::anyhow!("no code"))?;
        println!("{code}");
        Ok(())
    }
}
