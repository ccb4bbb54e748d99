//! The matcher in force: the model by which likeness is judged, and how often names occur.

use std::sync::{Arc, PoisonError, RwLock};

use linkage::{Frequencies, Matcher, Model};

/// The version of the model that stands before anything was learnt.
pub const COLD: &str = "cold";

/// A matcher, with the version of its model, which every decision is written down with.
#[derive(Debug)]
pub struct InForce {
    /// The version of the model.
    pub version: String,
    /// What compares.
    pub matcher: Matcher,
}

/// The matcher in force, which every worker shares and which may be replaced while others compare.
#[derive(Debug, Clone)]
pub struct Matchers(Arc<RwLock<Arc<InForce>>>);

impl Default for Matchers {
    fn default() -> Self {
        let matcher = Matcher { model: Model::cold(), frequencies: Frequencies::default() };
        let cold = InForce { version: COLD.to_owned(), matcher };
        Self(Arc::new(RwLock::new(Arc::new(cold))))
    }
}

impl Matchers {
    /// The matcher now; whoever has it goes on with it.
    #[must_use]
    pub fn current(&self) -> Arc<InForce> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in force.
    pub fn replace(&self, matcher: InForce) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(matcher);
    }
}
