//! What `contactpoint match` prints for people.

use std::fmt::Write as _;

use crate::learning::{
    Origin, Report,
    task::Listed,
    trial::{Measured, Tally},
};

/// A word of the code as it stands in JSON.
fn word(value: &impl serde::Serialize) -> String {
    let told = serde_json::to_string(value).unwrap_or_default();
    told.trim_matches('"').to_owned()
}

/// What was learnt.
pub(super) fn report(report: &Report) -> String {
    let Report { in_force, records, pairs, expected, picked, rounds, weights, decided } = report;
    let mut text = format!(
        "Against model {in_force}: {records} records, {pairs} pairs, {rounds} rounds; {expected:.1} pairs are expected to be of one child.\n\n\
         {:<10} {:>10} {:>14}\n",
        "picked by", "pairs", "of one child"
    );
    for (pick, (pairs, same)) in picked {
        let _ = writeln!(text, "{:<10} {pairs:>10} {same:>14.1}", word(pick));
    }
    let _ =
        writeln!(text, "\n{:<16} {:<18} {:>9} {:>9} {:>9}", "field", "level", "m before", "m", "u");
    for moved in weights {
        let different =
            moved.different.map_or_else(|| "by value".to_owned(), |u| format!("{u:.2e}"));
        let _ = writeln!(
            text,
            "{:<16} {:<18} {:>9.5} {:>9.5} {different:>9}",
            word(&moved.field),
            word(&moved.level),
            moved.same_before,
            moved.same,
        );
    }
    let _ = writeln!(text, "\n{:<10} {:<10} {:>8}", "before", "now", "records");
    for decided in decided {
        let _ = writeln!(
            text,
            "{:<10} {:<10} {:>8}",
            word(&decided.before),
            word(&decided.now),
            decided.records
        );
    }
    text
}

/// The list of models.
pub(super) fn models(models: &[Listed], promoted: Option<i32>) -> String {
    let mut text = String::new();
    for model in models {
        let state = match (promoted == Some(model.version), model.promoted_at, model.origin) {
            (true, ..) => "in force",
            (false, Some(_), _) => "retired",
            (false, None, Origin::Trained) => "proposed",
            (false, None, Origin::Shipped) => "shipped",
        };
        let _ =
            write!(text, "{} {} {state}", model.version, model.made_at.format("%Y-%m-%dT%H:%MZ"));
        if let Some(report) = &model.report {
            let _ =
                write!(text, ", trained on {} records against {}", report.records, report.in_force);
        }
        if let (Some(at), Some(reason)) = (model.promoted_at, &model.reason) {
            let _ = write!(text, ", promoted {}: {reason}", at.format("%Y-%m-%dT%H:%MZ"));
        }
        text.push('\n');
    }
    text
}

/// What was measured.
pub(super) fn measured(measured: &Measured) -> String {
    let Measured { model, records, held, asked, present, true_matches, found, .. } = measured;
    let mut text = format!(
        "Model {model}: {records} records, {held} held, {asked} asked, the children of {present} among those held.\n\
         Retrieved: {found} of {true_matches} pairs of one child; {} shared their keys with too many.\n\n",
        measured.too_many
    );
    for (name, share) in [
        ("matched: precision", measured.precision),
        ("matched: recall", measured.recall),
        ("matched: F1", measured.f1),
        ("best F1", measured.best_f1),
        ("recall at zero false pairs", measured.recall_at_zero_false),
        ("top-1", measured.top1),
        ("to review", measured.review),
        ("missed", measured.missed),
    ] {
        let _ = writeln!(text, "{name:<28} {share:.4}");
    }
    let _ = writeln!(text, "\nThe best F1 is at {:.1} bits.", measured.best_f1_at);
    let _ = writeln!(text, "False merges: {}.", measured.false_merges);
    for (asked, with) in &measured.false_merge_examples {
        let _ = writeln!(text, "  {asked} was matched with {with}");
    }
    let _ = writeln!(
        text,
        "\n{:<24} {:<8} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "class", "child", "asked", "match", "wrong", "review", "none", "top-1"
    );
    for (class, of) in &measured.classes {
        for (held, tally) in [("present", of.present), ("absent", of.absent)] {
            if tally.asked > 0 {
                let Tally { asked, matched, wrong, review, none, top1 } = tally;
                let _ = writeln!(
                    text,
                    "{class:<24} {held:<8} {asked:>7} {matched:>7} {wrong:>7} {review:>7} {none:>7} {top1:>7}"
                );
            }
        }
    }
    text
}
