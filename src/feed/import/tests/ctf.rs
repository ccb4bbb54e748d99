use super::*;
use crate::feed::import::ctf::{OF_A_CONTACT, OF_A_PUPIL, OF_AN_ADDRESS};

pub(super) const PUPIL: &str = "
  <Pupil>
    <UPN>B801200005001</UPN><UniqueLearnerNumber>9990000017</UniqueLearnerNumber>
    <Surname>Testley</Surname><Forename>Amy</Forename><DOB>2015-03-14</DOB><Sex>F</Sex>
    <BasicDetails>
      <FormerUPN>B801200005001</FormerUPN>
      <PreferredSurname>Trial</PreferredSurname><PreferredForename>Amy</PreferredForename>
      <FormerSurname>O&apos;Example</FormerSurname><MiddleNames>Rose</MiddleNames>
    </BasicDetails>
    <Address>
      <BS7666Address>
        <SAON>Flat 2</SAON><PAON>12</PAON><Street>Harbour Way</Street><Town>Exampleton</Town>
        <UniquePropertyReferenceNumber>100060023</UniquePropertyReferenceNumber>
      </BS7666Address>
      <PostCode>PO1 3AX</PostCode>
    </Address>
    <Phones><Phone><TelephoneType>H</TelephoneType><PhoneNo>01632 960009</PhoneNo></Phone></Phones>
    <Email>amy@example.org</Email>
    <Contacts>
      <Contact>
        <Order>1</Order><Title>Ms</Title><Surname>Testley</Surname><Forename>Ann</Forename><Gender>F</Gender>
        <Relationship>PAM</Relationship><Responsibility>true</Responsibility>
        <Address><AddressAsPupil>true</AddressAsPupil></Address>
        <Phones><Phone><TelephoneType>M</TelephoneType><PhoneNo>01632-960001</PhoneNo></Phone></Phones>
        <Email>ann@example.org</Email>
      </Contact>
    </Contacts>
  </Pupil>";

pub(super) fn file(pupils: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
        <CTfile><Header><DocumentName>Common Transfer File</DocumentName><CTFversion>25.0</CTFversion></Header>
        <CTFpupilData>{pupils}</CTFpupilData></CTfile>"
    )
}

fn pupil(inside: &str) -> Result<Value, Vec<String>> {
    one(BatchFormat::Ctf, &file(&format!("<Pupil>{inside}</Pupil>")))
}

const LEAST: &str = "<UPN>B801200005001</UPN><Surname>Testley</Surname><Forename>Amy</Forename><DOB>2015-03-14</DOB>";

#[test]
fn a_pupil_says_what_the_same_child_says_as_json() {
    let mut expected = whole();
    expected["reference"] = json!("B801200005001");
    expected["names"][1]["given"] = json!(["Amy"]);
    expected["names"][2]["family"] = json!("O'Example");
    let members = expected.as_object_mut().unwrap();
    members.remove("responsibleAuthority");
    members.remove("involvement");
    assert_eq!(one(BatchFormat::Ctf, &file(PUPIL)).unwrap(), expected);
    assert_eq!(one(BatchFormat::Ctf, &format!("\u{FEFF}{}", file(PUPIL))).unwrap(), expected);
}

#[test]
fn pupils_are_numbered_and_each_is_refused_by_itself() {
    let bad = PUPIL.replace("2015-03-14", "14/03/2015");
    let (rows, end) = read(BatchFormat::Ctf, file(&format!("{PUPIL}{bad}{PUPIL}")).as_bytes());
    let told: Vec<_> = rows.iter().map(|(n, row)| (*n, row.is_ok())).collect();
    assert_eq!((told, end), (vec![(1, true), (2, false), (3, true)], None));
    assert_eq!(rows[0].1, rows[2].1);
    assert_eq!(read(BatchFormat::Ctf, file("").as_bytes()), (vec![], None));
}

#[test]
fn nothing_but_what_a_record_holds_gets_past_the_parser() {
    let others = [
        "Ethnicity",
        "EthnicitySource",
        "FirstLanguage",
        "Languages",
        "MedicalFlag",
        "Disabilities",
        "SENhistory",
        "SEN",
        "FSMhistory",
        "FSMeligible",
        "Attendance",
        "StageAssessments",
        "SchoolHistory",
        "LookedAfter",
        "NAWdetails",
        "Admissions",
        "ServiceChild",
        "PupilPremium",
        "NCyearActual",
        "EnrolStatus",
        "Religion",
        "Email",
        "Notes",
        "Country",
        "Easting",
        "Title",
        "UCI",
        "FormerUPN",
        "ns:Surname",
        "surname",
    ];
    let all = OF_A_PUPIL.iter().chain(&OF_A_CONTACT).chain(&OF_AN_ADDRESS);
    let inside: String = all
        .map(|name| name.trim_start_matches("Address/"))
        .chain(["Phone", "PhoneNo", "Contact", "Pupil", "Address", "BasicDetails"])
        .map(|name| format!("<{name} CANARY=\"CANARY\">CANARY</{name}>"))
        .collect::<Vec<_>>()
        .concat();
    let canary: String = others
        .iter()
        .map(|name| format!("<{name} a=\"CANARY\">CANARY<![CDATA[CANARY]]><!--CANARY--><?CANARY CANARY?>{inside}</{name}>"))
        .collect::<Vec<_>>()
        .concat();
    let marked = PUPIL
        .replace(
            "<Pupil>",
            &format!("<Pupil CANARY=\"CANARY\">{}", canary.replace("Email", "Mail")),
        )
        .replace("<BasicDetails>", &format!("CANARY<BasicDetails>CANARY{canary}"))
        .replace("<BS7666Address>", &format!("<BS7666Address>{canary}"))
        .replace("</Phone>", &format!("{canary}</Phone>"))
        .replace("<Order>", &format!("{}<Order>", canary.replace("Email", "Mail")))
        .replace("</Contacts>", &format!("CANARY{canary}</Contacts>"))
        .replace("Testley</Surname>", "Testley<Ethnicity>CANARY</Ethnicity></Surname>");
    let body = file(&format!("CANARY{canary}{marked}"));
    assert!(body.matches("CANARY").count() > 10_000);
    assert_eq!(one(BatchFormat::Ctf, &body), one(BatchFormat::Ctf, &file(PUPIL)));
}

#[test]
fn what_is_wrong_is_told_by_its_element() {
    for (right, wrong, field) in [
        ("<UPN>B801200005001</UPN>", "", "/UPN"),
        ("<UPN>B", "<UPN>A", "/UPN"),
        ("9990000017", "1", "/UniqueLearnerNumber"),
        (
            "<Surname>Testley</Surname><Forename>Amy",
            "<Surname>T3st</Surname><Forename>Amy",
            "/Surname",
        ),
        ("<Forename>Amy</Forename>", "", "/Forename"),
        ("<DOB>2015-03-14</DOB>", "", "/DOB"),
        ("<DOB>2015-03-14</DOB>", "<DOB>2031-01-01</DOB>", "/DOB"),
        ("<DOB>2015-03-14</DOB>", "<DOB>2015-03-14</DOB><DOB>2015-03-15</DOB>", "/DOB"),
        ("Trial", "Tr1al", "/PreferredSurname"),
        ("O&apos;Example", "&lt;b&gt;", "/FormerSurname"),
        ("PO1 3AX", "Q1 1AA", "/Address/PostCode"),
        ("<Town>Exampleton</Town>", "", "/Address/Town"),
        ("100060023", "x", "/Address/UniquePropertyReferenceNumber"),
        ("01632-960001", "mum", "/Contacts/Contact/0/Phones"),
        ("ann@example.org", "ann", "/Contacts/Contact/0/Email"),
        ("<Forename>Ann", "<Forename>4nn", "/Contacts/Contact/0/Forename"),
    ] {
        let body = PUPIL.replacen(right, wrong, 1);
        assert_ne!(body, PUPIL, "{right}");
        assert_eq!(one(BatchFormat::Ctf, &file(&body)), Err(vec![field.to_owned()]), "{wrong}");
    }
    let long = format!("{LEAST}<MiddleNames>{}</MiddleNames>", "a ".repeat(300));
    assert_eq!(pupil(&long), Err(vec!["/MiddleNames".to_owned()]));
}

#[test]
fn sex_and_gender_are_one_and_neither_says_nothing() {
    for (element, gender) in [
        ("<Sex>M</Sex>", "male"),
        ("<Gender>F</Gender>", "female"),
        ("<Sex>M</Sex><Gender>F</Gender>", "male"),
        ("<Sex>U</Sex>", "notSpecified"),
        ("", "notSpecified"),
    ] {
        assert_eq!(pupil(&format!("{LEAST}{element}")).unwrap()["gender"], gender, "{element}");
    }
}

#[test]
fn an_address_of_lines_ends_with_the_town() {
    let at = |address: &str| {
        let read = pupil(&format!("{LEAST}<Address>{address}</Address>"));
        read.map(|read| read["whereabouts"]["address"].clone())
    };
    let lines = "<AddressLines><AddressLine1>12 Harbour Way</AddressLine1><AddressLine3>Exampleton</AddressLine3></AddressLines>";
    let told = json!({ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" });
    assert_eq!(at(&format!("{lines}<PostCode>PO1 3AX</PostCode>")), Ok(told.clone()));
    let flat = "<AddressLine1>12 Harbour Way</AddressLine1><Town>Exampleton</Town><PostCode>PO1 3AX</PostCode>";
    assert_eq!(at(flat), Ok(told));
    let one = "<AddressLine1>12 Harbour Way</AddressLine1><PostCode>PO1 3AX</PostCode>";
    assert_eq!(at(one), Err(vec!["/Address/Town".to_owned()]));
    let towns = "<PAON>12</PAON><Street>Harbour Way</Street><Town>Littleton</Town><PostTown>Exampleton</PostTown>\
                 <PostCode>PO1 3AX</PostCode>";
    let told = json!({ "lines": ["12 Harbour Way", "Littleton"], "town": "Exampleton", "postcode": "PO1 3AX" });
    assert_eq!(at(towns), Ok(told));
    assert_eq!(at(lines), Ok(Value::Null));
}

#[test]
fn only_contacts_who_are_carers_are_taken() {
    let contact = |relationship: &str, responsible: &str, forename: &str| {
        format!(
            "<Contact><Surname>Testley</Surname><Forename>{forename}</Forename>
             <Relationship>{relationship}</Relationship><Responsibility>{responsible}</Responsibility></Contact>"
        )
    };
    let read = |contacts: &str| {
        let read = pupil(&format!("{LEAST}<Contacts>{contacts}</Contacts>"));
        read.map(|read| {
            let carers = read["carers"].as_array().unwrap().clone();
            carers
                .iter()
                .map(|carer| carer["relationship"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
    };
    for (relationship, responsible, told) in [
        ("PAM", "true", Some("mother")),
        ("PAF", "false", Some("father")),
        ("STF", "0", Some("stepParent")),
        ("FOM", "false", Some("fosterCarer")),
        ("CAR", "false", Some("other")),
        ("REL", "1", Some("otherRelative")),
        ("REL", "false", None),
        ("DOC", "false", None),
        ("SWR", "false", None),
        ("OTH", "", None),
    ] {
        let found = read(&contact(relationship, responsible, "Ann")).unwrap();
        assert_eq!(found.first().map(String::as_str), told, "{relationship} {responsible}");
    }
    assert_eq!(read(&contact("PAM", "true", "")), Ok(vec![]));
    let eleven = contact("PAM", "true", "Ann").repeat(11);
    assert_eq!(read(&eleven), Err(vec!["/Contacts".to_owned()]));
    assert_eq!(read(&contact("DOC", "false", "Ann").repeat(31)), Err(vec!["/Contacts".to_owned()]));
}

#[test]
fn a_carer_elsewhere_has_an_address_of_their_own() {
    let own = "<Address><AddressLine1>7 Quay</AddressLine1><Town>Exampleton</Town><PostCode>PO1 3AX</PostCode></Address>";
    let body = PUPIL.replace("<Address><AddressAsPupil>true</AddressAsPupil></Address>", own);
    let read = one(BatchFormat::Ctf, &file(&body)).unwrap();
    let told = json!({ "lines": ["7 Quay"], "town": "Exampleton", "postcode": "PO1 3AX" });
    assert_eq!(read["carers"][0]["address"], told);
    let wrong = body.replace("7 Quay", "7 <![CDATA[<]]> Quay");
    let field = "/Contacts/Contact/0/Address/AddressLine1";
    assert_eq!(one(BatchFormat::Ctf, &file(&wrong)), Err(vec![field.to_owned()]));
}

#[test]
fn text_may_come_in_pieces() {
    let body = LEAST.replace("Testley", "\n O<!-- -->&#39;<![CDATA[Te]]>st&#xE9; ");
    assert_eq!(pupil(&body).unwrap()["names"][0]["family"], "O'Testé");
}

#[test]
fn hostile_xml_is_refused() {
    let deep = |n: usize| format!("<CTfile>{}{}</CTfile>", "<a>".repeat(n), "</a>".repeat(n));
    assert_eq!(read(BatchFormat::Ctf, deep(31).as_bytes()), (vec![], None));
    let bomb = format!(
        "<CTfile {}/>",
        (0..1000).map(|n| format!("a{n}='1' ")).collect::<Vec<_>>().concat()
    );
    for (body, part) in [
        ("<!DOCTYPE CTfile [<!ENTITY a \"aaaa\">]><CTfile>&a;</CTfile>".into(), "document type"),
        ("<!DOCTYPE CTfile SYSTEM \"file:///etc/passwd\"><CTfile/>".into(), "document type"),
        ("<CTfile>&a;</CTfile>".into(), "entity"),
        ("<CTfile>&#0;</CTfile>".into(), "entity"),
        ("<CTfile>&#x110000;</CTfile>".into(), "entity"),
        ("<CTfile><Header>&a;</Header></CTfile>".into(), "entity"),
        (deep(32), "32 levels"),
        (bomb, "4 KiB"),
        (format!("<CTfile><{}/></CTfile>", "a".repeat(5000)), "4 KiB"),
        ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><CTfile/>".into(), "UTF-8"),
        ("<?xml version=\"1.0\" encoding=\"UTF-7\"?><CTfile/>".into(), "UTF-8"),
        ("<CTfile/><?xml version=\"1.0\"?>".into(), "once"),
        ("<Message/>".into(), "CTfile"),
        ("<x:CTfile/>".into(), "CTfile"),
        ("<CTfile/><CTfile/>".into(), "CTfile"),
        ("<CTfile/>more".into(), "beside the root"),
        ("{}".into(), "beside the root"),
        ("<CTfile><CTFpupilData>".into(), "ends before"),
        (String::new(), "ends before"),
        ("<CTfile></Ctfile>".into(), "well-formed"),
        ("<CTfile><".into(), "well-formed"),
        ("<CTfile>& </CTfile>".into(), "well-formed"),
        (format!("<CTfile><!--{}--></CTfile>", "a".repeat(70_000)), "64 KiB"),
    ] {
        let told = refused(BatchFormat::Ctf, &body);
        assert!(told.contains(part), "{told}: {}", &body[..body.len().min(100)]);
    }
    let latin = b"<CTfile><Header>\xE9</Header></CTfile>";
    assert_eq!(read(BatchFormat::Ctf, latin).1.as_deref(), Some("The file is not UTF-8."));
    let utf16: Vec<u8> = "<CTfile/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(BatchFormat::Ctf, &[&[0xFF, 0xFE], &utf16[..]].concat()).1.is_some());
    let cut = file(PUPIL);
    let (rows, end) = read(BatchFormat::Ctf, &cut.as_bytes()[..cut.len() - 10]);
    assert!(rows[0].1.is_ok() && end.is_some());
}
