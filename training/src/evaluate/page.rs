//! The tables of the pages in `docs/`, written between its markers by the command that measures.
//!
//! A table stands between `<!-- figures: PREFIX ... -->` and `<!-- end -->`: every figure whose name begins with one of
//! the prefixes, in the order measured. A grid stands between `<!-- grid: PATTERN | ROWS | COLUMNS -->` and the same end:
//! the figure of each row and column is the pattern with `{row}` and `{column}` filled in. What is between is replaced;
//! the rest of the page is the author's.

use crate::request::Figure;
use std::fmt::Write as _;

const FIGURES: &str = "<!-- figures:";
const GRID: &str = "<!-- grid:";
const END: &str = "<!-- end -->";

/// The page with its tables written anew.
///
/// # Errors
/// A marker that is not closed, or a table that no figure belongs to.
pub fn rewritten(page: &str, figures: &[Figure]) -> Result<String, String> {
    let mut out = String::with_capacity(page.len() * 2);
    let mut rest = page;
    while let Some((at, begin)) = next_marker(rest) {
        let line_end = rest[at..].find("-->").ok_or("a marker is not closed by -->")? + at + 3;
        let asked = rest[at + begin.len()..line_end - 3].trim();
        let end = rest[line_end..].find(END).ok_or_else(|| format!("no {END} after {begin} {asked}"))?;
        out.push_str(&rest[..line_end]);
        out.push('\n');
        out.push_str(&if begin == FIGURES { table(figures, asked)? } else { grid(figures, asked)? });
        rest = &rest[line_end + end..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the next marker begins, and which it is.
fn next_marker(page: &str) -> Option<(usize, &'static str)> {
    [FIGURES, GRID].into_iter().filter_map(|begin| page.find(begin).map(|at| (at, begin))).min()
}

/// Figures by row and column, each with its interval.
fn grid(figures: &[Figure], asked: &str) -> Result<String, String> {
    let parts: Vec<&str> = asked.split('|').map(str::trim).collect();
    let [pattern, rows, columns] = parts[..] else { return Err(format!("a grid needs two bars: {asked}")) };
    let columns: Vec<&str> = columns.split_whitespace().collect();
    let mut out = format!("| | {} |\n|{}\n", columns.join(" | ").replace('_', " "), " --- |".repeat(columns.len() + 1));
    for row in rows.split_whitespace() {
        let _ = write!(out, "| {} |", row.replace('_', " "));
        for column in &columns {
            let name = pattern.replace("{row}", row).replace("{column}", column);
            let figure = figures.iter().find(|figure| figure.name == name);
            let figure = figure.ok_or_else(|| format!("there is no figure {name}"))?;
            let interval = figure.interval.map_or(String::new(), |(low, high)| format!(" ({low:.3} to {high:.3})"));
            let _ = write!(out, " {:.3}{interval} |", figure.value);
        }
        out.push('\n');
    }
    Ok(out)
}

fn table(figures: &[Figure], asked: &str) -> Result<String, String> {
    let prefixes: Vec<&str> = asked.split_whitespace().collect();
    let chosen: Vec<&Figure> =
        figures.iter().filter(|figure| prefixes.iter().any(|prefix| figure.name.starts_with(prefix))).collect();
    if chosen.is_empty() {
        return Err(format!("no figure begins with any of {asked}"));
    }
    let mut out = String::from(
        "| figure | value | 95 % interval | floor | what | sample |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for figure in chosen {
        let interval = figure.interval.map_or("-".into(), |(low, high)| format!("{low:.4} to {high:.4}"));
        let floor = figure.floor.map_or("-".into(), |floor| {
            let met = if figure.higher_is_better { figure.value >= floor } else { figure.value <= floor };
            format!("{floor} {}", if met { "met" } else { "**missed**" })
        });
        let _ = writeln!(
            out,
            "| `{}` | {:.4} | {interval} | {floor} | {} | {}, {} |",
            figure.name, figure.value, figure.description, figure.sample, figure.source
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, value: f64) -> Figure {
        Figure {
            name: name.into(),
            description: "what".into(),
            value,
            interval: Some((0.1, 0.3)),
            sample: "5 people".into(),
            floor: Some(0.15),
            higher_is_better: false,
            source: "real".into(),
            licence: "train".into(),
        }
    }

    #[test]
    fn tables_are_replaced_and_words_stay() {
        let page = "# Page\n<!-- figures: typing.a -->\nold\n<!-- end -->\nwords\n";
        let once = rewritten(page, &[figure("typing.a_one", 0.2), figure("typing.b", 0.1)]);
        let once = once.unwrap();
        assert!(once.contains("`typing.a_one` | 0.2000 | 0.1000 to 0.3000 | 0.15 **missed**"), "{once}");
        assert!(!once.contains("old") && !once.contains("typing.b") && once.ends_with("<!-- end -->\nwords\n"));
        assert_eq!(rewritten(&once, &[figure("typing.a_one", 0.2)]).unwrap(), once);
    }

    #[test]
    fn a_grid_has_a_figure_in_every_cell_or_says_which_is_missing() {
        let figures = [figure("typing.a_8.rate", 0.2), figure("typing.a_11.rate", 0.25)];
        let page =
            |columns: &str| format!("<!-- grid: typing.{{row}}_{{column}}.rate | a | {columns} -->\n<!-- end -->");
        let written = rewritten(&page("8 11"), &figures).unwrap();
        assert!(written.contains("| a | 0.200 (0.100 to 0.300) | 0.250 (0.100 to 0.300) |"), "{written}");
        assert_eq!(rewritten(&page("8 30"), &figures), Err("there is no figure typing.a_30.rate".into()));
    }

    #[test]
    fn a_table_without_figures_and_an_open_marker_are_errors() {
        assert!(rewritten("<!-- figures: typing.z -->\n<!-- end -->", &[figure("typing.a", 0.1)]).is_err());
        assert!(rewritten("<!-- figures: typing.a -->\n", &[figure("typing.a", 0.1)]).is_err());
    }

    fn page_in_the_tree(name: &str, tables_min: usize, drawings_min: usize) {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let page = std::fs::read_to_string(docs.join(name)).unwrap();
        let (mut rest, mut tables) = (page.as_str(), 0);
        while let Some((at, begin)) = next_marker(rest) {
            let end = rest[at..].find(END).unwrap() + at;
            let rows =
                rest[at..end].lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).count();
            assert!(rows > 1, "an empty table: measure with --docs docs: {begin}{}", &rest[at..end]);
            (rest, tables) = (&rest[end..], tables + 1);
        }
        assert!(tables >= tables_min, "{tables}");
        let drawings: Vec<&str> = page.split("](img/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(drawings.len() >= drawings_min);
        for drawing in drawings {
            let size = std::fs::metadata(docs.join("img").join(drawing)).unwrap().len();
            assert!((1_000..60_000).contains(&size), "{drawing} is {size} bytes");
        }
    }

    #[test]
    fn the_pages_in_the_tree_have_tables_and_drawings_that_are_there() {
        page_in_the_tree("typing.md", 4, 6);
        page_in_the_tree("remote-input.md", 4, 4);
        page_in_the_tree("timezone.md", 5, 6);
    }
}
