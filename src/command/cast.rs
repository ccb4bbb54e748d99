//! Who is in the demo, and the children of whom its walks tell.

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;

use super::{
    Refused,
    account::{Person, client},
};
use crate::{
    access::Role,
    account::store,
    client::{ClientIn, method::AuthMethod},
    clock::Clock,
    demo::{
        Demo as Population,
        protection::{self, Staff},
        store::showpiece,
    },
    ids::OrganisationId,
    retention::task,
    seal::Vault,
    session::secret::Credential,
    work::Errands,
};

/// Who is in the demo: an account for every role, some with the family that the walk is about.
const CAST: [(&str, &str, Role, &str); 15] = [
    ("teacher", "Tess Demo", Role::Practitioner, "school"),
    ("doctor", "Dana Demo", Role::Practitioner, "generalPractice"),
    ("social.worker", "Sol Demo", Role::PractitionerWithOverride, "socialCare"),
    ("steward", "Stella Demo", Role::Steward, "authority"),
    ("shield.approver", "Shay Demo", Role::ShieldApprover, "authority"),
    ("account.administrator", "Ada Demo", Role::AccountAdministrator, "authority"),
    ("operator", "Oli Demo", Role::Operator, "national"),
    ("auditor", "Audrey Demo", Role::Auditor, "authority"),
    ("national.auditor", "Nat Demo", Role::Auditor, "national"),
    ("archive.reviewer", "Archie Demo", Role::ArchiveReviewer, "authority"),
    ("subject", "Amy Larkfield", Role::Subject, "authority"),
    ("police.officer", "Pat Demo", Role::Practitioner, "police"),
    ("nurse", "Nell Demo", Role::Practitioner, "schoolNursing"),
    ("second.approver", "Sam Demo", Role::ShieldApprover, "authority"),
    ("second.operator", "Olga Demo", Role::Operator, "national"),
];

/// Whose work the shield and the sensitive service are.
const STAFF: Staff =
    Staff { asks: "social.worker", approves: "shield.approver", provides: "nurse" };

/// How many requests a second the demo's clients may make: enough for whoever tries them out by program.
const DEMO_RATE: u16 = 1000;

/// Makes the accounts and clients, hides and ends what the walks tell of; says who they are, and which children.
pub(super) async fn play(
    options: &PgConnectOptions,
    credential: &Credential,
    vault: &Vault,
    population: &Population,
) -> Result<Value, Refused> {
    let mut work = Errands::begin(options, &Clock::System, "demo").await?.with_vault(vault.clone());
    let codes = Codes::of(population);
    let mut accounts = Vec::new();
    for (user_name, name, role, place) in CAST {
        let (organisation, known_as) = codes.find(&mut work, place).await?;
        let person =
            Person { user_name: user_name.parse()?, name: name.to_owned(), organisation, role };
        let mut made = person.make(&mut work, credential, vault).await?;
        made["organisation"] = json!(known_as);
        accounts.push(made);
    }
    let mut clients = Vec::new();
    for (name, role, place) in [
        ("School feed (demo)", Role::Feed, "school"),
        ("Case system (demo)", Role::CaseSystem, "authority"),
    ] {
        let (organisation, known_as) = codes.find(&mut work, place).await?;
        let asked = ClientIn {
            requests_per_second: Some(DEMO_RATE),
            ..ClientIn::new(name.parse()?, role, AuthMethod::ClientSecret)
        };
        let mut made = client(&mut work, asked, organisation).await?;
        made["organisation"] = json!(known_as);
        clients.push(made);
    }
    let search = population.example_search();
    let (child, involvement) = showpiece(&mut work, &search).await?;
    let examples = json!({
        "search": search, "indexNumber": child, "involvementId": involvement,
        "shielded": protection::shield(&mut work, &STAFF).await?,
        "sensitive": protection::sensitive(&mut work, &STAFF).await?,
        "archived": protection::end(&mut work).await?,
    });
    work.end(()).await;
    retain(options, vault).await?;
    Ok(json!({ "accounts": accounts, "clients": clients, "examples": examples }))
}

/// Does what the service does at every midnight.
async fn retain(options: &PgConnectOptions, vault: &Vault) -> Result<(), Refused> {
    let work = Errands::begin(options, &Clock::System, "retention_run").await?;
    let mut work = work.with_vault(vault.clone());
    let today = work.today();
    let done = task::run(&mut work, today, task::BATCH, |_| true).await;
    work.end(done).await?;
    Ok(())
}

/// The codes of the organisations that the walk is about.
struct Codes {
    child: Value,
    national: String,
}

impl Codes {
    fn of(population: &Population) -> Self {
        let rows = Population { children: 1, ..*population }.rows();
        let mut found = Self { child: Value::Null, national: String::new() };
        for row in rows {
            if row["organisation"]["kind"] == "nationalPartner" {
                let reference =
                    row["organisation"]["codes"]["reference"].as_str().unwrap_or_default();
                found.national = format!("reference:{reference}");
            }
            if row["child"].is_object() {
                found.child = row["child"].clone();
            }
        }
        found
    }

    async fn find(
        &self,
        work: &mut Errands,
        place: &str,
    ) -> Result<(OrganisationId, String), Refused> {
        let code = match place {
            "authority" => format!(
                "authority:{}",
                self.child["responsibleAuthority"].as_str().unwrap_or_default()
            ),
            "national" => self.national.clone(),
            service => {
                let involvements =
                    self.child["involvements"].as_array().map(Vec::as_slice).unwrap_or_default();
                let found = involvements
                    .iter()
                    .find(|i| i["serviceType"] == service && i["endedOn"].is_null());
                found.and_then(|i| i["organisation"].as_str()).unwrap_or_default().to_owned()
            }
        };
        let found = store::organisation_named(work, &code).await?;
        Ok(found.ok_or_else(|| anyhow::anyhow!("the demo has no organisation for {place}"))?)
    }
}
