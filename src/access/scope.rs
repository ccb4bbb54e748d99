//! How a token says what it permits: in few words, so that it stays small (security rule TOK-1).

use super::policy::{POLICIES, Policy, Role};

fn held_by(role: Role) -> impl Iterator<Item = &'static Policy> {
    POLICIES.iter().filter(move |policy| policy.held_by.contains(&role))
}

/// What a scope is about, with the colon: `merge:` of `merge:propose`.
fn prefix(scope: &str) -> &str {
    scope.split_inclusive(':').next().unwrap_or(scope)
}

/// The scopes of a role, separated by spaces (RFC 6749, section 3.3).
#[must_use]
pub fn scopes(role: Role) -> String {
    held_by(role).map(|policy| policy.scope).collect::<Vec<_>>().join(" ")
}

/// Whether a token of a role that says `said` permits `scope`: by its name, by `merge:*`, which stands for all that the role
/// holds of `merge`, or by `*`, which stands for all that the role holds.
#[must_use]
pub fn permits(role: Role, said: &str, scope: &str) -> bool {
    let permits = |word: &str| {
        let whole = word.strip_suffix('*');
        word == scope || whole == Some("") || whole.is_some_and(|part| part == prefix(scope))
    };
    held_by(role).any(|policy| policy.scope == scope) && said.split(' ').any(permits)
}

/// The shortest way to say these scopes of a role, such that [`permits`] permits them and no other.
#[must_use]
pub fn abridged(role: Role, scopes: &str) -> String {
    let granted: Vec<&str> = scopes.split(' ').collect();
    let whole = |part: &str| {
        let mut held = held_by(role).map(|policy| policy.scope);
        held.all(|scope| !scope.starts_with(part) || granted.contains(&scope))
    };
    if whole("") {
        return "*".to_owned();
    }
    let mut said: Vec<String> = Vec::new();
    for scope in &granted {
        let part = prefix(scope);
        let word = if whole(part) { format!("{part}*") } else { (*scope).to_owned() };
        if !said.contains(&word) {
            said.push(word);
        }
    }
    said.join(" ")
}

/// The scopes that a token of a role permits by what it says, each by its own name.
#[must_use]
pub fn spelled_out(role: Role, said: &str) -> String {
    let held = held_by(role).map(|policy| policy.scope).filter(|scope| permits(role, said, scope));
    held.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::subsequence};

    use super::*;

    fn all(role: Role) -> Vec<&'static str> {
        held_by(role).map(|policy| policy.scope).collect()
    }

    fn any_role() -> impl Strategy<Value = Role> {
        prop::sample::select(Role::ALL)
    }

    fn some_of(role: Role) -> impl Strategy<Value = (Role, Vec<&'static str>)> {
        let all = all(role);
        subsequence(all.clone(), 1..=all.len()).prop_map(move |some| (role, some))
    }

    #[test]
    fn every_scope_has_one_part_before_its_one_colon() {
        for policy in POLICIES {
            let parts: Vec<&str> = policy.scope.split(':').collect();
            let plain = |part: &&str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            assert!(parts.len() == 2 && parts.iter().all(plain), "{}", policy.scope);
        }
    }

    #[test]
    fn all_of_a_role_is_one_word_and_all_of_a_part_another() {
        let role = Role::Steward;
        assert_eq!(abridged(role, &scopes(role)), "*");
        assert_eq!(abridged(role, "merge:read merge:propose merge:decide"), "merge:*");
        assert_eq!(abridged(role, "merge:read merge:decide"), "merge:read merge:decide");
        assert_eq!(spelled_out(role, "merge:*"), "merge:read merge:propose merge:decide");
        assert_eq!(spelled_out(role, "*"), scopes(role));
    }

    #[test]
    fn what_the_role_does_not_hold_and_what_is_no_word_permits_nothing() {
        for said in ["", " ", "**", "*:*", ":*", "child", "child:", "child*", "merge:*", "c*"] {
            assert_eq!(spelled_out(Role::Practitioner, said), "", "{said}");
        }
        assert!(!permits(Role::ShieldApprover, "shield:*", "shield-request:read"));
        assert!(!permits(Role::Steward, "*", "audit:read"));
    }

    proptest! {
        #[test]
        fn what_is_said_in_short_is_what_was_granted(
            (role, granted) in any_role().prop_flat_map(some_of)
        ) {
            let (long, short) = (granted.join(" "), abridged(role, &granted.join(" ")));
            prop_assert_eq!(spelled_out(role, &short), long.clone());
            prop_assert_eq!(spelled_out(role, &long), long.clone());
            prop_assert!(short.len() <= long.len());
            let words: std::collections::BTreeSet<_> = short.split(' ').collect();
            prop_assert_eq!(words.len(), short.split(' ').count());
        }
    }
}
