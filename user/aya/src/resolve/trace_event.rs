//! Trace events: their numbers, and where their fields are.

use std::{fs, io, path::PathBuf};

use aya_obj::FieldPlace;

use super::{similar, tracefs};
use crate::programs::TracePointError;

/// An event that the kernel has.
#[derive(Debug)]
pub(crate) struct TraceEvent {
    /// `category/name`.
    pub(crate) path: String,
    folder: PathBuf,
}

impl TraceEvent {
    /// The event `category/name`.
    pub(crate) fn find(path: &str) -> Result<Self, TracePointError> {
        let root = tracefs::root().map_err(|error| unreadable("/sys/kernel/tracing", error))?;
        let events = root.join("events");
        let (category, name) = path.split_once('/').unwrap_or((path, ""));
        let named = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['/', '\0']);
        let folder = events.join(category).join(name);
        if named(category) && named(name) && folder.join("id").exists() {
            let path = path.to_owned();
            return Ok(Self { path, folder });
        }
        let has_category = named(category) && events.join(category).is_dir();
        let (wrong, folder) = match has_category {
            true => (name, events.join(category)),
            false => (category, events),
        };
        let there_are: Vec<String> = match fs::read_dir(&folder) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
            Err(error) => return Err(unreadable(folder, error)),
        };
        let similar = similar::similar(wrong, there_are.iter().map(String::as_str));
        Err(TracePointError::NotFound {
            event: path.to_owned(),
            similar: match has_category {
                true => similar
                    .iter()
                    .map(|name| format!("{category}/{name}"))
                    .collect(),
                false => similar
                    .iter()
                    .map(|other| format!("{other}/{name}"))
                    .collect(),
            },
            folder,
        })
    }

    /// The number by which perf events name it.
    pub(crate) fn id(&self) -> Result<u64, TracePointError> {
        let (category, name) = self.path.split_once('/').unwrap_or_default();
        tracefs::event_id(category, name).map_err(|error| unreadable(self.folder.join("id"), error))
    }

    /// Its fields.
    pub(crate) fn fields(&self) -> Result<Vec<Field>, TracePointError> {
        let file = self.folder.join("format");
        let text = fs::read_to_string(&file).map_err(|error| unreadable(file, error))?;
        Ok(text.lines().filter_map(Field::parse).collect())
    }
}

fn unreadable(filename: impl Into<PathBuf>, io_error: io::Error) -> TracePointError {
    TracePointError::FileError {
        filename: filename.into(),
        io_error,
    }
}

/// A field of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// As C declares it: `__data_loc char[] filename`.
    pub(crate) declaration: String,
    offset: u16,
    size: u16,
}

impl Field {
    /// Of a line `field:pid_t pid; offset:12; size:4; signed:1;`.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.trim().split(';').map(str::trim);
        let declaration = parts.next()?.strip_prefix("field:")?;
        let number = |part: Option<&str>, key| part?.strip_prefix(key)?.parse().ok();
        let offset = number(parts.next(), "offset:")?;
        let size = number(parts.next(), "size:")?;
        // `char comm[16]`, `const char * filename`, `__data_loc char[] filename`
        let end = declaration
            .strip_suffix(']')
            .and_then(|rest| rest.rfind('['));
        let name = declaration.get(..end.unwrap_or(declaration.len()))?;
        let name = name
            .rsplit([' ', '*'])
            .next()
            .filter(|name| !name.is_empty())?;
        Some(Self {
            name: name.to_owned(),
            declaration: declaration.to_owned(),
            offset,
            size,
        })
    }

    /// Whether the kernel keeps it from programs: they see something else in the first 8 bytes.
    pub(crate) fn is_hidden(&self) -> bool {
        self.offset < 8
    }

    /// Whether it is a string or an array, and not a number.
    pub(crate) fn is_bytes(&self) -> bool {
        self.declaration.contains('[')
    }

    /// Where it is; none for what lies relative to its own end (`__rel_loc`).
    pub(crate) fn place(&self) -> Option<FieldPlace> {
        let (offset, size) = (self.offset, self.size);
        if self.declaration.starts_with("__rel_loc ") {
            return None;
        }
        Some(match self.declaration.starts_with("__data_loc ") {
            true => FieldPlace::Elsewhere { offset },
            false => FieldPlace::Here { offset, size },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_formats() {
        let field = |line: &str| {
            let field = Field::parse(line).ok_or("refused")?;
            let (bytes, place) = (field.is_bytes(), field.place());
            Ok::<_, &str>((field.name, bytes, place))
        };
        let here = |offset, size| Some(FieldPlace::Here { offset, size });
        let read = |name: &str, bytes, place| Ok((name.to_owned(), bytes, place));
        assert_eq!(
            field("\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;"),
            read("pid", false, here(12, 4))
        );
        assert_eq!(
            field("\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;"),
            read("filename", false, here(24, 8))
        );
        assert_eq!(
            field("\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;"),
            read("prev_comm", true, here(8, 16))
        );
        assert_eq!(
            field("\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;"),
            read("filename", true, Some(FieldPlace::Elsewhere { offset: 8 }))
        );
        assert_eq!(
            field("\tfield:__rel_loc char[] text;\toffset:8;\tsize:4;\tsigned:0;"),
            read("text", true, None)
        );
        assert!(
            Field::parse("\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;")
                .is_some_and(|field| field.is_hidden())
        );
        for line in [
            "",
            "name: sched_switch",
            "print fmt: \"pid=%d\"",
            "field:x; offset:-1; size:4;",
        ] {
            assert_eq!(Field::parse(line), None, "{line}");
        }
    }
}
