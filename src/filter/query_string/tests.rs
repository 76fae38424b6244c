//! What texts with a grammar say.

use proptest::prelude::*;

use super::simple_parser::{Node, parse};
use crate::filter::clause::{Operator, SimpleQueryFlag};

fn words(text: &str) -> Node {
    Node::Words {
        text: text.to_owned(),
    }
}

fn prefix(word: &str) -> Node {
    Node::Prefix {
        word: word.to_owned(),
    }
}

fn phrase(text: &str, slop: u32) -> Node {
    Node::Phrase {
        text: text.to_owned(),
        slop,
    }
}

fn fuzzy(word: &str, edits: u8) -> Node {
    Node::Fuzzy {
        word: word.to_owned(),
        edits,
    }
}

fn not(node: Node) -> Node {
    Node::Not(Box::new(node))
}

fn and(parts: impl Into<Vec<Node>>) -> Node {
    Node::Group {
        operator: Operator::And,
        parts: parts.into(),
    }
}

fn or(parts: impl Into<Vec<Node>>) -> Node {
    Node::Group {
        operator: Operator::Or,
        parts: parts.into(),
    }
}

fn read(text: &str) -> Option<Node> {
    parse(text, &SimpleQueryFlag::all(), Operator::Or).unwrap()
}

#[test]
fn operators_combine_what_stands_around_them() {
    let (a, b, c) = (|| words("a"), || words("b"), || words("c"));
    for (text, expected) in [
        ("a", a()),
        ("a b", or([a(), b()])),
        ("a | b c", or([a(), b(), c()])),
        ("a + b + c", and([a(), b(), c()])),
        ("a+b", and([a(), b()])),
        // From the left, one level for each change of operator.
        ("a + b | c", or([and([a(), b()]), c()])),
        ("a | b + c", and([or([a(), b()]), c()])),
        ("a | (b + c)", or([a(), and([b(), c()])])),
        ("((a))", a()),
        ("-a", not(a())),
        ("--a", a()),
        ("- a", a()),
        ("a + -b", and([a(), not(b())])),
        ("-(a b) c", or([not(or([a(), b()])), c()])),
        ("\"a b\"", phrase("a b", 0)),
        ("\"a b\"~3 c", or([phrase("a b", 3), c()])),
        ("\"a b\"~ c", or([phrase("a b", 2), c()])),
        ("\"a b\"~x", phrase("a b", 0)),
        ("a* b", or([prefix("a"), b()])),
        ("a*b", words("a*b")),
        ("*a", words("*a")),
        ("a~1 b", or([fuzzy("a", 1), b()])),
        ("a~ b", or([fuzzy("a", 2), b()])),
        ("a~9", fuzzy("a", 2)),
        ("a~0", a()),
        ("a~-1", a()),
        ("*", Node::All),
        (" * ", Node::All),
    ] {
        assert_eq!(read(text), Some(expected), "{text}");
    }
}

#[test]
fn an_operator_with_nothing_to_work_on_is_dropped() {
    let (a, b) = (|| words("a"), || words("b"));
    for (text, expected) in [
        ("+ a", Some(a())),
        ("a +", Some(a())),
        ("a + | b", Some(and([a(), b()]))),
        ("(a", Some(a())),
        ("a)", Some(a())),
        ("a () b", Some(or([a(), b()]))),
        ("a + () b", Some(or([a(), b()]))),
        ("\"a", Some(a())),
        ("a \"\" b", Some(or([a(), b()]))),
        ("~1", Some(words("~1"))),
        ("", None),
        (" \t\n", None),
        ("+|()-\"\"", None),
        ("\\", None),
        ("a\\", Some(a())),
        ("((((", None),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn an_escaped_operator_is_a_character() {
    for (text, expected) in [
        (r"a\+b", words("a+b")),
        (r"\-a", words("-a")),
        (r"a\*", words("a*")),
        (r"a\ b", words("a b")),
        (r"\(a\)", words("(a)")),
        (r#""a \" b""#, phrase("a \" b", 0)),
        (r"a\~1", words("a~1")),
        (r"(\)a)", words(")a")),
    ] {
        assert_eq!(read(text), Some(expected), "{text}");
    }
}

#[test]
fn flags_take_operators_their_meaning() {
    let parse = |text: &str, flags: &[SimpleQueryFlag]| {
        let flags = flags.iter().copied().collect();
        parse(text, &flags, Operator::And).unwrap()
    };
    assert_eq!(
        parse(r#"a + -b | "c*" (\d)~1"#, &[]),
        Some(words(r#"a + -b | "c*" (\d)~1"#))
    );
    assert_eq!(
        parse("a + b", &[SimpleQueryFlag::Whitespace]),
        Some(and([words("a"), words("+"), words("b")]))
    );
    assert_eq!(
        parse("a|b", &[SimpleQueryFlag::Or]),
        Some(or([words("a"), words("b")]))
    );
    assert_eq!(
        parse(
            "\"a\"~1",
            &[SimpleQueryFlag::Phrase, SimpleQueryFlag::Whitespace]
        ),
        Some(and([phrase("a", 0), words("~1")]))
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    let parse = |text: &str| parse(text, &SimpleQueryFlag::all(), Operator::Or);
    assert_eq!(parse(&nested(64)), Ok(Some(words("a"))));
    let error = "parentheses nest deeper than 64";
    assert_eq!(parse(&nested(65)), Err(error.to_owned()));
    assert!(parse(&"a + b | ".repeat(30)).is_ok());
    let error = "operators change more than 64 times: use parentheses";
    assert_eq!(parse(&"a + b | ".repeat(40)), Err(error.to_owned()));
    assert!(parse(&"a | ".repeat(10_000)).is_ok());
}

proptest! {
    #[test]
    fn every_text_is_read(text in r#"[ab~0-9+|\-"*() \\]{0,40}"#, all: bool) {
        let flags = if all { SimpleQueryFlag::all() } else { Default::default() };
        prop_assert!(parse(&text, &flags, Operator::And).is_ok());
    }
}
