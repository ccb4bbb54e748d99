//! ContactPoint.
