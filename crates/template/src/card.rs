//! The text fields of a card, compiled and rendered together.
//!
//! Each field is a template of its own: what one field saves or assigns, the others do not see.

use std::collections::{BTreeMap, BTreeSet};

use corkboard_core::connected::{ConnectedContent, FetchRequest};

use crate::asking::{Answers, Asking};
use crate::error::TemplateError;
use crate::limits::Limits;
use crate::lint::{self, AttributeRead, Warning};
use crate::machine::{Machine, Memory, Step};
use crate::partials::Partials;
use crate::program::{FetchSite, Template};
use crate::render::{FetchTrace, Field, RenderError, RenderOptions};
use crate::scope::Scope;

/// The text fields of a card: as templates before rendering, as texts after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardSource {
    pub title: Option<String>,
    pub description: Option<String>,
    pub image_url: Option<String>,
    pub image_alt: Option<String>,
    pub url: Option<String>,
    pub url_text: Option<String>,
    /// Values are templates, keys are not.
    pub extras: BTreeMap<String, String>,
}

/// The same fields, rendered.
pub type RenderedFields = CardSource;

impl CardSource {
    /// Each field present with its path, in the order of the type.
    fn fields(&self) -> impl Iterator<Item = (FieldName, &str)> {
        let named = FIXED
            .iter()
            .filter_map(|name| Some((FieldName::Fixed(name), self.get(name)?.as_str())));
        let extras = self
            .extras
            .iter()
            .map(|(k, v)| (FieldName::Extra(k.clone()), v.as_str()));
        named.chain(extras)
    }

    /// The text of the field of this path, such as `title` or `extras/key`.
    pub(crate) fn text(&self, path: &str) -> Option<&String> {
        match path.strip_prefix("extras/") {
            Some(key) => self.extras.get(key),
            None => self.get(path),
        }
    }

    fn get(&self, name: &str) -> Option<&String> {
        match name {
            "title" => self.title.as_ref(),
            "description" => self.description.as_ref(),
            "image_url" => self.image_url.as_ref(),
            "image_alt" => self.image_alt.as_ref(),
            "url" => self.url.as_ref(),
            "url_text" => self.url_text.as_ref(),
            _ => None,
        }
    }

    fn set(&mut self, name: &FieldName, text: String) {
        let place = match name {
            FieldName::Extra(key) => {
                self.extras.insert(key.clone(), text);
                return;
            }
            FieldName::Fixed("title") => &mut self.title,
            FieldName::Fixed("description") => &mut self.description,
            FieldName::Fixed("image_url") => &mut self.image_url,
            FieldName::Fixed("image_alt") => &mut self.image_alt,
            FieldName::Fixed("url") => &mut self.url,
            FieldName::Fixed(_) => &mut self.url_text,
        };
        *place = Some(text);
    }
}

const FIXED: [&str; 6] = [
    "title",
    "description",
    "image_url",
    "image_alt",
    "url",
    "url_text",
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum FieldName {
    Fixed(&'static str),
    Extra(String),
}

impl FieldName {
    /// `title` or `extras/key`.
    fn path(&self) -> String {
        match self {
            Self::Fixed(name) => (*name).to_owned(),
            Self::Extra(key) => format!("extras/{key}"),
        }
    }
}

/// What is wrong with one field of a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field '{path}' does not compile")]
pub struct FieldError {
    /// `title` or `extras/key`.
    pub path: String,
    #[source]
    pub error: TemplateError,
}

/// A card that rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub fields: RenderedFields,
    /// What `message_extras` tags noted, of all fields.
    pub message_extras: BTreeMap<String, String>,
    /// Every fetch, in the order they were made.
    pub trace: Vec<FetchTrace>,
    /// What an author should know although the card rendered.
    pub warnings: Vec<String>,
}

/// All text fields of a card, compiled. Compile once per campaign, render once per user.
#[derive(Debug, Clone)]
pub struct CardTemplate {
    fields: Vec<(FieldName, Template)>,
    sites: Vec<FetchSite>,
}

impl CardTemplate {
    /// Compiles every field.
    ///
    /// # Errors
    /// One error per field that does not compile, in field order.
    pub fn compile(source: &CardSource, limits: &Limits) -> Result<Self, Vec<FieldError>> {
        Self::compile_with(source, &Partials::default(), limits)
    }

    /// Like [`Self::compile`], with what the fields may use; see [`Template::compile_with`].
    ///
    /// # Errors
    /// One error per field that does not compile, in field order.
    pub fn compile_with(
        source: &CardSource,
        partials: &Partials,
        limits: &Limits,
    ) -> Result<Self, Vec<FieldError>> {
        let mut fields = Vec::new();
        let mut errors = Vec::new();
        for (name, text) in source.fields() {
            match Template::compile_with(text, partials, limits) {
                Ok(template) => fields.push((name, template)),
                Err(error) => errors.push(FieldError {
                    path: name.path(),
                    error,
                }),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let sites = fields
            .iter()
            .flat_map(|(_, template)| template.fetches().to_vec())
            .collect();
        Ok(Self { fields, sites })
    }

    /// Whether every user gets the same texts.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.fields.iter().all(|(_, template)| template.is_static())
    }

    /// Every `connected_content` tag of every field.
    #[must_use]
    pub fn fetches(&self) -> &[FetchSite] {
        &self.sites
    }

    /// The paths that any field reads, such as `user.plan`; may repeat between fields.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .flat_map(|(_, template)| template.variables())
    }

    /// The content blocks that the fields name, each with the field's path.
    pub(crate) fn content_blocks(&self) -> impl Iterator<Item = (String, &str)> {
        self.fields.iter().flat_map(|(name, template)| {
            let named = template.content_blocks();
            named.map(|block| (name.path(), block))
        })
    }

    /// What an author should look at: the field's path with each warning.
    #[must_use]
    pub fn warnings(&self) -> Vec<(String, Warning)> {
        let of_field = |(name, template): &(FieldName, Template)| {
            let found = match name {
                FieldName::Fixed("url" | "image_url") => template.warnings_of_url(),
                _ => template.warnings(),
            };
            let path = name.path();
            let located = found.into_iter().map(|warning| (path.clone(), warning));
            located.collect::<Vec<_>>()
        };
        self.fields.iter().flat_map(of_field).collect()
    }

    /// Where each field reads attributes of the user, with the field's path.
    #[must_use]
    pub fn attribute_reads(&self) -> Vec<(String, AttributeRead)> {
        let of_field = |(name, template): &(FieldName, Template)| {
            let path = name.path();
            let reads = template.attribute_reads().into_iter();
            reads.map(|read| (path.clone(), read)).collect::<Vec<_>>()
        };
        self.fields.iter().flat_map(of_field).collect()
    }

    /// What each field fetches first. Nothing is fetched, so what follows cannot be known; fields
    /// that end before they fetch are left out.
    #[must_use]
    pub fn first_fetches(&self, scope: &Scope, options: &RenderOptions) -> Vec<FetchRequest> {
        let first = |(_, template): &(FieldName, Template)| {
            let scope = scope.clone().at(options.now);
            let mut machine = Machine::start(template, scope, &options.limits);
            match machine.run() {
                Ok(Step::Fetch(request)) => Some(request),
                _ => None,
            }
        };
        self.fields.iter().filter_map(first).collect()
    }

    /// The names of the users' attributes that any field reads, sorted, each once.
    #[must_use]
    pub fn user_attributes(&self) -> BTreeSet<&str> {
        lint::attributes(self.variables())
    }

    /// Renders every field, one after the other. The limits hold for each field.
    ///
    /// # Errors
    /// When any field aborts or fails.
    pub async fn render(
        &self,
        scope: Scope,
        options: &RenderOptions,
        fetcher: &dyn ConnectedContent,
    ) -> Result<Rendered, RenderError> {
        let asking = Asking::patiently(fetcher, options.fetch_scope);
        self.render_asking(scope, options, asking).await
    }

    /// Renders every field, trying each fetch once. When one has to wait, what was answered so far
    /// stays in `answers`, to be handed in again with the same scope and options.
    ///
    /// # Errors
    /// As [`Self::render`], and [`RenderError::Waits`].
    pub async fn attempt(
        &self,
        scope: Scope,
        options: &RenderOptions,
        fetcher: &dyn ConnectedContent,
        answers: &mut Answers,
    ) -> Result<Rendered, RenderError> {
        let asking = Asking::trying(fetcher, options.fetch_scope, answers);
        self.render_asking(scope, options, asking).await
    }

    async fn render_asking(
        &self,
        scope: Scope,
        options: &RenderOptions,
        mut asking: Asking<'_>,
    ) -> Result<Rendered, RenderError> {
        let mut fields = RenderedFields::default();
        let mut trace = Vec::new();
        let mut message_extras = BTreeMap::new();
        let mut memory = Memory::default();
        for (name, template) in &self.fields {
            let path = name.path();
            let field = Field {
                name: &path,
                template,
                options,
            };
            let scope = scope.clone();
            let rendered = field.render(
                scope,
                &mut asking,
                &mut trace,
                &mut message_extras,
                &mut memory,
            );
            match rendered.await {
                Ok(text) => fields.set(name, text),
                Err(stop) => return Err(stop.into_error(&path, trace)),
            }
        }
        let warnings = trace.iter().filter_map(warning).collect();
        Ok(Rendered {
            fields,
            message_extras,
            trace,
            warnings,
        })
    }
}

/// A fetch that failed although the card went on.
fn warning(fetch: &FetchTrace) -> Option<String> {
    if (200..300).contains(&fetch.status) && fetch.problem.is_none() {
        return None;
    }
    let why = fetch
        .problem
        .clone()
        .unwrap_or_else(|| format!("status {}", fetch.status));
    Some(format!(
        "{}: the fetch of {} failed ({why}) and the template did not abort",
        fetch.field, fetch.url
    ))
}
