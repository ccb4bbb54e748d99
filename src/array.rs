//! Arrays of arrays for PostgreSQL.

/// The array that PostgreSQL reads from this text; arrays of arrays cannot be passed otherwise, since `unnest` flattens them.
pub(crate) fn array<'t>(parts: impl IntoIterator<Item = &'t str>) -> String {
    let quoted = parts
        .into_iter()
        .map(|part| format!("\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\"")));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}
