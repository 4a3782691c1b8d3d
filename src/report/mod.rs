//! Published runs → one page to read, complete in itself.

pub mod claims;
mod page;
mod svg;

pub use page::page;
