//! Lines from files or standard input, `.gz` unpacked, each with a limit on its length.

use crate::event::limits;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// One line, or why it is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Its text, without the end of line.
    Text(String),
    /// It is longer than [`limits::LINE_BYTES_MAX`]; the rest was skipped.
    TooLong,
    /// It is not UTF-8.
    NotText,
}

/// Lines of several sources after one another.
pub struct Lines {
    sources: std::vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, Source)>,
    buffer: Vec<u8>,
}

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

type Source = BufReader<Box<dyn Read + Send>>;

fn open(path: &Path) -> io::Result<Source> {
    if path == Path::new("-") {
        return Ok(BufReader::with_capacity(BUFFER_BYTES, Box::new(io::stdin())));
    }
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    // By content, not by name: a renamed file still opens.
    if file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(BufReader::with_capacity(BUFFER_BYTES, Box::new(MultiGzDecoder::new(file))));
    }
    Ok(BufReader::with_capacity(BUFFER_BYTES, Box::new(file)))
}

impl Lines {
    /// Lines of `paths`, or of standard input when there are none. `-` is standard input too.
    pub fn of(paths: &[PathBuf]) -> Self {
        let sources = if paths.is_empty() { vec![PathBuf::from("-")] } else { paths.to_vec() };
        Self { sources: sources.into_iter(), current: None, buffer: Vec::new() }
    }

    /// Whether a whole line is at hand, so that asking for it cannot wait for whoever writes the input.
    pub fn line_at_hand(&self) -> bool {
        self.current.as_ref().is_some_and(|(_, reader)| reader.buffer().contains(&b'\n'))
    }

    /// The next line that is not blank, or `None` at the end.
    ///
    /// # Errors
    /// Names the file that cannot be opened or read.
    pub fn next_line(&mut self) -> Result<Option<Line>, String> {
        loop {
            let Some((path, reader)) = &mut self.current else {
                let Some(path) = self.sources.next() else { return Ok(None) };
                let reader = open(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                self.current = Some((path, reader));
                continue;
            };
            self.buffer.clear();
            let most = limits::LINE_BYTES_MAX as u64 + 1;
            let read = reader.by_ref().take(most).read_until(b'\n', &mut self.buffer);
            let read = read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            if read == 0 {
                self.current = None;
                continue;
            }
            if self.buffer.len() > limits::LINE_BYTES_MAX && self.buffer.last() != Some(&b'\n') {
                skip_line(reader).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                return Ok(Some(Line::TooLong));
            }
            let line = self.buffer.trim_ascii();
            if line.is_empty() {
                continue;
            }
            return Ok(Some(match std::str::from_utf8(line) {
                Ok(text) => Line::Text(text.into()),
                Err(_) => Line::NotText,
            }));
        }
    }
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(());
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(chunk.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn all(bytes: &[u8], gzip: bool) -> Vec<Line> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        if gzip {
            let mut packer = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap();
        } else {
            file.write_all(bytes).unwrap();
        }
        let mut lines = Lines::of(&[file.path().to_path_buf()]);
        std::iter::from_fn(|| lines.next_line().unwrap()).collect()
    }

    #[test]
    fn blank_lines_are_skipped_and_the_last_needs_no_end() {
        let expected = vec![Line::Text("a".into()), Line::Text("b".into())];
        assert_eq!(all(b"a\r\n\n  \nb", false), expected);
        assert_eq!(all(b"a\r\n\n  \nb", true), expected);
    }

    #[test]
    fn a_line_too_long_is_told_and_the_next_is_read() {
        let mut bytes = vec![b'x'; limits::LINE_BYTES_MAX + 10];
        bytes.extend_from_slice(b"\nnext\n\xff\xfe\n");
        assert_eq!(all(&bytes, false), vec![Line::TooLong, Line::Text("next".into()), Line::NotText]);
    }
}
