//! What a shield does to records: it seals what must not be seen, on whatever path a child is written (security rule S-1).

pub(crate) mod store;
