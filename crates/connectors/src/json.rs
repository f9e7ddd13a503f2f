//! One JSON object to one row.
//!
//! Most lines are flat objects of strings without escapes and numbers, with their members in the same order
//! as in the line before. A scanner of our own takes those; whatever else it meets — escapes, nested values,
//! anything odd or wrong — it leaves to a complete parser, which also words the errors.

use towpath_engine::{ErrorKind, RowError};
use towpath_types::scan::string_end;
use towpath_types::{ColumnBuilder, DType, Field, Json, Message, Schema, Value};

use crate::values::{Cell, excerpt, parse_float, parse_int, parse_json_value};

/// Where in an object a field stands.
#[derive(Clone, Debug)]
enum Place {
    /// The member of this name.
    Member(String),
    /// The value that a pointer (RFC 6901) leads to.
    Pointer(String),
}

#[derive(Clone, Debug)]
struct Wanted {
    name: String,
    place: Place,
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
                place: match paths.iter().find(|(name, _)| *name == field.name) {
                    Some((_, path)) => Place::Pointer(path.clone()),
                    None => Place::Member(field.name.clone()),
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
            has_pointers: wanted.iter().any(|wanted| matches!(wanted.place, Place::Pointer(_))),
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
    pub fn parse_line(&mut self, line: &[u8], builders: &mut [ColumnBuilder]) -> Result<(), RowError> {
        let text = std::str::from_utf8(line)
            .map_err(|error| RowError::new(ErrorKind::Value, format!("the JSON is no valid UTF-8: {error}")))?;
        let cells = self
            .read(text)
            .map_err(|message| RowError::new(ErrorKind::Value, message))?;
        for (cell, builder) in cells.iter().zip(builders) {
            push_cell(builder, cell, text);
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
        for place in 0..self.cells.len() {
            if matches!(self.cells[place], Cell::Absent) {
                self.cells[place] = match &self.wanted[place].default {
                    Some(default) => Cell::from(default.clone()),
                    None => self.bad_cell(place, |wanted| missing(wanted, line))?,
                };
            }
        }
        Ok(&self.cells)
    }

    /// What stands in for a value that is not there or cannot be read, if anything does.
    #[cold]
    fn bad_cell(&mut self, place: usize, message: impl FnOnce(&Wanted) -> String) -> Result<Cell, String> {
        let wanted = &self.wanted[place];
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
            .position(|wanted| matches!(&wanted.place, Place::Member(member) if member.as_bytes() == name));
        if field.is_none() && self.unknown_member.is_none() {
            self.unknown_member = Some(String::from_utf8_lossy(name).into_owned());
        }
        self.members.truncate(member);
        self.members.push((name.into(), field));
        field
    }

    /// Reads any document.
    fn read_any(&mut self, line: &str) -> Result<(), String> {
        let message = Message::parse(line).map_err(|error| format!("{} is no JSON: {error}", quoted(line)))?;
        let message = message.ok_or_else(|| format!("{} is no JSON object", quoted(line)))?;
        if self.unknown_member.is_none() && !self.has_pointers {
            let is_wanted = |name: &str| self.wanted.iter().any(|wanted| wanted.name == name);
            self.unknown_member = message.names().find(|name| !is_wanted(name)).map(str::to_owned);
        }
        for place in 0..self.cells.len() {
            let wanted = &self.wanted[place];
            let whole;
            let found = match &wanted.place {
                Place::Member(name) => message.get(name).map(Result::as_ref),
                Place::Pointer(path) if path.is_empty() => {
                    whole = Json::parse(line);
                    Some(whole.as_ref())
                }
                Place::Pointer(path) => message.pointer(path),
            };
            self.cells[place] = match found {
                None => Cell::Absent,
                Some(Ok(json)) => match parse_json_value(json, &wanted.dtype) {
                    Ok(value) => Cell::from(value),
                    Err(reason) => self.bad_cell(place, |wanted| bad_value(wanted, json, &reason))?,
                },
                Some(Err(error)) => self.bad_cell(place, |wanted| {
                    format!("field {:?}: cannot read it as {}: {error}", wanted.name, wanted.dtype)
                })?,
            };
        }
        Ok(())
    }
}

/// Appends a cell; its text, if it is one, stands in `line`.
pub(crate) fn push_cell(builder: &mut ColumnBuilder, cell: &Cell, line: &str) {
    match cell {
        Cell::Absent | Cell::None => builder.push_none(),
        Cell::Error => builder.push_error(),
        // A default may be an int in a column of floats.
        Cell::Int(value) => builder.push(&Value::Int(*value)),
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
    let place = match &wanted.place {
        Place::Member(_) => String::new(),
        Place::Pointer(path) => format!(" (at {path})"),
    };
    format!(
        "field {:?}{place} is missing in {} and has no default",
        wanted.name,
        excerpt(line)
    )
}

#[inline]
fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The place after `byte`, which must stand at `at`.
#[inline]
fn after(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (bytes.get(at) == Some(&byte)).then_some(at + 1)
}

/// Nothing but space may follow.
fn ends(bytes: &[u8], at: usize) -> Option<()> {
    (skip_space(bytes, at) == bytes.len()).then_some(())
}

/// The length of `true`, `false` or `null`.
fn literal(bytes: &[u8]) -> Option<usize> {
    ["true", "false", "null"]
        .iter()
        .find(|word| bytes.starts_with(word.as_bytes()))
        .map(|word| word.len())
}

/// The length of a number, in JSON's strict grammar.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| -> Option<usize> {
        let count = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let first = usize::from(bytes.first() == Some(&b'-'));
    let mut end = digits(first)?;
    if bytes[first] == b'0' && end > first + 1 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Some(end)
}

/// Reads a plain value; `None` if it is not obvious.
#[inline]
fn read_flat_cell(line: &str, start: usize, end: usize, dtype: &DType, cell: &mut Cell) -> Option<()> {
    let text = &line[start..end];
    match (text.as_bytes()[0], dtype.required()) {
        (b'"', DType::Str | DType::Any) => {
            let (start, end) = (start + 1, end - 1);
            *cell = Cell::Text { start, end };
        }
        (b't', DType::Bool | DType::Any) => *cell = Cell::Bool(true),
        (b'f', DType::Bool | DType::Any) => *cell = Cell::Bool(false),
        (b'n', _) if dtype.is_optional() => *cell = Cell::None,
        (b'-' | b'0'..=b'9', DType::Int) => {
            let value = parse_int(text).ok()?;
            *cell = Cell::Int(value);
        }
        (b'-' | b'0'..=b'9', DType::Float) => {
            // Beyond the range of floats it depends on how the number is written.
            let value = parse_float(text).ok().filter(|value| value.is_finite())?;
            *cell = Cell::Float(value);
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schema() -> Schema {
        let mut schema = Schema::of([
            ("word", DType::Str),
            ("n", DType::Int),
            ("x", DType::Float.optional()),
            ("b", DType::Bool),
            ("any", DType::Any),
            ("j", DType::Json),
        ]);
        for (field, default) in [
            (2, Value::None),
            (3, Value::Bool(true)),
            (4, Value::None),
            (5, Value::str("default")),
        ] {
            schema.fields[field].default = Some(default);
        }
        schema
    }

    fn row(parser: &mut JsonRowParser, line: &str) -> Result<Vec<Value>, String> {
        let mut builders: Vec<ColumnBuilder> = parser
            .wanted
            .iter()
            .map(|wanted| ColumnBuilder::new(&wanted.dtype))
            .collect();
        let result = parser.parse_line(line.as_bytes(), &mut builders);
        let columns: Vec<_> = builders.iter_mut().map(ColumnBuilder::finish).collect();
        match result {
            Ok(()) => Ok(columns.iter().map(|column| column.value(0)).collect()),
            Err(error) => {
                assert!(columns.iter().all(towpath_types::Column::is_empty));
                Err(error.message)
            }
        }
    }

    #[test]
    fn rows_of_objects() {
        let mut parser = JsonRowParser::new(&Schema::of([("a", DType::Int), ("b", DType::Str)]));
        let good = |parser: &mut JsonRowParser, line: &str, a: i64, b: &str| {
            assert_eq!(row(parser, line), Ok(vec![Value::Int(a), Value::str(b)]), "{line}");
        };
        good(&mut parser, r#"{"a":1,"b":"x"}"#, 1, "x");
        good(&mut parser, r#" { "b" : "ż" , "c" : [1, {}], "a" : -5 } "#, -5, "ż");
        good(&mut parser, r#"{"a":1,"b":"q\"\u00e9\n"}"#, 1, "q\"é\n");
        good(&mut parser, r#"{"a":1,"a":2,"b":"","c":1e5,"d":null}"#, 2, "");
        good(&mut parser, r#"{"\u0061":3,"b":"x"}"#, 3, "x");
        for (line, reason) in [
            (r#"{"a":1}"#, r#"field "b" is missing in {"a":1} and has no default"#),
            (
                r#"{"a":1.0,"b":"x"}"#,
                r#"field "a": cannot read 1.0 as int: a number with a fraction"#,
            ),
            (r#"{"a":9223372036854775808,"b":"x"}"#, "does not fit in 64 bits"),
            (r#"{"a":null,"b":"x"}"#, "null is no int"),
            (r#"{"a":1,"b":"x"} y"#, "is no JSON"),
            (r#"{"a":01,"b":"x"}"#, "is no JSON"),
            (r#"{"a":1,"b":"x""#, "is no JSON"),
            (r#"{"a":1,"b":"x",}"#, "is no JSON"),
            ("[1]", r#"the line "[1]" is no JSON object"#),
            ("", "is no JSON"),
        ] {
            let error = row(&mut parser, line).expect_err(line);
            assert!(error.contains(reason), "{line}: {error}");
        }
        let error = parser.parse_line(b"{\"a\":\xff}", &mut []).expect_err("no UTF-8");
        assert!(error.message.contains("UTF-8"), "{}", error.message);
    }

    #[test]
    fn zeros_keep_their_sign() {
        let mut parser = JsonRowParser::new(&Schema::of([("x", DType::Float), ("s", DType::Str)]));
        for (zero, sign) in [("-0.0", -1.0), ("-0e0", -1.0), ("-0", -1.0), ("0.0", 1.0), ("0", 1.0)] {
            // With an escape the complete parser reads the line.
            for text in ["plain", r"esc\u0061ped"] {
                let values = row(&mut parser, &format!(r#"{{"x":{zero},"s":"{text}"}}"#)).expect("it is a row");
                let Value::Float(value) = values[0] else {
                    panic!("{values:?} begins with a float");
                };
                assert_eq!(value.signum(), sign, "{zero} {text}");
            }
        }
    }

    #[test]
    fn bad_values_are_errors_in_rows_that_are_kept() {
        let mut schema = Schema::of([("k", DType::Int), ("x", DType::Float), ("s", DType::Str)]);
        schema.fields[0].primary_key = true;
        let mut parser = JsonRowParser::new(&schema);
        parser.keep_bad_rows(true);
        for (line, cells, reasons) in [
            (
                r#"{"k":1,"x":"high","s":"a"}"#,
                [Value::Int(1), Value::Error, Value::str("a")],
                vec!["\"x\": cannot read"],
            ),
            (
                r#"{"k":1,"x":2.5,"s":"a"}"#,
                [Value::Int(1), Value::Float(2.5), Value::str("a")],
                vec![],
            ),
            (
                r#"{"k":1,"x":null}"#,
                [Value::Int(1), Value::Error, Value::Error],
                vec!["\"x\": cannot read", "\"s\" is missing"],
            ),
        ] {
            assert_eq!(row(&mut parser, line), Ok(cells.to_vec()), "{line}");
            let errors = parser.take_errors();
            assert_eq!(errors.len(), reasons.len(), "{errors:?}");
            for (error, reason) in errors.iter().zip(reasons) {
                assert!(error.contains(reason), "{error}");
            }
        }
        for line in [r#"{"k":"one","x":"high","s":"a"}"#, r#"{"x":2.5,"s":"a"}"#, "{", "[1]"] {
            assert!(row(&mut parser, line).is_err(), "{line} has no key");
        }
    }

    #[test]
    fn the_first_unknown_member_is_known() {
        for (lines, unknown) in [
            (vec![r#"{"a":1}"#, r#"{"a":[]}"#, r#"{}"#], None),
            (vec![r#"{"a":1}"#, r#"{"a":1,"c":2}"#, r#"{"d":1,"a":1}"#], Some("c")),
            (vec![r#"{"a":1,"é":[]}"#, r#"{"a":1,"c":2}"#], Some("é")),
            (vec![r#"{"a":1,"\u0063":2}"#], Some("c")),
            (vec![r#"{"b":1}"#], Some("b")),
        ] {
            let mut parser = JsonRowParser::new(&Schema::of([("a", DType::Int)]));
            for line in &lines {
                // Whether the row is accepted does not matter.
                let _ = row(&mut parser, line);
            }
            assert_eq!(parser.unknown_member(), unknown, "{lines:?}");
        }
    }

    #[test]
    fn pointers_lead_into_documents() {
        let schema = Schema::of([("a", DType::Int), ("b", DType::Str)]);
        let paths = [("b".to_owned(), "/o/p/1".to_owned())];
        let mut parser = JsonRowParser::with_paths(&schema.fields, &paths);
        assert_eq!(
            row(&mut parser, r#"{"a":1,"o":{"p":["u","v"]}}"#),
            Ok(vec![Value::Int(1), Value::str("v")])
        );
        let error = row(&mut parser, r#"{"a":1,"o":5}"#).expect_err("it leads nowhere");
        assert!(error.starts_with("field \"b\" (at /o/p/1) is missing"), "{error}");
    }

    fn token() -> impl Strategy<Value = String> {
        let string = prop_oneof!["[a-c]{0,14}", "[ab\"\\\\ż\u{1}]{0,6}"]
            .prop_map(|text| serde_json::to_string(&text).expect("a string can be written"));
        prop_oneof![
            4 => string,
            2 => any::<i64>().prop_map(|value| value.to_string()),
            2 => any::<f64>().prop_map(|value| format!("{value:?}")),
            1 => "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][-+]?[0-9]{0,3})?",
            2 => prop_oneof![Just("true"), Just("false"), Just("null"), Just("nul"), Just("[1]"), Just("{\"n\":1}")]
                .prop_map(str::to_owned),
        ]
    }

    fn line() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            Just("word"),
            Just("n"),
            Just("x"),
            Just("b"),
            Just("any"),
            Just("j"),
            Just("other")
        ];
        let member = (name, token(), "[ \t]{0,1}", "[ \t]{0,1}")
            .prop_map(|(name, value, space, other)| format!("{space}\"{name}\"{other}:{space}{value}{other}"));
        let damage = prop_oneof![9 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
        (prop::collection::vec(member, 0..7), damage).prop_map(|(members, damage)| {
            let mut line = format!("{{\"word\":\"w\",\"n\":1,{}}}", members.join(","));
            if members.is_empty() {
                line = line.replace(",}", "}");
            }
            if let Some(place) = damage {
                let place = place.index(line.len());
                if line.is_char_boundary(place) {
                    line.truncate(place);
                }
            }
            line
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_scanner_agrees_with_the_complete_parser(lines in prop::collection::vec(line(), 1..4)) {
            let mut parser = JsonRowParser::new(&schema());
            for line in &lines {
                let mut complete = JsonRowParser::new(&schema());
                complete.has_pointers = true;
                let (quick, complete) = (row(&mut parser, line), row(&mut complete, line));
                prop_assert_eq!(&quick, &complete, "{}", line);
                // And with a parser that is not ours.
                let standard: Result<serde_json::Value, _> = serde_json::from_str(line);
                if let (Ok(values), Ok(document)) = (&quick, &standard) {
                    prop_assert_eq!(&values[0], &Value::str(document["word"].as_str().unwrap_or_default()));
                    prop_assert_eq!(&values[1], &Value::Int(match &document["n"] {
                        serde_json::Value::Bool(value) => i64::from(*value),
                        number => number.as_i64().unwrap_or_default(),
                    }));
                }
                // A number beyond the range of floats is infinite, which that parser refuses.
                let is_json = match &standard {
                    Ok(_) => true,
                    Err(error) => error.to_string().starts_with("number out of range"),
                };
                prop_assert!(is_json || quick.is_err(), "{} is no JSON", line);
            }
        }
    }
}
