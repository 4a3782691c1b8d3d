//! Files and folders, and what is asked of the operating system about them: the store and the published folders go through
//! here and nowhere else. A call that a signal interrupted is made again.
//!
//! Tests can stand in between (`watch`): each [step](step::Step), before it is taken, may be refused, cut short, or made to
//! wait.

mod copy;
mod file;
mod fresh;
mod lock;
mod path;
mod step;
#[cfg(test)]
pub(crate) mod watch;

pub(crate) use std::fs::Metadata;

pub(crate) use copy::{clone, copy, link, second_name};
pub(crate) use file::{File, create, create_new, most_open, open, read, read_part, write};
pub(crate) use fresh::{Scratch, fresh_folder};
pub(crate) use lock::Lock;
pub(crate) use path::{
    antedate, create_folder, create_folders, exchange, exists, is_damage, is_file, is_folder, is_in_the_way,
    is_nothing, is_unsupported, list, look, make_read_only, metadata, remove, rename, sync_folder, target, touch,
};
#[cfg(test)]
pub(crate) use step::Step;
