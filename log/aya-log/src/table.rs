//! Section `.aya.log` → statements, and a record → its message.

use aya_log_common::{
    DisplayHint, Level,
    descriptor::{Descriptor, Descriptors},
    format::{Parser, Piece, Selector},
    record::{MAX_ARGUMENTS, Value, read_values, split_id},
};

use crate::{decoder::MalformedRecord, error::Error, render::render};

/// The log statements of an object.
#[derive(Debug)]
pub(crate) struct Table {
    /// In the order of their ids.
    statements: Vec<Statement>,
}

/// What does not change from record to record.
#[derive(Debug)]
pub(crate) struct Statement {
    id: u32,
    arguments: usize,
    pub(crate) level: log::Level,
    pub(crate) target: Box<str>,
    pub(crate) module: Box<str>,
    pub(crate) file: Box<str>,
    pub(crate) line: u32,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(Box<str>),
    Argument(usize, DisplayHint),
}

impl Table {
    pub(crate) fn new(section: &[u8]) -> Result<Self, Error> {
        let statements = Descriptors::new(section)
            .map(|(id, descriptor)| {
                Statement::new(id, &descriptor.map_err(Error::DescriptorError)?)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// The statement that sent `record`.
    pub(crate) fn find(&self, record: &[u8]) -> Result<&Statement, MalformedRecord> {
        let (id, _) = split_id(record).map_err(|_| MalformedRecord)?;
        let found = self
            .statements
            .binary_search_by_key(&id, |statement| statement.id);
        found
            .ok()
            .and_then(|index| self.statements.get(index))
            .ok_or(MalformedRecord)
    }
}

impl Statement {
    fn new(id: u32, descriptor: &Descriptor<'_>) -> Result<Self, Error> {
        let arguments = usize::from(descriptor.arguments);
        let malformed = || Error::Format {
            id,
            format: descriptor.format.into(),
        };
        if arguments > MAX_ARGUMENTS {
            return Err(malformed());
        }
        let mut next = 0;
        let mut parts = Vec::new();
        for piece in Parser::new(descriptor.format) {
            parts.push(match piece.map_err(|_| malformed())? {
                Piece::Text(text) => Part::Text(text.into()),
                Piece::Placeholder(selector, hint) => {
                    let index = match selector {
                        Selector::Next => {
                            next += 1;
                            next - 1
                        }
                        Selector::Index(index) => index,
                        Selector::Name(_) => return Err(malformed()),
                    };
                    if index >= arguments {
                        return Err(malformed());
                    }
                    Part::Argument(index, hint)
                }
            });
        }
        let target = match descriptor.target {
            "" => descriptor.module,
            target => target,
        };
        Ok(Self {
            id,
            arguments,
            level: match descriptor.level {
                Level::Error => log::Level::Error,
                Level::Warn => log::Level::Warn,
                Level::Info => log::Level::Info,
                Level::Debug => log::Level::Debug,
                Level::Trace => log::Level::Trace,
            },
            target: target.into(),
            module: descriptor.module.into(),
            file: descriptor.file.into(),
            line: descriptor.line,
            parts,
        })
    }

    /// Puts the message of `record` in the place of what is in `out`.
    pub(crate) fn message(&self, record: &[u8], out: &mut Vec<u8>) -> Result<(), MalformedRecord> {
        let mut values = [Value::Bool(false); MAX_ARGUMENTS];
        let values = values.get_mut(..self.arguments).ok_or(MalformedRecord)?;
        read_values(record, values).map_err(|_| MalformedRecord)?;
        out.clear();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Argument(index, hint) => {
                    let value = *values.get(*index).ok_or(MalformedRecord)?;
                    render(value, *hint, out).ok_or(MalformedRecord)?;
                }
            }
        }
        Ok(())
    }
}
