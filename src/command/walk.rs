//! What the demo prints once it is ready.

use std::{fmt::Write as _, io::Write as _, net::SocketAddr};

use serde_json::{Value, json};

use super::Refused;

/// Tells who is in the demo and where it is: to a script as one object, to a newcomer with walks to copy and paste.
pub(super) fn print(
    cast: &Value,
    address: SocketAddr,
    json: bool,
    code: &str,
) -> Result<(), Refused> {
    let url = format!("http://{address}");
    let mut out = std::io::stdout().lock();
    if json {
        let told = json!({
            "url": url, "docs": format!("{url}/docs/"), "accounts": cast["accounts"], "clients": cast["clients"],
            "examples": cast["examples"],
        });
        writeln!(out, "{told}")?;
    } else {
        out.write_all(walk(cast, &url, code).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

/// What a newcomer reads: the accounts, and a walk to copy and paste.
fn walk(cast: &Value, url: &str, code: &str) -> String {
    let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let rows = |list: &str| cast[list].as_array().cloned().unwrap_or_default();
    let mut said = format!(
        "\nContactPoint is ready, with fictitious children.\n\n  Documentation  {url}/docs/\n\nAccounts\n"
    );
    for account in rows("accounts") {
        let _ = writeln!(
            said,
            "  {:<22} password {}  PIN {}  {:<25} {}\n  {:<22} {}",
            text(&account, "userName"),
            text(&account, "password"),
            text(&account, "pin"),
            text(&account, "role"),
            text(&account, "organisation"),
            "",
            text(&account, "otpauth"),
        );
    }
    said.push_str("\nClients\n");
    for client in rows("clients") {
        let _ = writeln!(
            said,
            "  {}  secret {}  {}",
            text(&client, "clientId"),
            text(&client, "clientSecret"),
            text(&client, "role")
        );
    }
    said.push_str("\nThe present one-time code of an account (each is used once; the next comes within 30 seconds):\n");
    let _ = writeln!(said, "  {code} teacher");
    let examples = &cast["examples"];
    let mut walks = include_str!("walk.sh")
        .replace("{url}", url)
        .replace("{code}", code)
        .replace("{search}", &examples["search"].to_string())
        .replace("{child}", &text(examples, "indexNumber"))
        .replace("{involvement}", &text(examples, "involvementId"))
        .replace("{clinic}", &text(&examples["sensitive"], "involvementId"));
    for known in ["shielded", "sensitive", "archived"] {
        walks = walks.replace(&format!("{{{known}}}"), &text(&examples[known], "indexNumber"));
    }
    for account in rows("accounts") {
        let proof = format!("{} {}", text(&account, "password"), text(&account, "pin"));
        walks = walks.replace(&format!("{{{}}}", text(&account, "userName")), &proof);
    }
    said.push_str(&walks);
    said.push_str("\nCtrl-C stops it.\n");
    said
}
