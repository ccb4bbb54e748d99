//! Files in each form, from the request to the record; and what of them never gets past the request.

use contactpoint::{
    access::Role,
    feed::row::{FeedRow, SourceReference},
    ids::{BatchId, FeedId},
    seal::Sealed,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    feed_work::{Feed, child_of, work},
    harness::{Answer, Caller, Index, Scene, keep_log, kept_log},
    sensitive::dump,
};

/// A school whose feed counts.
struct School {
    index: Index,
    scene: Scene,
    feed: Feed,
}

impl School {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let feed = Feed::of(&index, scene.school, "school").await;
        Self { index, scene, feed }
    }

    fn sender(&self) -> &Caller {
        self.scene.caller(Role::Feed)
    }

    async fn send(&self, form: &str, body: &str) -> Answer {
        let path = format!("/v1/feeds/{}/batches", self.feed.id);
        let headers = [("Content-Type", form)];
        self.index.request(self.sender(), "POST", &path, body, &headers).await
    }

    /// Sends a file, works on it, and tells the outcome of each row, in order, with where it is at fault.
    async fn outcomes(&self, form: &str, body: &str) -> Vec<(i64, String, Vec<String>)> {
        let sent = self.send(form, body).await.expect(202);
        work(&self.index).await;
        let at = sent.header("Location");
        let batch = self.index.get(self.sender(), at).await.expect(200).body;
        assert_eq!((&batch["status"], &batch["trial"]), (&json!("done"), &json!(false)));
        let rows = self.index.get(self.sender(), &format!("{at}/rows")).await.expect(200).body;
        let rows = rows["items"].as_array().unwrap().iter();
        let pointers = |row: &Value| {
            let errors = row["errors"].as_array().cloned().unwrap_or_default();
            errors.iter().map(|fault| fault["pointer"].as_str().unwrap().to_owned()).collect()
        };
        let told = rows.map(|row| {
            let outcome = row["outcome"].as_str().unwrap().to_owned();
            (row["line"].as_i64().unwrap(), outcome, pointers(row))
        });
        told.collect()
    }

    /// The record of the child whom the feed knows by a reference, as a steward reads it.
    async fn record(&self, reference: &str) -> Value {
        let path = child_of(&self.index, &self.feed, reference).await;
        let steward = self.scene.caller(Role::Steward);
        self.index.get(steward, &path).await.expect(200).body
    }

    async fn tables(&self) -> Vec<String> {
        let tables = "select tablename::text from pg_tables where schemaname = 'public' order by 1";
        sqlx::query_scalar(tables).fetch_all(&self.index.db).await.unwrap()
    }
}

fn row(line: i64, outcome: &str, pointers: &[&str]) -> (i64, String, Vec<String>) {
    (line, outcome.to_owned(), pointers.iter().map(|pointer| (*pointer).to_owned()).collect())
}

const CSV: &str = "text/csv";
const CTF: &str = "application/xml";

const PUPILS: &str = "\u{FEFF}reference,given,family,dateOfBirth,gender,knownAsGiven,addressLine1,addressLine2,town,postcode,upn,\
carer1Given,carer1Family,carer1Relationship,carer1ParentalResponsibility,carer1Phone,contactTeam,contactOfficeHours,startedOn\r\n\
P-1,Isla May,Fernbrook,2019-06-21,female,Izzy,\"Flat 2, The Elms\",12 Harbour Way,Chatham,me4 4zz,B801200005001,\
Ann,Fernbrook,mother,true,01632 960077,Pastoral Team,01632 960003,2026-09-07\r\n\
P-2,Oliver,Quillfeather,2018-02-03,male,,,,,,,,,,,,,,\r\n\
P-3,Otto,Brambleton,03/02/2018,male,,,,,,,,,,,,,,\r\n\
P-1,Nadia,Thistledown,2017-11-11,female,,,,,,,,,,,,,,\r\n\
P-5,\"Ida\nJo\",Larkspur,2016-01-30,female,,,,,,,,,,,,,,\r\n\
P-6,Uma,Willowherb,2016-03-01,female,,,,,,B801200005001,,,,,,,,\r\n";

#[actix_web::test]
async fn a_csv_file_becomes_records_row_by_row_and_follows_its_source() {
    let school = School::new().await;
    let told = school.outcomes(CSV, PUPILS).await;
    let expected = [
        row(2, "created", &[]),
        row(3, "created", &[]),
        row(4, "rejected", &["/dateOfBirth"]),
        row(5, "rejected", &["/reference"]),
        row(6, "rejected", &["/given"]),
        row(8, "rejected", &["/identifiers/0/value"]),
    ];
    assert_eq!(told, expected);

    let record = school.record("P-1").await;
    let names: Vec<_> = record["names"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0]["given"], json!(["Isla", "May"]));
    assert_eq!((&names[1]["kind"], &names[1]["given"]), (&json!("knownAs"), &json!(["Izzy"])));
    let address = &record["whereabouts"]["address"];
    assert_eq!(address["lines"], json!(["Flat 2, The Elms", "12 Harbour Way"]));
    assert_eq!(address["postcode"], "ME4 4ZZ");
    assert_eq!(record["identifiers"], json!([{ "kind": "upn", "value": "B801200005001" }]));
    assert_eq!(record["carers"][0]["phones"], json!(["01632 960077"]));
    assert_eq!(record["involvements"][0]["contact"]["team"], "Pastoral Team");
    assert_eq!(record["involvements"][0]["startedOn"], "2026-09-07");

    let moved = PUPILS.replace("12 Harbour Way", "7 Quay Street");
    let outcomes = school.outcomes(CSV, &moved).await;
    let outcomes: Vec<_> = outcomes.iter().map(|(_, outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["linked", "unchanged", "rejected", "rejected", "rejected", "rejected"]);
    let lines = &school.record("P-1").await["whereabouts"]["address"]["lines"];
    assert_eq!(lines[1], "7 Quay Street");
}

#[actix_web::test]
async fn a_csv_file_whose_header_is_wrong_is_refused_and_its_text_is_not_told() {
    let school = School::new().await;
    let header = "reference,given,family,dateOfBirth,gender";
    for body in [
        format!("{header},Canarycolumn\nP-1,Isla,Fernbrook,2019-06-21,female,x\n"),
        format!("{header},gender\nP-1,Isla,Fernbrook,2019-06-21,female,female\n"),
        "reference,given,family\nP-1,Isla,Fernbrook\n".to_owned(),
        "P-1,Canarychild,Fernbrook,2019-06-21,female\n".to_owned(),
        format!("{header}\nP-1,\"Isla,Fernbrook,2019-06-21,female\n{}", "x".repeat(70_000)),
    ] {
        let refused = school.send(CSV, &body).await.refused(400, "batch-unreadable");
        assert!(!refused.body.to_string().contains("Canary"), "{}", refused.body);
        assert_eq!(school.index.event(&refused).await["outcome"], "refused");
    }
    let kept = dump(&school.index, "feed_row").await;
    assert_eq!(kept, "");
    assert!(!dump(&school.index, "feed_batch").await.contains("Canary"));
}

fn pupil(upn: &str, family: &str, more: &str) -> String {
    format!(
        "<Pupil><UPN>{upn}</UPN><Surname>{family}</Surname><Forename>Isla</Forename><DOB>2015-03-14</DOB><Sex>F</Sex>
         <BasicDetails><MiddleNames>May</MiddleNames></BasicDetails>
         <Address><BS7666Address><PAON>12</PAON><Street>Harbour Way</Street><Town>Chatham</Town></BS7666Address><PostCode>ME4 4ZZ</PostCode></Address>
         {more}</Pupil>"
    )
}

fn file(pupils: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CTfile><Header><CTFversion>25.0</CTFversion></Header>\
         <CTFpupilData>{pupils}</CTFpupilData></CTfile>"
    )
}

const CARER: &str = "<Contacts><Contact><Order>1</Order><Surname>Fernbrook</Surname><Forename>Ann</Forename>
    <Relationship>PAM</Relationship><Responsibility>true</Responsibility><Address><AddressAsPupil>true</AddressAsPupil></Address>
    <Phones><Phone><TelephoneType>M</TelephoneType><PhoneNo>01632-960077</PhoneNo></Phone></Phones></Contact></Contacts>";

#[actix_web::test]
async fn a_common_transfer_file_becomes_records_pupil_by_pupil() {
    let school = School::new().await;
    let pupils = [
        pupil("B801200005001", "Fernbrook", CARER),
        pupil("B801200005001", "Fernbrook", ""),
        pupil("A801200005001", "Brambleton", ""),
        pupil("B801200005002", "", ""),
    ];
    let body = file(&pupils.concat());
    let told = school.outcomes(CTF, &body).await;
    let outcomes: Vec<_> = told.iter().map(|(n, outcome, _)| (*n, outcome.as_str())).collect();
    assert_eq!(outcomes, [(1, "created"), (2, "rejected"), (3, "rejected"), (4, "rejected")]);
    assert_eq!(told[2].2, ["/UPN"]);
    let record = school.record("B801200005001").await;
    assert_eq!(record["names"][0]["given"], json!(["Isla", "May"]));
    assert_eq!(record["whereabouts"]["address"]["lines"], json!(["12 Harbour Way"]));
    assert_eq!(record["carers"][0]["phones"], json!(["01632 960077"]));
    assert_eq!(record["involvements"], json!([]), "the file says nothing of the school's contact");

    let again = school.outcomes(CTF, &body.replace("25.0", "25.1")).await;
    assert_eq!(again[0], row(1, "unchanged", &[]));
}

#[actix_web::test]
async fn hostile_xml_is_refused_and_nothing_of_it_is_kept() {
    let school = School::new().await;
    let good = pupil("B801200005001", "Fernbrook", CARER);
    let lols: Vec<_> = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let lols = lols.concat();
    let bomb = format!("<!DOCTYPE CTfile [<!ENTITY l0 \"Canarylol\">{lols}]>");
    let named = |doctype: &str, family: &str| {
        file(&pupil("B801200005001", family, "")).replace("<CTfile>", &format!("{doctype}<CTfile>"))
    };
    let outside = "<!DOCTYPE CTfile [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    let deep = |n: usize| format!("{}{}", "<Notes>".repeat(n), "</Notes>".repeat(n));
    for (body, detail) in [
        (named(&bomb, "&l9;"), "document type"),
        (named(outside, "&x;"), "document type"),
        (
            named("<!DOCTYPE CTfile SYSTEM \"http://127.0.0.1:9/ctf.dtd\">", "Fernbrook"),
            "document type",
        ),
        (named("", "&l9;"), "entity"),
        (file(&format!("{good}{}", pupil("B801200005002", "Ash", &deep(40)))), "32 levels"),
        (file(&format!("{good}<Pupil a=\"{}\"/>", "Canary".repeat(1_000))), "4 KiB"),
        (file(&format!("{good}<Pupil a=\"{}\"/>", "Canary".repeat(100_000))), "64 KiB"),
        (
            file(&format!(
                "{good}<Pupil {}/>",
                (0..2_000).map(|n| format!("a{n}='' ")).collect::<Vec<_>>().concat()
            )),
            "4 KiB",
        ),
        (file(&format!("{good}<!--{}-->", "Canary".repeat(20_000))), "64 KiB"),
        (file(&good).replace("UTF-8", "UTF-7"), "UTF-8"),
        (file(&format!("{good}<Pupil>")), "well-formed"),
        (file(&good).replace("</CTfile>", ""), "ends before"),
        (file(&good) + &file(&good), "once"),
        (format!("<html>{good}</html>"), "CTfile"),
    ] {
        let refused = school.send(CTF, &body).await.refused(400, "batch-unreadable");
        let told = refused.body["detail"].as_str().unwrap();
        assert!(told.contains(detail), "{detail}: {told}");
        assert!(!told.contains("Canary") && !told.contains("Fernbrook"), "{told}");
        let event = school.index.event(&refused).await;
        assert_eq!(
            (&event["outcome"], &event["problem"]),
            (&json!("refused"), &json!("batch-unreadable"))
        );
    }
    assert_eq!(work(&school.index).await.rows(), 0);
    for table in ["feed_row", "child", "source_record", "review_task"] {
        assert_eq!(dump(&school.index, table).await, "", "{table}");
    }
    let batches = dump(&school.index, "feed_batch").await;
    assert!(batches.contains("unreadable") && !batches.contains("Canary"));
}

#[actix_web::test]
async fn what_a_record_may_not_hold_is_nowhere_not_even_in_the_log() {
    const MARK: &str = "Canarymark";
    const NAME: &str = "Canaryname";
    let school = School::new().await;
    let others = [
        "Ethnicity",
        "EthnicitySource",
        "FirstLanguage",
        "Religion",
        "MedicalFlag",
        "MedicalNotes",
        "Disabilities",
        "SENhistory",
        "SENprovision",
        "FSMhistory",
        "FSMeligible",
        "LookedAfter",
        "PupilPremium",
        "Attendance",
        "StageAssessments",
        "SchoolHistory",
        "Exclusions",
        "Notes",
        "Photo",
    ];
    let hidden: Vec<_> = others
        .iter()
        .map(|name| format!("<{name} a=\"{MARK}\">{MARK}<![CDATA[{MARK}]]><!--{MARK}--><Text>{MARK}</Text></{name}>"))
        .collect();
    let hidden = hidden.concat();
    let bad = pupil("A801200005001", "Brambleton", &hidden);
    let body = file(&format!("{}{bad}", pupil("B801200005001", NAME, &format!("{hidden}{CARER}"))));
    assert!(body.matches(MARK).count() > 100);

    keep_log();
    let sent = school.send(CTF, &body).await.expect(202);
    let batch = BatchId(sent.body["id"].as_str().unwrap().parse::<Uuid>().unwrap());
    let sealed: Sealed<FeedRow> =
        sqlx::query_scalar("select sent from feed_row where batch_id = $1 and line = 1")
            .bind(batch.0)
            .fetch_one(&school.index.db)
            .await
            .unwrap();
    let waits = sealed.open(&Index::door().vault, &FeedRow::waiting_at(batch, 1)).unwrap();
    work(&school.index).await;
    let (kept, reference): (Sealed<FeedRow>, String) =
        sqlx::query_as("select sent, reference from source_record")
            .fetch_one(&school.index.db)
            .await
            .unwrap();
    let reference: SourceReference = serde_json::from_value(json!(reference)).unwrap();
    let place = FeedRow::kept_at(FeedId(school.feed.id), &reference);
    let kept = kept.open(&Index::door().vault, &place).unwrap();
    for opened in [waits, kept] {
        let opened = serde_json::to_string(&opened).unwrap();
        assert!(opened.contains(NAME) && !opened.contains(MARK), "{opened}");
    }

    let mut told = vec![sent.body.to_string(), school.record("B801200005001").await.to_string()];
    for path in [sent.header("Location").to_owned(), format!("{}/rows", sent.header("Location"))] {
        told.push(school.index.get(school.sender(), &path).await.expect(200).body.to_string());
    }
    assert!(told.iter().all(|told| !told.contains(MARK)), "{told:#?}");
    let mut named = 0;
    for table in school.tables().await {
        let rows = dump(&school.index, &table).await;
        assert!(!rows.to_lowercase().contains(&MARK.to_lowercase()), "{table}");
        named += usize::from(rows.contains(NAME));
    }
    assert!(named > 0, "what a record may hold is found by such a dump");
    let log = kept_log();
    assert!(
        log.contains("POST /v1/feeds/{feedId}/batches"),
        "the log is kept: {} bytes",
        log.len()
    );
    for marked in [MARK, NAME] {
        let line = log.lines().find(|line| line.contains(marked));
        assert_eq!(line, None);
    }
}
