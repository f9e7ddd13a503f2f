//! JSON documents, as Python's `json` knows them.
//!
//! That is more than the standard: floats may be `NaN` and infinite, whole numbers have any number of digits, and the
//! members of an object keep the order in which they came. One rule for all documents, wherever they come from and go
//! to: nothing is changed in silence, and what is nested more than [`NESTING`] levels deep or has a number of more than
//! [`DIGITS`] digits is refused at the door. So whatever walks through a document may call itself.
//!
//! The order of members is for people: two objects with the same members are one value, with one hash and one key.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

mod members;
mod object;
mod parse;
mod write;

pub use members::JsonMembers;
pub use object::Object;
pub use parse::JsonError;
pub(crate) use write::{write_canonical, write_float, write_string};

use crate::float::canonical_float;

/// A step of a pointer (RFC 6901).
fn unescaped_step(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// So many lists, tuples and objects may be one inside the other.
pub const NESTING: usize = 200;

/// A whole number has at most so many digits: as many as Python reads.
pub const DIGITS: usize = 4300;

/// A JSON document.
#[derive(Clone, Debug)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number that fits into 64 bits.
    Int(i64),
    /// A whole number that does not.
    Whole(Whole),
    /// A number with a fraction or an exponent, `NaN`, or an infinity.
    Float(f64),
    /// A text.
    Str(Box<str>),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Object(Box<Object>),
}

/// The digits of a whole number that [`Json::Int`] cannot hold: it is too large for 64 bits, or `-0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole(Box<str>);

impl Whole {
    /// The digits, with a `-` before them if it is negative.
    pub fn digits(&self) -> &str {
        &self.0
    }

    fn is_zero(&self) -> bool {
        &*self.0 == "-0"
    }
}

impl Json {
    /// A text.
    pub fn str(text: &str) -> Self {
        Json::Str(text.into())
    }

    /// The whole number that is written so, `None` if that is none or has too many digits.
    pub fn whole(digits: &str) -> Option<Self> {
        let absolute = digits.strip_prefix('-').unwrap_or(digits);
        let is_plain = !absolute.is_empty()
            && absolute.len() <= DIGITS
            && absolute.bytes().all(|byte| byte.is_ascii_digit())
            && (absolute.len() == 1 || !absolute.starts_with('0'));
        if !is_plain {
            return None;
        }
        Some(match digits.parse() {
            Ok(value) if digits != "-0" => Json::Int(value),
            _ => Json::Whole(Whole(digits.into())),
        })
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// The whole number, if it is one that fits into 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Int(value) => Some(*value),
            Json::Whole(whole) if whole.is_zero() => Some(0),
            _ => None,
        }
    }

    /// The number as a float, unless it is a whole number beyond their range.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Int(value) => Some(*value as f64),
            Json::Whole(whole) => whole.0.parse().ok().filter(|value: &f64| value.is_finite()),
            Json::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.as_object()?.get(name)
    }

    /// The item of a list.
    pub fn item(&self, position: usize) -> Option<&Json> {
        match self {
            Json::List(items) => items.get(position),
            _ => None,
        }
    }

    /// What a pointer (RFC 6901) leads to.
    pub fn pointer(&self, path: &str) -> Option<&Json> {
        if path.is_empty() {
            return Some(self);
        }
        path.strip_prefix('/')?.split('/').try_fold(self, |document, step| {
            let step = unescaped_step(step);
            match document {
                Json::Object(object) => object.get(&step),
                Json::List(items) => {
                    let is_position = step == "0" || !(step.starts_with('0') || step.starts_with('+'));
                    step.parse()
                        .ok()
                        .filter(|_| is_position)
                        .and_then(|position: usize| items.get(position))
                }
                _ => None,
            }
        })
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Json>()
            + match self {
                Json::Whole(whole) => whole.0.len(),
                Json::Str(text) => text.len(),
                Json::List(items) => items.iter().map(Json::bytes).sum(),
                Json::Object(object) => object.iter().map(|(name, member)| name.len() + member.bytes()).sum(),
                Json::Null | Json::Bool(_) | Json::Int(_) | Json::Float(_) => 0,
            }
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Int(_) | Json::Whole(_), Json::Int(_) | Json::Whole(_)) => match (self.as_i64(), other.as_i64()) {
                (None, None) => matches!((self, other), (Json::Whole(a), Json::Whole(b)) if a == b),
                (a, b) => a == b,
            },
            (Json::Float(a), Json::Float(b)) => canonical_float(*a).to_bits() == canonical_float(*b).to_bits(),
            (Json::Str(a), Json::Str(b)) => a == b,
            (Json::List(a), Json::List(b)) => a == b,
            (Json::Object(a), Json::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Json {}

impl Ord for Json {
    fn cmp(&self, other: &Self) -> Ordering {
        // JSON documents have no natural order; the order of their text is at least stable.
        if self == other {
            return Ordering::Equal;
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        write_canonical(self, &mut left);
        write_canonical(other, &mut right);
        left.cmp(&right)
    }
}

impl PartialOrd for Json {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl From<Json> for crate::Value {
    fn from(document: Json) -> Self {
        crate::Value::Json(Arc::new(document))
    }
}

/// Documents of our own making.
impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Json::Int(value),
                (None, Some(value)) => Json::Whole(Whole(value.to_string().into())),
                (None, None) => Json::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Json::Str(text.into()),
            serde_json::Value::Array(items) => Json::List(items.into_iter().map(Json::from).collect()),
            serde_json::Value::Object(members) => Json::Object(Box::new(Object::new(
                members
                    .into_iter()
                    .map(|(name, member)| (name.into_boxed_str(), Json::from(member)))
                    .collect(),
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Key, Value};

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_one_value() {
        let key = |text: &str| Key::for_values(&[Value::from(json(text))]);
        for (left, right, is_one) in [
            ("0.0", "-0.0", true),
            ("0", "-0", true),
            ("NaN", "NaN", true),
            ("0", "0.0", false),
            ("1", "1.0", false),
            ("1", "true", false),
            ("Infinity", "-Infinity", false),
            ("18446744073709551616", "18446744073709551616", true),
            ("18446744073709551616", "18446744073709551617", false),
            ("18446744073709551616", "1.8446744073709552e19", false),
            (
                r#"{"a":1,"b":[{"c":2,"d":-0.0}]}"#,
                r#"{"b":[{"d":0.0,"c":2}],"a":1}"#,
                true,
            ),
            (r#"{"a":1,"b":2}"#, r#"{"a":2,"b":1}"#, false),
            ("[1,2]", "[2,1]", false),
            (r#"{"a":1}"#, r#"{"a":1,"b":1}"#, false),
        ] {
            assert_eq!(json(left) == json(right), is_one, "{left} and {right}");
            assert_eq!(key(left) == key(right), is_one, "the keys of {left} and {right}");
            assert_eq!(
                json(left).cmp(&json(right)) == Ordering::Equal,
                is_one,
                "the order of {left} and {right}"
            );
        }
    }

    #[test]
    fn keys_of_documents_are_those_of_sorted_text() {
        for text in [
            r#"{"a":[1,null,1.5,"x\n\u0001é"],"b":{}}"#,
            "[1e300,0.1,1e-7,123456789.123,true]",
            "[]",
            "18446744073709551615",
        ] {
            let mut canonical = Vec::new();
            write_canonical(&json(text), &mut canonical);
            let standard: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
            assert_eq!(String::from_utf8_lossy(&canonical), standard.to_string());
        }
    }

    #[test]
    fn pointers() {
        let document = json(r#"{"a":[1,{"b/c":2,"~":3}],"":4}"#);
        for (path, expected) in [
            ("", Some(document.clone())),
            ("/a/0", Some(Json::Int(1))),
            ("/a/1/b~1c", Some(Json::Int(2))),
            ("/a/1/~0", Some(Json::Int(3))),
            ("/", Some(Json::Int(4))),
            ("/a/00", None),
            ("/a/-1", None),
            ("/a/2", None),
            ("a", None),
            ("/x/y", None),
        ] {
            assert_eq!(document.pointer(path), expected.as_ref(), "{path}");
        }
    }

    pub(super) fn document() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::Int),
            "-?[1-9][0-9]{19,40}".prop_map(|digits| Json::whole(&digits).expect("a whole number")),
            prop::num::f64::ANY.prop_map(Json::Float),
            any::<String>().prop_map(|text| Json::str(&text)),
        ];
        leaf.prop_recursive(4, 40, 12, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..12).prop_map(Json::List),
                prop::collection::vec(("[a-d]{0,2}|.{0,9}", inner), 0..14).prop_map(|members| {
                    let members = members.into_iter().map(|(name, member)| (name.into(), member));
                    Json::Object(Box::new(Object::new(members.collect())))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(document in document()) {
            let text = document.to_string();
            let back = json(&text);
            prop_assert_eq!(&back, &document);
            // Also the order of members, and the sign of zeros.
            prop_assert_eq!(back.to_string(), text);
        }

        #[test]
        fn one_text_for_one_value(left in document(), right in document()) {
            let canonical = |document: &Json| {
                let mut text = Vec::new();
                write_canonical(document, &mut text);
                text
            };
            prop_assert_eq!(left == right, canonical(&left) == canonical(&right));
            prop_assert_eq!(canonical(&left), canonical(&json(&String::from_utf8_lossy(&canonical(&left)))));
        }

        #[test]
        fn it_agrees_with_a_parser_that_is_not_ours(
            text in "[\\[\\]{}:,\"\\\\/bnrtu0-9a-fENIx.+ -]{0,12}|-?[0-9]{0,4}(\\.[0-9]{0,3})?([eE][-+]?[0-9]{0,2})?"
        ) {
            let standard = serde_json::from_str::<serde_json::Value>(&text);
            match (Json::parse(&text), standard) {
                // It may round a float wrongly, and ours is compared with the standard library where it is parsed.
                (Ok(Json::Float(ours)), Ok(_)) => prop_assert_eq!(Ok(ours), text.trim().parse::<f64>()),
                // And it makes a float of -0, which is a whole number for us.
                (Ok(_), Ok(_)) if text.contains(['.', 'e', 'E']) || text.contains("-0") => {}
                (Ok(ours), Ok(standard)) => prop_assert_eq!(ours, Json::from(standard)),
                (Err(_), Err(_)) => {}
                (Ok(_), Err(_)) => prop_assert!(text.contains("NaN") || text.contains("Infinity"), "{}", text),
                (Err(error), Ok(_)) => prop_assert!(false, "{text} is JSON: {error}"),
            }
        }
    }
}
