//! ContactPoint: finds the one right child, and shows who is working with that child and how to reach them.

pub mod access;
pub mod app;
pub mod audit;
pub mod carer;
pub mod child;
pub mod clock;
pub mod code;
pub mod contact;
pub mod cursor;
pub mod demo;
pub mod edge;
pub mod http;
pub mod ids;
pub mod involvement;
pub mod keys;
pub mod listener;
pub mod matching;
pub mod organisation;
pub mod problem;
pub mod record;
pub mod scribe;
pub mod session;
pub mod token;
pub mod word;
pub mod work;
