//! `docs/tables.md`, made from the tables' own columns.

use std::fmt::{self, Write};

use weir_model::{Column, ColumnGroup, tables};

/// The whole page.
pub fn markdown() -> String {
    let mut page = String::new();
    write(&mut page).expect("writing to a String cannot fail");
    page
}

fn write(page: &mut String) -> fmt::Result {
    writeln!(page, "# Tables\n")?;
    writeln!(page, "<!-- Made by `make doc` from crates/model/src/tables; a test compares. -->\n")?;
    writeln!(
        page,
        "Delta tables, one folder each in the lake. Names are the same in SQL, in `weir ... -o json`, in filters and in the \
         API. Every column may be null where its meaning says so. Times are microseconds (UTC) in the lake and seconds with \
         nine digits in JSON.\n"
    )?;
    writeln!(
        page,
        "Each table is partitioned by `{0}` (text, such as `2026-11-22T21`): the hour of packet time, in UTC, that holds the \
         row. It is a folder (`{0}=2026-11-22T21`), not a column of the files, and a condition on it keeps other hours from \
         being read. In `objects` it is the hour in which the collector saw it; what outlasts that stands in a later one.",
        tables::PARTITION
    )?;
    tables::all().iter().try_for_each(|(name, doc, columns)| table(page, name, doc, columns))
}

fn table(page: &mut String, name: &str, doc: &str, columns: &[Column]) -> fmt::Result {
    writeln!(page, "\n## {name}\n\n{doc}")?;
    let mut group: Option<ColumnGroup> = None;
    for column in columns {
        if group != Some(column.group) {
            group = Some(column.group);
            writeln!(page, "\n### {name}: {}\n\n| column | type | meaning |\n|---|---|---|", column.group.name())?;
        }
        writeln!(page, "| `{}` | {} | {} |", column.name, column.kind.name(), column.doc.replace('|', "\\|"))?;
    }
    Ok(())
}
