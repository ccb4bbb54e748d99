//! If-Match: only the one version in quotes is that version.
#![no_main]

use actix_web::{FromRequest, dev::Payload, http::header::HeaderValue, test::TestRequest};
use contactpoint::http::IfMatch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let request = TestRequest::default().insert_header(("If-Match", value)).to_http_request();
    let read = IfMatch::from_request(&request, &mut Payload::None)
        .into_inner()
        .expect("it is judged later");
    if read.check(7).is_ok() {
        let text = std::str::from_utf8(bytes).expect("text").trim_matches([' ', '\t']);
        let number =
            text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("quotes");
        assert_eq!(number.parse(), Ok(7_i64));
    }
});
