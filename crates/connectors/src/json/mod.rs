//! One JSON object to one row.
//!
//! Most lines are flat objects of strings without escapes and numbers, with their members in the same order
//! as in the line before. A scanner of our own takes those; whatever else it meets — escapes, nested values,
//! anything odd or wrong — it leaves to a complete parser, which also words the errors.

mod flat;
#[cfg(test)]
mod tests;

use towpath_engine::{ErrorKind, RowError};
use towpath_types::scan::string_end;
use towpath_types::{ColumnBuilder, DType, Field, Json, JsonMembers, Schema, Value};

use crate::values::{Cell, excerpt, parse_json_value};
use flat::{after, ends, literal, number, read_flat_cell, skip_space};

/// Where in an object a field stands.
#[derive(Clone, Debug)]
enum Selector {
    /// The member of this name.
    Member(String),
    /// The value that a pointer (RFC 6901) leads to.
    Pointer(String),
}

#[derive(Clone, Debug)]
struct Wanted {
    name: String,
    selector: Selector,
    dtype: DType,
    default: Option<Value>,
    /// A row without a good key is no row.
    is_key: bool,
}

/// Turns JSON objects into rows of a schema.
#[derive(Clone, Debug)]
pub struct JsonRowParser {
    wanted: Vec<Wanted>,
    /// The cells of the present row.
    cells: Vec<Cell>,
    /// The members of the last flat object: their names, and which of the wanted fields they are.
    members: Vec<(Box<[u8]>, Option<usize>)>,
    /// The first member that no field takes.
    unknown_member: Option<String>,
    has_pointers: bool,
    keeps_bad_rows: bool,
    /// Why values of the present row are errors.
    errors: Vec<String>,
}

impl JsonRowParser {
    /// A parser for all columns of a schema; each is the member of its name.
    pub fn new(schema: &Schema) -> Self {
        Self::with_paths(&schema.fields, &[])
    }

    /// A parser for some fields, of which those named in `paths` stand where their pointer (RFC 6901) leads.
    pub fn with_paths<'a>(fields: impl IntoIterator<Item = &'a Field>, paths: &[(String, String)]) -> Self {
        let wanted: Vec<Wanted> = fields
            .into_iter()
            .map(|field| Wanted {
                name: field.name.clone(),
                selector: match paths.iter().find(|(name, _)| *name == field.name) {
                    Some((_, path)) => Selector::Pointer(path.clone()),
                    None => Selector::Member(field.name.clone()),
                },
                dtype: field.dtype.clone(),
                default: field.default.clone(),
                is_key: field.primary_key,
            })
            .collect();
        Self {
            keeps_bad_rows: false,
            errors: Vec::new(),
            cells: vec![Cell::Absent; wanted.len()],
            members: Vec::new(),
            unknown_member: None,
            has_pointers: wanted
                .iter()
                .any(|wanted| matches!(wanted.selector, Selector::Pointer(_))),
            wanted,
        }
    }

    /// From now on, whether a value that cannot be read becomes an error in a row that is kept, unless it belongs
    /// to the key; otherwise the row is refused.
    pub fn keep_bad_rows(&mut self, keeps: bool) {
        self.keeps_bad_rows = keeps;
    }

    /// Why values of the last row are errors.
    pub fn take_errors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.errors)
    }

    /// The name of the first member of any object so far that no field takes. Not known of documents that
    /// pointers lead into.
    pub fn unknown_member(&self) -> Option<&str> {
        self.unknown_member.as_deref()
    }

    /// Appends the row of one object to the columns, which are as many as the fields; on an error they stay as
    /// they are.
    ///
    /// # Errors
    /// What is wrong with the object, with the name of the field.
    pub fn parse_line(&mut self, line: &str, builders: &mut [ColumnBuilder]) -> Result<(), RowError> {
        let cells = self
            .read(line)
            .map_err(|message| RowError::new(ErrorKind::Value, message))?;
        for (cell, builder) in cells.iter().zip(builders) {
            push_cell(builder, cell, line);
        }
        Ok(())
    }

    /// The cells of the row of one object; texts refer to `line`.
    pub(crate) fn read(&mut self, line: &str) -> Result<&[Cell], String> {
        if !self.errors.is_empty() {
            self.errors.clear();
        }
        if self.has_pointers || self.read_flat(line).is_none() {
            self.read_any(line)?;
        }
        for position in 0..self.cells.len() {
            if matches!(self.cells[position], Cell::Absent) {
                self.cells[position] = match &self.wanted[position].default {
                    Some(default) => Cell::from(default.clone()),
                    None => self.bad_cell(position, |wanted| missing(wanted, line))?,
                };
            }
        }
        Ok(&self.cells)
    }

    /// What stands in for a value that is not there or cannot be read, if anything does.
    #[cold]
    fn bad_cell(&mut self, position: usize, message: impl FnOnce(&Wanted) -> String) -> Result<Cell, String> {
        let wanted = &self.wanted[position];
        let message = message(wanted);
        if !self.keeps_bad_rows || wanted.is_key {
            return Err(message);
        }
        self.errors.push(message);
        Ok(Cell::Error)
    }

    /// Reads a flat object; `None` if it is not as plain as most are.
    fn read_flat(&mut self, line: &str) -> Option<()> {
        let bytes = line.as_bytes();
        for cell in &mut self.cells {
            *cell = Cell::Absent;
        }
        let mut at = after(bytes, skip_space(bytes, 0), b'{')?;
        at = skip_space(bytes, at);
        if bytes.get(at) == Some(&b'}') {
            return ends(bytes, at + 1);
        }
        for member in 0.. {
            let name = after(bytes, skip_space(bytes, at), b'"')?;
            let name_end = string_end(bytes, name)?;
            at = skip_space(bytes, after(bytes, name_end, b'"')?);
            at = skip_space(bytes, after(bytes, at, b':')?);
            let field = self.field(member, &bytes[name..name_end]);
            let end = match bytes.get(at)? {
                b'"' => {
                    let end = string_end(bytes, at + 1)?;
                    after(bytes, end, b'"')?
                }
                b't' | b'f' | b'n' => at + literal(&bytes[at..])?,
                b'-' | b'0'..=b'9' => at + number(&bytes[at..])?,
                _ => return None,
            };
            if let Some(field) = field {
                read_flat_cell(line, at, end, &self.wanted[field].dtype, &mut self.cells[field])?;
            }
            at = skip_space(bytes, end);
            match bytes.get(at)? {
                b',' => at += 1,
                b'}' => return ends(bytes, at + 1),
                _ => return None,
            }
        }
        None
    }

    /// Which of the wanted fields the `member`-th member of an object is.
    #[inline]
    fn field(&mut self, member: usize, name: &[u8]) -> Option<usize> {
        match self.members.get(member) {
            Some((last, field)) if **last == *name => *field,
            _ => self.other_field(member, name),
        }
    }

    #[cold]
    fn other_field(&mut self, member: usize, name: &[u8]) -> Option<usize> {
        let field = self
            .wanted
            .iter()
            .position(|wanted| matches!(&wanted.selector, Selector::Member(member) if member.as_bytes() == name));
        if field.is_none() && self.unknown_member.is_none() {
            self.unknown_member = Some(String::from_utf8_lossy(name).into_owned());
        }
        self.members.truncate(member);
        self.members.push((name.into(), field));
        field
    }

    /// Reads any document.
    fn read_any(&mut self, line: &str) -> Result<(), String> {
        let message = JsonMembers::parse(line).map_err(|error| format!("{} is no JSON: {error}", quoted(line)))?;
        let message = message.ok_or_else(|| format!("{} is no JSON object", quoted(line)))?;
        if self.unknown_member.is_none() && !self.has_pointers {
            let is_wanted = |name: &str| self.wanted.iter().any(|wanted| wanted.name == name);
            self.unknown_member = message.names().find(|name| !is_wanted(name)).map(str::to_owned);
        }
        for position in 0..self.cells.len() {
            let wanted = &self.wanted[position];
            let whole;
            let found = match &wanted.selector {
                Selector::Member(name) => message.get(name).map(Result::as_ref),
                Selector::Pointer(path) if path.is_empty() => {
                    whole = Json::parse(line);
                    Some(whole.as_ref())
                }
                Selector::Pointer(path) => message.pointer(path),
            };
            self.cells[position] = match found {
                None => Cell::Absent,
                Some(Ok(json)) => match parse_json_value(json, &wanted.dtype) {
                    Ok(value) => Cell::from(value),
                    Err(reason) => self.bad_cell(position, |wanted| bad_value(wanted, json, &reason))?,
                },
                Some(Err(error)) => self.bad_cell(position, |wanted| {
                    format!("field {:?}: cannot read it as {}: {error}", wanted.name, wanted.dtype)
                })?,
            };
        }
        Ok(())
    }
}

/// Appends a cell; its text, if it is one, stands in `line`.
#[inline]
pub(crate) fn push_cell(builder: &mut ColumnBuilder, cell: &Cell, line: &str) {
    match cell {
        Cell::Absent | Cell::None => builder.push_none(),
        Cell::Error => builder.push_error(),
        // A default may be an int in a column of floats.
        Cell::Int(value) => builder.push_any_int(*value),
        Cell::Bool(value) => builder.push_bool(*value),
        Cell::Float(value) => builder.push_float(*value),
        Cell::Text { start, end } => builder.push_str(&line[*start..*end]),
        Cell::Value(value) => builder.push(value),
    }
}

fn quoted(line: &str) -> String {
    format!("the line {:?}", excerpt(line))
}

fn bad_value(wanted: &Wanted, json: &Json, reason: &str) -> String {
    let text = json.to_string();
    format!(
        "field {:?}: cannot read {} as {}: {reason}",
        wanted.name,
        excerpt(&text),
        wanted.dtype
    )
}

fn missing(wanted: &Wanted, line: &str) -> String {
    let pointer = match &wanted.selector {
        Selector::Member(_) => String::new(),
        Selector::Pointer(path) => format!(" (at {path})"),
    };
    format!(
        "field {:?}{pointer} is missing in {} and has no default",
        wanted.name,
        excerpt(line)
    )
}
