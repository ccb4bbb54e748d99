//! Finding the one right child.

mod criteria;
mod fuzzy;
mod names;
mod results;
mod system;
