//! Published runs → one page to read, complete in itself.

pub(crate) mod claims;
pub(crate) mod headlines;
pub(crate) mod markdown;
mod page;
mod remarks;
mod svg;

pub(crate) use page::page;
