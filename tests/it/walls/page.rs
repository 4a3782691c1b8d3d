//! The two tables of ARCHITECTURE.md that the source is held against.

use std::collections::{BTreeMap, BTreeSet};

/// Who may name whom, and where `unsafe` may stand.
#[derive(Debug)]
pub struct Page {
    /// In the order of the page, which is that of the layers: each room names rooms below it.
    pub rooms: Vec<String>,
    pub may_name: BTreeMap<String, BTreeSet<String>>,
    /// Folders (`kernels/`) and files (`tables/sql.rs`).
    pub may_be_unsafe: Vec<String>,
}

impl Page {
    /// # Errors
    /// What is wrong with the tables themselves.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut page = Self { rooms: Vec::new(), may_name: BTreeMap::new(), may_be_unsafe: Vec::new() };
        for cells in rows(text, "| room | may name |")? {
            let [room, named] = cells.as_slice() else { return Err(format!("not two cells: {cells:?}")) };
            let room = words(room).pop().ok_or_else(|| format!("no room in {cells:?}"))?;
            page.may_name.insert(room.clone(), words(named).into_iter().collect());
            page.rooms.push(room);
        }
        for cells in rows(text, "| where `unsafe` may stand | why |")? {
            page.may_be_unsafe.extend(words(&cells[0]));
        }
        for (place, room) in page.rooms.iter().enumerate() {
            let below = &page.rooms[place + 1..];
            if let Some(other) = page.may_name[room].iter().find(|other| !below.contains(other)) {
                return Err(format!("`{room}` may name `{other}`, which is no room below it"));
            }
        }
        Ok(page)
    }

    pub fn allows(&self, from: &str, to: &str) -> bool {
        self.may_name.get(from).is_some_and(|named| named.contains(to))
    }
}

/// The cells of the table under a heading.
fn rows(text: &str, heading: &str) -> Result<Vec<Vec<String>>, String> {
    let mut lines = text.lines().skip_while(|line| *line != heading);
    lines.next().ok_or_else(|| format!("there is no table `{heading}`"))?;
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    Ok(lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect())
}

/// What stands between backticks.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
