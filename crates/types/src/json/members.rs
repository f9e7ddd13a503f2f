//! The members of a message, each of which is right or wrong by itself.

use super::parse::{JsonError, Parser};
use super::{Json, NESTING, unescaped_step};

/// The object that a message holds. A member that is JSON, but that no [`Json`] can hold, is wrong by itself and leaves
/// the others as they are.
#[derive(Debug)]
pub struct JsonMembers {
    members: Vec<(Box<str>, Result<Json, JsonError>)>,
}

impl JsonMembers {
    /// Reads a message.
    ///
    /// # Errors
    /// If the text is no JSON; `None` if it is JSON, but no object.
    pub fn parse(text: &str) -> Result<Option<Self>, JsonError> {
        let mut parser = Parser::new(text);
        if !parser.takes(b'{') {
            return Json::parse(text).map(|_| None);
        }
        let mut members = Vec::new();
        let mut is_open = !parser.takes(b'}');
        while is_open {
            let name = parser.name()?;
            // A name that is no text belongs to no field.
            parser.fault = None;
            let member = parser.value(NESTING)?;
            members.push((name, parser.fault.take().map_or(Ok(member), Err)));
            is_open = parser.goes_on()?;
        }
        parser.ends()?;
        Ok(Some(Self { members }))
    }

    /// The member of this name; the last, if there are several.
    pub fn get(&self, name: &str) -> Option<&Result<Json, JsonError>> {
        let found = self.members.iter().rev().find(|(other, _)| **other == *name);
        found.map(|(_, member)| member)
    }

    /// The names of the members, in the order in which they came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| &**name)
    }

    /// What a pointer (RFC 6901) into a member leads to.
    pub fn pointer(&self, path: &str) -> Option<Result<&Json, &JsonError>> {
        let path = path.strip_prefix('/')?;
        let end = path.find('/').unwrap_or(path.len());
        let member = self.get(&unescaped_step(&path[..end]))?.as_ref();
        member.map(|member| member.pointer(&path[end..])).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::DIGITS;
    use super::*;

    fn message(member: &str) -> Result<Json, JsonError> {
        let text = format!("{{\"before\":1,\"a\":{member},\"behind\":2}}");
        let message = JsonMembers::parse(&text).expect("it is JSON").expect("it is an object");
        assert_eq!(message.get("before"), Some(&Ok(Json::Int(1))));
        assert_eq!(message.get("behind"), Some(&Ok(Json::Int(2))));
        message.get("a").expect("there is such a member").clone()
    }

    #[test]
    fn members_of_messages() {
        assert_eq!(
            message("[1.5]").map(|member| member.to_string()),
            Ok("[1.5]".to_owned())
        );
        for bad in [r#""\ud800""#, r#"[{"\udfff":1}]"#, &"9".repeat(DIGITS + 1)] {
            assert!(message(bad).is_err(), "{bad}");
        }
        let parsed = |text: &str| JsonMembers::parse(text).map(|message| message.is_some());
        assert_eq!(parsed(" { } "), Ok(true));
        assert_eq!(parsed("[1]"), Ok(false));
        for bad in ["", "{", "{} 1", "{\"a\":1 \"b\":2}", "{\"a\":[}", "{\"a\":1,}", "[1"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        let message = JsonMembers::parse(r#"{"a":1,"\ud800":2,"a":{"b":[3]}}"#)
            .expect("JSON")
            .expect("an object");
        assert_eq!(message.names().collect::<Vec<_>>(), ["a", "\u{fffd}", "a"]);
        assert_eq!(
            message.get("a").and_then(|a| a.as_ref().ok()?.get("b")),
            Some(&Json::List(vec![Json::Int(3)]))
        );
        assert_eq!(message.pointer("/a/b/0"), Some(Ok(&Json::Int(3))));
        assert_eq!(message.pointer("/a/c"), None);
    }

    #[test]
    fn a_member_that_is_nested_too_deep_is_wrong_by_itself() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(message(&nested(NESTING)).is_ok());
        for levels in [NESTING + 1, 1_000_000] {
            let error = message(&nested(levels)).expect_err("it is too deep");
            assert!(
                error.to_string().starts_with("it is nested more than 200 levels deep"),
                "{error}"
            );
        }
    }
}
