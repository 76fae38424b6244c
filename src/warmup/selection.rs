//! Which parts of a split are wanted, by component and field.

use std::fmt;

use serde::{Deserialize, Serialize};
use tantivy::schema::Schema;

use crate::error::{Error, Result};
use crate::filter::{Path, Target};
use crate::needs::{Demand, Need, Node, Rule, Whole};
use crate::plan::{Choice, Component};
use crate::split::Split;

/// Parts of splits: components × fields. See [`Warmer::warm_components`](crate::Warmer::warm_components).
///
/// ```
/// use forewarm::{Component, ComponentSelection};
///
/// let selection: ComponentSelection =
///     serde_json::from_str(r#"{"components": ["terms", "postings"], "fields": ["body"]}"#)?;
/// assert_eq!(selection.to_string(), "terms, postings of body");
/// let prices = ComponentSelection::default()
///     .with_components([Component::Columns])
///     .with_fields(["price", "repo.stars"]);
/// assert!(prices.validate().is_ok());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ComponentSelection {
    /// Of [`Component::SEARCHED`]; empty is all that the fields have. Default is empty.
    pub components: Vec<Component>,
    /// Names of fields, or paths of JSON fields (`repo.stars`), which stand for the paths below them
    /// too; empty is all fields that have the components. Default is empty.
    pub fields: Vec<String>,
}

/// A field that is selected, and what of it.
struct Selected<'a> {
    target: Target<'a>,
    components: Vec<Component>,
}

impl ComponentSelection {
    /// Sets [`components`](Self::components).
    pub fn with_components(mut self, components: impl IntoIterator<Item = Component>) -> Self {
        self.components = components.into_iter().collect();
        self
    }

    /// Sets [`fields`](Self::fields).
    pub fn with_fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Checks, all at once, what is wrong whatever splits hold. Every warmup does.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when nothing is selected, a component cannot be warmed by itself, or the
    /// document store is selected by field.
    pub fn validate(&self) -> Result<()> {
        self.check(Vec::new())
    }

    /// [`validate`](Self::validate) for [a request](crate::Warmer::warm_components_for).
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), and when the document store is selected: which documents a
    /// request brings, only its search tells.
    pub fn validate_for_request(&self) -> Result<()> {
        let mut problems = Vec::new();
        if self.has_store() {
            let problem = "store for a request: only its search tells which documents it brings, so \
                           warm the store without one";
            problems.push(problem.to_owned());
        }
        self.check(problems)
    }

    fn check(&self, mut problems: Vec<String>) -> Result<()> {
        if self.components.is_empty() && self.fields.is_empty() {
            problems.push("nothing is selected: name a component or a field".to_owned());
        }
        for component in &self.components {
            if !Component::SEARCHED.contains(component) {
                let name = component.name();
                problems.push(format!(
                    "{name}: read when a split is opened, not by itself"
                ));
            }
        }
        if self.has_store() && !self.fields.is_empty() {
            problems.push(format!(
                "store of {}: stored documents are not divided by field",
                self.fields.join(", ")
            ));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "selection: {}",
                problems.join("; ")
            ))),
        }
    }

    fn has_store(&self) -> bool {
        self.components.contains(&Component::Store)
    }

    /// Everything that is selected of a split, and what each need of it brings.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming split, field and component, when a field is unknown or has no such
    /// component, or when no field has it.
    pub(super) fn whole(&self, split: &Split) -> Result<(Demand, Vec<Choice>)> {
        let (mut needs, mut choices) = (Vec::new(), Vec::new());
        for Selected { target, components } in self.selected(split)? {
            for component in components {
                needs.extend(need_of(&target, component));
                choices.push(Choice {
                    field: Some(target.name.to_owned()),
                    components: vec![component],
                });
            }
        }
        if self.has_store() {
            needs.push(Need::Whole(Whole::Documents));
            choices.push(Choice {
                field: None,
                components: vec![Component::Store],
            });
        }
        let demand = Demand {
            needs,
            clauses: Node::new(Rule::Always, String::new()),
            scored: false,
            always_from: 0,
            learnt: Vec::new(),
        };
        Ok((demand, choices))
    }

    /// What is selected of each of the needs of a request.
    ///
    /// # Errors
    ///
    /// As [`whole`](Self::whole), and when fields are selected and a need does not tell which it
    /// reads.
    pub(super) fn of_needs(&self, split: &Split, needs: &[Need]) -> Result<Vec<Choice>> {
        let (schema, selected) = (split.schema(), self.selected(split)?);
        let choice = |need| {
            let field = field_of(need, schema);
            let components = match &field {
                _ if self.fields.is_empty() => self.components.clone(),
                Some(name) => {
                    let of_field = selected.iter().filter(|it| it.overlaps(need, name, schema));
                    of_field.flat_map(|it| it.components.clone()).collect()
                }
                None => {
                    return Err(Error::invalid(format!(
                        "{}: the request holds what only tells which fields it reads while it \
                         reads them: select by component alone",
                        split.path()
                    )));
                }
            };
            Ok(Choice { field, components })
        };
        needs.iter().map(choice).collect()
    }

    /// The fields that are selected of a split, with the components that are.
    fn selected<'a>(&'a self, split: &'a Split) -> Result<Vec<Selected<'a>>> {
        let refuse = |what: String| Error::invalid(format!("{}: {what}", split.path()));
        let schema = split.schema();
        if self.fields.is_empty() {
            return self.of_all_fields(schema).map_err(refuse);
        }
        let path = split.path().to_string();
        let named = self.fields.iter().map(|name| {
            let target = Target::resolve(schema, name, &Path::root(&path))?;
            let components = self.of_field(&target).map_err(refuse)?;
            Ok(Selected { target, components })
        });
        named.collect()
    }

    /// What is selected of a field that is named: it must have it.
    fn of_field(&self, target: &Target<'_>) -> Result<Vec<Component>, String> {
        if self.components.is_empty() {
            let mut all = Component::SEARCHED.to_vec();
            all.retain(|component| lacks(target, *component).is_none());
            return match all.is_empty() {
                true => Err(format!(
                    "{:?}: the field is neither indexed nor fast",
                    target.name
                )),
                false => Ok(all),
            };
        }
        for component in &self.components {
            if let Some(why) = lacks(target, *component) {
                return Err(format!("{} of {:?}: {why}", component.name(), target.name));
            }
        }
        Ok(self.components.clone())
    }

    /// What is selected of all fields: each component must be some field's.
    fn of_all_fields<'a>(&self, schema: &'a Schema) -> Result<Vec<Selected<'a>>, String> {
        let by_field = |it: &&Component| **it != Component::Store;
        let components: Vec<_> = self.components.iter().filter(by_field).collect();
        let mut all = Vec::new();
        for (field, entry) in schema.fields() {
            let target = Target {
                name: entry.name(),
                field,
                entry,
                json_path: "",
            };
            let has = |component: &&Component| lacks(&target, **component).is_none();
            let components: Vec<_> = components.iter().copied().filter(has).copied().collect();
            if !components.is_empty() {
                all.push(Selected { target, components });
            }
        }
        let is_had = |component| all.iter().any(|it| it.components.contains(component));
        match components.into_iter().find(|component| !is_had(component)) {
            Some(component) => Err(format!("{}: no field has any", component.name())),
            None => Ok(all),
        }
    }
}

impl Selected<'_> {
    /// Whether `need`, which reads the field of that name, reads anything of what is selected.
    fn overlaps(&self, need: &Need, name: &str, schema: &Schema) -> bool {
        let within = |path: &str, of: &str| {
            let rest = path.strip_prefix(of);
            of.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let selected = self.target.json_path;
        match (need, schema.find_field(name)) {
            (Need::Column { subpaths, .. }, Some((field, path))) => {
                let below = *subpaths && within(selected, path);
                field == self.target.field && (below || within(path, selected))
            }
            (_, Some((field, _))) => field == self.target.field && selected.is_empty(),
            (_, None) => false,
        }
    }
}

/// Which field a need reads, or which path of a JSON field; nothing when that is not known before.
fn field_of(need: &Need, schema: &Schema) -> Option<String> {
    let field = match need {
        Need::Column { name, .. } => return Some(name.clone()),
        Need::Norms { field } => *field,
        need => need.field()?,
    };
    Some(schema.get_field_name(field).to_owned())
}

/// All of a component of a field that has it.
fn need_of(target: &Target<'_>, component: Component) -> Option<Need> {
    let field = target.field;
    match component {
        Component::Columns => Some(Need::Column {
            name: target.name.to_owned(),
            types: None,
            subpaths: target.entry.field_type().is_json(),
        }),
        Component::Norms => Some(Need::Norms { field }),
        Component::Positions => Some(Need::Whole(Whole::Positions(field))),
        Component::Postings => Some(Need::Whole(Whole::Postings(field))),
        Component::Terms => Some(Need::Whole(Whole::Dictionary(field))),
        Component::Deletes | Component::Other | Component::Store => None,
    }
}

/// Why a field has no such component; nothing when it has.
fn lacks(target: &Target<'_>, component: Component) -> Option<&'static str> {
    let entry = target.entry;
    let has_positions = || {
        let record = entry.field_type().get_index_record_option();
        record.is_some_and(|record| record.has_positions())
    };
    match component {
        Component::Columns => (!entry.is_fast()).then_some("the field is not fast"),
        _ if !target.json_path.is_empty() => {
            Some("only columns lie apart by path: name the JSON field itself")
        }
        _ if !entry.is_indexed() => Some("the field is not indexed"),
        Component::Norms => {
            (!entry.has_fieldnorms()).then_some("the field is indexed without them")
        }
        Component::Positions => (!has_positions()).then_some("the field is indexed without them"),
        Component::Postings | Component::Terms => None,
        Component::Deletes | Component::Other | Component::Store => Some("it is not by field"),
    }
}

impl fmt::Display for ComponentSelection {
    /// For people: `terms, postings of body`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.components.iter().map(|it| it.name()).collect();
        let components = match names.is_empty() {
            true => "all components".to_owned(),
            false => names.join(", "),
        };
        match self.fields.is_empty() {
            true => f.write_str(&components),
            false => write!(f, "{components} of {}", self.fields.join(", ")),
        }
    }
}
