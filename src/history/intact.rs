//! A look at the database's files before it opens them.
//!
//! Every file that the database writes whole ends with where its table of contents stands, and that begins with how many
//! entries it has. The database believes this number before it checks the table's hash: one changed bit can make it ask
//! for more memory than there is, which ends the program without a word. What cannot be true is found here first.
//!
//! Layout: `sfa` 1.0 (the archive format of `lsm-tree` 3): `TOC!`, `u32` entries, each `u64` position, `u64` length,
//! `u16` name length, name; at the end of the file `SFA!`, `u8` version, `u8` kind of hash, 16 bytes hash, `u64`
//! position of the table of contents, `u64` its length. All numbers little-endian.

use super::store::StoreError;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of the end of a file that says where its table of contents stands.
const TRAILER_BYTES: u64 = 38;
const TRAILER_MAGIC: &[u8] = b"SFA!";
/// Bytes from the end's begin to the position of the table of contents.
const POSITION_AT: usize = 22;
const CONTENTS_MAGIC: &[u8] = b"TOC!";
/// Bytes of the least entry: position, length and the length of its name.
const ENTRY_BYTES: u64 = 18;
/// Sections that begin with a count that is believed too, and the least bytes of what is counted.
const COUNTED: [(&[u8], u64); 2] = [(b"blob_files", 8), (b"linked_blob_files", 8)];

/// Checks every file under a data directory that says it has a table of contents. What cannot be read is left to the
/// database, which says why: it may be another process's, at work on it now.
///
/// # Errors
/// [`StoreError::Damaged`] names the file whose counts cannot be true.
pub(super) fn check(directory: &Path) -> Result<(), StoreError> {
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(next) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            // Links are not followed: the database makes none.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(path),
                Ok(kind) if kind.is_file() => {
                    if let Ok(Err(cause)) = contents_fit(&path) {
                        let name = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
                        return Err(StoreError::Damaged { what: format!("the file `{name}` of the store"), cause });
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether what a file says of its contents fits its length. A file without a table of contents fits.
fn contents_fit(path: &Path) -> io::Result<Result<(), String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let Some(end) = length.checked_sub(TRAILER_BYTES) else { return Ok(Ok(())) };
    let mut trailer = [0; TRAILER_BYTES as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut trailer)?;
    if !trailer.starts_with(TRAILER_MAGIC) {
        return Ok(Ok(()));
    }
    let position = u64_at(&trailer, POSITION_AT);
    let Some(room) = end.checked_sub(position).and_then(|room| room.checked_sub(8)) else {
        return Ok(Err("its table of contents would stand beyond its end".into()));
    };
    let mut begin = [0; 8];
    file.seek(SeekFrom::Start(position))?;
    file.read_exact(&mut begin)?;
    if !begin.starts_with(CONTENTS_MAGIC) {
        return Ok(Err("there is no table of contents where it says".into()));
    }
    let entries = u64::from(u32_at(&begin, 4));
    if entries > room / ENTRY_BYTES {
        return Ok(Err(format!("its table of contents would have {entries} entries in {room} bytes")));
    }
    let mut contents = vec![0; room as usize];
    file.read_exact(&mut contents)?;
    counts_fit(&mut file, &contents, entries, length)
}

/// Whether the sections that begin with a count have room for as many. What is wrong in another way is left to the
/// table's hash.
fn counts_fit(file: &mut File, contents: &[u8], entries: u64, length: u64) -> io::Result<Result<(), String>> {
    let mut rest = contents;
    for _ in 0..entries {
        let Some((fixed, after)) = rest.split_at_checked(ENTRY_BYTES as usize) else { return Ok(Ok(())) };
        let (position, bytes) = (u64_at(fixed, 0), u64_at(fixed, 8));
        let name_bytes = usize::from(u16::from_le_bytes([fixed[16], fixed[17]]));
        let Some((name, after)) = after.split_at_checked(name_bytes) else { return Ok(Ok(())) };
        rest = after;
        let Some((_, least)) = COUNTED.iter().find(|(counted, _)| *counted == name) else { continue };
        if bytes < 4 || position > length.saturating_sub(4) {
            continue;
        }
        let mut count = [0; 4];
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut count)?;
        let count = u64::from(u32_at(&count, 0));
        if count > length / least {
            return Ok(Err(format!("its section `{}` would have {count} entries", String::from_utf8_lossy(name))));
        }
    }
    Ok(Ok(()))
}

/// A little-endian number at a place known to be within.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one section, as the database would write it, with what its numbers say.
    fn archive(name: &[u8], section: &[u8], entries: u32, position: Option<u64>) -> Vec<u8> {
        let mut bytes = section.to_vec();
        let at = bytes.len() as u64;
        bytes.extend_from_slice(CONTENTS_MAGIC);
        bytes.extend_from_slice(&entries.to_le_bytes());
        bytes.extend_from_slice(&0_u64.to_le_bytes());
        bytes.extend_from_slice(&(section.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(name);
        let length = bytes.len() as u64 - at;
        bytes.extend_from_slice(TRAILER_MAGIC);
        bytes.extend_from_slice(&[1, 0]);
        bytes.extend_from_slice(&[7; 16]);
        bytes.extend_from_slice(&position.unwrap_or(at).to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes
    }

    fn told(bytes: &[u8]) -> Result<(), String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("deep")).unwrap();
        std::fs::write(directory.path().join("deep/file"), bytes).unwrap();
        check(directory.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn files_that_say_what_is_true_and_files_of_another_kind_pass() {
        assert_eq!(told(&archive(b"data", b"some data", 1, None)), Ok(()));
        assert_eq!(told(&archive(b"blob_files", &[0; 40], 1, None)), Ok(()));
        assert_eq!(told(b""), Ok(()));
        assert_eq!(told(&[0; 500]), Ok(()));
    }

    #[test]
    fn a_count_that_cannot_be_true_is_damage_in_a_file_with_a_name() {
        let error = told(&archive(b"data", b"some data", 1 << 31, None)).unwrap_err();
        assert!(error.contains("deep/file") && error.contains("2147483648 entries"), "{error}");
        let error = told(&archive(b"data", b"some data", 1, Some(1 << 40))).unwrap_err();
        assert!(error.contains("beyond its end"), "{error}");
        let error = told(&archive(b"data", b"some data", 1, Some(0))).unwrap_err();
        assert!(error.contains("no table of contents"), "{error}");
        let error = told(&archive(b"blob_files", &[255; 40], 1, None)).unwrap_err();
        assert!(error.contains("blob_files"), "{error}");
    }
}
