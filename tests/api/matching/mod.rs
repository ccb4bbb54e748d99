//! Finding the one right child.

mod criteria;
mod names;
mod results;
