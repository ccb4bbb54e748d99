//! A decision made again, by what the audit keeps of it.

use linkage::{
    Comparison, Decision, Finding, Model, Outcome, Reason, decide,
    explain::{doubt, sentence},
};
use serde::Deserialize;
use serde_json::Value;

/// What the audit keeps of a match or a fuzzy search.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Kept {
    /// The version in force then.
    #[serde(rename = "model")]
    pub version: String,
    /// What was answered, of a match.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it was no match.
    #[serde(default)]
    pub reasons: Option<Vec<Reason>>,
    /// The best of those compared, best first.
    pub ranked: Vec<Evidence>,
}

/// What the audit keeps of one who was compared.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Evidence {
    /// The index number; none where it was not told.
    pub child: Value,
    /// The evidence, in bits.
    pub bits: f64,
    /// That against kin.
    pub apart: f64,
    /// Field by field.
    pub findings: Vec<Finding>,
}

/// A decision made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// What the model says now.
    pub outcome: Outcome,
    /// Why it is no match.
    pub reasons: Vec<Reason>,
    /// Whether that is what was answered; none of a search, which decides nothing.
    pub same: Option<bool>,
}

impl Kept {
    /// What the details of an event say; none of an exact search, by which nobody is compared.
    #[must_use]
    pub fn of(details: Value) -> Option<Self> {
        serde_json::from_value(details).ok()
    }

    /// The number of the model; none of the one before any.
    #[must_use]
    pub fn model(&self) -> Option<i32> {
        self.version.split('.').next().and_then(|number| number.parse().ok())
    }

    /// Decides again by the model that was in force.
    #[must_use]
    pub fn replay(&self, model: &Model) -> Replayed {
        let compared = self.ranked.iter().enumerate().map(|(n, evidence)| {
            let Evidence { bits, apart, findings, .. } = evidence.clone();
            (n, Comparison { bits, apart, findings })
        });
        let Decision { outcome, best, reasons, .. } = decide(model, compared.collect());
        let untold = best.is_some_and(|best| self.ranked[best].child.is_null());
        // Where more shared keys than are compared, nothing was decided.
        let undecided = self.reasons.is_none();
        let same = self.outcome.as_deref().map(|answered| match answered {
            "match" => outcome == Outcome::Match,
            "ambiguous" => undecided || outcome == Outcome::Review,
            _ => outcome == Outcome::None || untold,
        });
        Replayed { outcome, reasons, same }
    }

    /// The decision in words.
    #[must_use]
    pub fn words(&self, replayed: &Replayed) -> String {
        use std::fmt::Write as _;
        let mut text = format!("Model {}", self.version);
        if let Some(outcome) = &self.outcome {
            let _ = write!(text, ": {outcome}");
        }
        text.push_str(".\n");
        for reason in self.reasons.iter().flatten() {
            let _ = writeln!(text, "  {}", doubt(*reason));
        }
        for evidence in &self.ranked {
            let child = evidence.child.as_str().unwrap_or("not told");
            let _ = writeln!(text, "\n{child}: {:.1} bits", evidence.bits);
            for finding in &evidence.findings {
                let said = sentence(finding.field, finding.level);
                let _ = writeln!(text, "  {:>6.1}  {said}", finding.bits);
            }
        }
        let _ = writeln!(
            text,
            "\n{}",
            match replayed.same {
                Some(true) => "Decided again, it comes out the same.",
                Some(false) => "Decided again, it comes out otherwise.",
                None => "A search decides nothing.",
            }
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(outcome: &str, bits: f64) -> Kept {
        let finding =
            |field: &str, level: &str| json!({ "field": field, "level": level, "bits": 9.0 });
        Kept::of(json!({
            "criteria": {}, "model": "3.2", "outcome": outcome, "reasons": [],
            "ranked": [{ "child": "48271930566", "bits": bits, "apart": bits, "findings": [
                finding("familyName", "same"), finding("givenName", "same"), finding("dateOfBirth", "same"),
                finding("postcode", "same"),
            ]}],
        }))
        .unwrap()
    }

    #[test]
    fn a_decision_comes_out_the_same_from_what_is_kept_of_it() {
        let model = Model::cold();
        assert_eq!(kept("match", 17.0).model(), Some(3));
        assert_eq!(kept("match", 17.0).replay(&model).same, Some(true));
        assert_eq!(kept("match", -9.0).replay(&model).same, Some(false));
        assert_eq!(kept("none", -9.0).replay(&model).same, Some(true));
        let kept = kept("ambiguous", 3.0);
        let replayed = kept.replay(&model);
        assert_eq!((replayed.outcome, replayed.same), (Outcome::Review, Some(true)));
        let words = kept.words(&replayed);
        assert!(words.contains("48271930566: 3.0 bits"), "{words}");
        assert!(words.ends_with("Decided again, it comes out the same.\n"), "{words}");
    }

    #[test]
    fn an_exact_search_compares_nobody() {
        assert_eq!(Kept::of(json!({ "criteria": {} })), None);
    }
}
