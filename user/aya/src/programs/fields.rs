//! Fields that tracepoint programs read by name: found in tracefs before the program is loaded.

use std::collections::BTreeMap;

use aya_obj::{FieldPlace, FieldShape, FieldSpec, LinkedProgram};
use aya_uapi::Insn;

use crate::{
    programs::TracePointError,
    resolve::trace_event::{Field, TraceEvent},
};

/// The instructions that read the fields, and where each goes.
pub(crate) fn resolve(linked: &LinkedProgram) -> Result<Vec<(usize, Insn)>, TracePointError> {
    let mut events = Events::default();
    let fields = linked.fields();
    let found = fields.map(|(at, field)| {
        let event = event_of(linked, field)?;
        Ok((at, events.read(linked, event, field)?))
    });
    found.collect()
}

/// Refuses an event whose fields are not where those are that the program was loaded for.
pub(crate) fn check(linked: &LinkedProgram, event: &str) -> Result<(), TracePointError> {
    let mut events = Events::default();
    for (_, field) in linked.fields() {
        let loaded_for = event_of(linked, field)?;
        if loaded_for == event {
            continue;
        }
        let here = events.read(linked, event, field).ok();
        if here != Some(events.read(linked, loaded_for, field)?) {
            return Err(TracePointError::OtherFields {
                program: linked.spec.name.clone(),
                field: field.name.clone(),
                loaded_for: loaded_for.to_owned(),
                event: event.to_owned(),
            });
        }
    }
    Ok(())
}

/// The event that a field is of: the one that the program says, or the one in its section's name.
fn event_of<'a>(
    linked: &'a LinkedProgram,
    field: &'a FieldSpec,
) -> Result<&'a str, TracePointError> {
    let said = field.event.as_deref().or(linked.spec.target.as_deref());
    said.ok_or_else(|| TracePointError::NoEvent {
        program: linked.spec.name.clone(),
        field: field.name.clone(),
    })
}

/// The events that have been read.
#[derive(Default)]
struct Events(BTreeMap<String, Vec<Field>>);

impl Events {
    fn fields(&mut self, event: &str) -> Result<&[Field], TracePointError> {
        if !self.0.contains_key(event) {
            let fields = TraceEvent::find(event)?.fields()?;
            self.0.insert(event.to_owned(), fields);
        }
        Ok(self.0.get(event).map_or(&[], Vec::as_slice))
    }

    /// The instruction that reads the field.
    fn read(
        &mut self,
        linked: &LinkedProgram,
        event: &str,
        wanted: &FieldSpec,
    ) -> Result<Insn, TracePointError> {
        let fields = self.fields(event)?;
        let program = || linked.spec.name.clone();
        let readable = fields.iter().filter(|field| !field.is_hidden());
        let Some(field) = readable.clone().find(|field| field.name == wanted.name) else {
            return Err(TracePointError::UnknownField {
                program: program(),
                event: event.to_owned(),
                field: wanted.name.clone(),
                fields: readable.map(|field| field.name.clone()).collect(),
            });
        };
        let as_bytes = wanted.shape == FieldShape::Bytes;
        let place = field.place().filter(|_| !as_bytes || field.is_bytes());
        place
            .and_then(|place| wanted.read(place))
            .ok_or_else(|| TracePointError::FieldShape {
                program: program(),
                event: event.to_owned(),
                field: wanted.name.clone(),
                declaration: field.declaration.clone(),
                remedy: remedy(field),
            })
    }
}

/// How to read a field that was read in another way.
fn remedy(field: &Field) -> String {
    match field.place() {
        None => "only `read_at` can read it".to_owned(),
        Some(FieldPlace::Here { size, .. }) if !field.is_bytes() => {
            format!("read it with `field`, as a number of {size} bytes")
        }
        Some(_) => "read it with `bytes` or `str`".to_owned(),
    }
}
