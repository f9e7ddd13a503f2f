//! How csv is written.

use towpath_engine::Description;

/// How csv is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvSettings {
    /// What separates fields.
    pub delimiter: u8,
    /// What fields may be put in.
    pub quote: u8,
    /// What takes the meaning from the next byte inside quotes.
    pub escape: Option<u8>,
    /// Whether two quotes inside quotes are one quote of the field.
    pub double_quote_escapes: bool,
    /// Whether quotes mean anything.
    pub quoting: bool,
    /// Lines that begin with it are skipped.
    pub comment_character: Option<u8>,
}

impl CsvSettings {
    pub(in crate::files) fn describe(&self, description: &mut Description) {
        let Self {
            delimiter,
            quote,
            escape,
            double_quote_escapes,
            quoting,
            comment_character,
        } = self;
        let optional = |byte: &Option<u8>| byte.map_or_else(|| "none".to_owned(), |byte| char::from(byte).to_string());
        description.set("format", "csv");
        description.set("delimiter", char::from(*delimiter));
        description.set("quote", char::from(*quote));
        description.set("escape", optional(escape));
        description.set("double_quote_escapes", double_quote_escapes);
        description.set("quoting", quoting);
        description.set("comment_character", optional(comment_character));
    }
}

impl Default for CsvSettings {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            escape: None,
            double_quote_escapes: true,
            quoting: true,
            comment_character: None,
        }
    }
}

impl CsvSettings {
    /// Whether the settings can work.
    pub(in crate::files) fn check(&self) -> Result<(), String> {
        let special = [
            ("delimiter", Some(self.delimiter)),
            ("quote", self.quoting.then_some(self.quote)),
            ("escape", self.escape),
            ("comment character", self.comment_character),
        ];
        for (name, byte) in special {
            if byte.is_some_and(|byte| !byte.is_ascii() || matches!(byte, b'\n' | b'\r')) {
                return Err(format!(
                    "the {name} of csv must be one ASCII character, and no end of line"
                ));
            }
        }
        if self.quoting && self.delimiter == self.quote {
            return Err("the delimiter and the quote of csv must differ".to_owned());
        }
        Ok(())
    }
}
