//! Text to documents.
//!
//! A parser of our own, since those of others change what they cannot hold: they drop the sign of zeros, round whole
//! numbers, sort members, and know neither `NaN` nor `Infinity`.

use std::borrow::Cow;
use std::fmt;

use super::{DIGITS, Json, NESTING, Object};
use crate::scan::string_end;

/// Why a text is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    reason: Cow<'static, str>,
    /// Which character of the text is wrong, counted from 1.
    character: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at character {}", self.reason, self.character)
    }
}

impl std::error::Error for JsonError {}

impl Json {
    /// The document that a text holds.
    ///
    /// # Errors
    /// If the text is no JSON, or nested too deep.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let mut parser = Parser::new(text);
        let document = parser.value(NESTING)?;
        parser.ends()?;
        parser.fault.map_or(Ok(document), Err)
    }
}

pub(super) struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The first thing that is JSON, but that no document of ours can hold.
    pub(super) fault: Option<JsonError>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            fault: None,
        }
    }

    /// Nothing but space may follow.
    pub(super) fn ends(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.at < self.bytes.len() {
            return Err(self.wrong("there is more behind the end"));
        }
        Ok(())
    }

    #[cold]
    fn has_fault(&mut self, reason: impl Into<Cow<'static, str>>) {
        let fault = self.wrong(reason);
        self.fault.get_or_insert(fault);
    }

    #[cold]
    fn wrong(&self, reason: impl Into<Cow<'static, str>>) -> JsonError {
        let before = &self.bytes[..self.at.min(self.bytes.len())];
        let characters = before.iter().filter(|byte| (**byte as i8) >= -0x40).count();
        JsonError {
            reason: reason.into(),
            character: characters + 1,
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes `byte`, if it comes next.
    #[inline]
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn value(&mut self, levels: usize) -> Result<Json, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => {
                let text = self.string()?;
                Ok(Json::Str(text.into()))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{' | b'[') if levels == 0 => self.skip_nested(),
            Some(b'{') => self.object(levels - 1),
            Some(b'[') => self.list(levels - 1),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'N') => self.word("NaN", Json::Float(f64::NAN)),
            Some(b'I') => self.word("Infinity", Json::Float(f64::INFINITY)),
            _ => Err(self.wrong("a value is missing")),
        }
    }

    /// Passes a list or an object that is nested too deep, without looking at what is in it.
    #[cold]
    fn skip_nested(&mut self) -> Result<Json, JsonError> {
        self.has_fault(format!("it is nested more than {NESTING} levels deep"));
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => drop(self.string()?),
                b'[' | b'{' => {
                    open += 1;
                    self.at += 1;
                }
                b']' | b'}' => {
                    open -= 1;
                    self.at += 1;
                    if open == 0 {
                        return Ok(Json::Null);
                    }
                }
                _ => self.at += 1,
            }
        }
        Err(self.wrong("the end of a list or an object is missing"))
    }

    fn word(&mut self, word: &str, meaning: Json) -> Result<Json, JsonError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.wrong("a value is missing"));
        }
        self.at += word.len();
        Ok(meaning)
    }

    fn list(&mut self, levels: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.takes(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(levels)?);
            if self.takes(b']') {
                return Ok(Json::List(items));
            }
            if !self.takes(b',') {
                return Err(self.wrong("a list goes on with , or ends with ]; neither is there"));
            }
        }
    }

    fn object(&mut self, levels: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members = Vec::new();
        let mut is_open = !self.takes(b'}');
        while is_open {
            let name = self.name()?;
            members.push((name, self.value(levels)?));
            is_open = self.goes_on()?;
        }
        Ok(Json::Object(Box::new(Object::new(members))))
    }

    /// The name of a member, and the colon behind it.
    pub(super) fn name(&mut self) -> Result<Box<str>, JsonError> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.wrong("the name of a member is missing"));
        }
        let name = self.string()?;
        if !self.takes(b':') {
            return Err(self.wrong("behind the name of a member : is missing"));
        }
        Ok(name.into())
    }

    /// Whether an object has another member.
    pub(super) fn goes_on(&mut self) -> Result<bool, JsonError> {
        if self.takes(b',') {
            return Ok(true);
        }
        if self.takes(b'}') {
            return Ok(false);
        }
        Err(self.wrong("an object goes on with , or ends with }; neither is there"))
    }

    /// A text; most have no escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut unescaped = String::new();
        let mut plain = start;
        loop {
            let Some(end) = string_end(self.bytes, self.at) else {
                self.at = self.bytes.len();
                return Err(self.wrong("the end of a text is missing"));
            };
            self.at = end;
            match self.bytes[end] {
                b'"' => {
                    self.at += 1;
                    if plain == start {
                        return Ok(Cow::Borrowed(&self.text[start..end]));
                    }
                    unescaped.push_str(&self.text[plain..end]);
                    return Ok(Cow::Owned(unescaped));
                }
                b'\\' => {
                    unescaped.push_str(&self.text[plain..end]);
                    unescaped.push(self.escape()?);
                    plain = self.at;
                }
                _ => return Err(self.wrong("a control character in a text is not escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let escaped = match self.bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.wrong("there is no such escape")),
        };
        self.at += 2;
        Ok(escaped)
    }

    /// `\uXXXX`, or two of them that are one character.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self
            .unit(self.at)
            .ok_or_else(|| self.wrong("\\u needs four hexadecimal digits"))?;
        if let Some(character) = char::from_u32(first) {
            self.at += 6;
            return Ok(character);
        }
        let second = if first < 0xdc00 { self.unit(self.at + 6) } else { None };
        let character = second
            .filter(|second| (0xdc00..0xe000).contains(second))
            .and_then(|second| char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
        match character {
            Some(character) => {
                self.at += 12;
                Ok(character)
            }
            None => {
                self.has_fault("a lone surrogate is no character");
                self.at += 6;
                Ok(char::REPLACEMENT_CHARACTER)
            }
        }
    }

    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits
            .iter()
            .try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    }

    fn digits(&mut self) -> Result<usize, JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(self.wrong("a digit is missing")),
            count => Ok(count),
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        let is_negative = self.takes(b'-');
        if is_negative && self.peek() == Some(b'I') {
            return self.word("Infinity", Json::Float(f64::NEG_INFINITY));
        }
        let first = self.at;
        let count = self.digits()?;
        if count > 1 && self.bytes[first] == b'0' {
            self.at = first + 1;
            return Err(self.wrong("a number does not begin with 0"));
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            is_whole = false;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
            is_whole = false;
        }
        let text = &self.text[start..self.at];
        if is_whole {
            if count < 19 && text != "-0" {
                let value = self.bytes[first..self.at]
                    .iter()
                    .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
                return Ok(Json::Int(if is_negative { -value } else { value }));
            }
            if let Some(whole) = Json::whole(text) {
                return Ok(whole);
            }
            self.has_fault(format!("a number has {count} digits, more than {DIGITS}"));
            return Ok(Json::Null);
        }
        // One beyond the range of floats is infinite, as it is for Python.
        let value = text.parse().map_err(|_| self.wrong("it is no number"))?;
        Ok(Json::Float(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        for (text, written) in [
            (" [ ] ", "[]"),
            ("{ }", "{}"),
            (
                r#"{"b" : 1 , "a" : [ true , false , null ] }"#,
                r#"{"b":1,"a":[true,false,null]}"#,
            ),
            (r#""\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\é""#, r#""é😀/\b\f\n\r\t\"\\é""#),
            ("[NaN,Infinity,-Infinity]", "[NaN,Infinity,-Infinity]"),
            ("[-0,0,-0.0,0.0,-5e-324,1E+2]", "[-0,0,-0.0,0.0,-5e-324,100.0]"),
            (
                "[9223372036854775807,-9223372036854775808,9223372036854775808,999999999999999999]",
                "[9223372036854775807,-9223372036854775808,9223372036854775808,999999999999999999]",
            ),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            ("0.1000000000000000055511151231257827", "0.1"),
            ("[1e-400,1e400,-1e400]", "[0.0,Infinity,-Infinity]"),
        ] {
            let document = Json::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(document.to_string(), written);
        }
    }

    #[test]
    fn no_documents() {
        for (text, reason) in [
            ("", "a value is missing at character 1"),
            ("é", "a value is missing at character 1"),
            ("[1,]", "a value is missing at character 4"),
            (r#"["é" 1]"#, "neither is there at character 6"),
            ("{1:2}", "the name of a member is missing"),
            (r#"{"a" 1}"#, ": is missing"),
            (r#"{"a":1"#, "neither is there"),
            ("1 2", "more behind the end at character 3"),
            ("01", "does not begin with 0"),
            ("-", "a digit is missing"),
            ("1.", "a digit is missing"),
            ("1e", "a digit is missing"),
            ("nan", "a value is missing"),
            ("Nan", "a value is missing"),
            ("\"a", "the end of a text is missing"),
            ("\"a\nb\"", "not escaped"),
            (r#""\x""#, "no such escape"),
            (r#""\u12g4""#, "four hexadecimal digits"),
            (r#""\ud800""#, "lone surrogate"),
            (r#""\ud800\u0041""#, "lone surrogate"),
            (r#""\udc00""#, "lone surrogate"),
        ] {
            let error = Json::parse(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn one_limit_of_nesting() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(&nested(NESTING)).is_ok());
        let error = Json::parse(&nested(NESTING + 1)).expect_err("it is too deep");
        assert!(
            error.to_string().starts_with("it is nested more than 200 levels deep"),
            "{error}"
        );
        for levels in [NESTING + 1, 1_000_000] {
            assert!(Json::parse(&"[".repeat(levels)).is_err());
            assert!(Json::parse(&"{\"a\":".repeat(levels)).is_err());
        }
    }

    #[test]
    fn whole_numbers_have_a_bounded_number_of_digits() {
        let digits = "9".repeat(DIGITS);
        assert_eq!(Json::parse(&digits).expect("it is a number").to_string(), digits);
        assert!(Json::parse(&format!("-{digits}")).is_ok());
        assert!(Json::parse(&format!("{digits}0")).is_err());
    }
}
