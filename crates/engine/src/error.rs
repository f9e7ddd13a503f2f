//! Three kinds of wrong: bad data is a [`RowError`] that flows on as an error value, a bad plan is a
//! [`PlanError`] before anything runs, a broken outside world is an [`EngineError`] that ends the run.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use towpath_types::Key;

/// Where in the user's program a table, column or connector was declared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The file's path.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The text of the line, if it could be read.
    pub text: Arc<str>,
    /// The function the line is in; `<module>` where it is in none.
    pub function: Arc<str>,
}

impl Origin {
    /// The place as tables of errors show it.
    pub fn trace(&self) -> String {
        let Self {
            file,
            line,
            text,
            function,
        } = self;
        format!("Occurred here:\n \tLine: {text}\n \tFile: {file}:{line}\n \tFunction: {function}")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Which of Python's exceptions a failure corresponds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// `ZeroDivisionError`
    ZeroDivision,
    /// `OverflowError`
    Overflow,
    /// `TypeError`
    Type,
    /// `ValueError`
    Value,
    /// `KeyError`
    Key,
    /// `IndexError`
    Index,
    /// `OSError`
    Os,
    /// `BrokenPipeError`
    BrokenPipe,
    /// `RuntimeError`
    Runtime,
    /// Another process has failed, and reports it.
    Process,
}

/// What stands behind a failure, such as a Python exception; only the crate that made it can look inside.
pub type Cause = Arc<dyn Any + Send + Sync>;

/// What was computed when a row failed, as far as the message does not say it. It does not tell failures apart.
#[derive(Clone, Debug, Default)]
pub struct Computing {
    /// The call of a function of the engine with its arguments, such as `7 // 0`, or the like.
    pub operation: Option<Box<str>>,
    /// What the program calls the column of the result.
    pub column: Option<Arc<str>>,
}

/// What stands before the key of a row that has failed.
const FOR_ROW: &str = "for the row ";

/// A computation failed for one row.
#[derive(Clone)]
pub struct RowError {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// What happened, without the place.
    pub message: String,
    /// The call of a function of the user's that failed, with its arguments.
    pub call: Option<Box<str>>,
    /// What was computed, if it is known.
    pub computing: Option<Box<Computing>>,
    /// The key of the row, if it is known.
    pub key: Option<Key>,
    /// The exception behind it.
    pub cause: Option<Cause>,
    /// The difference of the row: a failure comes and goes with its row.
    pub diff: i64,
}

impl RowError {
    /// A failure without an exception behind it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            call: None,
            computing: None,
            key: None,
            cause: None,
            diff: 1,
        }
    }

    /// The same in a computation of the engine, such as `7 // 0`.
    #[must_use]
    pub fn computing(mut self, operation: String) -> Self {
        self.computing.get_or_insert_default().operation = Some(operation.into());
        self
    }

    /// The same in a column that the program calls so.
    #[must_use]
    pub(crate) fn in_column(mut self, column: &Arc<str>) -> Self {
        self.computing.get_or_insert_default().column = Some(Arc::clone(column));
        self
    }

    /// What happened, and in which call, column and row.
    pub(crate) fn text(&self) -> String {
        let Some(place) = self.place() else {
            return self.message.clone();
        };
        match place.strip_prefix(FOR_ROW) {
            Some(key) if self.message.ends_with(" the row") => format!("{} {key}", self.message),
            _ if self.message.ends_with('.') => format!("{} It failed {place}", self.message),
            _ => format!("{}, {place}", self.message),
        }
    }

    /// What happened, for tables of errors, where what is the same has the same message: only a call of a function of
    /// the user's has its place there.
    pub(crate) fn table_text(&self) -> String {
        match self.call {
            Some(_) => self.text(),
            None => self.message.clone(),
        }
    }

    /// In which call, column and row it happened, as far as that is known and the message does not say it.
    pub(crate) fn place(&self) -> Option<String> {
        let computing = self.computing.as_deref();
        let operation = computing.and_then(|computing| computing.operation.as_ref());
        let call = self.call.as_ref().or(operation).map(|call| format!("in {call}"));
        let column = computing.and_then(|computing| computing.column.as_ref());
        let column = column.map(|column| format!("in column {column:?}"));
        let key = self.key.map(|key| key.to_string());
        let row = key.filter(|key| !self.message.contains(key.as_str()));
        let row = row.map(|key| format!("{FOR_ROW}{key}"));
        let parts: Vec<String> = [call, column, row].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The same of one row.
    #[must_use]
    pub fn of(mut self, key: Key, diff: i64) -> Self {
        self.key = Some(key);
        self.diff = diff;
        self
    }
}

impl fmt::Debug for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

/// A plan that cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// The kind of mistake.
    pub kind: ErrorKind,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl PlanError {
    /// An operation that the types do not allow.
    pub fn mismatch(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Type,
            message: message.into(),
        }
    }

    /// Anything else that is wrong with a plan.
    pub fn value(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Value,
            message: message.into(),
        }
    }
}

/// What ended a run.
#[derive(Clone)]
pub struct EngineError {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// What happened, in which connector or operator, and what to do.
    pub message: String,
    /// The declaration in the user's program.
    pub origin: Option<Origin>,
    /// In which call of a function for which row it happened.
    pub place: Option<Box<str>>,
    /// The exception behind it.
    pub cause: Option<Cause>,
}

impl From<PlanError> for EngineError {
    fn from(error: PlanError) -> Self {
        EngineError::new(error.kind, error.message)
    }
}

impl EngineError {
    /// A failure without an exception behind it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            origin: None,
            place: None,
            cause: None,
        }
    }

    /// A failure of the operating system, such as a full disk.
    pub fn os(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(ErrorKind::Os, format!("{what}: {error}"))
    }

    /// The same failure with the exception behind it.
    #[must_use]
    pub fn caused_by(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// The same failure at a place in the user's program, unless it has one already.
    #[must_use]
    pub fn at(mut self, origin: Option<&Origin>) -> Self {
        self.origin = self.origin.or_else(|| origin.cloned());
        self
    }
}

impl From<RowError> for EngineError {
    fn from(error: RowError) -> Self {
        // An exception of the user's stays as it is.
        let (message, place) = match error.cause {
            Some(_) => (error.message.clone(), error.place()),
            None => (error.text(), None),
        };
        Self {
            kind: error.kind,
            place: place.map(String::into_boxed_str),
            message,
            origin: None,
            cause: error.cause,
        }
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_where_it_was() {
        let failed = |message: &str| RowError::new(ErrorKind::Value, message);
        let key = Key(7);
        assert_eq!(failed("wrong").text(), "wrong");
        assert_eq!(failed("wrong").of(key, 1).text(), format!("wrong, for the row {key}"));
        let skipped = "found an error, skipping the row";
        assert_eq!(failed(skipped).of(key, 1).text(), format!("{skipped} {key}"));
        let twice = format!("{key} is there twice");
        assert_eq!(failed(&twice).of(key, 1).text(), twice);
        let placed = |message| {
            let error = failed(message).computing("7 // 0".to_owned());
            error.in_column(&"a \"b\"".into()).of(key, 1)
        };
        let place = format!(r#"in 7 // 0, in column "a \"b\"", for the row {key}"#);
        assert_eq!(placed("wrong").text(), format!("wrong, {place}"));
        assert_eq!(placed("Wrong.").text(), format!("Wrong. It failed {place}"));
        // There it can be counted, and an exception of the user's stays what it is.
        assert_eq!(placed("wrong").table_text(), "wrong");
        let raised = RowError {
            call: Some("f(a=7)".into()),
            cause: Some(Arc::new(())),
            ..placed("wrong")
        };
        let place = place.replace("7 // 0", "f(a=7)");
        assert_eq!(raised.table_text(), format!("wrong, {place}"));
        let error = EngineError::from(raised);
        assert_eq!(
            (error.message.as_str(), error.place.as_deref()),
            ("wrong", Some(place.as_str()))
        );
    }
}
