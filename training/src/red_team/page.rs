//! `docs/red-team.md`: its tables between markers.

use super::report::Report;
use std::path::Path;

const END: &str = "<!-- end -->";

/// Writes the page's tables into `docs`.
///
/// # Errors
/// A page without its markers, or a file that cannot be written.
pub fn write(docs: &Path, report: &Report) -> Result<(), String> {
    let path = docs.join("red-team.md");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let page = std::fs::read_to_string(&path).map_err(failed)?;
    let page = rewritten(&page, report).map_err(|error| format!("{}: {error}", path.display()))?;
    std::fs::write(&path, page).map_err(failed)
}

/// The page with its tables written anew; the rest is the author's.
///
/// # Errors
/// A marker that is missing or not closed.
pub fn rewritten(page: &str, report: &Report) -> Result<String, String> {
    let measured = format!(
        "Measured against `{}`, seed {}, tier `{}`, by `{}`.\n",
        report.model_id, report.seed, report.tier, report.command
    );
    let tables = [
        ("<!-- red-team: measured -->", measured),
        ("<!-- red-team: scenarios -->", report.table()),
        ("<!-- red-team: mistakes -->", report.mistakes()),
        ("<!-- red-team: powers -->", report.powers_table()),
    ];
    let mut page = page.to_string();
    for (marker, table) in tables {
        let at = page.find(marker).ok_or_else(|| format!("the page has no {marker}"))? + marker.len();
        let end = page[at..].find(END).ok_or_else(|| format!("no {END} after {marker}"))? + at;
        page.replace_range(at..end, &format!("\n\n{table}\n"));
    }
    Ok(page)
}
