//! Lucene's regular expressions (`org.apache.lucene.util.automaton.RegExp`), read as it reads
//! them: no anchors, groups that do not capture, `"…"` for literal text, and operators that flags
//! switch off. An operator where nothing stands to apply it to means itself.

use super::patterns::{Pattern, complement};
use crate::filter::clause::RegexpFlags;

/// How long an expression may be, in characters: Elasticsearch's `index.max_regex_length`.
const MAX_LENGTH: usize = 1_000;
/// How deep groups may nest: the parser recurses.
const MAX_GROUPS: u32 = 50;

/// Reads an expression.
pub(super) fn regexp(text: &str, flags: RegexpFlags, insensitive: bool) -> Result<Pattern, String> {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() > MAX_LENGTH {
        return Err(format!(
            "{} characters, more than the {MAX_LENGTH} allowed",
            characters.len()
        ));
    }
    if characters.is_empty() {
        return Pattern::text("", false);
    }
    let mut parser = Parser {
        characters,
        at: 0,
        groups: 0,
        flags,
        insensitive,
    };
    let pattern = parser.union()?;
    if parser.peek().is_some() {
        return Err(parser.expected("the end"));
    }
    Ok(pattern)
}

struct Parser {
    characters: Vec<char>,
    at: usize,
    groups: u32,
    flags: RegexpFlags,
    insensitive: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<char, String> {
        let next = self.peek().ok_or("the expression ends too early")?;
        self.at += 1;
        Ok(next)
    }

    fn expected(&self, what: &str) -> String {
        match self.peek() {
            Some(found) => format!(
                "expected {what} at character {}, got {:?}",
                self.at + 1,
                String::from(found)
            ),
            None => format!("expected {what} at the end of the expression"),
        }
    }

    fn union(&mut self) -> Result<Pattern, String> {
        let mut parts = vec![self.concat()?];
        while self.skip('|') {
            parts.push(self.concat()?);
        }
        Pattern::union(parts)
    }

    fn concat(&mut self) -> Result<Pattern, String> {
        let mut parts = vec![self.repeat()?];
        loop {
            match self.peek() {
                None | Some(')' | '|') => break,
                Some('&') if self.flags.intersection => {
                    return Err(self.refused('&', "INTERSECTION"));
                }
                Some(_) => parts.push(self.repeat()?),
            }
        }
        Pattern::concat(parts)
    }

    fn repeat(&mut self) -> Result<Pattern, String> {
        let mut part = self.simple()?;
        loop {
            part = match self.peek() {
                Some('?') => part.repeat(0, Some(1))?,
                Some('*') => part.repeat(0, None)?,
                Some('+') => part.repeat(1, None)?,
                Some('{') => {
                    self.at += 1;
                    let (min, max) = self.times()?;
                    if self.peek() != Some('}') {
                        return Err(self.expected("\"}\""));
                    }
                    part.repeat(min, max)?
                }
                _ => return Ok(part),
            };
            self.at += 1;
        }
    }

    /// `3`, `3,` or `3,5`.
    fn times(&mut self) -> Result<(u32, Option<u32>), String> {
        let Some(min) = self.number()? else {
            return Err(self.expected("a number"));
        };
        if self.skip(',') {
            Ok((min, self.number()?))
        } else {
            Ok((min, Some(min)))
        }
    }

    fn number(&mut self) -> Result<Option<u32>, String> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        if digits.is_empty() {
            return Ok(None);
        }
        let too_large = |_| format!("cannot repeat {digits} times");
        digits.parse().map(Some).map_err(too_large)
    }

    fn simple(&mut self) -> Result<Pattern, String> {
        match self.peek() {
            Some('~') if self.flags.complement => return Err(self.refused('~', "COMPLEMENT")),
            Some('#') if self.flags.empty => return Err(self.refused('#', "EMPTY")),
            Some('@') if self.flags.any_string => return Err(self.refused('@', "ANYSTRING")),
            Some('<') if self.flags.interval => return Err(self.refused('<', "INTERVAL")),
            _ => {}
        }
        if self.skip('[') {
            return self.class();
        }
        if self.skip('.') {
            return Ok(Pattern::any());
        }
        if self.skip('"') {
            let rest = self.characters.get(self.at..).unwrap_or_default();
            let text: String = rest.iter().take_while(|found| **found != '"').collect();
            self.at += text.chars().count();
            if !self.skip('"') {
                return Err(self.expected("\"\\\"\""));
            }
            return Pattern::text(&text, self.insensitive);
        }
        if self.skip('(') {
            if self.skip(')') {
                return Pattern::text("", false);
            }
            self.groups += 1;
            if self.groups > MAX_GROUPS {
                return Err(format!("groups nest deeper than {MAX_GROUPS}"));
            }
            let inner = self.union()?;
            self.groups -= 1;
            if !self.skip(')') {
                return Err(self.expected("\")\""));
            }
            return Ok(inner);
        }
        match self.escape()? {
            Escape::Character(character) => Ok(Pattern::character(character, self.insensitive)),
            Escape::Class(ranges) => Pattern::class(ranges, false, false),
        }
    }

    /// What stands between `[` and `]`.
    fn class(&mut self) -> Result<Pattern, String> {
        let negated = self.skip('^');
        let mut ranges = Vec::new();
        loop {
            match self.escape()? {
                Escape::Character(first) => {
                    let last = if self.skip('-') {
                        self.skip('\\');
                        self.next()?
                    } else {
                        first
                    };
                    if first > last {
                        return Err(format!("the range {first:?}-{last:?} is empty"));
                    }
                    ranges.push((first, last));
                }
                Escape::Class(inner) => ranges.extend(inner),
            }
            if self.skip(']') {
                return Pattern::class(ranges, negated, self.insensitive);
            }
            if self.peek().is_none() {
                return Err(self.expected("\"]\""));
            }
        }
    }

    /// A character that means itself, maybe after `\`, or `\d`, `\s`, `\w` and their opposites.
    fn escape(&mut self) -> Result<Escape, String> {
        if !self.skip('\\') {
            return self.next().map(Escape::Character);
        }
        let digits = ('0', '9');
        let spaces = vec![('\t', '\n'), ('\r', '\r'), (' ', ' ')];
        let words = vec![digits, ('A', 'Z'), ('_', '_'), ('a', 'z')];
        Ok(match self.next()? {
            'd' => Escape::Class(vec![digits]),
            'D' => Escape::Class(complement(&[digits])),
            's' => Escape::Class(spaces),
            'S' => Escape::Class(complement(&spaces)),
            'w' => Escape::Class(words),
            'W' => Escape::Class(complement(&words)),
            letter if letter.is_ascii_alphabetic() => {
                return Err(format!(
                    "unknown class \"\\{letter}\" (known: \\d, \\D, \\s, \\S, \\w, \\W)"
                ));
            }
            character => Escape::Character(character),
        })
    }

    fn refused(&self, operator: char, flag: &str) -> String {
        format!(
            "the operator {:?} at character {} is not supported: write \"\\{operator}\" for the \
             character, or leave {flag} out of \"flags\"",
            String::from(operator),
            self.at + 1
        )
    }
}

enum Escape {
    Character(char),
    /// Any character of these ranges.
    Class(Vec<(char, char)>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::bind::patterns::tests::accepts;

    fn matches(expression: &str, flags: RegexpFlags, insensitive: bool, text: &str) -> bool {
        let pattern = regexp(expression, flags, insensitive);
        accepts(
            pattern.unwrap_or_else(|error| panic!("{expression}: {error}")),
            text,
        )
    }

    #[test]
    fn expressions_are_read_as_lucene_reads_them() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("", &[""], &["a"]),
            ("()", &[""], &["a"]),
            ("abc", &["abc"], &["ab", "abcd", "xabc", "ABC"]),
            (".", &["a", "ä", "\n", "🦊"], &["", "ab"]),
            (".*", &["", "a", "a\nb"], &[]),
            ("a.?b", &["ab", "a🦊b"], &["a", "axxb"]),
            ("a+b*", &["a", "aab", "abbb"], &["", "b"]),
            ("a{2}", &["aa"], &["a", "aaa"]),
            ("a{2,}", &["aa", "aaaa"], &["a"]),
            ("(ab){1,2}", &["ab", "abab"], &["", "a", "ababab"]),
            ("a{0,1}{2}", &["", "a", "aa"], &["aaa"]),
            ("a|bc|d", &["a", "bc", "d"], &["ac", "abc", ""]),
            ("x(a|bc)y", &["xay", "xbcy"], &["xy", "xabcy"]),
            ("[abc]", &["a", "b", "c"], &["d", "ab", ""]),
            ("[a-cx]", &["a", "b", "x"], &["d"]),
            ("[^a-c]", &["d", "ä", "A"], &["a", "c", ""]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[a\\]]", &["]", "a"], &["\\"]),
            ("[\\d_]+", &["10_", "_"], &["a", ""]),
            ("[^\\D]", &["1"], &["a"]),
            ("[+--]", &["+", ",", "-"], &["*"]),
            ("\\d\\w\\s", &["1a ", "0_\t"], &["a1 ", "1a"]),
            ("\\D\\W\\S", &["a-b"], &["1-b", "aab", "a- "]),
            // No anchors, and operators without anything before them mean themselves.
            ("^a$", &["^a$"], &["a"]),
            ("*a", &["*a"], &["a"]),
            ("a||b", &["a", "|b"], &["b", ""]),
            ("]}", &["]}"], &[]),
            (r"\.\*\\", &[r".*\"], &["aa"]),
            ("\"a.b\"c*", &["a.b", "a.bcc"], &["axb"]),
            ("a\\~b", &["a~b"], &["ab"]),
            (
                r"10\.0\.[0-9]{1,3}\.1",
                &["10.0.0.1", "10.0.255.1"],
                &["10.0..1", "10a0.0.1"],
            ),
        ];
        for (expression, accepted, refused) in cases {
            for text in *accepted {
                assert!(
                    matches(expression, RegexpFlags::ALL, false, text),
                    "{expression} {text:?}"
                );
            }
            for text in *refused {
                assert!(
                    !matches(expression, RegexpFlags::ALL, false, text),
                    "{expression} {text:?}"
                );
            }
        }
    }

    #[test]
    fn case_does_not_matter_for_ascii_letters_if_so_asked() {
        for (expression, text) in [
            ("abc", "aBC"),
            ("[a-c]X", "Bx"),
            ("[^a]", "b"),
            ("\"ab\"", "AB"),
            ("ä", "ä"),
        ] {
            assert!(
                matches(expression, RegexpFlags::ALL, true, text),
                "{expression}"
            );
        }
        for (expression, text) in [("ä", "Ä"), ("[^a]", "A"), ("[^A]", "a")] {
            assert!(
                !matches(expression, RegexpFlags::ALL, true, text),
                "{expression}"
            );
        }
    }

    #[test]
    fn operators_that_are_switched_off_mean_themselves() {
        for text in ["a~b", "a#b", "a@b", "a&b", "<1-9>"] {
            assert!(matches(text, RegexpFlags::NONE, false, text), "{text}");
            assert!(regexp(text, RegexpFlags::ALL, false).is_err(), "{text}");
        }
        let flags = RegexpFlags::read("ANYSTRING|complement").unwrap();
        assert!(matches("a#b", flags, false, "a#b"));
        assert!(regexp("a@b", flags, false).is_err());
    }

    #[test]
    fn what_would_explode_is_refused_soon() {
        let started = std::time::Instant::now();
        let hostile = [
            "(".repeat(1_000),
            "a".repeat(1_001),
            "a?".repeat(500),
            format!("{}a{}", "(".repeat(400), ")".repeat(400)),
            format!("a{}", "?".repeat(999)),
            format!("a{}", "*".repeat(999)),
            format!("a{}", "{9}".repeat(300)),
            "(a{4294967295}){4294967295}".to_owned(),
            "(){4294967295}".to_owned(),
            "a{99999999999}".to_owned(),
            "(a*)*".repeat(100),
            "(.*a){50}".to_owned(),
            ".*a.{90}".to_owned(),
            "(.*a.{9}){9}".to_owned(),
            ".{110}".to_owned(),
            "[^a]".repeat(100),
            "(a|b|c|d|e|f|g)".repeat(60),
            "[\u{1}-\u{10ffff}]".repeat(99),
            "(.?){100}".to_owned(),
            "((a?){60}){60}".to_owned(),
            "(.*[ab].{2}|.*[bc].{3}|.*[cd].{4}){3}".to_owned(),
        ];
        for expression in hostile {
            // Either is fine, as long as it ends.
            if let Ok(pattern) = regexp(&expression, RegexpFlags::ALL, true) {
                let _ = pattern.automaton();
            }
            let shown: String = expression.chars().take(20).collect();
            eprintln!("{:>6} ms {shown}", started.elapsed().as_millis());
        }
        assert!(started.elapsed().as_secs() < 30);
    }
}
