//! Published runs → one page to read, complete in itself.

pub(crate) mod claims;
mod page;
mod svg;

pub(crate) use page::page;
