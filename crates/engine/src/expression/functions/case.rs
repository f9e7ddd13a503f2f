//! Upper, lower, title and swapped case, as Python has them.
//!
//! Rust's conversions are the full ones of Unicode; what it lacks is title case, and Python's rule for the final
//! sigma where letters are taken one by one. ASCII, the usual case, is changed byte by byte.

pub(super) fn lower(text: &str, out: &mut String) {
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.push_str(&text.to_lowercase());
    }
}

pub(super) fn upper(text: &str, out: &mut String) {
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_uppercase();
    } else {
        out.extend(text.chars().flat_map(char::to_uppercase));
    }
}

pub(super) fn title(text: &str, out: &mut String) {
    let mut within = false;
    for (position, character) in text.char_indices() {
        if within {
            push_lower(text, position, character, within, out);
        } else {
            push_title(character, out);
        }
        within = is_cased(character);
    }
}

pub(super) fn swapcase(text: &str, out: &mut String) {
    let mut within = false;
    for (position, character) in text.char_indices() {
        if character.is_uppercase() {
            push_lower(text, position, character, within, out);
        } else if character.is_lowercase() {
            out.extend(character.to_uppercase());
        } else {
            out.push(character);
        }
        within = is_cased(character);
    }
}

fn is_cased(character: char) -> bool {
    character.is_lowercase() || character.is_uppercase() || digraph(character) == Some(character)
}

/// The title case of letters that are two in one: `ǆ`, `Ǆ` and `ǅ` have `ǅ`.
fn digraph(character: char) -> Option<char> {
    match character {
        'Ǆ'..='ǆ' => Some('ǅ'),
        'Ǉ'..='ǉ' => Some('ǈ'),
        'Ǌ'..='ǌ' => Some('ǋ'),
        'Ǳ'..='ǳ' => Some('ǲ'),
        _ => None,
    }
}

fn push_title(character: char, out: &mut String) {
    // Georgian letters have capitals, but titles do without.
    if matches!(character, '\u{10d0}'..='\u{10ff}') {
        return out.push(character);
    }
    if let Some(title) = digraph(character) {
        return out.push(title);
    }
    // Of a letter that becomes several, such as `ß`, only the first is a capital.
    let mut capital = true;
    for upper in character.to_uppercase() {
        if capital {
            out.push(upper);
        } else {
            out.extend(upper.to_lowercase());
        }
        capital &= !is_cased(upper);
    }
}

/// A lower case letter; a sigma at the end of a word is a final one.
fn push_lower(text: &str, position: usize, character: char, within: bool, out: &mut String) {
    if character == 'Σ' {
        let next = text[position + character.len_utf8()..].chars().next();
        let is_final = within && !next.is_some_and(is_cased);
        out.push(if is_final { 'ς' } else { 'σ' });
    } else {
        out.extend(character.to_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use crate::expression::functions::testing::outcome;

    #[test]
    fn cases() {
        let check = |text: &str, lower: &str, upper: &str, title: &str, swapped: &str| {
            let results =
                ["lower", "upper", "title", "swapcase"].map(|name| outcome(&format!("str.{name}"), [text.into()]));
            assert_eq!(results, [lower, upper, title, swapped].map(|text| format!("{text:?}")));
        };
        check(
            "hello WORLD x'y 1a",
            "hello world x'y 1a",
            "HELLO WORLD X'Y 1A",
            "Hello World X'Y 1A",
            "HELLO world X'Y 1A",
        );
        check("éa'bc ß", "éa'bc ß", "ÉA'BC SS", "Éa'Bc Ss", "ÉA'BC SS");
        // As Python's own methods give them.
        check(
            "ǆ ﬁ ŉ x'y İ ς ΑΣ",
            "ǆ ﬁ ŉ x'y i\u{307} ς ας",
            "Ǆ FI ʼN X'Y İ Σ ΑΣ",
            "ǅ Fi ʼN X'Y İ Σ Ας",
            "Ǆ FI ʼN X'Y i\u{307} Σ ας",
        );
        check("ΑΣ ΑΣΑ", "ας ασα", "ΑΣ ΑΣΑ", "Ας Ασα", "ας ασα");
    }
}
