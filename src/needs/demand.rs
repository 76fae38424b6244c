//! What a request reads, and how that depends on what is found.

use std::ops::Range;

use super::need::Need;

/// Needs, and the clauses they come from.
pub(crate) struct Demand {
    /// Each once, over all clauses and collectors.
    pub(crate) needs: Vec<Need>,
    /// The clauses; numbers in it count `needs`.
    pub(crate) clauses: Node,
    /// Whether scores are computed: they take the frequencies of terms in every segment, those
    /// that hold no match included.
    pub(crate) scored: bool,
    /// From which need on they are a collector's that looks at every segment, those without
    /// matches included: what it answers may depend on it.
    pub(crate) always_from: usize,
    /// Ranges of the split that searches were seen to read beside all that.
    pub(crate) learnt: Vec<Range<u64>>,
}

/// One clause: when it can match, what it reads, and of what it is made.
#[derive(Debug)]
pub(crate) struct Node {
    /// What it says, for people; empty where nobody asked.
    pub(crate) label: String,
    pub(crate) rule: Rule,
    /// Needs on whose presence the rule depends.
    pub(crate) decisive: Vec<usize>,
    /// Needs that are read without deciding anything: norms.
    pub(crate) besides: Vec<usize>,
    /// Needs that are read where a decisive one is found: norms of a single term.
    pub(crate) if_found: Vec<usize>,
    pub(crate) children: Vec<Node>,
}

/// When a clause can match, given which of its needs and children can.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    /// If all can.
    All,
    /// If as many can.
    AtLeast(usize),
    /// Whatever is found.
    Always,
    /// Never.
    Never,
}

impl Node {
    pub(crate) fn new(rule: Rule, label: String) -> Self {
        Self {
            label,
            rule,
            decisive: Vec::new(),
            besides: Vec::new(),
            if_found: Vec::new(),
            children: Vec::new(),
        }
    }

    pub(crate) fn with_children(mut self, children: Vec<Node>) -> Self {
        self.children = children;
        self
    }

    /// Whether a segment can hold a match, given which needs were `found` in it; `None` while that
    /// depends on what is not known yet.
    pub(crate) fn can_match(&self, found: &[Option<bool>]) -> Option<bool> {
        let needs = self.decisive.iter().map(|&need| found[need]);
        let children = self.children.iter().map(|child| child.can_match(found));
        let mut parts = needs.chain(children);
        match self.rule {
            Rule::Always => Some(true),
            Rule::Never => Some(false),
            Rule::All => {
                let mut open = false;
                for part in parts {
                    match part {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => open = true,
                    }
                }
                (!open).then_some(true)
            }
            Rule::AtLeast(least) => {
                let (mut can, mut may) = (0, 0);
                while can < least
                    && let Some(part) = parts.next()
                {
                    can += usize::from(part == Some(true));
                    may += usize::from(part.is_none());
                }
                match least {
                    _ if can >= least => Some(true),
                    _ if can + may < least => Some(false),
                    _ => None,
                }
            }
        }
    }

    /// By need, those of which one must be found for it to be read; none where it is read anyway.
    pub(crate) fn conditions(&self, needs: usize) -> Vec<Vec<usize>> {
        let (mut conditions, mut anyway) = (vec![Vec::new(); needs], vec![false; needs]);
        self.gather_conditions(&mut conditions, &mut anyway);
        for (conditions, _) in conditions.iter_mut().zip(anyway).filter(|it| it.1) {
            conditions.clear();
        }
        conditions
    }

    fn gather_conditions(&self, conditions: &mut [Vec<usize>], anyway: &mut [bool]) {
        for &need in &self.besides {
            anyway[need] = true;
        }
        for &need in &self.if_found {
            conditions[need].extend(&self.decisive);
        }
        for child in &self.children {
            child.gather_conditions(conditions, anyway);
        }
    }

    /// Marks the needs that decide something.
    pub(crate) fn mark_decisive(&self, decides: &mut [bool]) {
        if self.rule == Rule::Always {
            return;
        }
        for &need in &self.decisive {
            decides[need] = true;
        }
        for child in &self.children {
            child.mark_decisive(decides);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(need: usize) -> Node {
        let mut node = Node::new(Rule::All, String::new());
        node.decisive.push(need);
        node
    }

    #[test]
    fn norms_depend_on_their_terms_unless_a_phrase_reads_them() {
        let term = |need, norms| {
            let mut node = leaf(need);
            node.if_found.push(norms);
            node
        };
        let mut phrase = leaf(4);
        phrase.besides.push(5);
        let clauses = vec![term(0, 1), term(2, 1), term(3, 5), phrase];
        let all = Node::new(Rule::AtLeast(1), String::new()).with_children(clauses);
        let none = Vec::new;
        assert_eq!(
            all.conditions(6),
            [none(), vec![0, 2], none(), none(), none(), none()]
        );
    }

    #[test]
    fn one_absent_part_decides_a_conjunction_and_all_of_them_a_disjunction() {
        let of = |rule| Node::new(rule, String::new()).with_children(vec![leaf(0), leaf(1)]);
        let (yes, no) = (Some(true), Some(false));
        for (found, all, any) in [
            ([None, None], None, None),
            ([yes, None], None, yes),
            ([None, no], no, None),
            ([yes, no], no, yes),
            ([yes, yes], yes, yes),
            ([no, no], no, no),
        ] {
            assert_eq!(of(Rule::All).can_match(&found), all, "{found:?}");
            assert_eq!(of(Rule::AtLeast(1)).can_match(&found), any, "{found:?}");
            assert_eq!(of(Rule::AtLeast(2)).can_match(&found), all, "{found:?}");
            assert_eq!(of(Rule::AtLeast(0)).can_match(&found), yes, "{found:?}");
            assert_eq!(of(Rule::Always).can_match(&found), yes, "{found:?}");
            assert_eq!(of(Rule::Never).can_match(&found), no, "{found:?}");
        }
    }
}
